"""Nonlinear oscillators in plain torch: the truth the compiled kernels are held to."""

import math

import torch
from torch.nn.functional import softplus

RELATIVE_NUDGE = 1e-3  # smaller, and the echoes cancel in float32; larger, and they bend


def oscillator(
    drive: torch.Tensor,
    w: torch.Tensor,
    c: torch.Tensor,
    alpha: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P), and the final momentum and position (B, P)."""
    z = drive.new_zeros(drive.shape[0], drive.shape[2])
    y = torch.zeros_like(z)
    outputs = []
    for t in range(drive.shape[1]):
        d = step if dt is None else step * dt[:, t, None]
        y_half = y + d / 2 * z
        z_next = z - d * (alpha * y_half + c * torch.tanh(w * y_half + drive[:, t]))
        y_next = y_half + d / 2 * z_next
        output = y_next
        if lengths is not None:
            running = (t < lengths)[:, None]
            z_next = torch.where(running, z_next, z)
            y_next = torch.where(running, y_next, y)
            output = torch.where(running, y_next, torch.zeros_like(y))
        z, y = z_next, y_next
        outputs.append(output)
    return torch.stack(outputs, 1), z, y


def log_cosh(x: torch.Tensor) -> torch.Tensor:
    """log cosh x without overflow."""
    return x.abs() + softplus(-2 * x.abs()) - math.log(2)


@torch.no_grad()
def echo(
    drive: torch.Tensor,
    w: torch.Tensor,
    c: torch.Tensor,
    alpha: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    z: torch.Tensor,
    y: torch.Tensor,
    grad: torch.Tensor,
    epsilon: torch.Tensor,
) -> tuple[torch.Tensor, ...]:
    r"""Gradients of (drive, w, c, alpha, step) by two echoes, and where they end.

    ``(z, y)`` is the end of the free run, `grad` the loss gradient of every position
    and `epsilon` (B, P) the size of the nudges. Every sub-step's Hamiltonian is read
    at that sub-step's own state. The last result stacks the two echoes' (z, y).
    """
    sign = torch.tensor([1.0, -1.0], dtype=drive.dtype, device=drive.device)[:, None, None]
    z, y = -z.expand(2, *z.shape), y.expand(2, *y.shape)
    grad_drive = torch.zeros_like(drive)
    grads = [torch.zeros_like(z[0]) for _ in range(4)]
    for t in range(drive.shape[1] - 1, -1, -1):
        scale = torch.ones_like(z[0]) if dt is None else dt[:, t, None].expand_as(z[0])
        if lengths is not None:
            scale = torch.where((t < lengths)[:, None], scale, 0.0)
        d, u = step * scale, drive[:, t]
        z = z + sign * torch.where(scale != 0, epsilon * grad[:, t], 0.0)
        y_half = y + d / 2 * z
        x = w * y_half + u
        z_next = z - d * (alpha * y_half + c * torch.tanh(x))
        y = y_half + d / 2 * z_next
        wells = log_cosh(x) / w
        energy = (z**2 + z_next**2) / 4 + alpha * y_half**2 / 2 + c * wells
        z = z_next
        slope = torch.tanh(x) / w
        factor = -1 / (2 * epsilon)
        grad_drive[:, t] = factor * d * (c * (slope[0] - slope[1]))
        readings = (c * (slope * y_half - wells / w), wells, y_half**2 / 2)
        for total, reading in zip(grads, readings, strict=False):
            total += factor * d * (reading[0] - reading[1])
        grads[3] += factor * scale * (energy[0] - energy[1])
    return grad_drive, *(total.sum(0) for total in grads), torch.stack([z, y])
