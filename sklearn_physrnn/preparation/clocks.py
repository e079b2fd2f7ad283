"""From times as they come, with gaps or without any rule, to steps of one length."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..storage.index import offset_state, read_offset
from ..storage.state import State
from .times import TIMES_THAT_TELL, check_in_time, following, preceding, step_name, steps_between

# Times are missing from a regular index if of all distances between times, and of all steps,
# at least this share is one step; else the times follow no rule.
_LEAST_REGULAR = 0.1

_MANY = 8  # days without a weekend among them that tell of working days

# Steps of a series, for each time of it, beyond which gaps are too long to be filled.
_MOST_STEPS, _ANYWAY = 1000, 100_000


@dataclass(frozen=True)
class Clock:
    """How far the steps of a series lie apart, and whether its times lie on them.

    Attributes
    ----------
    step : offset or int
    irregular : bool
        Times lie anywhere between steps.
    """

    step: Any
    irregular: bool = False

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as."""
        dated = isinstance(self.step, pd.tseries.offsets.BaseOffset)
        step = offset_state(self.step) if dated else int(self.step)
        return {"step": None if step == 1 else step, "irregular": self.irregular}

    @classmethod
    def from_state(cls, state: State) -> "Clock":
        """Make it of its state."""
        step = state.take("step", str, int, type(None))
        if isinstance(step, int) and step < 1:
            raise ValueError("its step must be positive.")
        # Which is younger than the first files.
        irregular = state.take("irregular", bool) if "irregular" in state else False
        if isinstance(step, str):
            offset = read_offset(step)
            if irregular and not isinstance(offset, pd.tseries.offsets.Tick):
                raise ValueError("its steps of irregular times must be of one length.")
            return cls(offset, irregular)
        return cls(1 if step is None else step, irregular)


