"""One step of damped linear oscillators in plain torch, as :class:`..engine.OneStep` asks."""

import numpy as np
import torch

from ...one_step.codes import Code
from ..linear import one_step as linear

Tensor = torch.Tensor

CODE: Code | None = None


def constants(
    dtype: torch.dtype, stiffness: Tensor, decay: Tensor, step: Tensor
) -> dict[str, Tensor]:
    """What steps of `dtype` read of the parameters: half the decay besides linear ones'."""
    return {"half": decay.double() / 2, **linear.constants(dtype, stiffness, step)}


def advanced(
    z: Tensor, y: Tensor, u: Tensor, dt: Tensor | None, *, half: Tensor, **constants: Tensor
) -> tuple[Tensor, Tensor]:
    """Z and y (B, P) after a step under the drive u (B, P), of dt (B, 1) units or one."""
    size: Tensor | float = 1.0
    if dt is not None:
        wide = dt.to(torch.promote_types(dt.dtype, torch.float32))
        gap = torch.exp(-2 * half * (wide - 1).clamp(min=0.0)).to(y.dtype)
        z, y, size = gap * z, gap * y, wide.clamp(max=1.0)
    lost = torch.expm1(-half * size).to(y.dtype)
    z, y = linear.advanced(z + lost * z, y + lost * y, u, dt, **constants)
    return z + lost * z, y + lost * y


def coefficients(parameters: list[Tensor], dtype: torch.dtype) -> tuple[np.ndarray, ...]:
    """Nothing: there is no compiled step."""
    return ()
