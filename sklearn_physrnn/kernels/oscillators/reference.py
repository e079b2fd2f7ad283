"""The leapfrog of any driven oscillator in plain torch, there and back.

It follows the paper's variables literally, momentum z and position y; the compiled
kernels work in a rescaled momentum. What pulls an oscillator is its own kind's affair:
``force(y, u)`` is the potential's slope at position y under the drive u.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

Force = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
State = tuple[torch.Tensor, torch.Tensor]  # momentum and position, (B, P) each


def leapfrog(
    force: Force,
    drive: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    start: State | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P) from `start` or rest, and the final momentum and position (B, P)."""
    if start is None:
        rest = drive.new_zeros(drive.shape[0], drive.shape[2])
        start = rest, rest
    z, y = start
    outputs = []
    for t in range(drive.shape[1]):
        d = step if dt is None else step * dt[:, t, None]
        y_half = y + d / 2 * z
        z_next = z - d * force(y_half, drive[:, t])
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


class EchoStep(NamedTuple):
    """A step of both echoes, (2, B, P), the one nudged by plus epsilon first."""

    t: int
    scale: torch.Tensor  # the step's factor (B, P), zero past a sample's end
    d: torch.Tensor  # its size
    y_half: torch.Tensor  # at the kick
    kinetic: torch.Tensor  # energy of the two half drifts, before and after the kick
    state: torch.Tensor  # z and y after the step, stacked


def echoes(
    force: Force,
    drive: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
    z: torch.Tensor,
    y: torch.Tensor,
    grad: torch.Tensor,
    epsilon: torch.Tensor,
    grad_end: State | None,
) -> Iterator[EchoStep]:
    """Reverse the momentum z, and run back, nudged by plus and minus `epsilon` times `grad`.

    A gradient of the end (z, y), `grad_end`, nudges the start: y's the momentum, z's the
    position.
    """
    sign = torch.tensor([1.0, -1.0], dtype=drive.dtype, device=drive.device)[:, None, None]
    z, y = -z.expand(2, *z.shape), y.expand(2, *y.shape)
    if grad_end is not None:
        grad_z, grad_y = grad_end
        z, y = z + sign * (epsilon * grad_y), y + sign * (epsilon * grad_z)
    for t in range(drive.shape[1] - 1, -1, -1):
        scale = torch.ones_like(z[0]) if dt is None else dt[:, t, None].expand_as(z[0])
        nudge = epsilon * grad[:, t]
        if lengths is not None:
            running = (t < lengths)[:, None]
            scale, nudge = torch.where(running, scale, 0.0), torch.where(running, nudge, 0.0)
        d = step * scale
        z = z + sign * nudge
        y_half = y + d / 2 * z
        z_next = z - d * force(y_half, drive[:, t])
        y = y_half + d / 2 * z_next
        kinetic = (z**2 + z_next**2) / 4
        z = z_next
        yield EchoStep(t, scale, d, y_half, kinetic, torch.stack([z, y]))
