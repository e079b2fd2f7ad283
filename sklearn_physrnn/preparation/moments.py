"""Means and deviations that can be put together from parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Moments:
    """What the scale of columns follows from, part by part.

    Attributes
    ----------
    count : ndarray of shape (n_parts,)
        Rows in each part.
    mean, deviation, lowest, highest : ndarray of shape (n_parts, n_columns)
    """

    count: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    lowest: np.ndarray
    highest: np.ndarray

    @classmethod
    def of(cls, X: np.ndarray) -> "Moments":
        """Give those of X (n, n_columns), as one part."""
        lowest, highest = X.min(axis=0, keepdims=True), X.max(axis=0, keepdims=True)
        magnitude = _magnitude(lowest, highest)
        # Squares of values near the end of float64 would overflow.
        Z = X / magnitude
        mean, deviation = Z.mean(axis=0) * magnitude, Z.std(axis=0) * magnitude
        same = lowest == highest
        return cls(
            np.array([len(X)]),
            np.where(same, lowest, mean).astype(np.float64),
            np.where(same, 0.0, deviation).astype(np.float64),
            lowest.astype(np.float64),
            highest.astype(np.float64),
        )

    @classmethod
    def nothing(cls, n_columns: int) -> "Moments":
        """Give those of no row, which add nothing to others."""
        zeros, most = np.zeros((1, n_columns)), np.full((1, n_columns), np.inf)
        return cls(np.array([0]), zeros, zeros, most, -most)

    @classmethod
    def stacked(cls, parts: "Sequence[Moments]") -> "Moments":
        """Put parts side by side."""
        names = ("count", "mean", "deviation", "lowest", "highest")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def __getitem__(self, parts: Any) -> "Moments":
        names = ("count", "mean", "deviation", "lowest", "highest")
        return Moments(*(getattr(self, name)[parts] for name in names))

    def without(self, column: int) -> "Moments":
        """Leave a column out."""
        names = ("mean", "deviation", "lowest", "highest")
        return Moments(self.count, *(np.delete(getattr(self, n), column, axis=1) for n in names))

    def joined(self, weights: np.ndarray | None = None) -> "Moments":
        """Make one part of all; `weights` (n_parts,) count every row of a part that often."""
        lowest, highest = self.lowest.min(axis=0, keepdims=True), self.highest.max(axis=0)[None]
        magnitude = _magnitude(lowest, highest)
        share = self.count if weights is None else self.count * weights
        share = (share / share.sum())[:, None]
        mean = (share * (self.mean / magnitude)).sum(axis=0)
        apart = self.mean / magnitude - mean
        variance = (share * ((self.deviation / magnitude) ** 2 + apart**2)).sum(axis=0)
        return Moments(
            np.array([self.count.sum()]), mean * magnitude, np.sqrt(variance) * magnitude,
            lowest, highest,
        )  # fmt: skip


def _magnitude(lowest: np.ndarray, highest: np.ndarray) -> np.ndarray:
    magnitude = np.maximum(np.abs(lowest), np.abs(highest)).astype(np.float64)
    magnitude[magnitude == 0] = 1.0
    return magnitude
