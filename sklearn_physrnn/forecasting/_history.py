"""A series with its time index: checked, put on steps, continued, and looked ahead of."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..preparation.clocks import Clock, clock_of, places_of, too_long
from ..preparation.times import (
    check_kind,
    check_steps,
    following,
    step_name,
    step_of,
    steps_between,
)
from ..storage.index import index_state, read_index
from ..storage.state import State


@dataclass(frozen=True)
class History:
    """Values at consecutive times, and what else is known of them.

    Attributes
    ----------
    values : ndarray of shape (n_times, n_channels)
        NaN where a value is missing.
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

    def after_gap(self, n_times: int, step: Any) -> "History":
        """Put so many missing times behind."""
        if n_times < 1:
            return self

        def padded(values: np.ndarray) -> np.ndarray:
            return np.pad(values, ((0, n_times), (0, 0)), constant_values=np.nan)

        return History(
            padded(self.values),
            self.index.append(following(self.index[-1], n_times, step).astype(self.index.dtype)),
            None if self.exogenous is None else padded(self.exogenous),
        )

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
            exogenous = _with_gaps(state, "exogenous", (n_times, n_columns))
        return cls(_with_gaps(state, "values", (n_times, n_channels)), index, exogenous)


def _with_gaps(state: State, name: str, shape: tuple[int, int]) -> np.ndarray:
    values = state.array(name, shape, finite=False)
    if np.isinf(values).any():
        raise ValueError(f"its {name} are not finite.")
    return values


def read(
    y: pd.DataFrame, X: pd.DataFrame | None, columns: list | None, *, gaps: bool = True
) -> History:
    """Take values out of data frames, X at the times of y.

    Parameters
    ----------
    y : DataFrame of shape (n_times, n_channels)
    X : DataFrame or None
        Its index contains that of y.
    columns : list or None
        Columns of X to take, as in fitting.
    gaps : bool
        Take NaN, too.

    Raises
    ------
    ValueError
        If a value is infinite, or missing where none may be; if X is missing, lacks columns or
        times, or is there and was not in fitting.
    """
    # One order in memory, lest the last bits of sums depend on how y was made.
    values = np.ascontiguousarray(y.to_numpy(dtype=np.float64))
    _check_finite("y", values, y.index, list(y.columns), gaps=gaps)
    return History(values, y.index, exogenous_at(y.index, X, columns, gaps=gaps))


def _check_finite(
    name: str, values: np.ndarray, index: pd.Index, columns: list, *, gaps: bool
) -> None:
    wrong = np.isinf(values) if gaps else ~np.isfinite(values)
    if wrong.any():
        row, column = (int(places[0]) for places in np.nonzero(wrong))
        raise ValueError(
            f"{name} must hold finite numbers{' or NaN' if gaps else ' only'}, got "
            f"{values[row, column]} at {index[row]} in the column {columns[column]!r}."
        )


def check_some(history: History, names: list) -> None:
    """Raise a ValueError that names the columns of y that have no value at all."""
    none = np.isnan(history.values).all(axis=0)
    if none.any():
        listed = [name for name, lacking in zip(names, none, strict=True) if lacking]
        raise ValueError(
            f"y has no value in the column{'s' * (len(listed) > 1)} "
            f"{', '.join(map(repr, listed))}: all {len(history)} are missing. There is nothing "
            "to learn of it; leave it out."
        )


def on_steps(
    history: History, clock: Clock | None = None, anchor: Any = None
) -> tuple[History, Clock]:
    """Put a series on the steps of its clock, with NaN at those that it has no value of.

    Where times lie anywhere, those that are nearest to a step are one value, their mean.
    """
    clock = clock_of(history.index) if clock is None else clock
    places = places_of(history.index, clock, anchor)
    if places.all_there and not clock.irregular:
        return history, clock
    exogenous = None if history.exogenous is None else places.put(history.exogenous)
    return History(places.put(history.values), places.grid, exogenous), clock


def without_gaps(history: History) -> tuple[History, Clock]:
    """Give the series and its clock, if no time of it is missing."""
    return history, Clock(step_of(history.index))


def exogenous_at(
    index: pd.Index, X: pd.DataFrame | None, columns: list | None, *, gaps: bool = False
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
    check_kind(X.index, index, "X")
    rows = X.index.get_indexer(index)
    if (rows < 0).any():
        raise ValueError(
            f"X must cover every time from {index[0]} to {index[-1]}, {len(index)} steps; it has "
            f"no row at {index[rows < 0][0]}, and {_span(X.index)}."
        )
    values = np.ascontiguousarray(X[columns].to_numpy(dtype=np.float64)[rows])
    _check_finite("X", values, index, columns, gaps=gaps)
    return values


def _span(index: pd.Index) -> str:
    return f"covers {index[0]} to {index[-1]}" if len(index) else "is empty"


def continued(
    history: History, new: History, clock: Clock, needed: int, *, gaps: bool = True
) -> tuple[History, int]:
    """Continue `history` with `new`, which may repeat or revise its end.

    Parameters
    ----------
    needed : int
        Times that a history must hold.
    gaps : bool
        Times may be missing in `new` and between the two.

    Returns
    -------
    history : History
        It ends where `new` ends.
    n_new : int
        Values at its end that come after those known before; 0 where `new` stands apart, or
        takes known ones back.

    Raises
    ------
    ValueError
        If `new` has gaps, times are missing between the two, and gaps may not be; if the steps
        of `history` do not lead to `new`, or times are missing before a `new` that goes back,
        and `new` alone is too short.
    """
    check_kind(new.index, history.index, "y")
    if isinstance(new.index, pd.DatetimeIndex):  # in the same time zone
        new = replace(new, index=new.index.astype(history.index.dtype))
    step = clock.step
    if gaps:
        anchor = history.index[-1] if clock.irregular else None
        new, _ = on_steps(new, clock, anchor)
    else:
        check_steps(new.index, step)
    first = steps_between(history.index[-1], new.index[0], step)
    end = steps_between(history.index[-1], new.index[-1], step)
    kept = len(history) + first - 1  # of the history, before `new`
    goes_on = clock.irregular or _goes_on(history.index, new.index[0], first, step)
    near = kept <= len(history) or (gaps and not too_long(first, len(history)))
    if goes_on and kept >= 0 and near:
        merged = history[:kept].after_gap(first - 1, step).then(new)
        if len(merged) >= needed:
            return merged, max(0, end)
    elif len(new) >= needed:
        return new, 0
    raise ValueError(
        f"update needs values that follow those up to {history.index[-1]}, or at least {needed} "
        f"of them to start anew, by steps of {step_name(step)}; got {len(new)}, from "
        f"{new.index[0]} to {new.index[-1]}."
    )


def _goes_on(index: pd.Index, time: Any, n_steps: int, step: Any) -> bool:
    """Tell whether so many steps from the end of `index` lead to `time`, and not just near it."""
    if n_steps > 0:
        return bool(following(index[-1], n_steps, step)[-1] == time)
    return time in index
