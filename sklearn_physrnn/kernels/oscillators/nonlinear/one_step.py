"""One step of nonlinear oscillators in plain torch and the kernels' own variables.

As :class:`..engine.OneStep` asks; the variables are those of ``parameters.py``.
"""

import numpy as np
import torch

from ...one_step.codes import Code

Tensor = torch.Tensor

CODE: Code | None = Code.NONLINEAR


def constants(
    dtype: torch.dtype, w: Tensor, c: Tensor, alpha: Tensor, step: Tensor
) -> dict[str, Tensor]:
    """What steps of `dtype` read of the parameters: stiff in two parts, pull and w."""
    gain = step.double() ** 2
    exact = gain * alpha.double()
    high = exact.to(dtype)
    low = (exact - high.double()).to(dtype)
    pull = (gain * c.double()).to(dtype)
    return {"stiff": high, "stiff_low": low, "pull": pull, "w": w.to(dtype)}


def advanced(
    z: Tensor, y: Tensor, u: Tensor, dt: Tensor | None,
    *, stiff: Tensor, stiff_low: Tensor, pull: Tensor, w: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Z and y (B, P) after a step under the drive u (B, P), of dt (B, 1) units or one."""
    size: Tensor | float = 1.0 if dt is None else dt.to(y.dtype)
    y_half = y + 0.5 * size * z
    force = stiff_low * y_half + pull * torch.tanh(w * y_half + u)
    z = z - size * (force + stiff * y_half)
    return z, y_half + 0.5 * size * z


def coefficients(parameters: list[Tensor], dtype: torch.dtype) -> tuple[np.ndarray, ...]:
    """What the compiled loop reads of the parameters, in `dtype`."""
    from . import cpu  # compiled code, only when it is first needed

    return (cpu.coefficients(parameters, dtype),)
