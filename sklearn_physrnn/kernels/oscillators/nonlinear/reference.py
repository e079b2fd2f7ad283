"""Nonlinear oscillators in plain torch: the truth the compiled kernels are held to."""

import math
from collections.abc import Sequence

import torch
from torch.nn.functional import softplus

from ..reference import Force, State, echoes, leapfrog

RELATIVE_NUDGE = 1e-3  # smaller, and the echoes cancel in float32; larger, and they bend


def _force(w: torch.Tensor, c: torch.Tensor, alpha: torch.Tensor) -> Force:
    return lambda y, u: alpha * y + c * torch.tanh(w * y + u)


def oscillator(
    drive: torch.Tensor,
    parameters: Sequence[torch.Tensor],
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    start: State | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P), and the final momentum and position (B, P)."""
    *shape, step = parameters
    return leapfrog(_force(*shape), drive, step, dt, lengths, start)


def log_cosh(x: torch.Tensor) -> torch.Tensor:
    """log cosh x without overflow."""
    return x.abs() + softplus(-2 * x.abs()) - math.log(2)


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
    """Gradients of (drive, w, c, alpha, step) by two echoes, and where they end.

    As :class:`..engine.Reference` says.
    """
    w, c, alpha, step = parameters
    grad_drive = torch.zeros_like(drive)
    grads = [torch.zeros_like(z) for _ in range(4)]
    contrast = -1 / (2 * epsilon)
    runs = echoes(_force(w, c, alpha), drive, step, dt, lengths, z, y, grad, epsilon, grad_end)
    for now in runs:
        y_half = now.y_half
        x = w * y_half + drive[:, now.t]
        wells, slope = log_cosh(x) / w, torch.tanh(x) / w
        energy = now.kinetic + alpha * y_half**2 / 2 + c * wells
        grad_drive[:, now.t] = contrast * now.d * (c * (slope[0] - slope[1]))
        readings = (c * (slope * y_half - wells / w), wells, y_half**2 / 2)
        for total, reading in zip(grads, readings, strict=False):
            total += contrast * now.d * (reading[0] - reading[1])
        grads[3] += contrast * now.scale * (energy[0] - energy[1])
    return grad_drive, *(total.sum(0) for total in grads), now.state
