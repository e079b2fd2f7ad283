"""Linear oscillators in plain torch, as :class:`..engine.Reference` asks."""

import math

import torch

from .turn import turned

LONGEST = math.inf  # units of a gap
RELATIVE_NUDGE = 1.0  # a contrast of linear echoes is exact at any size


def force(y: torch.Tensor, u: torch.Tensor, stiffness: torch.Tensor) -> torch.Tensor:
    """Slope of the potential at position y under the drive u."""
    return stiffness * y - u


def potential(
    y: torch.Tensor, u: torch.Tensor, stiffness: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Energy, and its derivatives by the drive and the stiffness."""
    return stiffness * y**2 / 2 - u * y, -y, y**2 / 2


def gap(
    z: torch.Tensor, y: torch.Tensor, elapsed: torch.Tensor, stiffness: torch.Tensor,
    step: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Momentum and position after `elapsed` units without a drive, see ``turn.py``."""
    z, y = turned(step * z, y, elapsed, step.double() ** 2 * stiffness.double())
    return z / step, y


left = None  # motions do not decay
