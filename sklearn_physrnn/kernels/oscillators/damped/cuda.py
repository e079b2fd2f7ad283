"""Damped linear oscillators on a GPU: the kernels of ``..linear``, with decays.

Time stays in sequence, a mode a lane, however few modes and samples there are.
"""

import torch

from ..linear import cuda as linear

N_KEPT = linear.N_KEPT
RELATIVE_NUDGE = linear.RELATIVE_NUDGE
FORGETS = True
advance, adjoint, echo = linear.advance, linear.adjoint, linear.echo


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> list[torch.Tensor]:
    """Stiffness, step and decay, in this order."""
    stiffness, decay, step = parameters
    return linear.coefficients([stiffness, step, decay], dtype)


def parameter_gradients(
    sums: torch.Tensor, parameters: list[torch.Tensor]
) -> tuple[torch.Tensor, ...]:
    """Gradients of (stiffness, decay, step), given in float64, from a way back's sums."""
    stiffness, _, step = parameters
    by_stiffness, by_step = linear.parameter_gradients(sums, [stiffness, step])
    return by_stiffness, sums[2].sum(0), by_step
