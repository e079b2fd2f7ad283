"""Damped linear oscillators on the CPU: the loops of ``..linear``, with rates."""

import numpy as np
import torch

from ..cpu import numpy_dtype
from ..linear import cpu as linear
from ..linear.cpu_decay import rates_of

N_KEPT = linear.N_KEPT
RELATIVE_NUDGE = linear.RELATIVE_NUDGE
FORGETS = True
advance, adjoint, echo = linear.advance, linear.adjoint, linear.echo


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> linear.Coefficients:
    """Those of linear oscillators, and rates."""
    stiffness, decay, step = parameters
    rows, angles, _ = linear.coefficients([stiffness, step], dtype)
    with np.errstate(all="ignore"):
        return rows, angles, rates_of(decay.double().numpy(), numpy_dtype(dtype))


def parameter_gradients(sums: np.ndarray, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of (stiffness, decay, step), given in float64, from a way back's sums."""
    stiffness, _, step = parameters
    by_stiffness, by_step = linear.parameter_gradients(sums, [stiffness, step])
    return [by_stiffness, torch.from_numpy(sums[2].copy()), by_step]
