"""Sequences that stay where they are, in files or in other libraries' arrays.

They are read a stretch of time at a time, and never copied or converted whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import issparse

from .arrays import naming, real_numbers
from .containers import as_array
from .files import File
from .moments import Moments
from .series import (
    DTYPES,
    OfLengths,
    Series,
    does_not_advance,
    no_time_stamp,
    not_finite,
    nothing_known,
)
from .sources import Later, Source, source_of

# Values below which a mapped file is read whole: as an array, it gives what arrays give to
# the last bit. (joblib maps the arrays that it hands to its workers.)
_WORTH_LEAVING = 1 << 20

_NUMBERS = "fiub"  # NumPy's kinds of them

_VALUES_AT_A_TIME = 1 << 18  # two megabytes in float64


@dataclass(frozen=True, eq=False)
class Recordings(OfLengths):
    """Checked sequences that are read a stretch at a time; they stand where `Series` do.

    Attributes
    ----------
    sources : tuple of Source
    lengths : ndarray of shape (n_samples,)
        Steps of each, without padding.
    n_channels : int
    dtype : dtype
        What steps are read as: float32 stays, all else becomes float64.
    moments : Moments
        Of every channel of each sequence.
    room : int
        Steps that the array had which they came in, padding among them; 0 for a list.
    holes : bool
        Whether values may be missing, as NaN.
    """

    sources: tuple[Source, ...]
    lengths: np.ndarray
    n_channels: int
    dtype: np.dtype
    moments: Moments
    room: int = 0
    holes: bool = False

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, rows: Any) -> "Recordings":
        chosen = np.arange(len(self))[rows]
        return replace(
            self,
            sources=tuple(self.sources[i] for i in chosen),
            lengths=self.lengths[chosen],
            moments=self.moments[chosen],
        )

    @cached_property
    def steps_at_a_time(self) -> int:
        """Steps of a sequence that a pass over all of them reads at once."""
        return max(1, _VALUES_AT_A_TIME // self.n_channels)

    def stretch(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read steps `start` to `stop` of one sequence, (stop - start, n_channels).

        Raises
        ------
        ValueError
            If they are no longer there, or no longer finite.
        """
        values = _numbers(self.sources[row].read(start, stop), self.dtype)
        _check_values(values, row, start, holes=self.holes, padded=self.room > 0)
        return values

    def stretches(self) -> Iterator[tuple[int, int, np.ndarray]]:
        """Read all, in order: the sequence, its first step at hand, and the steps."""
        for row, length in enumerate(self.lengths):
            for start in range(0, length, self.steps_at_a_time):
                stop = min(start + self.steps_at_a_time, int(length))
                yield row, start, self.stretch(row, start, stop)

    def sampled(self, n_steps: int) -> tuple[np.ndarray, np.ndarray]:
        """Read about `n_steps` steps, evenly spread; return them, and the sequence of each."""
        every = max(1, -(-int(self.lengths.sum()) // n_steps))
        values, rows = [], []
        for row, start, steps in self.stretches():
            values.append(steps[(-start) % every :: every].copy())
            rows.append(np.full(len(values[-1]), row))
        return np.concatenate(values), np.concatenate(rows)

    def intervals(self, channel: int, n_intervals: int) -> np.ndarray:
        """Read about `n_intervals` differences of time stamps, evenly spread; look at all.

        Raises
        ------
        ValueError
            If one is not positive, or infinite.
        """
        every = max(1, -(-int(self.lengths.sum()) // n_intervals))
        found, last = [], np.nan
        for row, start, steps in self.stretches():
            lost = np.isnan(steps[:, channel])
            if lost.any():
                raise no_time_stamp(row, start + int(lost.argmax()), channel)
            with np.errstate(over="ignore"):
                elapsed = np.diff(steps[:, channel], prepend=last if start else np.nan)
            last = steps[-1, channel]
            wrong = np.flatnonzero((elapsed <= 0) | np.isinf(elapsed))
            if len(wrong) and np.isinf(elapsed[wrong[0]]):
                raise ValueError(
                    f"Time stamps must not jump beyond what {self.dtype} holds: in "
                    f"sample {row}, channel {channel} comes to {steps[wrong[0], channel]:g} at "
                    f"time step {start + wrong[0]}."
                )
            if len(wrong):
                now, at = steps[wrong[0], channel], start + wrong[0]
                before = now - elapsed[wrong[0]]
                raise does_not_advance(f"sample {row}, channel {channel}", before, now, at)
            found.append(elapsed[(-start) % every :: every].copy())
        elapsed = np.concatenate(found)
        return elapsed[~np.isnan(elapsed)]

    def cut(self, steps: np.ndarray) -> tuple["Recordings", "Recordings"]:
        """Cut each after so many `steps`, of which every one must have more."""
        return self._part(np.zeros_like(steps), steps), self._part(steps, self.lengths - steps)

    def _part(self, firsts: np.ndarray, lengths: np.ndarray) -> "Recordings":
        sources = [
            Later(source, int(first)) for source, first in zip(self.sources, firsts, strict=True)
        ]
        part = replace(self, sources=tuple(sources), lengths=lengths, room=0)
        found: list[list[Moments]] = [[] for _ in sources]
        for row, _, steps in part.stretches():
            found[row].append(Moments.of(steps))
        moments = [Moments.stacked(own).joined() for own in found]
        return replace(part, moments=Moments.stacked(moments))

    def digested(self) -> Iterator[np.ndarray]:
        """Give all that a checkpoint is to know again."""
        yield self.lengths
        for _, _, steps in self.stretches():
            yield steps


def left_where_they_are(X: Any, kinds: str = _NUMBERS) -> bool:
    """Tell whether X is better read a stretch at a time than turned into an array.

    `kinds` are those of the dtypes that can be, as NumPy calls them.
    """
    if isinstance(X, list | tuple):
        return any(_outside(x, kinds) for x in X) and sum(map(_size, X)) > _WORTH_LEAVING
    return _outside(X, kinds) and _size(X) > _WORTH_LEAVING


def in_memory(X: Any) -> Any:
    """Give what is outside, but small, as arrays; anything else as it is."""
    if isinstance(X, list | tuple):
        return [_copied(x) for x in X] if any(map(_outside, X)) else X
    return _copied(X)


def _copied(x: Any) -> Any:
    if not _outside(x):
        return x
    if isinstance(x, np.memmap):
        File.of(x)
    return np.array(x)


def _size(X: Any) -> int:
    shape = getattr(X, "shape", None)
    return int(np.prod(shape, dtype=float)) if shape is not None else np.size(X)


def _outside(X: Any, kinds: str = _NUMBERS) -> bool:
    """Tell a mapped file, or an array of a library that keeps it elsewhere."""
    if isinstance(X, np.ndarray):
        return isinstance(X, np.memmap) and X.dtype.kind in kinds
    names = ("shape", "dtype", "__getitem__")
    if not all(hasattr(X, name) for name in names) or not isinstance(X.shape, tuple):
        return False
    # Arrays in memory, or on a device, and frames: they have ways of their own.
    inside = ("__array_namespace__", "__cuda_array_interface__", "__dataframe__", "iloc")
    if issparse(X) or any(hasattr(X, name) for name in inside) or hasattr(X, "device"):
        return False
    try:
        return np.dtype(X.dtype).kind in kinds and len(X.shape) in (1, 2, 3)
    except TypeError:
        return False


def recordings(X: Any, *, holes: bool = False) -> Recordings:
    """Look at X, in one pass, and leave it where it is.

    Parameters
    ----------
    X : object with `shape`, `dtype` and slices, or list of them
        One of shape (n_samples, n_timesteps, n_channels), or of (n_samples, n_timesteps) for
        one channel, in which steps at the end that are NaN in every channel are padding; or a
        list of (n_timesteps, n_channels), in which nothing is.
    holes : bool, default=False
        Whether other NaN may be, for values that are missing.

    Raises
    ------
    ValueError
        If a shape does not fit, a value is not finite, or a sample has none.
    """
    padded = not isinstance(X, list | tuple)
    if padded:
        shape = X.shape
        if len(shape) not in (2, 3) or 0 in shape:
            one = " One record of one channel is X[None, :, None]." * (len(shape) == 1)
            raise ValueError(
                "X must be of shape (n_samples, n_timesteps, n_channels), or (n_samples, "
                "n_timesteps) for one channel, or a list of (n_timesteps, n_channels), "
                f"got shape {tuple(shape)}.{one}"
            )
        n_channels = int(shape[2]) if len(shape) == 3 else 1
        sources = [source_of(X, row) for row in range(shape[0])]
        lengths, dtypes = [int(shape[1])] * len(sources), [X.dtype]
    else:
        X = [x if _outside(x) else _numbers_in_memory(x, f"X[{i}]") for i, x in enumerate(X)]
        n_channels = _channels_of_all(X)
        sources = [source_of(x) for x in X]
        lengths, dtypes = [int(x.shape[0]) for x in X], [x.dtype for x in X]
    dtype = np.result_type(*(t if t in DTYPES else np.float64 for t in map(_native, dtypes)))
    found = [
        _look(source, row, (length, n_channels), dtype, padded=padded, holes=holes)
        for row, (source, length) in enumerate(zip(sources, lengths, strict=True))
    ]
    own, moments = zip(*found, strict=True)
    return Recordings(
        tuple(sources),
        np.array(own),
        n_channels,
        np.dtype(dtype),
        Moments.stacked(moments),
        int(X.shape[1]) if padded else 0,
        holes,
    )


def _native(dtype: Any) -> np.dtype:
    return np.dtype(dtype).newbyteorder("=")


def _numbers_in_memory(x: Any, name: str) -> np.ndarray:
    x = np.asarray(real_numbers(as_array(x), name))
    if x.dtype.kind in "fiu":
        return x
    with naming(f"{name} must hold real numbers"):
        return x.astype(np.float64)


def _channels_of_all(X: Any) -> int:
    for i, x in enumerate(X):
        shape = np.shape(x)
        if len(shape) != 2 or 0 in shape:
            hint = " For one channel give x[:, None]." if len(shape) == 1 else ""
            raise ValueError(
                f"X[{i}] must be of shape (n_timesteps, n_channels), got {tuple(shape)}.{hint}"
            )
        if shape[1] != np.shape(X[0])[1]:
            raise ValueError(f"X[{i}] has {shape[1]} channels, but X[0] has {np.shape(X[0])[1]}.")
    return int(np.shape(X[0])[1])


def _numbers(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    values = values.astype(dtype, order="C", copy=False)
    return values[:, None] if values.ndim == 1 else values


def _look(
    source: Source, row: int, shape: tuple[int, int], dtype: np.dtype, *, padded: bool, holes: bool
) -> tuple[int, Moments]:
    """Read a sequence; return its steps without padding, and their moments."""
    length, n_channels = shape
    step = max(1, _VALUES_AT_A_TIME // n_channels)
    moments, own = [], 0
    for start in range(0, length, step):
        values = _numbers(source.read(start, min(start + step, length)), dtype)
        present = ~np.isnan(values).all(axis=1) if padded else np.ones(len(values), dtype=bool)
        if not present.any():
            continue
        if not holes and own < start:  # what looked like padding was none
            raise not_finite(np.nan, "X", f"sample {row}, time step {own}", padded=padded)
        values = values[: len(present) - int(present[::-1].argmax())]
        own = start + len(values)
        _check_values(values, row, start, holes=holes, padded=padded)
        moments.append(Moments.of(values))
    if own == 0:
        raise nothing_known(row, padded=padded)
    found = Moments.stacked(moments).joined()
    if not found.count.any():
        raise nothing_known(row, padded=padded)
    return own, found


def _check_values(values: np.ndarray, row: int, start: int, *, holes: bool, padded: bool) -> None:
    """Refuse infinity, and NaN unless `holes` may be, in the steps of a sample from `start` on."""
    if np.isfinite(values).all():
        return
    wrong = np.isinf(values) if holes else ~np.isfinite(values)
    if wrong.any():
        at, channel = np.argwhere(wrong)[0]
        where = f"sample {row}, time step {start + at}, channel {channel}"
        raise not_finite(values[at, channel], "X", where, padded=padded)


def whole(X: Recordings, rows: Any = slice(None)) -> Series:
    """Read sequences whole, where they are few or short."""
    chosen = np.arange(len(X))[rows]
    lengths = X.lengths[chosen]
    parts = [X.stretch(int(i), 0, int(n)) for i, n in zip(chosen, lengths, strict=True)]
    return Series(np.concatenate(parts), lengths, X.room)
