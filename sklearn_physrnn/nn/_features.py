"""Networks without their head: what they make of a sequence, for others to learn from."""

import copy
from typing import Any

import torch
from torch import nn


class _Open(nn.Linear):
    """A head that lets through what it sees."""

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
    opened = _Open(bare.width, 1, bias=False, device=like.device, dtype=like.dtype)
    opened.requires_grad_(False)
    bare.head = opened if isinstance(network.head, nn.Linear) else nn.Sequential(opened)
    if bare.readout == "sequence":
        bare.readout = "last"
    return bare
