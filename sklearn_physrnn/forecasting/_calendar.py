"""What a date says of itself: features of the calendar, each a point on a circle."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..preparation.times import mean_gap

# Place in the cycle, in [0, 1).
_CYCLES: dict[str, Callable[[pd.DatetimeIndex], Any]] = {
    "minute": lambda t: t.minute / 60,
    "hour": lambda t: (t.hour + t.minute / 60) / 24,
    "day_of_week": lambda t: t.dayofweek / 7,
    "day_of_month": lambda t: (t.day - 1) / t.days_in_month,
    "week": lambda t: (t.isocalendar().week.to_numpy(dtype=float) - 1) / 53,
    "month": lambda t: (t.month - 1) / 12,
    "quarter": lambda t: (t.quarter - 1) / 4,
    "day_of_year": lambda t: (t.dayofyear - 1) / (365 + t.is_leap_year),
}
FEATURES = tuple(_CYCLES)

# The features that "auto" takes, from the longest step between times on.
_YEAR = pd.Timedelta(days=365)
_AUTO = (
    (_YEAR, ()),
    (_YEAR / 4.1, ("quarter",)),
    (_YEAR / 13.1, ("month",)),
    (pd.Timedelta(days=7), ("week",)),
    (pd.Timedelta(days=1), ("day_of_week", "day_of_year")),
    (pd.Timedelta(0), ("hour", "day_of_week", "day_of_year")),
)


def resolve_calendar(calendar: str | Sequence[str] | None, index: pd.Index) -> tuple[str, ...]:
    """Give the names of the features that `calendar` asks for.

    Raises
    ------
    ValueError
        If a name is unknown, or names are given for an index that has no dates.
    """
    if calendar is None:
        return ()
    dated = isinstance(index, pd.DatetimeIndex | pd.PeriodIndex)
    if isinstance(calendar, str):
        if calendar != "auto":
            raise ValueError(
                f"calendar must be None, 'auto' or a list of names from {list(FEATURES)}, "
                f"got {calendar!r}."
            )
        if not dated or len(index) < 2:
            return ()
        gap = mean_gap(index)
        return next(names for longest, names in _AUTO if gap >= longest)
    unknown = [name for name in calendar if name not in _CYCLES]
    if unknown:
        raise ValueError(
            f"calendar holds {unknown}, which are none of the features {list(FEATURES)}."
        )
    if not dated:
        raise ValueError(
            f"calendar={list(calendar)} needs dates: an index of type DatetimeIndex or "
            f"PeriodIndex, got {type(index).__name__}."
        )
    return tuple(calendar)


def _dates(index: pd.Index) -> pd.DatetimeIndex:
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index


def calendar_features(index: pd.Index, names: Sequence[str]) -> np.ndarray:
    """Give the sine and cosine of each cycle, of shape (n_times, 2 * n_names)."""
    times = _dates(index)
    angles = [2 * np.pi * np.asarray(_CYCLES[name](times), dtype=float) for name in names]
    return np.stack([wave(angle) for angle in angles for wave in (np.sin, np.cos)], axis=1)
