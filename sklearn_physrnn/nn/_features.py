"""Networks without their head: what they make of a sequence, for others to learn from."""

import copy
from typing import Any, Self

import torch
from torch import nn


class Open(nn.Linear):
    """A head that lets through what it sees."""

    @classmethod
    def like(cls, parameter: torch.Tensor, width: int = 1) -> Self:
        """Make one of a parameter's device and dtype."""
        opened = cls(width, 1, bias=False, device=parameter.device, dtype=parameter.dtype)
        return opened.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def without_head(network: nn.Module) -> nn.Module:
    """Give a network whose outputs are what the head of `network` sees.

    The two share all else. With readout "sequence" it is what the head sees at the last step.

    Parameters
    ----------
    network : nn.Module
        A :class:`.._walk.Walker` with a `head`, linear or a sequence that begins with such.
    """
    bare: Any = copy.copy(network)
    bare._modules = dict(network._modules)
    like = next(network.parameters())
    opened = Open.like(like, bare.width)
    bare.head = opened if isinstance(network.head, nn.Linear) else nn.Sequential(opened)
    if bare.readout == "sequence":
        bare.readout = "last"
    return bare
