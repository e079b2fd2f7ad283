"""Means and deviations that can be put together from parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

_NAMES = ("count", "mean", "deviation", "lowest", "highest")


@dataclass(frozen=True, eq=False)
class Moments:
    """What the scale of columns follows from, part by part.

    Attributes
    ----------
    count : ndarray of shape (n_parts, n_columns)
        Values of each part, without NaN.
    mean, deviation, lowest, highest : ndarray of shape (n_parts, n_columns)
        Of these values; 0, 0, infinity and minus infinity where there is none.
    """

    count: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> "Moments":
        """Give those of X (n, n_columns), as one part; NaN does not count."""
        if np.isnan(X).any():
            columns = (x[~np.isnan(x), None] for x in X.T)
            return cls.beside([cls.of(x) if len(x) else cls.nothing(1) for x in columns])
        lowest, highest = X.min(axis=0, keepdims=True), X.max(axis=0, keepdims=True)
        magnitude = _magnitude(lowest, highest)
        # Squares of values near the end of float64 would overflow.
        Z = X / magnitude
        mean, deviation = Z.mean(axis=0) * magnitude, Z.std(axis=0) * magnitude
        same = lowest == highest
        return cls(
            np.full((1, X.shape[1]), len(X)),
            np.where(same, lowest, mean).astype(np.float64),
            np.where(same, 0.0, deviation).astype(np.float64),
            lowest.astype(np.float64),
            highest.astype(np.float64),
        )

    @classmethod
    def nothing(cls, n_columns: int) -> "Moments":
        """Give those of no row, which add nothing to others."""
        zeros, most = np.zeros((1, n_columns)), np.full((1, n_columns), np.inf)
        return cls(np.zeros((1, n_columns), dtype=np.int64), zeros, zeros, most, -most)

    @classmethod
    def stacked(cls, parts: "Sequence[Moments]") -> "Moments":
        """Put parts side by side."""
        return cls(*(np.concatenate([getattr(p, name) for p in parts]) for name in _NAMES))

    @classmethod
    def beside(cls, columns: "Sequence[Moments]") -> "Moments":
        """Put those of columns, of the same parts, side by side."""
        return cls(*(np.hstack([getattr(c, name) for c in columns]) for name in _NAMES))

    def __getitem__(self, parts: Any) -> "Moments":
        return Moments(*(getattr(self, name)[parts] for name in _NAMES))

    def without(self, column: int) -> "Moments":
        """Leave a column out."""
        return Moments(*(np.delete(getattr(self, name), column, axis=1) for name in _NAMES))

    def joined(self, weights: np.ndarray | None = None) -> "Moments":
        """Make one part of all; `weights` (n_parts,) count every row of a part that often."""
        lowest, highest = self.lowest.min(axis=0, keepdims=True), self.highest.max(axis=0)[None]
        magnitude = _magnitude(lowest, highest)
        share = self.count if weights is None else self.count * weights[:, None]
        totals = np.array([column.sum() for column in share.T])
        share = share / np.where(totals == 0, 1, totals)
        mean = (share * (self.mean / magnitude)).sum(axis=0)
        apart = self.mean / magnitude - mean
        variance = (share * ((self.deviation / magnitude) ** 2 + apart**2)).sum(axis=0)
        mean, deviation = mean * magnitude, np.sqrt(variance) * magnitude
        return Moments(self.count.sum(axis=0)[None], mean, deviation, lowest, highest)


def _magnitude(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    magnitude = np.maximum(np.abs(lowest), np.abs(highest)).astype(np.float64)
    magnitude[(magnitude == 0) | np.isinf(magnitude)] = 1.0  # of no value at all, infinite
    return magnitude
