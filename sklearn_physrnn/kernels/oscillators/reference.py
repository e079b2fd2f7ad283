"""The leapfrog of any driven oscillator in plain torch, there and back.

It follows the paper's variables literally, momentum z and position y; the compiled
kernels work in a rescaled momentum. What pulls an oscillator is its own kind's affair:
``force(y, u)`` is the potential's slope at position y under the drive u.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch

Force = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def leapfrog(
    force: Force,
    drive: torch.Tensor,
    step: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P) from rest, and the final momentum and position (B, P)."""
    z = drive.new_zeros(drive.shape[0], drive.shape[2])
    y = torch.zeros_like(z)
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
) -> Iterator[EchoStep]:
    """Reverse the momentum z, and run back, nudged by plus and minus `epsilon` times `grad`."""
    sign = torch.tensor([1.0, -1.0], dtype=drive.dtype, device=drive.device)[:, None, None]
    z, y = -z.expand(2, *z.shape), y.expand(2, *y.shape)
    for t in range(drive.shape[1] - 1, -1, -1):
        scale = torch.ones_like(z[0]) if dt is None else dt[:, t, None].expand_as(z[0])
        if lengths is not None:
            scale = torch.where((t < lengths)[:, None], scale, 0.0)
        d = step * scale
        z = z + sign * torch.where(scale != 0, epsilon * grad[:, t], 0.0)
        y_half = y + d / 2 * z
        z_next = z - d * force(y_half, drive[:, t])
        y = y_half + d / 2 * z_next
        kinetic = (z**2 + z_next**2) / 4
        z = z_next
        yield EchoStep(t, scale, d, y_half, kinetic, torch.stack([z, y]))
