"""What is known of every step, past and future: exogenous columns and the calendar."""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..preparation.scaling import Standard
from ..storage.index import index_state, read_index
from ..storage.state import State
from ._calendar import FEATURES, calendar_features
from ._history import History

# A column's unit is outgrown when its deviation is this many times as large.
_OUTGROWN = 1000.0

# Times the largest value of training, and units at least: beyond, a column saturates.
_REACH, _LEAST_REACH = 10.0, 10.0


class Features:
    """Exogenous columns, standardised, beside the calendar's.

    Where a value is missing, the column's mean stands; of columns that lacked some in training
    one more says where.

    Parameters
    ----------
    exogenous : ndarray of shape (n_times, n_columns) or None
        To learn the scale from.
    columns : list or None
        Names of the exogenous columns.
    calendar : sequence of str
        Names of calendar features.
    past : sequence of int
        Places of columns that are known up to the present only.
    static : sequence of int
        Places of columns that do not change within a series.
    adjusts : bool
        What columns that are known ahead do at their step is taken from windows.
    """

    def __init__(
        self,
        exogenous: np.ndarray | None,
        columns: list | None,
        calendar: Sequence[str],
        past: Sequence[int] = (),
        static: Sequence[int] = (),
        adjusts: bool = False,
    ) -> None:
        self.columns = columns
        self.calendar = tuple(calendar)
        self.past, self.static = tuple(past), tuple(static)
        self.adjusts = adjusts and bool(self.ahead)
        self._scaler = None
        self.lacking: tuple[int, ...] = ()  # places of columns
        if exogenous is not None:
            self._scaler, self._constant = _learned(exogenous)
            self._reach = self._largest(exogenous)
            self.lacking = tuple(np.flatnonzero(np.isnan(exogenous).any(axis=0)).tolist())

    def _largest(self, exogenous: np.ndarray) -> np.ndarray:
        assert self._scaler is not None
        largest = np.abs(np.nan_to_num(self._scaler.transform(exogenous))).max(axis=0)
        return np.maximum(_REACH * largest, _LEAST_REACH)

    def following(self, exogenous: np.ndarray | None) -> "Features":
        """Give the features of further data, in which idle columns may have come to life.

        Nothing was learned of a column that was constant, or whose variation was a
        thousandth of what it is now: its unit is learned anew.
        """
        if self._scaler is None or exogenous is None:
            return self
        # What changes is not static, whatever it was in pretraining.
        static = tuple(k for k in self.static if (exogenous[:, k] == exogenous[:1, k]).all())
        if static != self.static:
            changed = copy.copy(self)
            changed.static = static
            return changed.following(exogenous)
        new = Features(exogenous, self.columns, self.calendar, self.past, static)
        new.adjusts = self.adjusts
        assert new._scaler is not None
        idle = self._constant | (new._scaler.scale > _OUTGROWN * self._scaler.scale)
        idle &= ~new._constant
        if not idle.any():
            return self
        new._scaler = Standard(
            np.where(idle, new._scaler.center, self._scaler.center),
            np.where(idle, new._scaler.scale, self._scaler.scale),
        )
        new._reach = np.where(idle, new._reach, self._reach)
        new._constant = self._constant & ~idle
        new.lacking = self.lacking
        return new

    @property
    def n_features(self) -> int:
        """Columns of the table."""
        return len(self.columns or ()) + len(self.lacking) + 2 * len(self.calendar)

    @property
    def ahead(self) -> tuple[int, ...]:
        """Places of the exogenous columns that a forecast needs at the times it is of."""
        known = {*self.past, *self.static}
        return tuple(k for k in range(len(self.columns or ())) if k not in known)

    @property
    def hidden(self) -> tuple[int, ...]:
        """Places in the table of what is not known over the horizon."""
        first = len(self.columns or ())
        told = (first + k for k, place in enumerate(self.lacking) if place in self.past)
        return (*self.past, *told)

    def of_present(self, table: np.ndarray | None, n_known: int) -> np.ndarray | None:
        """Let the last of so many known rows of a table stand for what later ones hide."""
        if table is None or not self.hidden or n_known < 1:
            return table
        table, hidden = table.copy(), list(self.hidden)
        table[n_known:, hidden] = table[n_known - 1, hidden]
        return table

    def of(self, index: pd.Index, exogenous: np.ndarray | None) -> np.ndarray | None:
        """Give the features at `index`, of shape (n_times, n_features), if there are any."""
        parts = []
        if self._scaler is not None and exogenous is not None:
            scaled = self._scaler.transform(exogenous)
            there = np.where(np.isnan(scaled), 0.0, scaled)
            parts.append(np.clip(there, -self._reach, self._reach))
            if self.lacking:
                parts.append(np.isnan(exogenous[:, self.lacking]).astype(float))
        if self.calendar:
            parts.append(calendar_features(index, self.calendar))
        return np.concatenate(parts, axis=1) if parts else None

    def of_history(self, history: History) -> np.ndarray | None:
        """Give the features of a history's times."""
        return self.of(history.index, history.exogenous)

    def to_state(self) -> dict[str, Any]:
        """Give what they are kept as."""
        columns: dict[str, Any] | None = None
        if self._scaler is not None:
            assert self.columns is not None
            columns = {
                "names": index_state(pd.Index(self.columns)),
                "center": self._scaler.center,
                "scale": self._scaler.scale,
                "reach": self._reach,
                "constant": self._constant.tolist(),
                "lacking": list(self.lacking),
                "past": list(self.past),
                "static": list(self.static),
                "adjusts": self.adjusts,
            }
        return {"calendar": list(self.calendar), "columns": columns}

    @classmethod
    def from_state(cls, state: State) -> "Features":
        """Make features of their state."""
        calendar = state.take("calendar", list)
        if not all(name in FEATURES for name in calendar):
            raise ValueError(f"its calendar {calendar!r:.100} is unknown.")
        features = cls(None, None, calendar)
        state.optional("columns", lambda columns: columns.read(features._take_columns))
        return features

    def _take_columns(self, state: State) -> None:
        (n,) = state.check("center", (None,))
        self.columns = read_index(state.part("names"), n).to_list()
        center, scale, self._reach = (
            state.array(name, (n,)) for name in ("center", "scale", "reach")
        )
        constant = state.take("constant", list)
        if len(constant) != n or not all(type(value) is bool for value in constant):
            raise ValueError("it must say of each column whether it was constant.")
        self._scaler = Standard(center, scale)
        self._constant = np.array(constant)
        self.lacking, self.past, self.static = (
            _places(state, name, n) for name in ("lacking", "past", "static")
        )
        self.adjusts = state.take("adjusts", bool) if "adjusts" in state else False


