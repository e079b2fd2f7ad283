"""Times that lie a step apart: from dates, periods or integers to numbers of steps, and back."""

from typing import Any

import numpy as np
import pandas as pd

TIMES_THAT_TELL = 3  # at least, to infer the frequency of dates


def step_of(index: pd.Index) -> Any:
    """Give the step between the times of `index`, all of which are there.

    It is an offset, or 1 for integers.

    Raises
    ------
    ValueError
        If times are doubled or not in order, integers or periods leave some out, or no
        frequency can be inferred from dates.
    """
    check_in_time(index)
    if isinstance(index, pd.DatetimeIndex):
        step = index.freq
        if step is None and len(index) >= TIMES_THAT_TELL:
            step = pd.infer_freq(index)
        if step is None:
            raise ValueError(
                "A frequency is needed to know the times that follow, and none can be inferred "
                f"from the DatetimeIndex of y: {_irregularity(index)}. Set missing='auto', "
                "index.freq, fill the gaps (y.asfreq(...) and an imputer), or use a PeriodIndex "
                "or RangeIndex."
            )
        return pd.tseries.frequencies.to_offset(step)
    step = index.freq if isinstance(index, pd.PeriodIndex) else 1
    check_steps(index, step)
    return step


def check_in_time(index: pd.Index) -> None:
    """Raise a ValueError where time stands still or goes backwards."""
    if not index.is_unique:
        doubled = index[index.duplicated()][0]
        raise ValueError(f"The index of y must be unique, but {doubled} occurs more than once.")
    if not index.is_monotonic_increasing:
        place = int(np.argmax(index[1:] < index[:-1]))
        raise ValueError(
            f"The index of y must be in order of time, but {index[place + 1]} comes after "
            f"{index[place]}."
        )


def step_or_none(index: pd.Index) -> Any:
    """Give the step between the times of `index`, or None where `step_of` finds none."""
    try:
        return step_of(index)
    except ValueError:
        return None


def mean_gap(index: pd.DatetimeIndex | pd.PeriodIndex) -> pd.Timedelta:
    """Give how far the times of `index`, two at least, lie apart on average.

    Days of a time zone are a day apart by the clock on the wall, hours an hour by the sun:
    where clocks change, the longer of both is what is meant.
    """
    dates = index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
    gap = dates[-1] - dates[0]
    if dates.tz is not None:
        gap = max(gap, dates[-1].tz_localize(None) - dates[0].tz_localize(None))
    return gap / (len(dates) - 1)


def check_steps(index: pd.Index, step: Any) -> None:
    """Raise a ValueError unless each time follows the one before by `step`."""
    expected = _from(index[0], len(index), step)
    wrong = np.asarray(expected != index)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise ValueError(
            "The index of y must have no gaps: after "
            f"{index[max(0, place - 1)]} comes {index[place]}, expected {expected[place]}."
        )


def _irregularity(index: pd.DatetimeIndex) -> str:
    if len(index) < TIMES_THAT_TELL:
        return f"it holds {len(index)} times, and at least {TIMES_THAT_TELL} are needed"
    half = len(index) // 2
    for part in (index[:half], index[half:]):  # one gap lies in one of them
        step = pd.infer_freq(part) if len(part) >= TIMES_THAT_TELL else None
        if step is None:
            continue
        missing = pd.date_range(index[0], index[-1], freq=step).difference(index)
        if 0 < len(missing) < half:
            more = (
                f" and {len(missing) - 1} more are missing" if len(missing) > 1 else " is missing"
            )
            return f"it is of the frequency {step!r}, but {missing[0]}{more}"
    gaps = pd.Series(index[1:] - index[:-1])
    usual = gaps.mode()[0]
    if (gaps == usual).all():
        return f"its times lie {usual} apart"
    place = int(np.argmax(gaps != usual))
    return f"most times lie {usual} apart, but {index[place]} and {index[place + 1]} do not"


def _from(first: Any, n: int, step: Any) -> pd.Index:
    if isinstance(first, pd.Period):
        return pd.period_range(first, periods=n, freq=step)
    if isinstance(first, pd.Timestamp):
        return pd.date_range(first, periods=n, freq=step)
    step = step if isinstance(step, int | np.integer) else 1  # of rows that have no dates
    return pd.RangeIndex(first, first + n * step, step)


