"""Scaling of inputs and targets, with weighted statistics."""

from abc import ABC, abstractmethod

import numpy as np
from scipy.special import ndtri
from sklearn.preprocessing import StandardScaler

# Beyond any sensible value, and far inside float32: a wild value at prediction
# saturates a neuron instead of turning the output into NaN.
LIMIT = 1e6

_LARGEST = 1e15  # what passes unscaled: float32 can hold its square, as variances need

# Spread, relative to the mean, up to which a column's variation is the rounding of a constant.
_ROUNDING = 32 * np.finfo(np.float64).eps
_RESOLUTION = 0.01  # of a target's standard deviation, that its type must resolve

_N_KNOTS = 1000  # what scikit-learn's QuantileTransformer uses
_TAIL = 3.0  # the normal quantile of 0.1 %: beyond it lie too few samples to learn from


class Scaler(ABC):
    """A column-wise map fitted to training data."""

    @property
    def n_columns(self) -> int | None:
        """Columns it was fitted to; None where it takes any number."""
        return None

    @abstractmethod
    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scale X of shape (..., n_columns), in its own floating-point type."""


class Identity(Scaler):
    """No scaling; refuses values that training in float32 could not bear."""

    def transform(self, X: np.ndarray) -> np.ndarray:
        if X.size and (largest := np.abs(X).max()) > _LARGEST:
            raise ValueError(
                f"scale_inputs=False needs X to hold values up to {_LARGEST:.0e}, so that "
                f"float32 can hold their squares, got {largest:.1e}."
            )
        # torch takes no array that runs backwards, and complains of one it could not write to.
        return np.require(X, requirements=("C", "W"))


class Standard(Scaler):
    """Zero mean and unit standard deviation; constant columns are only centred.

    Attributes
    ----------
    center, scale : ndarray of shape (n_columns,)
        In float64. The scale of a constant target is 0.
    """

    def __init__(self, X: np.ndarray, weights: np.ndarray | None = None, name: str = "X") -> None:
        # Values near the end of float64 would overflow in the variance: the columns'
        # magnitudes are taken out first.
        magnitude = np.abs(X).max(axis=0).astype(np.float64)
        magnitude[magnitude == 0] = 1.0
        fitted = StandardScaler().fit(X / magnitude, sample_weight=weights)
        deviation = np.sqrt(fitted.var_)
        same = X.min(axis=0) == X.max(axis=0)
        # scikit-learn's own criterion grows with the number of samples, until a target of
        # small but real variation counts as a constant.
        constant = same | (deviation <= _ROUNDING * np.abs(fitted.mean_))
        self.center = np.where(same, X[0], np.clip(fitted.mean_, -1, 1) * magnitude)
        smallest = np.finfo(np.float64).smallest_subnormal
        self.scale = np.maximum(deviation * magnitude, smallest)
        if name == "y":
            self.scale[constant] = 0.0
        else:
            # A new value of a constant column is taken in the column's own units.
            self.scale[constant] = magnitude[constant]
            self.scale[same] = 1.0

    @property
    def n_columns(self) -> int:
        """Columns it was fitted to."""
        return len(self.center)

    def transform(self, X: np.ndarray) -> np.ndarray:
        scale = np.where(self.scale == 0, np.inf, self.scale)
        with np.errstate(over="ignore"):  # an overflow is cut to the limit below
            Z = (X - self.center) / scale
        return np.clip(Z, -LIMIT, LIMIT).astype(X.dtype, copy=False)

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Undo ``transform``, in Z's type where that can hold the values, else in float64.

        A constant is given back exactly, whatever Z is.
        """
        dtype = Z.dtype if self._resolved_by(Z.dtype) else np.dtype(np.float64)
        limit = np.finfo(dtype).max
        with np.errstate(over="ignore"):
            X = Z * self.scale + self.center
        return np.clip(X, -limit, limit).astype(dtype, copy=False)

    def revised(self, X: np.ndarray, weights: np.ndarray | None = None) -> "Standard":
        """Give the scaler of further data, in which a constant target may vary."""
        new = Standard(X, weights, name="y")
        awakened = (self.scale == 0) & ((new.scale > 0) | (new.center != self.center))
        if not awakened.any():
            return self
        new.center = np.where(awakened, new.center, self.center)
        new.scale = np.where(awakened, new.scale, self.scale)
        return new

    def _resolved_by(self, dtype: np.dtype) -> bool:
        """Tell whether `dtype` holds the scaled data, and their variation."""
        info = np.finfo(dtype)
        center, constant = np.abs(self.center), self.scale == 0
        with np.errstate(over="ignore", under="ignore"):
            largest = center + LIMIT * self.scale
            exact = self.center.astype(dtype) == self.center
        spread = (self.scale > info.tiny) & (info.eps * center <= _RESOLUTION * self.scale)
        return bool(((largest <= info.max) & np.where(constant, exact, spread)).all())


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
            part = _part(values)
            values, ranks = np.interp(levels, ranks, values * part) / part, levels
        return values, ndtri(ranks)

    @property
    def n_columns(self) -> int:
        """Columns it was fitted to."""
        return len(self.knots)

    def transform(self, X: np.ndarray) -> np.ndarray:
        Z = np.empty_like(X)
        for j, (values, normal) in enumerate(self.knots):
            part = _part(values)
            Z[..., j] = np.interp(X[..., j] * part, values * part, normal)
        return np.clip(Z, -_TAIL, _TAIL)


def _part(values: np.ndarray) -> float:
    """Give a factor with which no difference between sorted `values` overflows."""
    return 0.25 if max(-float(values[0]), float(values[-1])) > 1e300 else 1.0


def make_scaler(kind: str | bool, X: np.ndarray, weights: np.ndarray | None) -> Scaler:
    """Fit the scaler called `kind` ("standard", "quantile" or False) to X (n, n_columns)."""
    if kind == "standard":
        return Standard(X, weights)
    if kind == "quantile":
        return NormalQuantile(X, weights)
    return Identity()
