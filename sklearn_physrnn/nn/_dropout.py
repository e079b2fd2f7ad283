"""Dropout with a random generator of its own, and masks that follow from a step's place."""

import torch
from torch import nn

from ..kernels.dropout import dropout
from ._packing import Packing
from ._share import empty_whole, first_row

_SAMPLE = 2**40  # places between two samples' first steps: more than a sequence has steps
_LAYER = 0x2545F4914F6CDD1D  # odd, to tell the masks of a walk apart


class Dropout(nn.Dropout):
    """``torch.nn.Dropout`` that draws from `generator` where one is set.

    The training engine sets it: fits that run in several threads would otherwise draw
    from one global generator in an order that changes from run to run.
    """

    generator: torch.Generator | None = None

    def forward(self, input: torch.Tensor, masks: "Masks | None" = None) -> torch.Tensor:
        """Drop a share of `input` in training, by `masks` where they are given."""
        if not self.training or self.p == 0:
            return input
        if masks is not None:
            return masks.applied(input, self.p)
        if self.generator is None:
            return super().forward(input)
        keep = empty_whole(input).bernoulli_(1 - self.p, generator=self.generator)
        keep = keep[first_row(len(input)) :][: len(input)]
        return input * keep.div_(1 - self.p)


def drawn_key(*dropouts: Dropout, device: torch.device) -> torch.Tensor | None:
    """Draw what the masks of one walk follow from; None where nothing is dropped.

    A tensor on `device`, drawn there: a step that is captured in a graph has new masks in
    every replay.
    """
    for part in dropouts:
        if part.training and part.p > 0:
            key = torch.empty((), dtype=torch.int64, device=device)
            return key.random_(generator=part.generator)
    return None


def step_places(
    n_samples: int, n_steps: int, position: int, packing: Packing | None, device: torch.device
) -> torch.Tensor:
    """Number the steps of a piece that begins at `position`, so that no two are alike.

    Of shape (n_samples, n_steps), or (sum of the lengths,) of packed sequences.
    """
    position += first_row(n_samples) * _SAMPLE
    if packing is not None:
        return packing.places(_SAMPLE, position, device)
    steps = torch.arange(position, position + n_steps, device=device)
    return torch.arange(n_samples, device=device)[:, None] * _SAMPLE + steps


def sample_places(n_samples: int, device: torch.device) -> torch.Tensor:
    """Number the samples (n_samples,), unlike any of their steps."""
    first = first_row(n_samples)
    return torch.arange(first + 1, first + n_samples + 1, device=device) * _SAMPLE - 1


class Masks:
    """The masks of one piece of a walk through time.

    They follow from the walk's key, the sample, the step and the layer, which is how many
    masks were asked for before: so they are the same whatever the pieces, and when a piece is
    walked again.

    Parameters
    ----------
    key : int64 Tensor of shape ()
        See :func:`drawn_key`.
    places : int64 Tensor
        Of each row of the layers' inputs: see :func:`step_places`.
    part : int
        Number of the part of the network, where several have masks of their own.
    """

    def __init__(self, key: torch.Tensor, places: torch.Tensor, part: int = 0) -> None:
        self.key = key
        self.places = places
        self._number = part << 16

    def applied(self, x: torch.Tensor, p: float) -> torch.Tensor:
        """Drop a share `p` of `x` (..., channels), whose rows are at the places."""
        self._number += 1
        offset = (self._number * _LAYER + 2**63) % 2**64 - 2**63
        return dropout(x, self.places, self.key + offset, p)
