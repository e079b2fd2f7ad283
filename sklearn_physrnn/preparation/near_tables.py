"""Rows of a table as inputs, and what near rows had as targets."""

import warnings
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.model_selection import KFold, StratifiedKFold, check_cv

from ..storage.format import Spec
from ..storage.plain import Fields
from .arrays import naming
from .class_targets import ClassTargets
from .frames import is_frame
from .neighbors import Place, search
from .prepared import Rows
from .sparse import SparseTable
from .stored_tables import StoredTable
from .tables import TableInputs
from .targets import Targets

_MOST_VALUES = 32  # targets or classes that near rows tell of


@dataclass(frozen=True)
class NearTableInputs(TableInputs):
    """A table whose columns have means of near rows' targets beside them, last.

    Attributes
    ----------
    neighbors : "auto" or tuple
        Columns that say where a row is: to be found, or their names or positions.
    neighbors_cv : int or splitter
        What folds training rows are in.
    place : Place or None
        None until fitted, and where none was found.
    """

    neighbors: Any = "auto"
    neighbors_cv: Any = 5
    chosen: tuple[int, ...] | None = None  # of X, where they were named
    place: Place | None = None

    @property
    def n_columns(self) -> int:
        """Columns that the module sees."""
        return super().n_columns + (0 if self.place is None else self.place.n_features)

    # -- reading -----------------------------------------------------------------

    def first(self, X: Any, caller: Any) -> tuple[Self, Any]:
        """Check the X that is to be learned from, and where its columns are."""
        known, values = super().first(X, caller)
        if isinstance(values, SparseTable):
            raise ValueError(
                "neighbors needs a dense table, got a sparse one: set neighbors=None, or give "
                "X.toarray()."
            )
        if isinstance(values, StoredTable):
            raise ValueError(
                "neighbors needs a table in memory, and this one is read row by row from where "
                "it is: set neighbors=None, or give a part of it."
            )
        if isinstance(self.neighbors, str):
            return replace(known, chosen=None), values
        names = [str(name) for name in X.columns] if is_frame(X) else None
        return replace(known, chosen=known._positions(names)), values

    def _positions(self, names: list[str] | None) -> tuple[int, ...]:
        others = {own.column for own in self.categories}
        has = "none, since it is no DataFrame" if names is None else f"{names!r:.200}"
        chosen = []
        for column in self.neighbors:
            if isinstance(column, str):
                if names is None or column not in names:
                    raise ValueError(
                        f"neighbors names the column {column!r}; the columns of X are {has}."
                    )
                column = names.index(column)
            if not -self.n_features <= column < self.n_features:
                raise ValueError(
                    f"neighbors must name columns from 0 to {self.n_features - 1}, got {column}."
                )
            column = int(column) % self.n_features
            if column in others:
                raise ValueError(
                    f"neighbors must name columns of numbers; column {column} holds categories."
                )
            chosen.append(column)
        if not chosen or len(set(chosen)) < len(chosen):
            raise ValueError(
                f"neighbors must name columns, each once, got {self.neighbors!r:.100}."
            )
        return tuple(chosen)

    def folds(self, rows: Rows, targets: Targets) -> np.ndarray:
        """Say which fold each training row is in, before any is held out."""
        with naming("neighbors_cv"):
            cv = self.neighbors_cv
            if isinstance(cv, int | np.integer):
                if len(rows) < cv:
                    raise ValueError(f"{len(rows)} rows cannot be in {cv} folds.")
                several = isinstance(targets, ClassTargets) and np.bincount(rows.y).max() >= cv
                kind = StratifiedKFold if several else KFold
                splits = _quietly(kind(cv, shuffle=True, random_state=0), rows)
            else:
                splits = list(check_cv(cv).split(np.zeros((len(rows), 1)), rows.y))
            folds = np.full(len(rows), -1)
            for fold, (_, own) in enumerate(splits):
                folds[own] = fold
        if (folds < 0).any() or len(np.unique(folds)) < 2:
            raise ValueError(
                "neighbors_cv must put every training row in one test fold, and have two folds or "
                f"more, got {self.neighbors_cv!r:.100}."
            )
        return folds

    # -- learning ----------------------------------------------------------------

    def with_targets(self, rows: Rows, targets: Targets, weights: np.ndarray | None) -> Self:
        """Learn where rows are, and what targets they have there."""
        assert rows.folds is not None
        values = _as_numbers(rows.y, targets, rows.weights)
        if values.shape[1] > _MOST_VALUES:
            raise ValueError(
                f"neighbors tells of {_MOST_VALUES} targets or classes at most, y has "
                f"{values.shape[1]}: set neighbors=None."
            )
        chosen = self.chosen if self.place is None else self.place.columns
        if chosen is None:
            chosen = search(rows.X, self.numbers.tolist(), values, weights, rows.folds)
        if chosen is None:
            return replace(self, place=None)
        return replace(self, place=Place.of(chosen, rows.X, values, weights))

    # -- what the module takes ---------------------------------------------------

    def arrays(self, X: Any) -> dict[str, np.ndarray]:
        """Scale X, and add indicators and what near rows had."""
        arrays = super().arrays(X)
        if self.place is None:
            return arrays
        return {"x": np.concatenate([arrays["x"], self.place.features(X)], axis=1)}

    def tensors_of(self, rows: Rows, dtype: torch.dtype) -> dict[str, torch.Tensor]:
        """Turn training rows into the module's keyword arguments, each without its own target."""
        if self.place is None:
            return self.tensors(rows.X, dtype)
        assert rows.folds is not None
        near = self.place.out_of_fold(rows.X, rows.folds)
        x = np.concatenate([super().arrays(rows.X)["x"], near], axis=1)
        return {"x": torch.as_tensor(x).to(dtype)}

    def by_feature(self, values: torch.Tensor) -> torch.Tensor:
        """Add up columns of the module that are of one column of X; a place's share theirs."""
        if self.place is None:
            return super().by_feature(values)
        own, near = values.split([len(self.origins), self.place.n_features], dim=1)
        sums = values.new_zeros(len(values), self.n_features)
        sums = sums.index_add(1, torch.as_tensor(self.origins), own)
        columns = list(self.place.columns)
        sums[:, columns] += near.sum(dim=1, keepdim=True) / len(columns)
        return sums

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Give what was learned as JSON and arrays."""
        fields, arrays = super().to_state()
        place = self.place
        if place is None:
            return {**fields, "place": None}, arrays
        known = {"columns": list(place.columns), "shape": list(place.values.shape)}
        own = {f"input_scaler.place.{name}": getattr(place, name) for name in _ARRAYS}
        return {**fields, "place": known}, {**arrays, **own}

    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave as JSON, all but the scaler; its place is empty."""
        known = super().described(fields, n_features)
        described = fields.take("place", dict, type(None))
        if described is None:
            return known
        place = Fields(described, "place")
        columns, shape = place.integers("columns", 0), place.integers("shape", 0)
        place.close()
        if not columns or len(shape) != 2 or max(columns) >= n_features or not shape[1]:
            raise ValueError("its place is not one in the table.")
        empty = {name: np.empty(0) for name in _ARRAYS}
        empty["values"] = np.empty((0, shape[1]))
        return replace(known, place=_Described(tuple(columns), **empty, n_rows=shape[0]))

    def specs(self, scaler: Any) -> dict[str, Spec]:
        """Say which arrays belong to a `scaler` that a file describes, and to the place."""
        specs = super().specs(scaler)
        if not isinstance(self.place, _Described):
            return specs
        n_rows, n_columns = self.place.n_rows, len(self.place.columns)
        shapes = {
            "points": (n_rows, n_columns),
            "values": (n_rows, self.place.values.shape[1]),
            "weights": (n_rows,),
            "scale": (n_columns,),
        }
        own = {f"input_scaler.place.{name}": ("F64", shape) for name, shape in shapes.items()}
        return {**specs, **own}

    def filled(self, scaler: Any, arrays: dict[str, np.ndarray]) -> Self:
        """Take the scaler that a file describes, with its arrays, and the place's."""
        rest = {name: x for name, x in arrays.items() if not name.startswith("place.")}
        known = super().filled(scaler, rest)
        if self.place is None:
            return known
        own = {name: arrays[f"place.{name}"] for name in _ARRAYS}
        return replace(known, place=Place(self.place.columns, **own))


_ARRAYS = ("points", "values", "weights", "scale")


@dataclass(frozen=True, eq=False)
class _Described(Place):
    """One whose arrays are still in the file."""

    n_rows: int = 0


def _quietly(cv: Any, rows: Rows) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer rows than folds
        return list(cv.split(np.zeros((len(rows), 1)), rows.y))


def _as_numbers(y: np.ndarray, targets: Targets, weights: np.ndarray | None) -> np.ndarray:
    """Give encoded targets as columns of mean zero: numbers by their deviation, or classes."""
    if isinstance(targets, ClassTargets):
        values = np.eye(targets.n_outputs)[y]
        values = values[:, 1:] if targets.n_outputs == 2 else values
        return values - np.average(values, axis=0, weights=weights)
    values = np.asarray(y, dtype=np.float64)
    values = values - np.average(values, axis=0, weights=weights)
    spread = np.sqrt(np.average(values**2, axis=0, weights=weights))
    return values / np.where(spread > 0, spread, 1.0)
