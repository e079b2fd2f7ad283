r"""Targets of near rows, as columns.

Where a target changes fast over a few columns that together are a place (longitude and latitude,
say), what near rows had as targets tells more than any smooth function of these columns. For a
row x, with rows i = 1 ... k the nearest in training, at distances :math:`d_i`,

.. math:: f_k(x) = \sum_i w_i y_i \Big/ \sum_i w_i, \qquad w_i = s_i / d_i,

with sample weights s; where some are at no distance, these alone count. Of a training row the near
ones are looked for among the other folds: its own target, and those of its group, are not in its
columns, or they would teach the network to copy them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, Self

import numpy as np
from scipy.spatial import cKDTree

NEAREST = (5, 15, 50)

_ROWS = 4096  # looked up at a time
_SEARCHED = 4000  # rows that columns are searched with
_CANDIDATES = 24  # columns, of which all pairs are tried
_DISTINCT = 20  # values that a column has at least, to be part of a place
_GAIN = 0.02  # of the error of boosted trees that a pair must take away


@dataclass(frozen=True, eq=False)
class Place:
    """Rows with known targets, and where they are.

    Attributes
    ----------
    columns : tuple of int
        Of X that say where a row is.
    points : ndarray of shape (n_rows, n_columns)
        In units of the columns' standard deviations.
    values : ndarray of shape (n_rows, n_values)
        Targets as numbers of mean zero and unit deviation, one a target; for classes the
        shares beyond the mean.
    weights : ndarray of shape (n_rows,)
    scale : ndarray of shape (n_columns,)
    """

    columns: tuple[int, ...]
    points: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(
        cls,
        columns: Sequence[int],
        X: np.ndarray,
        values: np.ndarray,
        weights: np.ndarray | None,
    ) -> Self:
        """Take in rows; one that has a hole there is nobody's neighbour."""
        own = X[:, list(columns)].astype(np.float64)
        there = ~np.isnan(own).any(axis=1)
        own = own[there]
        scale = own.std(axis=0) if len(own) else np.ones(own.shape[1])
        scale = np.where(scale > 0, scale, 1.0)
        weights = np.ones(len(X)) if weights is None else weights
        return cls(tuple(columns), own / scale, values[there], weights[there], scale)

    @property
    def n_features(self) -> int:
        """Columns that it gives."""
        return len(NEAREST) * self.values.shape[1]

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points)

    def __getstate__(self) -> dict[str, Any]:
        return {name: x for name, x in vars(self).items() if name != "_tree"}

    def features(self, X: np.ndarray) -> np.ndarray:
        """Give the columns (n_samples, n_features) of rows that are not among its own."""
        own = X[:, list(self.columns)].astype(np.float64) / self.scale
        return self._looked_up(self._tree, self.values, self.weights, own).astype(X.dtype)

    def out_of_fold(self, X: np.ndarray, folds: np.ndarray) -> np.ndarray:
        """Give those of its own rows, each from the other folds."""
        own = X[:, list(self.columns)].astype(np.float64) / self.scale
        there = ~np.isnan(own).any(axis=1)
        known = folds[there]
        found = np.zeros((len(X), self.n_features))
        for fold in np.unique(folds):
            others, asked = known != fold, folds == fold
            tree = cKDTree(self.points[others])
            found[asked] = self._looked_up(
                tree, self.values[others], self.weights[others], own[asked]
            )
        return found.astype(X.dtype)

    def _looked_up(
        self, tree: cKDTree, values: np.ndarray, weights: np.ndarray, points: np.ndarray
    ) -> np.ndarray:
        found = np.zeros((len(points), self.n_features))
        there = np.flatnonzero(~np.isnan(points).any(axis=1))
        most = min(max(NEAREST), tree.n)
        if not most:
            return found
        for start in range(0, len(there), _ROWS):
            rows = there[start : start + _ROWS]
            distances, near = tree.query(points[rows], k=np.arange(1, most + 1))
            found[rows] = _means(distances, values[near], weights[near])
        return found


def _means(distances: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted means over the first so many neighbours, for each of `NEAREST`."""
    at_once = distances == 0
    with np.errstate(divide="ignore"):
        closeness = np.where(at_once.any(axis=1, keepdims=True), at_once, 1 / distances)
    # Of the nearest the largest, so that no sum of them overflows.
    closeness = weights * closeness / closeness.max(axis=1, keepdims=True)
    sums, norms = (closeness[:, :, None] * values).cumsum(axis=1), closeness.cumsum(axis=1)
    last = [min(k, values.shape[1]) - 1 for k in NEAREST]
    means = sums[:, last] / np.maximum(norms[:, last, None], 1e-300)
    return means.reshape(len(means), -1)


def search(
    X: np.ndarray,
    candidates: Sequence[int],
    values: np.ndarray,
    weights: np.ndarray | None,
    folds: np.ndarray,
) -> tuple[int, ...] | None:
    """Find the two columns that are a place, if any are.

    Pairs of columns are ranked by how well near rows' targets, out of fold, tell a row's; the
    best one is taken if boosted trees that are given its columns make an error smaller by 2 %,
    and by more than twice its standard error, on rows that neither has seen.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_columns)
        May have holes.
    candidates : sequence of int
        Columns of numbers.
    values : ndarray of shape (n_samples, n_values)
        As :class:`Place` has them.
    weights : ndarray of shape (n_samples,) or None
    folds : ndarray of shape (n_samples,)
        Rows of one number do not tell of each other.
    """
    rows = np.linspace(0, len(X) - 1, min(len(X), _SEARCHED)).astype(int)
    some, known, fold = X[rows], values[rows], folds[rows]
    own = None if weights is None else weights[rows]

    def error(columns: tuple[int, ...]) -> float:
        place = Place.of(columns, some, known, own)
        middle = place.out_of_fold(some, fold)[:, known.shape[1] : 2 * known.shape[1]]
        return float(np.average(((middle - known) ** 2).sum(axis=1), weights=own))

    varied = [c for c in candidates if len(np.unique(some[:, c])) >= _DISTINCT]
    if len(varied) < 2:
        return None
    if len(varied) > _CANDIDATES:
        varied = sorted(varied, key=lambda c: error((c,)))[:_CANDIDATES]
    best = min(combinations(sorted(varied), 2), key=error)
    return best if _adds(best, X, values, weights, folds) else None


def _adds(
    columns: tuple[int, ...],
    X: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray | None,
    folds: np.ndarray,
) -> bool:
    """Tell whether boosted trees are better with the columns than without."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    test = folds % 2 == 0
    train = ~test
    own, asked = (None if weights is None else weights[half] for half in (train, test))
    place = Place.of(columns, X[train], values[train], own)
    near = place.out_of_fold(X[train], folds[train]), place.features(X[test])
    errors = []
    for table in (X[train], X[test]), (np.c_[X[train], near[0]], np.c_[X[test], near[1]]):
        off = np.zeros(len(table[1]))
        for target in values.T:
            trees = HistGradientBoostingRegressor(random_state=0)
            off += (trees.fit(table[0], target[train], own).predict(table[1]) - target[test]) ** 2
        errors.append(off)
    without, together = (np.average(off, weights=asked) for off in errors)
    gain = errors[0] - errors[1]
    chance = gain.std() / np.sqrt(max(len(gain), 1))
    return bool(np.sqrt(together) < (1 - _GAIN) * np.sqrt(without)) and gain.mean() > 2 * chance
