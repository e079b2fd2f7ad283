"""Scaling of inputs and targets, with weighted statistics."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import ndtri
from sklearn.preprocessing import StandardScaler

# Beyond any sensible value, and far inside float32: a wild value at prediction
# saturates a neuron instead of turning the output into NaN.
_LIMIT = 1e6

_N_KNOTS = 1000  # what scikit-learn's QuantileTransformer uses
_TAIL = 3.0  # the normal quantile of 0.1 %: beyond it lie too few samples to learn from


class Scaler(ABC):
    """A column-wise map fitted to training data."""

    @abstractmethod
    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scale X of shape (..., n_columns), in its own floating-point type."""


class Identity(Scaler):
    """No scaling; refuses values that float32 cannot hold."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        if X.size and np.abs(X).max() > np.finfo(np.float32).max:
            raise ValueError(
                "scale_inputs=False needs values within the range of float32 "
                f"({np.finfo(np.float32).max:.1e}), got {np.abs(X).max():.1e}."
            )
        return X


class Standard(Scaler):
    """Zero mean and unit standard deviation; constant columns are only centred."""

    def __init__(self, X: np.ndarray, weights: np.ndarray | None = None, name: str = "X") -> None:
        # Values near the end of float64 would overflow in the variance: the columns'
        # magnitudes are taken out first.
        magnitude = np.abs(X).max(axis=0).astype(np.float64)
        magnitude[magnitude == 0] = 1.0
        fitted = StandardScaler().fit(X / magnitude, sample_weight=weights)
        self.center = fitted.mean_ * magnitude
        self.scale = fitted.scale_ * magnitude
        # A constant column keeps scale 1 in its own units, not in its magnitude's.
        self.scale[fitted.var_ == 0] = 1.0
        if not np.isfinite(self.center).all() or not np.isfinite(self.scale).all():
            raise ValueError(f"The values of {name} are too large to be scaled.")

    def transform(self, X: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):  # an overflow is cut to the limit below
            Z = (X - self.center) / self.scale
        return np.clip(Z, -_LIMIT, _LIMIT).astype(X.dtype, copy=False)

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Undo ``transform``."""
        return (Z * self.scale + self.center).astype(Z.dtype, copy=False)


class NormalQuantile(Scaler):
    """Each column's distribution mapped to a standard normal, by rank.

    Equal values share the middle of their ranks, and between two values it is interpolated:
    a map without jumps, also where the rows are few. It takes weights, which scikit-learn's
    QuantileTransformer does not.
    """

    def __init__(self, X: np.ndarray, weights: np.ndarray | None = None) -> None:
        mass = np.ones(len(X)) if weights is None else weights
        self.knots = [self._knots(x, mass) for x in X.T]

    @staticmethod
    def _knots(x: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, group = np.unique(x, return_inverse=True)
        masses = np.bincount(group, mass)
        ranks = (np.cumsum(masses) - masses / 2) / masses.sum()
        if len(values) > _N_KNOTS:
            levels = np.linspace(ranks[0], ranks[-1], _N_KNOTS)
            values, ranks = np.interp(levels, ranks, values), levels
        return values, ndtri(ranks)

    def transform(self, X: np.ndarray) -> np.ndarray:
        Z = np.empty_like(X)
        for j, (values, normal) in enumerate(self.knots):
            Z[..., j] = np.interp(X[..., j], values, normal)
        return np.clip(Z, -_TAIL, _TAIL)


def make_scaler(kind: str | bool, X: np.ndarray, weights: np.ndarray | None) -> Scaler:
    """Fit the scaler called `kind` ("standard", "quantile" or False) to X (n, n_columns)."""
    if kind == "standard":
        return Standard(X, weights)
    if kind == "quantile":
        return NormalQuantile(X, weights)
    return Identity()
