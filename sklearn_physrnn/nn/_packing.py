"""Sequences of unequal length, one after another instead of padded to the longest.

Layers that look at every step by itself work on the packed steps. Only what runs along
time sees sequences: in groups of similar length, each padded to its own longest, so that
one long sequence among short ones costs what its steps cost.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from ..kernels._check import check_lengths, check_tensors

# Padding that a group may have whatever its size, in steps: a group of its own costs more.
_FREE_PADDING = 512
_PADDING = 0.5  # and in shares of its steps


class Packing:
    """Where the steps of a batch's sequences are among its packed steps.

    It is made from lengths in the host's memory, and copies to a device what is needed
    there without waiting for it. Modules take it in place of a tensor of lengths.

    Parameters
    ----------
    lengths : ndarray of shape (n_samples,)
        Steps of each sequence; zero of one that has none in this piece of time.

    Attributes
    ----------
    lengths, starts : ndarray of shape (n_samples,)
        The starts are the sequences' first steps among the packed ones.
    n_steps, longest : int
        Steps of all sequences, and of the longest.
    """

    def __init__(self, lengths: np.ndarray) -> None:
        self.lengths = lengths
        ends = lengths.cumsum()
        self.n_steps = int(ends[-1])
        self.starts = ends - lengths
        self.longest = int(lengths.max())
        self._there: dict[Any, torch.Tensor] = {}
        self._shapes = [(len(lengths), self.longest)]
        self._n_room = len(lengths) * self.longest
        # Of several groups, the samples in the order in which they stand in them.
        self._order: np.ndarray | None = None
        if _too_much(self._n_room - self.n_steps, self.n_steps):
            n_present = np.count_nonzero(lengths)
            self._order = np.argsort(-lengths, kind="stable")[:n_present]
            self._shapes = _group(lengths[self._order])
            self._n_room = sum(size * longest for size, longest in self._shapes)

    @classmethod
    def of(cls, lengths: torch.Tensor, least: int = 1) -> "Packing":
        """Make it from a tensor, for which it waits if that is on a GPU."""
        check_lengths(lengths, len(lengths), np.iinfo(np.int64).max)
        host = lengths.cpu().numpy().astype(np.int64)
        if not len(host) or host.min() < least:
            raise ValueError(f"lengths must be at least {least}.")
        return cls(host)

    def __len__(self) -> int:
        return len(self.lengths)

    def rows(self, starts: np.ndarray) -> np.ndarray:
        """Number the steps of sequences that begin at `starts` and are as long as these."""
        return np.repeat(starts - self.starts, self.lengths) + np.arange(self.n_steps)

    def _on(self, device: torch.device, key: Any, make: Callable[[], np.ndarray]) -> torch.Tensor:
        if (key, device) not in self._there:
            self._there[key, device] = sent(make(), device)
        return self._there[key, device]

    def _positions(self, device: torch.device) -> torch.Tensor:
        """Where each packed step is in the groups' common buffer."""

        def make() -> np.ndarray:
            if self._order is None:
                return self.rows(np.arange(len(self)) * self.longest)
            sizes, longest = zip(*self._shapes, strict=True)
            rooms = np.repeat(longest, sizes)
            starts = np.empty_like(self.starts)
            starts[self._order] = rooms.cumsum() - rooms
            return self.rows(starts)

        return self._on(device, "positions", make)

    def spread(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Lay packed steps (n_steps, ...) out as groups (samples, time, ...), zero past the end.

        The longest sequences come first.
        """
        if self._n_room > self.n_steps or self._order is not None:
            x = _Spread.apply(x, self._positions(x.device), self._n_room)
        if self._order is None:
            return [x.unflatten(0, self._shapes[0])]
        flat = x.split([size * longest for size, longest in self._shapes])
        return [part.unflatten(0, shape) for part, shape in zip(flat, self._shapes, strict=True)]

    def collect(self, groups: list[torch.Tensor]) -> torch.Tensor:
        """Undo :meth:`spread`; what is past the end has no effect."""
        flat = [group.flatten(0, 1) for group in groups]
        x = flat[0] if len(flat) == 1 else torch.cat(flat)
        if self._n_room > self.n_steps or self._order is not None:
            x = _Collect.apply(x, self._positions(x.device))
        return x

    def group_lengths(self, device: torch.device) -> list[torch.Tensor | None]:
        """Steps of each group's sequences, None where all have as many."""
        order = slice(None) if self._order is None else self._order
        found = self._on(device, "lengths", lambda: self.lengths[order])
        if self._order is None:
            return [found if self._n_room > self.n_steps else None]
        lengths = self.lengths[order]
        bounds = np.cumsum([0, *(size for size, _ in self._shapes)])
        return [
            None if lengths[stop - 1] == lengths[start] else found[start:stop]
            for start, stop in pairwise(bounds.tolist())
        ]

    def places(self, distance: int, first: int, device: torch.device) -> torch.Tensor:
        """Number the packed steps: from `first` in a sequence, `distance` between two."""
        starts = np.arange(len(self)) * distance + first
        return self._on(device, ("places", distance, first), lambda: self.rows(starts))

    def counts(self, device: torch.device) -> torch.Tensor:
        """Steps of each sequence, (n_samples, 1)."""
        return self._on(device, "counts", lambda: self.lengths[:, None])

    def shared(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Deal `x` (..., samples, features), one row a sequence, out to the groups."""
        if self._order is None:
            return [x]
        order = self._order
        x = x.index_select(-2, self._on(x.device, "shared", lambda: order))
        return list(x.split([size for size, _ in self._shapes], -2))

    def in_order(
        self, groups: Sequence[torch.Tensor], before: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Undo :meth:`shared`.

        Sequences without a step are in no group: they keep what they had `before`.
        """
        if self._order is None:
            return groups[0]
        x, order = torch.cat(list(groups), -2), self._order
        if len(order) == len(self):
            return x.index_select(-2, self._on(x.device, "order", lambda: np.argsort(order)))
        assert before is not None
        return before.index_copy(-2, self._on(x.device, "shared", lambda: order), x)

    def present(self, device: torch.device) -> torch.Tensor | None:
        """Tell which sequences have a step, (n_samples, 1); None if all have."""
        return None if self.lengths.min() > 0 else self.counts(device) > 0

    def last(self, x: torch.Tensor) -> torch.Tensor:
        """Each sequence's last step, (n_samples, ...); of one without, any other's."""
        ends = self._on(x.device, "last", lambda: np.maximum(self.starts + self.lengths - 1, 0))
        return x.index_select(0, ends)

    def every(self, x: torch.Tensor, distance: int, before: int = 0) -> torch.Tensor:
        """Steps `distance`, 2 `distance` and so on of each sequence, packed.

        Counted with the steps `before` this piece of the sequences.
        """

        def make() -> np.ndarray:
            sample, number = self._every(distance, before)
            first = distance * (before // distance + 1) - before - 1
            return self.starts[sample] + first + number * distance

        return x.index_select(0, self._on(x.device, ("every", distance, before), make))

    def padded(self, x: torch.Tensor, distance: int, width: int, before: int = 0) -> torch.Tensor:
        """Pad what :meth:`every` gives with zeros, to (n_samples, width, ...)."""

        def make() -> np.ndarray:
            sample, number = self._every(distance, before)
            return sample * width + number

        places = self._on(x.device, ("padded", distance, width, before), make)
        x = _Spread.apply(x, places, len(self) * width)
        return x.view(len(self), width, *x.shape[1:])

    def _every(self, distance: int, before: int) -> tuple[np.ndarray, np.ndarray]:
        """Sample, and number within it, of every step that is chosen."""
        counts = (before + self.lengths) // distance - before // distance
        firsts = counts.cumsum() - counts
        number = np.arange(counts.sum()) - np.repeat(firsts, counts)
        return np.repeat(np.arange(len(self)), counts), number

    def repeat(self, x: torch.Tensor) -> torch.Tensor:
        """Give each step what `x` (n_samples, ...) has of its sequence."""

        def make() -> np.ndarray:
            return np.repeat(np.arange(len(self)), self.lengths)

        return x.index_select(0, self._on(x.device, "samples", make))

    def inside(self, x: torch.Tensor) -> torch.Tensor:
        """Pack `x` (n_samples, time, ...), leaving out what is past each sequence's end."""
        width = x.shape[1]
        rows = self._on(
            x.device, ("inside", width), lambda: self.rows(np.arange(len(self)) * width)
        )
        return x.flatten(0, 1).index_select(0, rows)


def _too_much(padding: Any, steps: Any) -> Any:
    return padding > np.maximum(_FREE_PADDING, _PADDING * steps)


def _group(descending: np.ndarray) -> list[tuple[int, int]]:
    """Cut sorted lengths into groups of little padding: (samples, longest) of each."""
    shapes = []
    while len(descending):
        steps = descending.cumsum()
        room = np.arange(1, len(descending) + 1) * descending[0]
        beyond = _too_much(room - steps, steps)
        size = int(beyond.argmax()) if beyond.any() else len(descending)
        shapes.append((size, int(descending[0])))
        descending = descending[size:]
    return shapes


def sent(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """Copy `array` to `device` without waiting for it."""
    x = torch.from_numpy(array)
    return x.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else x.to(device)


class _Spread(torch.autograd.Function):
    # No two rows go to one place: their gradients need not be added up.
    @staticmethod
    def forward(ctx, x, places, n_places):
        ctx.save_for_backward(places)
        return _placed(x, places, n_places)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        return grad.index_select(0, *ctx.saved_tensors), None, None


class _Collect(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, places):
        ctx.save_for_backward(places)
        ctx.n_places = len(x)
        return x.index_select(0, places)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        (places,) = ctx.saved_tensors
        return _placed(grad, places, ctx.n_places), None


def _placed(x: torch.Tensor, places: torch.Tensor, n_places: int) -> torch.Tensor:
    return x.new_zeros(n_places, *x.shape[1:]).index_put_((places,), x)


Packed = tuple[torch.Tensor, torch.Tensor | None, Packing | None]
Sequences = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]


def pack(
    name: str,
    x: torch.Tensor,
    dt: torch.Tensor | None,
    lengths: torch.Tensor | Packing | None,
    n_dims: int,
    least: int = 1,
) -> Packed:
    """Pack sequences that come padded, with `lengths`; leave others as they are.

    Parameters
    ----------
    name : str
        Of `x`, for messages.
    x : Tensor of shape (batch, time, ...), or packed, of shape (sum(lengths), ...)
    dt : Tensor of shape (batch, time), or (sum(lengths),), or None
    lengths : Tensor of shape (batch,), Packing or None
    n_dims : int
        Dimensions of `x` when it is not packed.
    least : int
        Steps that each sequence must have.

    Returns
    -------
    x, dt : Tensor
        Packed, unless `lengths` is None.
    packing : Packing or None

    Raises
    ------
    TypeError, ValueError
        If shapes or lengths do not fit together.
    """
    if lengths is None:
        return x, dt, None
    padded = x.ndim == n_dims
    if padded and isinstance(lengths, torch.Tensor):
        check_lengths(lengths, *x.shape[:2])
    packing = lengths if isinstance(lengths, Packing) else Packing.of(lengths, least)
    shape = (len(packing), x.shape[1]) if padded else (packing.n_steps,)
    if x.ndim not in (n_dims, n_dims - 1) or x.shape[: len(shape)] != shape:
        raise ValueError(
            f"{name} must be of shape (batch, time, ...), or hold sum(lengths) = "
            f"{packing.n_steps} steps one after another, got shape {tuple(x.shape)}."
        )
    if dt is not None:
        check_tensors(dt=dt)
        if dt.shape[: len(shape)] != shape:
            raise ValueError(f"dt must have shape {shape}, as {name} has, got {tuple(dt.shape)}.")
    if not padded:
        return x, dt, packing
    return packing.inside(x), None if dt is None else packing.inside(dt), packing


def groups(
    x: torch.Tensor, dt: torch.Tensor | None, packing: Packing | None
) -> Iterator[Sequences]:
    """Yield sequences as what runs along time takes them: x, dt and lengths of each group.

    Those that are not packed are one group.
    """
    if packing is None:
        yield x, dt, None
        return
    lengths = packing.group_lengths(x.device)
    steps = [None] * len(lengths) if dt is None else packing.spread(dt)
    yield from zip(packing.spread(x), steps, lengths, strict=True)
