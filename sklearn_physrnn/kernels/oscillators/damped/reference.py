"""Damped linear oscillators in plain torch, as :class:`..engine.Reference` asks.

They are linear ones of which every unit of time leaves the share exp(-decay), momentum and
position alike: half of it before, half of it after what a step does, and all of it beside the
turn of a gap. A share of both commutes with a turn. So a damped oscillator swings with the
frequency of its stiffness, however fast it fades; phase space shrinks by exp(-2 decay) a unit,
exactly (a step is conformally symplectic); and a gap of whole units is that many steps.
"""

import torch

from ..linear import reference as linear

LONGEST = linear.LONGEST
RELATIVE_NUDGE = linear.RELATIVE_NUDGE


def force(
    y: torch.Tensor, u: torch.Tensor, stiffness: torch.Tensor, decay: torch.Tensor
) -> torch.Tensor:
    """Slope of the potential at position y under the drive u."""
    return linear.force(y, u, stiffness)


def potential(
    y: torch.Tensor, u: torch.Tensor, stiffness: torch.Tensor, decay: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Energy, and its derivatives by the drive, the stiffness and the decay."""
    return *linear.potential(y, u, stiffness), torch.zeros_like(y)


def left(
    units: float | torch.Tensor, stiffness: torch.Tensor, decay: torch.Tensor, step: torch.Tensor
) -> torch.Tensor:
    """Share of momentum and position that `units` leave."""
    return torch.exp(-decay * units)


def gap(
    z: torch.Tensor, y: torch.Tensor, elapsed: torch.Tensor, stiffness: torch.Tensor,
    decay: torch.Tensor, step: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """Momentum and position after `elapsed` units without a drive."""
    share = left(elapsed, stiffness, decay, step)
    z, y = linear.gap(z, y, elapsed, stiffness, step)
    return share * z, share * y
