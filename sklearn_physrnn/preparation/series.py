"""Sequences of equal or unequal length, from whatever callers pass."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples

from .arrays import any_missing, floats, native, real_numbers
from .containers import as_array
from .neighbours import Neighbours

DTYPES = [np.float64, np.float32]  # anything else becomes the first


_OF_VALUES = "Values that are missing are taken with missing='auto'; 'error' refuses them."
_OF_TOKENS = "Give tokens that are missing an id of their own."


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

    @cached_property
    def neighbours(self) -> Neighbours:
        """What finds the values beside a part of one."""
        return Neighbours(self)  # type: ignore[arg-type]


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

    def place(self, at: int) -> tuple[int, int]:
        """Say of which sample a step of all is, and which of its steps."""
        sample = int(np.searchsorted(self.starts, at, side="right")) - 1
        return sample, at - int(self.starts[sample])

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


def _joined(
    X: Sequence[Any], n_dims: int, what: str, *, holes: bool, advice: str = _OF_VALUES
) -> Series:
    """Check a list of arrays and put them one after another.

    Nothing in a list is padding: NaN is a hole, at the end too.
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
        arrays.append(native(x))
    # In C's order whatever theirs: sums of columns depend on it in their last bits.
    values = np.ascontiguousarray(np.concatenate(arrays))
    series = Series(values, np.array([len(x) for x in arrays]))
    _check_values(series, holes=holes, padded=False, advice=advice)
    return series


def _item(x: Any, name: str) -> np.ndarray:
    """Check what a list has in one place, which messages name."""
    try:
        return check_array(
            floats(real_numbers(as_array(x), name)),
            dtype=DTYPES,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=False,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name=name,
        )
    except (RuntimeError, TypeError, ValueError) as error:  # the first are torch's
        if name in str(error):
            raise
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(f"{name}: {error}") from error


def _check_values(series: Series, *, holes: bool, padded: bool, advice: str = _OF_VALUES) -> None:
    """Refuse infinity, samples without a value, and other NaN unless `holes` may be."""
    values = series.values
    if np.isfinite(values).all():
        return
    check_some_values(series, None, padded=padded)
    wrong = np.isinf(values) if holes else ~np.isfinite(values)
    if wrong.any():
        at, channel = np.argwhere(wrong)[0]
        sample, step = series.place(int(at))
        where = f"sample {sample}, time step {step}" if padded else f"time step {step}"
        raise not_finite(
            values[at, channel],
            "X" if padded else f"X[{sample}]",
            where if advice is _OF_TOKENS else f"{where}, channel {channel}",
            padded=padded,
            advice=advice,
        )


def not_finite(
    value: float, name: str, where: str, *, padded: bool, advice: str = _OF_VALUES
) -> ValueError:
    """Make the error of a value that is infinite, or of a hole where there may be none."""
    if np.isinf(value):
        return ValueError(f"Input {name} contains infinity: {where}.")
    padding = (
        "Only trailing steps that are NaN in every channel are taken for padding"
        if padded
        else "Nothing in a list is padding"
    )
    return ValueError(f"Input {name} contains NaN: {where}. {padding}. {advice}")


def check_some_values(series: Series, time_channel: int | None, *, padded: bool = True) -> None:
    """Refuse a sample of which all is missing, but perhaps its time stamps, and say which."""
    known = ~np.isnan(series.values)
    if known.all():
        return
    if time_channel is not None:
        known = np.delete(known, time_channel, axis=1)
    counts = np.add.reduceat(known.any(axis=1), series.starts, dtype=np.intp)
    if not counts.all():
        raise nothing_known(int((counts == 0).argmax()), padded=padded)


def nothing_known(sample: int, *, padded: bool) -> ValueError:
    """Make the error of a sample without a value."""
    where = "X contains NaN only in sample {}" if padded else "X[{}] contains NaN only"
    return ValueError(
        f"{where.format(sample)}; every sample needs a step with a value that is not missing. "
        "Leave it out."
    )


def _packed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the trailing steps (n_samples, n_timesteps, n_channels) that are all NaN."""
    lengths = _lengths_from_padding(values)
    if lengths.min() == values.shape[1]:
        steps = values.reshape(-1, values.shape[2])
    else:
        steps = values[np.arange(values.shape[1]) < lengths[:, None]]
    return np.ascontiguousarray(steps), lengths


def _lengths_from_padding(values: np.ndarray) -> np.ndarray:
    """Steps before the trailing all-NaN ones."""
    if not any_missing(values):
        return np.full(len(values), values.shape[1])
    missing = np.isnan(values)
    present = ~missing.all(axis=2)
    lengths = np.where(present.any(axis=1), values.shape[1] - present[:, ::-1].argmax(axis=1), 0)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise nothing_known(int(empty[0]), padded=True)
    return lengths


def series_of_channels(X: Any, *, holes: bool = False) -> Series:
    """Check a list of arrays, or an array with channels in which NaN at the end is padding.

    Parameters
    ----------
    X : list or array-like
    holes : bool, default=False
        Whether other NaN may be, for values that are missing.

    Raises
    ------
    ValueError, TypeError
        If it is neither, or holds what is no number.
    """
    if isinstance(X, list):
        return _joined(X, 2, "(n_timesteps, n_channels)", holes=holes)
    values = check_array(
        floats(X), dtype=DTYPES, allow_nd=True, ensure_all_finite=False, input_name="X"
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
    return _of_array(values, holes=holes)


def series_of_table(values: np.ndarray, *, holes: bool = False) -> Series:
    """Take an array (n_samples, n_timesteps) of one channel; NaN at the end is padding."""
    return _of_array(native(values)[:, :, None], holes=holes)


def _of_array(values: np.ndarray, *, holes: bool, advice: str = _OF_VALUES) -> Series:
    series = Series(*_packed(values), values.shape[1])
    _check_values(series, holes=holes, padded=True, advice=advice)
    return series


def series_of_tokens(X: Any) -> Series:
    """Check a list of 1-D arrays, or an array in which NaN or -1 at the end is padding.

    Their values are floating-point numbers still.
    """
    if isinstance(X, list):
        return _joined(X, 1, "(n_timesteps,)", holes=False, advice=_OF_TOKENS)
    values = check_array(floats(X), dtype=DTYPES, ensure_all_finite=False, input_name="X")
    values = np.where(values == -1, np.nan, values)
    return _of_array(values[:, :, None], holes=False, advice=_OF_TOKENS)


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
    times = series.values[:, channel]
    if np.isnan(times).any():
        sample, step = series.place(int(np.isnan(times).argmax()))
        raise no_time_stamp(sample, step, channel)
    elapsed = series.elapsed(channel)
    if np.isinf(elapsed).any():
        raise ValueError(
            f"Time stamps must not lie further apart than {np.finfo(times.dtype).max:.1e}, "
            f"which those in channel {channel} do."
        )
    wrong = np.flatnonzero(elapsed <= 0)
    if len(wrong):
        at = wrong[0]
        sample, step = series.place(int(at))
        raise does_not_advance(f"sample {sample}, {place}", times[at - 1], times[at], step)


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


def no_time_stamp(sample: int, step: int, channel: int) -> ValueError:
    """Make the error of a time stamp that is missing."""
    return ValueError(
        f"Input X contains NaN: sample {sample}, time step {step}, channel {channel}, which "
        "time_channel names. Every step needs its time stamp; leave steps of unknown time out."
    )


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
