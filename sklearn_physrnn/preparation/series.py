"""Sequences of equal or unequal length, from whatever callers pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples

from .arrays import native, real_numbers
from .containers import as_array

DTYPES = [np.float64, np.float32]  # anything else becomes the first


class OfLengths:
    """What follows from the lengths of sequences, wherever their steps are."""

    lengths: np.ndarray
    room: int

    @property
    def longest(self) -> int:
        """Steps of the longest sample."""
        return int(self.lengths.max())

    @property
    def width(self) -> int:
        """Steps that an array of them has, as the caller sees it."""
        return max(self.room, self.longest)

    @property
    def ragged(self) -> bool:
        """Whether lengths differ."""
        return bool((self.lengths != self.lengths[0]).any())


@dataclass(frozen=True)
class Series(OfLengths):
    """Validated sequences, one after another.

    Attributes
    ----------
    values : ndarray of shape (n_steps, n_channels)
        The steps of all samples.
    lengths : ndarray of shape (n_samples,)
        Steps of each sample.
    room : int
        Steps that the array had which they came in, padding among them; 0 for a list.
    """

    values: np.ndarray
    lengths: np.ndarray
    room: int = 0

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> "Series":
        lengths = self.lengths[rows]
        if not self.ragged:
            chosen = self.stacked(self.values)[rows]
            return Series(chosen.reshape(-1, chosen.shape[2]), lengths, self.room)
        shift = self.starts[rows] - (lengths.cumsum() - lengths)
        steps = np.repeat(shift, lengths) + np.arange(lengths.sum())
        return Series(self.values[steps], lengths, self.room)

    @property
    def dtype(self) -> np.dtype:
        """Of the values."""
        return self.values.dtype

    def stretch(self, row: int, start: int, stop: int) -> np.ndarray:
        """Give steps `start` to `stop` of one sample, as ``Recordings.stretch`` reads them."""
        first = int(self.lengths[:row].sum())
        return self.values[first + start : first + stop]

    @property
    def starts(self) -> np.ndarray:
        """First step of each sample."""
        return self.lengths.cumsum() - self.lengths

    @property
    def mask(self) -> np.ndarray:
        """True (n_samples, longest) where a step belongs to its sample."""
        return np.arange(self.longest) < self.lengths[:, None]

    def cut(self, steps: np.ndarray) -> tuple["Series", "Series"]:
        """Cut each after so many `steps`, of which every one must have more."""
        first = np.arange(len(self.values)) - np.repeat(self.starts, self.lengths) < np.repeat(
            steps, self.lengths
        )
        return Series(self.values[first], steps), Series(self.values[~first], self.lengths - steps)

    def elapsed(self, channel: int) -> np.ndarray:
        """Differences of a channel from step to step, NaN at each sample's first.

        What overflows is infinite.
        """
        times = self.values[:, channel]
        with np.errstate(over="ignore"):
            elapsed = np.diff(times, prepend=times[:1])
        elapsed[self.starts] = np.nan
        return elapsed

    def stacked(self, steps: np.ndarray) -> np.ndarray:
        """Give `steps` (n_steps, ...) a sample's axis, where all are of one length."""
        return steps.reshape(len(self), self.longest, *steps.shape[1:])

    def laid_out(self, steps: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Stack arrays of all steps, or add the "lengths" where they differ."""
        if self.ragged:
            return {**steps, "lengths": self.lengths}
        return {name: self.stacked(x) for name, x in steps.items()}

    def padded(self, steps: np.ndarray, fill: float = 0) -> np.ndarray:
        """Pad `steps` (n_steps, ...) with `fill`, to look at them: (n_samples, longest, ...)."""
        padded = np.full((len(self), self.longest, *steps.shape[1:]), fill, steps.dtype)
        padded[self.mask] = steps
        return padded


def _joined(X: Sequence[Any], n_dims: int, what: str) -> Series:
    """Check a list of arrays and put them one after another.

    Trailing steps that are NaN in every channel are padding, as in one array.
    """
    arrays: list[np.ndarray] = []
    for i, x in enumerate(X):
        x = _item(x, f"X[{i}]")
        if i == 0 and x.ndim == 1:
            n_dims = 1  # and so one channel
        if x.ndim != n_dims:
            hint = " For one channel give x[:, None]." if (x.ndim, n_dims) == (1, 2) else ""
            raise ValueError(f"X[{i}] must be of shape {what}, got {x.shape}.{hint}")
        if len(x) == 0:
            raise ValueError(f"X[{i}] has no time steps; every sample needs at least one.")
        x = x.reshape(len(x), -1)
        if x.shape[1:] != (arrays[0] if arrays else x).shape[1:]:
            raise ValueError(
                f"X[{i}] has {x.shape[1]} channels, but X[0] has {arrays[0].shape[1]}."
            )
        arrays.append(_without_padding(native(x), i))
    # In C's order whatever theirs: sums of columns depend on it in their last bits.
    values = np.ascontiguousarray(np.concatenate(arrays))
    return Series(values, np.array([len(x) for x in arrays]))


def _item(x: Any, name: str) -> np.ndarray:
    """Check what a list has in one place, which messages name."""
    try:
        return check_array(
            real_numbers(as_array(x), name),
            dtype=DTYPES,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite="allow-nan",
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name=name,
        )
    except (RuntimeError, TypeError, ValueError) as error:  # the first are torch's
        if name in str(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


def _without_padding(x: np.ndarray, i: int) -> np.ndarray:
    """Leave out trailing steps that are all NaN; refuse any other NaN."""
    missing = np.isnan(x).any(axis=1)
    if not missing.any():
        return x
    present = np.flatnonzero(~np.isnan(x).all(axis=1))
    if not len(present):
        raise ValueError(f"X[{i}] contains NaN only; every sample needs a step.")
    x = x[: present[-1] + 1]
    if missing[: len(x)].any():
        raise ValueError(
            f"Input X[{i}] contains NaN: time step {missing.argmax()}. Only trailing steps "
            "that are NaN in every channel are taken for padding."
        )
    return x


def _packed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the trailing steps (n_samples, n_timesteps, n_channels) that are all NaN."""
    lengths = _lengths_from_padding(values)
    if lengths.min() == values.shape[1]:
        steps = values.reshape(-1, values.shape[2])
    else:
        steps = values[np.arange(values.shape[1]) < lengths[:, None]]
    return np.ascontiguousarray(steps), lengths


def _lengths_from_padding(values: np.ndarray) -> np.ndarray:
    """Steps before the trailing all-NaN ones; any other NaN is refused."""
    missing = np.isnan(values)
    if not missing.any():
        return np.full(len(values), values.shape[1])
    present = ~missing.all(axis=2)
    lengths = np.where(present.any(axis=1), values.shape[1] - present[:, ::-1].argmax(axis=1), 0)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise ValueError(f"X contains NaN only in sample {empty[0]}; every sample needs a step.")
    inside = np.arange(values.shape[1]) < lengths[:, None]
    holes = np.argwhere(missing.any(axis=2) & inside)
    if len(holes):
        sample, step = holes[0]
        raise ValueError(
            f"Input X contains NaN: sample {sample}, time step {step}. Only trailing steps "
            "that are NaN in every channel are taken for padding."
        )
    return lengths


def series_of_channels(X: Any) -> Series:
    """Check a list of arrays, or an array with channels in which NaN at the end is padding.

    Raises
    ------
    ValueError, TypeError
        If it is neither, or holds what is no number.
    """
    if isinstance(X, list):
        return _joined(X, 2, "(n_timesteps, n_channels)")
    values = check_array(
        X, dtype=DTYPES, allow_nd=True, ensure_all_finite="allow-nan", input_name="X"
    )
    if values.ndim != 3:
        raise ValueError(
            "X must be of shape (n_samples, n_timesteps, n_channels), or "
            "(n_samples, n_timesteps) for one channel, or a list of arrays "
            f"(n_timesteps, n_channels), got shape {values.shape}."
        )
    if 0 in values.shape[1:]:
        raise ValueError(
            f"X needs at least one time step and one channel, got shape {values.shape}."
        )
    return Series(*_packed(values), values.shape[1])


def series_of_tokens(X: Any) -> Series:
    """Check a list of 1-D arrays, or an array in which NaN or -1 at the end is padding.

    Their values are floating-point numbers still.
    """
    if isinstance(X, list):
        return _joined(X, 1, "(n_timesteps,)")
    values = check_array(X, dtype=DTYPES, ensure_all_finite="allow-nan", input_name="X")
    values = np.where(values == -1, np.nan, values)
    return Series(*_packed(values[:, :, None]), values.shape[1])


def check_time_channel(channel: int, n_channels: int) -> None:
    """Refuse a channel that is not there, or has no other beside it."""
    if not -n_channels <= channel < n_channels or n_channels < 2:
        raise ValueError(
            f"time_channel={channel} must name one of at least two channels, "
            f"got X with {n_channels}."
        )


def check_time(series: Series, channel: int, place: str) -> None:
    """Refuse time stamps that do not increase, or lie too far apart for their type."""
    check_time_channel(channel, series.values.shape[1])
    times, elapsed = series.values[:, channel], series.elapsed(channel)
    if np.isinf(elapsed).any():
        raise ValueError(
            f"Time stamps must not lie further apart than {np.finfo(times.dtype).max:.1e}, "
            f"which those in channel {channel} do."
        )
    wrong = np.flatnonzero(elapsed <= 0)
    if len(wrong):
        at = wrong[0]
        sample = int(np.searchsorted(series.starts, at, side="right")) - 1
        raise does_not_advance(
            f"sample {sample}, {place}", times[at - 1], times[at], at - series.starts[sample]
        )


def does_not_advance(where: str, before: Any, now: Any, step: Any) -> ValueError:
    """Say where time goes back, or stands still."""
    if now < before:
        what = (
            f"falls from {before:.10g} to {now:.10g} at time step {step}. Sort the steps by time."
        )
    else:
        what = (
            f"is {now:.10g} again at time step {step}. Make one of what was observed at one time"
            + ("; or give float64, float32 may round two times to one." * (now.dtype.itemsize < 8))
            + "." * (now.dtype.itemsize >= 8)
        )
    return ValueError(f"Time stamps must increase: in {where} {what}")


def count_dimensions(X: Any) -> int:
    """Count the dimensions of X, 2 where its rows are of unequal length."""
    if hasattr(X, "ndim"):
        return X.ndim
    if hasattr(X, "__array__"):
        return np.asarray(X).ndim
    try:
        return np.ndim(X)
    except ValueError:  # ragged rows: scikit-learn's check says what is wrong with them
        _num_samples(X)
        return 2