def _places(state: State, name: str, n: int) -> tuple[int, ...]:
    if name not in state:  # it is younger than some files
        return ()
    places = state.take(name, list)
    if not all(type(place) is int and 0 <= place < n for place in places):
        raise ValueError(f"it must say which columns are {name}.")
    return tuple(places)


def places_of(names: Sequence[Any] | None, columns: list | None) -> tuple[int, ...]:
    """Give the places of `past_covariates` among the columns of X.

    Raises
    ------
    ValueError
        If one is no column of X.
    """
    if not names:
        return ()
    unknown = [name for name in names if name not in (columns or ())]
    if unknown:
        given = "no X" if columns is None else f"X with the columns {columns}"
        raise ValueError(
            f"past_covariates={list(names)} must be columns of X, got {given}: {unknown} "
            "are missing."
        )
    assert columns is not None
    return tuple(sorted({columns.index(name) for name in names}))


def static_columns(histories: Sequence[History]) -> tuple[int, ...]:
    """Give the places of exogenous columns that differ between series and change in none."""
    tables = [history.exogenous for history in histories if history.exogenous is not None]
    if len(tables) < 2:
        return ()
    first = np.array([table[0] for table in tables])
    still = np.all([(table == table[:1]).all(axis=0) for table in tables], axis=0)
    return tuple(np.flatnonzero(still & (first != first[0]).any(axis=0)).tolist())


def _learned(exogenous: np.ndarray) -> tuple[Standard, np.ndarray]:
    """Learn the scale of what is there of columns, and which are a constant."""
    if not np.isnan(exogenous).any():
        return Standard.fit(exogenous), exogenous.min(axis=0) == exogenous.max(axis=0)
    present = [column[~np.isnan(column)][:, None] for column in exogenous.T]
    scalers = [
        Standard.fit(column) if len(column) else Standard(np.zeros(1), np.ones(1))
        for column in present
    ]
    constant = [not len(column) or bool((column == column[0]).all()) for column in present]
    return Standard.joined(scalers), np.array(constant)
