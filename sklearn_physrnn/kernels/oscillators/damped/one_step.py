"""One step of damped linear oscillators in plain torch, as :class:`..engine.OneStep` asks."""

from typing import Any

import numpy as np
import torch

from ...one_step.codes import Code
from ..linear import one_step as linear
from ..steps import parted

Tensor = torch.Tensor

CODE = Code.DAMPED


def constants(
    dtype: torch.dtype, stiffness: Tensor, decay: Tensor, step: Tensor
) -> dict[str, Tensor]:
    """What steps of `dtype` read of the parameters: besides linear ones', the decay."""
    decay = decay.double()
    lost = torch.expm1(-decay / 2).to(dtype)
    return {"decay": decay, "lost": lost, **linear.constants(dtype, stiffness, step)}


def advanced(
    z: Tensor, y: Tensor, u: Tensor, dt: Tensor | None,
    *, decay: Tensor, lost: Tensor, **constants: Any,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Z and y (B, P) after a step under the drive u (B, P), of `dt` (see ``parted``) or one."""
    if dt is not None:
        size, gap = (part.double() for part in parted(dt))
        left = torch.exp(-decay * gap).to(y.dtype)
        z, y = left * z, left * y
        lost = (torch.exp(-decay / 2 * size) - 1).to(y.dtype)
    z, y = linear.advanced(z + lost * z, y + lost * y, u, dt, **constants)
    return z + lost * z, y + lost * y


def coefficients(parameters: list[Tensor], dtype: torch.dtype) -> tuple[np.ndarray, ...]:
    """What the compiled loop reads of the parameters: rows and rates in `dtype`, and angles."""
    from . import cpu  # compiled code, only when it is first needed

    rows, angles, rates = cpu.coefficients(parameters, dtype)
    return np.concatenate([rows, rates]), angles
