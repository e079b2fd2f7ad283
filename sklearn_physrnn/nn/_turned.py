"""Sequences read from their end."""

import torch
from torch.autograd.function import once_differentiable

from ._packing import Sequences


class _Turned(torch.autograd.Function):
    # Turned twice, all is as it was: no two steps go to one place.
    @staticmethod
    def forward(ctx, x, lengths):
        ctx.save_for_backward(lengths)
        return _turned(x, lengths)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return _turned(grad, *ctx.saved_tensors), None


def _turned(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    steps = torch.arange(x.shape[1], device=x.device)
    mirrored = lengths[:, None] - 1 - steps
    places = torch.where(mirrored >= 0, mirrored, steps)
    return x.take_along_dim(places[..., None], 1)


def turned(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """Turn each sample of `x` (batch, time, features) round; what is past its end stays there."""
    return x.flip(1) if lengths is None else _Turned.apply(x, lengths)


def from_the_end(sequences: Sequences) -> Sequences:
    """Give sequences as they are heard from the end.

    A step's time is what passed since the step that was heard before it; that of the first
    is what the sequence's own first had.
    """
    x, dt, lengths = sequences
    if dt is not None:
        others = None if lengths is None else (lengths - 1).clamp(min=0)
        columns = dt if dt.ndim == 3 else dt[..., None]
        rest = turned(columns[:, 1:], others)
        dt = torch.cat((dt[:, :1], rest.view_as(dt[:, 1:])), 1)
    return turned(x, lengths), dt, lengths
