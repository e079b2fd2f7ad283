"""Missing values inside sequences: what stands in their place, in tensors.

As :class:`~sklearn_physrnn.preparation.holes.Holes` has it. What was seen last, and when, is
remembered step by step; to look ahead is to do so from the end.
"""

import numpy as np
import torch
from torch import nn

from ..preparation.holes import INDICATOR, Holes
from ._graph import Graph, Value
from ._loops import along_time
from ._translation import call

Pair = tuple[torch.Tensor, torch.Tensor]


class Memory(nn.Module):
    """What is known of channels (batch, n_channels), and what a network sees of them.

    What is remembered is a value's distance from rest, NaN before the first, and when it was.
    """

    rests: torch.Tensor
    rates: torch.Tensor
    empty: torch.Tensor
    told: torch.Tensor

    def __init__(self, holes: Holes, n_channels: int) -> None:
        super().__init__()
        known = holes.relaxation
        rests, rates = np.zeros((2, n_channels)) if known is None else np.array(known)
        self.register_buffer("rests", torch.as_tensor(rests))
        self.register_buffer("rates", torch.as_tensor(rates))
        empty = [channel in holes.empty for channel in range(n_channels)]
        self.register_buffer("empty", torch.tensor(empty))
        self.register_buffer("told", torch.tensor(holes.told, dtype=torch.int64))
        self.n_channels = n_channels

    def rest(self, n_samples: int) -> Pair:
        """Give what is remembered before the first step."""
        nothing = torch.full((n_samples, self.n_channels), torch.nan, dtype=torch.float64)
        return nothing, torch.zeros_like(nothing)

    def remembered(
        self, z: torch.Tensor, missing: torch.Tensor, at: torch.Tensor,
        value: torch.Tensor, when: torch.Tensor,
    ) -> Pair:  # fmt: skip
        """Look at a step at time `at` (batch, 1)."""
        there = self._there(missing)
        return torch.where(there, z - self.rests, value), torch.where(there, at, when)

    def held(self, at: torch.Tensor, value: torch.Tensor, when: torch.Tensor) -> torch.Tensor:
        """Give what is left at another time of what is remembered."""
        left = value * torch.exp(-self.rates * (at - when).abs())
        return torch.where(value.isnan(), 0.0, left)

    def bridged(
        self, at: torch.Tensor, value: torch.Tensor, when: torch.Tensor,
        later: torch.Tensor, then: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        """Give what is expected between what was before and what comes."""
        rates, since, until = self.rates, at - when, then - at
        whole = since + until
        all_of_it = -torch.expm1(-2 * rates * whole)
        first = torch.exp(-rates * since) * -torch.expm1(-2 * rates * until) / all_of_it
        second = torch.exp(-rates * until) * -torch.expm1(-2 * rates * since) / all_of_it
        line = torch.where(whole > 0, since / whole, 0.0)
        straight = rates * whole < 1e-6
        first, second = torch.where(straight, 1 - line, first), torch.where(straight, line, second)
        between = first * value + second * later
        ahead = torch.where(value.isnan(), self.held(at, later, then), between)
        return torch.where(later.isnan(), self.held(at, value, when), ahead)

    def columns(
        self, z: torch.Tensor, missing: torch.Tensor, expected: torch.Tensor
    ) -> torch.Tensor:
        """Give what the network sees: values, what is `expected` of others, and where they are."""
        x = torch.where(self._there(missing), z, expected + self.rests)
        if len(self.told):
            tells = missing.index_select(-1, self.told).to(x.dtype) * INDICATOR
            x = torch.cat((x, tells), -1)
        return x.to(torch.float32)

    def _there(self, missing: torch.Tensor) -> torch.Tensor:
        return ~(missing | self.empty)


class _Remembered(nn.Module):
    def __init__(self, memory: Memory) -> None:
        super().__init__()
        self.memory = memory

    def forward(self, z, missing, at, value, when):
        return self.memory.remembered(z, missing, at, value, when)


class _Rest(_Remembered):
    def forward(self, z):  # type: ignore[override]
        return self.memory.rest(z.shape[0])


class _Bridged(_Remembered):
    def forward(self, z, missing, at, value, when, later, then):  # type: ignore[override]
        expected = self.memory.bridged(at, value, when, later, then)
        return self.memory.columns(z, missing, expected)


def bridged(graph: Graph, memory: Memory, z: Value, missing: Value, at: Value) -> Value:
    """Give what the network sees of whole sequences, (batch, time, ...), looking both ways."""
    seen: list[Value] = []
    for backwards in (False, True):

        def look(inner: Graph, state: list[Value], now: list[Value]):
            state = call(inner, _Remembered(memory), *now, *state)
            return state, state

        steps = [_turned(graph, value) if backwards else value for value in (z, missing, at)]
        _, found = along_time(graph, look, call(graph, _Rest(memory), z), steps)
        seen += [_turned(graph, value) if backwards else value for value in found]
    return call(graph, _Bridged(memory), z, missing, at, *seen)[0]


def _turned(graph: Graph, value: Value) -> Value:
    """Give a value (batch, time, ...) from the end."""
    bounds = (graph.integers(number) for number in (-1, -(2**62), 1, -1))
    return value._replace(name=graph.node("Slice", value.name, *bounds))
