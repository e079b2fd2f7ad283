"""Gaps in what is drawn: shaded, and no line through them."""

from typing import Any

import numpy as np
import pandas as pd

from ..preparation.clocks import clock_of, places_of

_SHADE = {"color": "0.92", "linewidth": 0, "zorder": -1}

# Times the median distance of time stamps, from which on nothing was observed between two.
_LONG = 5.0


def at_every_step(data: pd.DataFrame) -> pd.DataFrame:
    """Give a series a row of NaN at each time that its index lacks, if it is of a regular one."""
    if not len(data):
        return data
    try:
        clock = clock_of(data.index)
        places = None if clock.irregular else places_of(data.index, clock)
    except (ValueError, TypeError):  # too short to tell, or of other labels than times
        return data
    if places is None or places.all_there:
        return data
    values = places.put(data.to_numpy(dtype=float))
    return pd.DataFrame(values, places.grid.rename(data.index.name), data.columns)


def shade_missing(axis: Any, time: Any, missing: np.ndarray) -> list[Any]:
    """Shade the stretches where values (n_times,) are `missing`, from one value to the next.

    Returns
    -------
    list of matplotlib Rectangle
    """
    edges = np.flatnonzero(np.diff(np.concatenate(([False], missing, [False])).astype(int)))
    last = len(missing) - 1
    stretches = [
        (time[max(start - 1, 0)], time[min(stop, last)])
        for start, stop in edges.reshape(-1, 2).tolist()
    ]
    return [_shade(axis, *ends, first=not k) for k, ends in enumerate(stretches)]


def shade_silent(axes: Any, time: np.ndarray, values: np.ndarray) -> list[list[Any]]:
    """Shade on all axes where no channel of a sequence (n_times, n_channels) was observed.

    That is where all are missing, and between stamps more than five times as far apart as is
    usual.

    Returns
    -------
    list of list of matplotlib Rectangle
        One a gap on each of the axes.
    """
    silent = np.isnan(values).all(axis=1) if values.shape[1] else np.zeros(len(values), bool)
    found = []
    for axis in axes:
        shades = shade_missing(axis, time, silent)
        shades += [
            _shade(axis, time[row], time[row + 1], first=not shades and not k)
            for k, row in enumerate(_long_pauses(time))
        ]
        found.append(shades)
    return found


def broken(time: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put NaN between stamps that are far apart, so that no line is drawn between them."""
    pauses = _long_pauses(time) + 1
    if not len(pauses):
        return time, values
    middle = (time[pauses - 1] + time[pauses]) / 2
    return np.insert(time.astype(float), pauses, middle), np.insert(
        values.astype(float), pauses, np.nan, axis=0
    )


def alone(values: np.ndarray) -> np.ndarray:
    """Tell which of values (n_times,) have none beside them, and are in no line."""
    there = np.pad(~np.isnan(values), 1)
    return there[1:-1] & ~there[:-2] & ~there[2:]


def _long_pauses(time: np.ndarray) -> np.ndarray:
    """Give the rows after which time makes a long pause."""
    steps = np.diff(time)
    if len(steps) < 2:
        return np.empty(0, int)
    return np.flatnonzero(steps > _LONG * np.median(steps))


def _shade(axis: Any, start: Any, end: Any, *, first: bool) -> Any:
    return axis.axvspan(start, end, label="missing" if first else None, **_SHADE)
