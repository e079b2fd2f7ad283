"""Missing values inside sequences: what stands in their place, in tensors.

As :class:`~sklearn_physrnn.preparation.holes.Holes` has it. What was seen last, and when, is
remembered step by step; to look ahead is to do so from the end.
"""

from collections.abc import Sequence

import torch
from torch import nn

from ..preparation.holes import INDICATOR, Holes
from ._graph import Graph, Value
from ._loops import along_time
from ._translation import call


class Memory(nn.Module):
    """What is known of channels (batch, n_channels), and what a network sees of them.

    What is remembered is the last value, NaN before the first.
    """

    empty: torch.Tensor
    told: torch.Tensor

    def __init__(self, holes: Holes, n_channels: int) -> None:
        super().__init__()
        empty = [channel in holes.empty for channel in range(n_channels)]
        self.register_buffer("empty", torch.tensor(empty))
        self.register_buffer("told", torch.tensor(holes.told, dtype=torch.int64))
        self.n_channels = n_channels

    def rest(self, n_samples: int) -> torch.Tensor:
        """Give what is remembered before the first step."""
        return torch.full((n_samples, self.n_channels), torch.nan, dtype=torch.float64)

    def there(self, missing: torch.Tensor) -> torch.Tensor:
        """Tell where there are values."""
        return ~(missing | self.empty)

    def between(
        self, at: torch.Tensor, value: torch.Tensor, when: torch.Tensor,
        later: torch.Tensor, then: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        """Give what lies on the line between what was before and what comes."""
        share = torch.where(then > when, (at - when) / (then - when), 0.0)
        line = value + share * (later - value)
        known = torch.where(value.isnan(), later, line)
        return torch.where(later.isnan(), value, known)

    def columns(
        self, z: torch.Tensor, missing: torch.Tensor, expected: torch.Tensor
    ) -> torch.Tensor:
        """Give what the network sees: values, what is `expected` of others, and where they are.

        Where nothing is known of a channel, that is NaN, it sees zero.
        """
        expected = torch.where(expected.isnan(), 0.0, expected)
        x = torch.where(self.there(missing), z, expected)
        if len(self.told):
            tells = missing.index_select(-1, self.told).to(x.dtype) * INDICATOR
            x = torch.cat((x, tells), -1)
        return x.to(torch.float32)


class _Remembered(nn.Module):
    """What was seen last at a step and what was seen next at another, one walk from each end."""

    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        found: tuple[torch.Tensor, ...] = ()
        for (z, missing, at), seen in (
            (given[:3], given[6:8]),
            (given[3:6], given[8:]),
        ):
            there = self.memory.there(missing)
            now = z, at
            found += tuple(torch.where(there, *x) for x in zip(now, seen, strict=True))
        return found


class _Between(nn.Module):
    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory

    def forward(self, z, missing, at, value, when, later, then):
        expected = self.memory.between(at, value, when, later, then)
        return self.memory.columns(z, missing, expected)


def lines(graph: Graph, memory: Memory, heard: Sequence[Value], nothing: Sequence[Value]) -> Value:
    """Give what the network sees of whole sequences, looking both ways.

    Parameters
    ----------
    graph : Graph
    memory : Memory
    heard : sequence of Value of shape (batch, time, ...)
        Scaled values, where they are missing, and when that was in float64.
    nothing : sequence of Value of shape (batch, n_channels)
        What was seen before the first step, and when.
    """

    def look(inner: Graph, state: list[Value], now: list[Value]):
        state = call(inner, _Remembered(memory), *now, *state)
        return state, state

    _, seen = along_time(graph, look, [*nothing, *nothing], heard, from_end=heard)
    return call(graph, _Between(memory), *heard, *seen)[0]
