"""One step of linear oscillators in plain torch and the kernels' own variables.

As :class:`..engine.OneStep` asks; the variables are those of ``parameters.py``.
"""

import numpy as np
import torch

from ...one_step.codes import Code
from ..steps import parted
from .turn import turned

Tensor = torch.Tensor

CODE = Code.LINEAR


def constants(dtype: torch.dtype, stiffness: Tensor, step: Tensor) -> dict[str, Tensor]:
    """What steps of `dtype` read of the parameters: kappa in two parts, gain, and it exactly."""
    stiffness, step = stiffness.double(), step.double()
    gain = step * step
    exact = gain * stiffness
    high = exact.to(dtype)
    low = (exact - high.double()).to(dtype)
    return {"kappa": high, "kappa_low": low, "gain": gain.to(dtype), "exact": exact}


def advanced(
    z: Tensor, y: Tensor, u: Tensor, dt: Tensor | None,
    *, kappa: Tensor, kappa_low: Tensor, gain: Tensor | None, exact: Tensor,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Z and y (B, P) after a step under the drive u (B, P), of `dt` (see ``parted``) or one.

    Without `gain` it is in u already.
    """
    push = u if gain is None else gain * u
    if dt is None:  # as below, without the products with one, which a graph would hold
        y_half = y + 0.5 * z
        z = z + (push - kappa_low * y_half)
        z = z - kappa * y_half
        return z, y_half + 0.5 * z
    size, gap = parted(dt)
    size = size.to(y.dtype)
    z, y = turned(z, y, gap, exact)
    y_half = y + 0.5 * size * z
    z = z + size * (push - kappa_low * y_half)
    z = z - size * kappa * y_half
    return z, y_half + 0.5 * size * z


def coefficients(parameters: list[Tensor], dtype: torch.dtype) -> tuple[np.ndarray, ...]:
    """What the compiled loop reads of the parameters, in `dtype` and in float64."""
    from . import cpu  # compiled code, only when it is first needed

    return cpu.coefficients(parameters, dtype)[:2]
