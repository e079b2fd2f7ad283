"""Dropout with a random generator of its own."""

import torch
from torch import nn


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` that draws from `generator` where one is set.

    The training engine sets it: fits that run in several threads would otherwise draw
    from one global generator in an order that changes from run to run.
    """

    generator: torch.Generator | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if self.generator is None or not self.training or self.p == 0:
            return super().forward(input)
        keep = torch.empty_like(input).bernoulli_(1 - self.p, generator=self.generator)
        return input * keep.div_(1 - self.p)
