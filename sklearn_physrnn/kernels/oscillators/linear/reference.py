"""Linear oscillators in plain torch: the truth the compiled kernels are held to."""

from collections.abc import Sequence

import torch

from ..reference import Force, State, echoes, leapfrog

RELATIVE_NUDGE = 1.0  # a contrast of linear echoes is exact at any size


def _force(stiffness: torch.Tensor) -> Force:
    return lambda y, u: stiffness * y - u


def oscillator(
    drive: torch.Tensor,
    parameters: Sequence[torch.Tensor],
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    start: State | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P), and the final momentum and position (B, P)."""
    stiffness, step = parameters
    return leapfrog(_force(stiffness), drive, step, dt, lengths, start)


@torch.no_grad()
def echo(
    drive: torch.Tensor,
    parameters: Sequence[torch.Tensor],
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    z: torch.Tensor,
    y: torch.Tensor,
    grad: torch.Tensor,
    epsilon: torch.Tensor,
    grad_end: State | None,
) -> tuple[torch.Tensor, ...]:
    r"""Gradients of (drive, stiffness, step) by two echoes, and where they end.

    As :class:`..engine.Reference` says. Every sub-step's Hamiltonian is read at that
    sub-step's own state: :math:`z^2 / 4` in the half drift before and after the kick, the
    potential in the middle.
    """
    stiffness, step = parameters
    grad_drive = torch.zeros_like(drive)
    grad_stiffness, grad_step = torch.zeros_like(z), torch.zeros_like(z)
    contrast = -1 / (2 * epsilon)
    runs = echoes(_force(stiffness), drive, step, dt, lengths, z, y, grad, epsilon, grad_end)
    for now in runs:
        y_half, u = now.y_half, drive[:, now.t]
        energy = now.kinetic + stiffness * y_half**2 / 2 - u * y_half
        grad_drive[:, now.t] = contrast * now.d * (y_half[1] - y_half[0])
        grad_stiffness += contrast * now.d * (y_half[0] ** 2 - y_half[1] ** 2) / 2
        grad_step += contrast * now.scale * (energy[0] - energy[1])
    return grad_drive, grad_stiffness.sum(0), grad_step.sum(0), now.state
