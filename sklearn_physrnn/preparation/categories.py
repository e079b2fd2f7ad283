"""Columns of categories: which they are, and one indicator for each category."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd

from ..storage.plain import from_json, to_json
from .frames import Column, columns_of, is_frame, missing

# Of one column, the most frequent in training, as many as scikit-learn's gradient boosting
# tells apart.
MAX_LEVELS = 255

# Rows that a category must have in training for a weight of its own: from fewer it would be
# learned by heart. They teach what an unknown category means.
MIN_ROWS = 5

UNKNOWN = -1.0

Level = bool | int | float | str | None


@dataclass(frozen=True)
class Categories:
    """The categories of one column, as indicators.

    Attributes
    ----------
    column : int
        Which one of X's.
    levels : tuple
        All that were seen; numbers and texts as they are, anything else by its text, None
        for missing values. A checked X holds their positions in here.
    kept : tuple of int
        Positions of those that have an indicator. What has none is unknown: zeros.
    """

    column: int
    levels: tuple[Level, ...]
    kept: tuple[int, ...] = ()

    @classmethod
    def seen(cls, column: int, values: Column) -> Self:
        """Learn the categories in a column, in order."""
        _, levels = _factorized(values)
        return cls(column, tuple(sorted(set(levels), key=_order)))

    def codes(self, values: Column) -> np.ndarray:
        """Give the position of each value's category, or `UNKNOWN`, in float64.

        Raises
        ------
        ValueError
            If a category is a number where the known one is a text that says it, or the other
            way round.
        """
        codes, levels = _factorized(values)
        known = {level: position for position, level in enumerate(self.levels)}
        said = {_said(level): level for level in self.levels if level is not None}
        for level in set(levels).difference(known, [None]):
            if (own := said.get(_said(level))) is not None:
                raise ValueError(
                    f"The categories of X in {values.place} are of another type than in training: "
                    f"{level!r} is not {own!r}. Give both in one type, by astype."
                )
        positions = np.array([known.get(level, UNKNOWN) for level in levels], dtype=np.float64)
        return positions[codes]

    def fit(self, codes: np.ndarray) -> Self:
        """Keep what training rows have, but for rare ones, unless all are rare."""
        counts = Counter(codes[codes >= 0].astype(int).tolist())
        known = [k for k, count in counts.items() if count >= MIN_ROWS] or list(counts)
        frequent = sorted(known, key=lambda position: (-counts[position], position))
        return replace(self, kept=tuple(sorted(frequent[:MAX_LEVELS])))

    def indicators(self, codes: np.ndarray) -> np.ndarray:
        """Give ones where a value is of a kept category: (n_samples, n_kept)."""
        return (codes[:, None] == np.array(self.kept, dtype=codes.dtype)).astype(codes.dtype)

    def shown(self, code: float) -> str:
        """Give a category's name, for pictures."""
        if code < 0:
            return "unknown"
        level = self.levels[int(code)]
        return "missing" if level is None else str(level)

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> list[Any]:
        """Give what is needed after training as JSON."""
        return [self.column, [to_json(self.levels[position]) for position in self.kept]]

    @classmethod
    def from_state(cls, state: Any) -> Self:
        """Undo `to_state`, or raise ValueError."""
        if not isinstance(state, list) or len(state) != 2 or not isinstance(state[1], list):
            raise ValueError("its categories are not a column and a list.")
        column, levels = state[0], tuple(from_json(level) for level in state[1])
        plain = all(level is None or type(level) in (bool, int, float, str) for level in levels)
        if type(column) is not int or not plain or len(set(levels)) < len(levels):
            raise ValueError("its categories are not one column's, each once.")
        return cls(column, levels, tuple(range(len(levels))))


def _said(level: Any) -> float | str:
    """What a category says, as a number if it can be one."""
    try:
        return float(level)
    except ValueError:
        return str(level)


def _order(level: Level) -> tuple[int, Any]:
    if level is None:
        return 2, 0
    return (1, level) if isinstance(level, str) else (0, level)


def _factorized(column: Column) -> tuple[np.ndarray, list[Level]]:
    """Give the distinct values of a column, and which one each row has."""
    values = column.values
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        codes, found = values.cat.codes.to_numpy(), values.cat.categories.tolist()
    else:
        objects = column.objects() if is_object(values) else np.asarray(values)
        codes, uniques = pd.factorize(objects)
        found = uniques.tolist()
    levels = [_level(value) for value in found]
    used = np.unique(codes)
    if len(used) and used[0] < 0:
        codes = np.where(codes < 0, len(levels), codes)
        levels.append(None)
        used = np.unique(codes)
    place = np.zeros(len(levels), dtype=np.intp)
    place[used] = np.arange(len(used))
    return place[codes], [levels[k] for k in used]


def is_object(values: Any) -> bool:
    """Tell whether a column is of objects, or of a library's own kind."""
    return not (isinstance(values, np.ndarray) and values.dtype.kind in "biufSU")


def _level(value: Any) -> Level:
    if missing(value):
        return None
    if isinstance(value, np.generic):
        value = value.item()
    return value if type(value) in (bool, int, float, str) else str(value)


def chosen_columns(option: Any, X: Any) -> list[int]:
    """Say which columns hold categories.

    Parameters
    ----------
    option : "from_dtype", None, or sequence of bool, int or str
        The parameter `categorical_features`.
    X : DataFrame or ndarray of shape (n_samples, n_features)

    Raises
    ------
    ValueError
        If there are no such columns.
    """
    if option is None:
        return []
    if isinstance(option, str):
        if not is_frame(X):
            return []
        return [i for i, column in enumerate(columns_of(X)) if column.kind == "category"]
    return _positions(option, X.shape[1], list(X.columns) if is_frame(X) else None)


def _positions(option: Iterable[Any], n: int, names: Sequence[str] | None) -> list[int]:
    """Turn a mask, positions or names of columns into positions, in order."""
    chosen = np.asarray(list(option))
    if chosen.ndim != 1 or (len(chosen) and chosen.dtype.kind not in "biuU"):
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or a list of column names, of "
            f"column numbers, or of booleans, got {option!r:.100}."
        )
    if chosen.dtype.kind == "b":
        if len(chosen) != n:
            raise ValueError(
                f"categorical_features as a mask must say yes or no of each of the {n} columns "
                f"of X, got {len(chosen)} values."
            )
        return np.flatnonzero(chosen).tolist()
    if chosen.dtype.kind == "U":
        unknown = sorted(set(chosen.tolist()).difference(names or ()))
        if unknown:
            has = "none, since it is no DataFrame" if names is None else f"{[*names]!r:.200}"
            raise ValueError(f"categorical_features names {unknown}; the columns of X are {has}.")
        assert names is not None
        return sorted({list(names).index(name) for name in chosen.tolist()})
    if len(chosen) and not (chosen.min() >= 0 and chosen.max() < n):
        raise ValueError(
            f"categorical_features must hold column numbers from 0 to {n - 1}, got "
            f"{chosen.tolist()!r:.100}."
        )
    return sorted(set(chosen.tolist()))
