"""What engines on a CPU share: their loops, run over shards of the batch by threads.

The loops are compiled functions of the arrays of a shard, all of one dtype and
C-contiguous. :class:`.engine.Engine` says what the arrays are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from .._threads import run, shards
from .borders import Borders
from .engine import Coefficients

Arrays = list[np.ndarray]


class Loop(NamedTuple):
    """A compiled loop over time, and what it costs."""

    function: Callable[..., None]
    operations: int  # elementary operations a step and mode, by which work is shared out


@dataclass(frozen=True)
class Drivers:
    """The functions `advance`, `adjoint` and `echo` of an engine, around its loops.

    Parameters
    ----------
    free : Loop (coefs, z, y, power, drive, dt, lengths, first, positions, rest)
        `rest` is the last of the trajectories kept, and empty if only positions are. This and
        `echoes` take slots and states of borders, too, where there are any.
    back : Loop (coefs, grad_z, grad_y, drive, last, before, dt, lengths, first, grad, \
                 grad_drive, sums)
        `last` is the last of the trajectories kept.
    echoes : Loop (coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt, \
                   lengths, first, grad, grad_drive, middle, sums)
    n_sums : int
        Coefficients whose gradients the two ways back add up.
    """

    free: Loop
    back: Loop
    echoes: Loop
    n_sums: int

    def advance(
        self, coefs: Coefficients, state: torch.Tensor, power: torch.Tensor,
        drive: torch.Tensor, dt: torch.Tensor, lengths: torch.Tensor, first: int,
        kept: torch.Tensor, borders: Borders | None = None,
    ) -> None:  # fmt: skip
        """See :meth:`.engine.Engine.advance`."""
        trajectories = kept.numpy()
        positions, rest = trajectories[0], trajectories[-1]
        if len(trajectories) == 1:
            rest = rest[:0, :0, :0]
        read = [*state.numpy(), *_arrays(power, drive, dt, lengths)]
        written = [positions, rest]
        loop, operations = self.free

        def piece(_: int, start: int, stop: int) -> None:
            rows = slice(start, stop)
            loop(coefs, *_cut(read, rows), first, *_cut(written, rows), *_at(borders, rows))

        run(piece, shards(len(positions), operations * positions[0].size))

    def adjoint(
        self, coefs: Coefficients, grad_state: torch.Tensor, drive: torch.Tensor,
        kept: torch.Tensor, before: torch.Tensor, dt: torch.Tensor, lengths: torch.Tensor,
        first: int, grad: torch.Tensor, grad_drive: torch.Tensor,
    ) -> np.ndarray:  # fmt: skip
        """See :meth:`.engine.Engine.adjoint`."""
        last = kept.numpy()[-1]
        read = [*grad_state.numpy(), drive.numpy(), last, *_arrays(before, dt, lengths)]
        return self._way_back(self.back, coefs, read, first, _arrays(grad, grad_drive))

    def echo(
        self, coefs: Coefficients, states: torch.Tensor, nudge: torch.Tensor,
        drive: torch.Tensor, dt: torch.Tensor, lengths: torch.Tensor, first: int,
        grad: torch.Tensor, grad_drive: torch.Tensor, middle: torch.Tensor | None,
        borders: Borders | None = None,
    ) -> np.ndarray:  # fmt: skip
        """See :meth:`.engine.Engine.echo`."""
        if middle is None:
            middle = torch.empty_like(drive)
        read = [*states.numpy(), *nudge.numpy(), *_arrays(drive, dt, lengths)]
        rest = _arrays(grad, grad_drive, middle)
        return self._way_back(self.echoes, coefs, read, first, rest, borders)

    def _way_back(
        self, way: Loop, coefs: Coefficients, read: Arrays, first: int, rest: Arrays,
        borders: Borders | None = None,
    ) -> np.ndarray:  # fmt: skip
        grad = rest[0]
        pieces = shards(len(grad), way.operations * grad[0].size)
        sums = np.zeros((len(pieces), self.n_sums, grad.shape[2]), grad.dtype)

        def piece(index: int, start: int, stop: int) -> None:
            rows = slice(start, stop)
            loops = [*_cut(read, rows), first, *_cut(rest, rows), sums[index]]
            way.function(coefs, *loops, *_at(borders, rows))

        run(piece, pieces)
        return sums.sum(axis=0, dtype=np.float64)


def _arrays(*tensors: torch.Tensor) -> Arrays:
    return [x.numpy() for x in tensors]


def _cut(arrays: Arrays, rows: slice) -> Arrays:
    return [x[rows] for x in arrays]


def _at(borders: Borders | None, rows: slice) -> Arrays:
    return [] if borders is None else [borders.slots.numpy(), borders.states.numpy()[rows]]


def numpy_dtype(dtype: torch.dtype) -> np.dtype:
    """NumPy's name of a dtype."""
    return torch.empty(0, dtype=dtype).numpy().dtype