def following(last: Any, n: int, step: Any) -> pd.Index:
    """Give the `n` times after `last`."""
    return _from(last, n + 1, step)[1:]


def preceding(first: Any, n: int, step: Any) -> pd.Index:
    """Give the `n` times before `first`."""
    if isinstance(first, pd.Period):
        return pd.period_range(end=first, periods=n + 1, freq=step)[:-1]
    if isinstance(first, pd.Timestamp):
        return pd.date_range(end=first, periods=n + 1, freq=step)[:-1]
    return pd.RangeIndex(first - n * step, first, step)


def steps_between(start: Any, end: Any, step: Any) -> int:
    """Count the steps from `start` to `end`, negative where `end` comes first."""
    if end < start:
        return -steps_between(end, start, step)
    if isinstance(start, pd.Period):
        return (end.ordinal - start.ordinal) // step.n
    if isinstance(start, pd.Timestamp):
        return len(pd.date_range(start, end, freq=step)) - 1
    return int(end - start) // int(step)


def steps_to(times: pd.Index, index: pd.Index, step: Any) -> np.ndarray:
    """Count the steps from the end of `index` to each of `times`, zero or negative within it.

    Raises
    ------
    ValueError
        If a time is of another kind than those of `index`, before all of them, or between two
        steps.
    """
    check_kind(times, index, "fh")
    last = index[-1]
    after = following(last, max(0, steps_between(last, times.max(), step)), step)
    grid = index.append(after.astype(index.dtype))
    places = grid.get_indexer(times)
    if (places < 0).any():
        time = times[places < 0][0]
        check_not_before(times[places < 0][:1], index)
        near = grid[grid < time][-1:].append(following(grid[-1], 1, step).astype(index.dtype))
        raise ValueError(
            f"fh asks for {time}, but steps of {step_name(step)} from {last} do not lead there: "
            f"{near[0]} is the last before it."
        )
    return places - (len(index) - 1)


def check_not_before(times: pd.Index, index: pd.Index) -> None:
    """Raise a ValueError where one of `times` is before all of `index`."""
    if times.min() < index[0]:
        raise ValueError(
            f"fh asks for {times.min()}, but what is known begins at {index[0]}: forecasts of "
            "known times are made of the values before them."
        )


def times_at(steps: np.ndarray, index: pd.Index, step: Any) -> pd.Index:
    """Give the times so many `steps` from the end of `index`, zero or negative within it."""
    last = len(index) - 1
    first = min(last, last + int(steps.min()))
    grid = following(index[-1], max(0, int(steps.max())), step).astype(index.dtype)
    if first < last or not steps.min() > 0:
        grid = index[first:].append(grid)
    else:
        first = last + 1
    places = last + steps - first
    if (np.diff(places) == 1).all():  # a slice keeps its frequency
        return grid[places[0] : places[-1] + 1].rename(None)
    return grid[places].rename(None)


def check_kind(times: pd.Index, index: pd.Index, name: str) -> None:
    """Raise a ValueError unless `times` can be told apart from those of `index`."""
    given, known = (_kind(one) for one in (times, index))
    if given != known:
        raise ValueError(f"{name} must have times like those of fit, {known}, got {given}.")


def _kind(index: pd.Index) -> str:
    if isinstance(index, pd.PeriodIndex):
        return f"periods of the frequency {index.freqstr!r}"
    if isinstance(index, pd.DatetimeIndex):
        return "dates without a time zone" if index.tz is None else "dates in a time zone"
    if pd.api.types.is_integer_dtype(index.dtype):
        return "integers"
    return f"an index of dtype {index.dtype}"


def step_name(step: Any) -> str:
    """Say what messages call a step."""
    return repr(getattr(step, "freqstr", step))


def with_step(cutoff: pd.Index, step: Any) -> pd.Index:
    """Give an index of one date its frequency, which a date alone does not have."""
    if not isinstance(cutoff, pd.DatetimeIndex) or cutoff.freq is not None:
        return cutoff
    if not isinstance(step, pd.tseries.offsets.BaseOffset) or not step.is_on_offset(cutoff[0]):
        return cutoff
    return pd.DatetimeIndex(cutoff, freq=step)
