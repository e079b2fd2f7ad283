"""A series with its time index: checked, continued, and looked ahead of."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..storage.index import index_state, read_index
from ..storage.state import State


@dataclass(frozen=True)
class History:
    """Values at consecutive times, and what else is known of them.

    Attributes
    ----------
    values : ndarray of shape (n_times, n_channels)
    index : pd.Index
    exogenous : ndarray of shape (n_times, n_columns) or None
    """

    values: np.ndarray
    index: pd.Index
    exogenous: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, times: slice) -> "History":
        exogenous = None if self.exogenous is None else self.exogenous[times]
        return History(self.values[times], self.index[times], exogenous)

    def then(self, later: "History") -> "History":
        """Put `later` behind; its index must follow."""
        exogenous = None
        if self.exogenous is not None and later.exogenous is not None:
            exogenous = np.concatenate((self.exogenous, later.exogenous))
        values = np.concatenate((self.values, later.values))
        return History(values, self.index.append(later.index), exogenous)

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as."""
        return {
            "values": self.values,
            "index": index_state(self.index),
            "exogenous": self.exogenous,
        }

    @classmethod
    def from_state(cls, state: State, n_channels: int, n_columns: int | None) -> "History":
        """Make a history of these sizes of its state."""
        n_times, _ = state.check("values", (None, n_channels))
        index = read_index(state.part("index"), n_times)
        exogenous = None
        if n_columns is None:
            state.take("exogenous", type(None))
        else:
            exogenous = state.array("exogenous", (n_times, n_columns))
        return cls(state.array("values", (n_times, n_channels)), index, exogenous)


def read(y: pd.DataFrame, X: pd.DataFrame | None, columns: list | None) -> History:
    """Take values out of data frames, X at the times of y.

    Parameters
    ----------
    y : DataFrame of shape (n_times, n_channels)
    X : DataFrame or None
        Its index contains that of y.
    columns : list or None
        Columns of X to take, as in fitting.

    Raises
    ------
    ValueError
        If a value is not finite; if X is missing, lacks columns or times, or is there and was
        not in fitting.
    """
    # One order in memory, lest the last bits of sums depend on how y was made.
    values = np.ascontiguousarray(y.to_numpy(dtype=np.float64))
    _check_finite("y", values, y.index)
    return History(values, y.index, exogenous_at(y.index, X, columns))


def _check_finite(name: str, values: np.ndarray, index: pd.Index) -> None:
    wrong = ~np.isfinite(values).all(axis=1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name} must hold finite numbers only, got {values[row]} at {index[row]}."
        )


def exogenous_at(
    index: pd.Index, X: pd.DataFrame | None, columns: list | None
) -> np.ndarray | None:
    """Take the rows of X at the times `index`; see `read`."""
    if columns is None:
        if X is not None:
            raise ValueError(
                f"X has the columns {list(X.columns)}, but the forecaster was fitted without X."
            )
        return None
    if X is None:
        raise ValueError(
            f"The forecaster was fitted with the columns {columns} of X, which are needed from "
            f"{index[0]} to {index[-1]}; got no X."
        )
    lacking = [column for column in columns if column not in X.columns]
    if lacking:
        raise ValueError(
            f"X must have the columns {columns} as in fit, got {list(X.columns)}: {lacking} "
            "are missing."
        )
    rows = X.index.get_indexer(index)
    if (rows < 0).any():
        raise ValueError(
            f"X must cover every time from {index[0]} to {index[-1]}, {len(index)} steps; it has "
            f"no row at {index[rows < 0][0]}, and {_span(X.index)}."
        )
    values = np.ascontiguousarray(X[columns].to_numpy(dtype=np.float64)[rows])
    _check_finite("X", values, index)
    return values


def _span(index: pd.Index) -> str:
    return f"covers {index[0]} to {index[-1]}" if len(index) else "is empty"


def step_of(index: pd.Index) -> Any:
    """Give the step between the times of `index`: an offset, or 1 for integers.

    Raises
    ------
    ValueError
        If times are doubled or not in order, integers or periods leave some out, or no
        frequency can be inferred from dates.
    """
    if not index.is_unique:
        doubled = index[index.duplicated()][0]
        raise ValueError(f"The index of y must be unique, but {doubled} occurs more than once.")
    if not index.is_monotonic_increasing:
        place = int(np.argmax(index[1:] < index[:-1]))
        raise ValueError(
            f"The index of y must be in order of time, but {index[place + 1]} comes after "
            f"{index[place]}."
        )
    if isinstance(index, pd.DatetimeIndex):
        step = index.freq
        if step is None and len(index) > 2:
            step = pd.infer_freq(index)
        if step is None:
            raise ValueError(
                "A frequency is needed to know the times that follow, and none can be inferred "
                f"from the DatetimeIndex of y: {_irregularity(index)}. Set index.freq, fill the "
                "gaps (y.asfreq(...) and an imputer), or use a PeriodIndex or RangeIndex."
            )
        return pd.tseries.frequencies.to_offset(step)
    step = index.freq if isinstance(index, pd.PeriodIndex) else 1
    check_steps(index, step)
    return step


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
    if len(index) < 3:
        return f"it holds {len(index)} times, and at least 3 are needed"
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
    return pd.RangeIndex(first, first + n)


def following(last: Any, n: int, step: Any) -> pd.Index:
    """Give the `n` times after `last`."""
    return _from(last, n + 1, step)[1:]


def steps_between(start: Any, end: Any, step: Any) -> int:
    """Count the steps from `start` to `end`, negative where `end` comes first."""
    if end < start:
        return -steps_between(end, start, step)
    if isinstance(start, pd.Period):
        return (end.ordinal - start.ordinal) // step.n
    if isinstance(start, pd.Timestamp):
        return len(pd.date_range(start, end, freq=step)) - 1
    return int(end - start)


def continued(history: History, new: History, step: Any, needed: int) -> tuple[History, int]:
    """Continue `history` with `new`, which may repeat or revise its end.

    Parameters
    ----------
    needed : int
        Times that a history must hold.

    Returns
    -------
    history : History
        It ends where `new` ends.
    n_new : int
        Values at its end that come right after those known before; 0 where `new` stands
        apart, or takes known ones back.

    Raises
    ------
    ValueError
        If `new` has gaps; if there are times missing between the two, or before a `new`
        that goes back, and `new` alone is too short.
    """
    check_steps(new.index, step)
    first = steps_between(history.index[-1], new.index[0], step)
    end = steps_between(history.index[-1], new.index[-1], step)
    kept = len(history) + first - 1  # of the history, before `new`
    if 0 <= kept <= len(history):
        merged = history[:kept].then(new)
        if len(merged) >= needed:
            return merged, max(0, end)
    elif len(new) >= needed:
        return new, 0
    raise ValueError(
        f"update needs values that follow those up to {history.index[-1]}, or at least {needed} "
        f"of them to start anew; got {len(new)}, from {new.index[0]} to {new.index[-1]}."
    )
