"""Time stamps, step by step: what passes between them, in units of the model's time."""

import torch
from torch import nn

from ..preparation.gaps import ROUNDED
from ..preparation.scaling import LIMIT
from ..preparation.sequences import SequenceInputs


class Clock(nn.Module):
    """Stamps of steps before and now, (batch, 1) each, to units of time between them.

    A stamp before of NaN says that there was none. What prediction would refuse, a stamp that
    is NaN or not later than the one before, becomes NaN.
    """

    def __init__(self, inputs: SequenceInputs) -> None:
        super().__init__()
        self.unit, self.bounded = inputs.time_unit, inputs.bounded
        self.of_oscillators = inputs.unit_share is not None

    def forward(self, before: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
        elapsed = now - before
        steps = (elapsed / self.unit).clamp(max=LIMIT)
        if self.bounded:
            steps = steps.clamp(max=1)
        elif self.of_oscillators:
            steps = self._without_rounding(steps, before, now)
        steps = torch.where(elapsed <= 0, torch.nan, steps)
        return torch.where(before.isnan(), 1 + 0 * now, steps).to(torch.float32)

    def _without_rounding(
        self, steps: torch.Tensor, before: torch.Tensor, now: torch.Tensor
    ) -> torch.Tensor:
        largest = torch.maximum(before.abs(), now.abs())
        # The distance to the next number of their type, or of a power of two half of it.
        spacing = torch.finfo(now.dtype).eps * torch.exp2(torch.log2(largest).floor())
        rounded = ROUNDED + 4 * spacing / self.unit
        return torch.where((steps > 1) & (steps <= 1 + rounded), 1.0, steps)
