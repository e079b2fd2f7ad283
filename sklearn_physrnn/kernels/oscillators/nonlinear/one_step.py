"""One step of nonlinear oscillators in plain torch and the kernels' own variables.

As :class:`..engine.OneStep` asks; the variables are those of ``parameters.py``.
"""

import numpy as np
import torch

from ...one_step.codes import Code
from ..steps import parted

Tensor = torch.Tensor

CODE = Code.NONLINEAR


def constants(
    dtype: torch.dtype, w: Tensor, c: Tensor, alpha: Tensor, rest: Tensor, step: Tensor
) -> dict[str, Tensor]:
    """What steps of `dtype` read of the parameters: stiff in two parts, pull, w and rest."""
    gain = step.double() ** 2
    exact = gain * alpha.double()
    high = exact.to(dtype)
    low = (exact - high.double()).to(dtype)
    pull = (gain * c.double()).to(dtype)
    return {
        "stiff": high, "stiff_low": low, "pull": pull, "w": w.to(dtype), "rest": rest.to(dtype),
    }  # fmt: skip


def advanced(
    z: Tensor, y: Tensor, u: Tensor, dt: Tensor | None,
    *, stiff: Tensor, stiff_low: Tensor, pull: Tensor, w: Tensor, rest: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Z and y (B, P) after a step under the drive u (B, P), of `dt` (see ``parted``) or one.

    Of as many steps as a gap takes, which the values of `dt` say: a graph can hold this
    without `dt` alone.
    """

    def leaped(z, y, u, size):
        y_half = y + 0.5 * size * z
        force = stiff_low * y_half + pull * torch.tanh(w * y_half + u)
        z = z - size * (force + stiff * y_half)
        return z, y_half + 0.5 * size * z

    if dt is None:
        return leaped(z, y, u, 1.0)
    size, gap = (part.to(y.dtype) for part in parted(dt))
    n_steps = gap.ceil()
    part = gap / n_steps.clamp(min=1)
    for k in range(int(n_steps.max())):
        z_next, y_next = leaped(z, y, rest, part)
        z, y = torch.where(k < n_steps, z_next, z), torch.where(k < n_steps, y_next, y)
    return leaped(z, y, u, size)


def coefficients(parameters: list[Tensor], dtype: torch.dtype) -> tuple[np.ndarray, ...]:
    """What the compiled loop reads of the parameters, in `dtype`."""
    from . import cpu  # compiled code, only when it is first needed

    return (cpu.coefficients(parameters, dtype),)
