"""The rows of a batch that this process has, where several processes share it.

Most of a network sees each row by itself. What does not (batch normalisation), and what
follows from a row's place in the batch (dropout), asks here.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch.autograd.function import once_differentiable


class Share(NamedTuple):
    """Consecutive rows of a batch.

    Attributes
    ----------
    first : int
        Number of this process's first row in the batch.
    rows : int
        Rows of this process.
    of : int
        Rows of the batch.
    rank, size : int
        Number of this process, and how many there are.
    summed : callable
        Sums a tensor over the processes, in place, and returns it.
    """

    first: int
    rows: int
    of: int
    rank: int
    size: int
    summed: Callable[[torch.Tensor], torch.Tensor]


_own = threading.local()


def current_share() -> Share | None:
    """Give the share that is computed with; None where batches are whole."""
    return getattr(_own, "share", None)


@contextmanager
def sharing(share: Share | None) -> Iterator[None]:
    """Compute with a share of a batch."""
    before, _own.share = current_share(), share
    try:
        yield
    finally:
        _own.share = before


def first_row(n_rows: int) -> int:
    """Give the number, in the whole batch, of the first of `n_rows`: one or several a sample."""
    share = current_share()
    return 0 if share is None else share.first * (n_rows // share.rows)


def empty_whole(x: torch.Tensor) -> torch.Tensor:
    """Give an empty tensor like `x` for the rows of the whole batch, in the same layout."""
    share = current_share()
    if share is None:
        return torch.empty_like(x)
    sizes = [share.of * (len(x) // share.rows), *x.shape[1:]]
    strides = x.stride()
    order = sorted(range(x.ndim), key=lambda axis: -strides[axis])
    whole = x.new_empty([sizes[axis] for axis in order])
    return whole.permute([order.index(axis) for axis in range(x.ndim)])


def joint_moments(
    weight: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor, share: Share
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Join the moments of all processes' rows, as if they were in one place.

    Parameters
    ----------
    weight : Tensor of shape ()
        Of the rows here, all together.
    mean, variance : Tensor of shape (channels,)
    share : Share

    Returns
    -------
    weight, mean, variance
    """
    own = torch.cat((weight.reshape(1).to(mean), mean, variance))
    table = own.new_zeros(share.size, len(own))
    table[share.rank] = own
    table = share.summed(table)
    total = table[:, 0].sum()
    shares, means, variances = table[:, :1] / total, *table[:, 1:].chunk(2, 1)
    mean = (shares * means).sum(0)
    return total, mean, (shares * (variances + (means - mean).square())).sum(0)


class Normalised(torch.autograd.Function):
    """Rows about their mean, by their deviation, both of which all processes' rows make up.

    ``apply(x, shares, mean, inverse, summed)``: `shares` (n_rows, 1) or () are what each row
    counts among all, `inverse` is one by the deviation. The gradient is that of all, through
    mean and deviation too.
    """

    @staticmethod
    def forward(ctx: Any, x, shares, mean, inverse, summed):
        y = (x - mean) * inverse
        ctx.save_for_backward(y, shares, inverse)
        ctx.summed = summed
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad):
        y, shares, inverse = ctx.saved_tensors
        means = ctx.summed(torch.cat((grad.sum(0), (grad * y).sum(0))))
        level, slope = means.chunk(2)
        return (grad - shares * (level + slope * y)) * inverse, None, None, None, None