def clock_of(index: pd.Index) -> Clock:
    """Find the steps that the times of `index` lie on, of which some may be missing.

    Dates without a frequency lie on working days, months or their ends, the frequency that
    pandas infers from the longest stretch without a gap, or whole multiples of a time; integers
    and periods on every one. Where hardly two times are neighbours on such steps, the times
    follow no rule: then a step is their median distance.

    Raises
    ------
    ValueError
        If times are doubled or not in order, or too few to tell.
    """
    check_in_time(index)
    if isinstance(index, pd.PeriodIndex):
        return Clock(index.freq)
    if not isinstance(index, pd.DatetimeIndex):
        gaps = np.diff(index.to_numpy().astype(np.int64))
        if not len(gaps) or _usual(gaps, 1):
            return Clock(1)
        return Clock(max(1, round(float(np.median(gaps)))), irregular=True)
    if index.freq is not None:
        return Clock(index.freq)
    if len(index) < TIMES_THAT_TELL:
        raise ValueError(
            "A frequency is needed to know the times that follow, and none can be inferred "
            f"from the DatetimeIndex of y: it holds {len(index)} times, and at least "
            f"{TIMES_THAT_TELL} are needed. Set index.freq, or use a PeriodIndex or RangeIndex."
        )
    for step in _steps_of_dates(index):
        steps = pd.tseries.frequencies.to_offset(step)
        grid = pd.date_range(index[0], index[-1], freq=steps)
        if index.isin(grid).all():
            return Clock(steps)
    gaps = _nanoseconds(index)
    unit = int(pd.Timedelta(1, index.unit).value)
    median = max(unit, int(np.median(gaps)) // unit * unit)
    return Clock(pd.tseries.frequencies.to_offset(pd.Timedelta(median, "ns")), irregular=True)


def _usual(gaps: np.ndarray, step: int) -> bool:
    """Tell whether `gaps` are those of an index with this step that lacks times."""
    return bool(min(np.mean(gaps == step), step * len(gaps) / gaps.sum()) >= _LEAST_REGULAR)


def _nanoseconds(index: pd.DatetimeIndex) -> np.ndarray:
    return np.diff(index.as_unit("ns").asi8)


def _steps_of_dates(index: pd.DatetimeIndex) -> Iterator[Any]:
    """Give frequencies that `index` may have, the most telling first."""
    whole = pd.infer_freq(index)
    if whole is not None:
        yield whole
        return
    wall = index.tz_localize(None)
    if (wall - wall.normalize()).nunique() == 1:  # at one time of the day
        if index.is_month_start.all() or index.is_month_end.all():
            months = int(np.gcd.reduce(np.diff(wall.year * 12 + wall.month)))
            yield f"{months}{'MS' if index.is_month_start.all() else 'ME'}"
        days = np.diff((wall - wall[0]).days)
        if (wall.dayofweek < 5).all() and len(wall) >= _MANY and _usual(days, 1):
            yield "B"
        inferred = _of_longest_stretch(index)
        if inferred is not None:
            yield inferred
        if _usual(days, step := int(np.gcd.reduce(days))):
            yield f"{step}D"
        return
    gaps = _nanoseconds(index)
    step = int(np.gcd.reduce(gaps))
    if _usual(gaps, step):
        yield pd.Timedelta(step, "ns")


def _of_longest_stretch(index: pd.DatetimeIndex) -> str | None:
    gaps = _nanoseconds(index)
    breaks = np.flatnonzero(gaps > 1.5 * np.median(gaps)) + 1
    stretches = pairwise([0, *breaks.tolist(), len(index)])
    start, stop = max(stretches, key=lambda ends: ends[1] - ends[0])
    return pd.infer_freq(index[start:stop]) if stop - start >= TIMES_THAT_TELL else None


@dataclass(frozen=True)
class Places:
    """Where times lie on a grid.

    Attributes
    ----------
    grid : pd.Index
        All steps from the first time to the last.
    rows : ndarray of int
        The step of each time, or the nearest one.
    """

    grid: pd.Index
    rows: np.ndarray

    @property
    def all_there(self) -> bool:
        """Whether there is one time for every step."""
        return len(self.rows) == len(self.grid) and bool((np.diff(self.rows) == 1).all())

    def put(self, values: np.ndarray) -> np.ndarray:
        """Put the rows of values where they belong: NaN where none is, else the mean of all."""
        shape = len(self.grid), values.shape[1]
        if len(np.unique(self.rows)) == len(self.rows):
            placed = np.full(shape, np.nan)
            placed[self.rows] = values
            return placed
        there = ~np.isnan(values)
        total, n = np.zeros(shape), np.zeros(shape)
        np.add.at(total, self.rows, np.where(there, values, 0.0))
        np.add.at(n, self.rows, there)
        return np.divide(total, n, out=np.full(shape, np.nan), where=n > 0)


def places_of(index: pd.Index, clock: Clock, anchor: Any = None) -> Places:
    """Find the steps of `clock` that the times of `index` lie on.

    Parameters
    ----------
    index : pd.Index
    clock : Clock
    anchor : time, default=index[-1]
        A step, where times lie anywhere; of the kind of those of `index`.

    Raises
    ------
    ValueError
        If a time lies on none, or gaps are so long that they are most of all.
    """
    anchor = index[-1] if anchor is None else anchor
    if clock.irregular:
        rows = np.rint(positions(index, anchor, clock.step)).astype(int)
        _check_length(int(rows[-1] - rows[0]) + 1, index, clock.step)
        grid = grid_around(anchor, int(rows[0]), int(rows[-1]), clock.step)
        return Places(grid.astype(index.dtype), rows - rows[0])
    n = steps_between(index[0], index[-1], clock.step) + 1
    _check_length(n, index, clock.step)
    grid = index[:1].append(following(index[0], n - 1, clock.step).astype(index.dtype))
    rows = grid.get_indexer(index)
    if (rows < 0).any():
        place = int(np.argmax(rows < 0))
        raise ValueError(
            f"y has a value at {index[place]}, but steps of {step_name(clock.step)} from "
            f"{index[0]} do not lead there."
        )
    return Places(grid, rows)


def too_long(n_steps: int, n_times: int) -> bool:
    """Tell whether so many steps are too many for a series of so many times."""
    return n_steps > max(_ANYWAY, _MOST_STEPS * n_times)


def _check_length(n: int, index: pd.Index, step: Any) -> None:
    if too_long(n, len(index)):
        longest = int(np.argmax(np.diff(index.asi8 if hasattr(index, "asi8") else index)))
        raise ValueError(
            f"y has {len(index)} values at {n} steps of {step_name(step)}: its gaps are too long. "
            f"The longest is from {index[longest]} to {index[longest + 1]}; begin behind it, or "
            "take longer steps (y.resample(...).mean())."
        )


def positions(times: pd.Index, origin: Any, step: Any) -> np.ndarray:
    """Give how many steps of an irregular clock lie between `origin` and each of `times`."""
    if isinstance(times, pd.DatetimeIndex):
        return np.asarray((times - origin) / pd.Timedelta(step), dtype=float)
    return np.asarray(times.to_numpy() - origin, dtype=float) / step


def grid_around(anchor: Any, first: int, last: int, step: Any) -> pd.Index:
    """Give the steps from the `first` to the `last`, counted from `anchor`."""
    before, after = max(0, -first), max(0, last)
    grid = preceding(anchor, before, step)
    grid = grid.append(grid_of_one(anchor)).append(following(anchor, after, step))
    return grid[first + before : last + before + 1]


def grid_of_one(time: Any) -> pd.Index:
    """Give an index of one time."""
    return pd.DatetimeIndex([time]) if isinstance(time, pd.Timestamp) else pd.Index([time])
