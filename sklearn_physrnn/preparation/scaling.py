"""Scaling of inputs and targets, with weighted statistics."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from scipy.special import ndtri
from sklearn.preprocessing import StandardScaler

from .moments import Moments
from .robust import Distribution, robust_center_and_scale

# Beyond any sensible value, and far inside float32: a wild value at prediction
# saturates a neuron instead of turning the output into NaN.
LIMIT = 1e6

_LARGE = 1e300  # differences between values beyond may overflow
_LARGEST = 1e15  # what passes unscaled: float32 can hold its square, as variances need

# Spread, relative to the mean, up to which a column's variation is the rounding of a constant.
_ROUNDING = 32 * np.finfo(np.float64).eps
_RESOLUTION = 0.01  # of a target's standard deviation, that its type must resolve

_N_KNOTS = 1000  # what scikit-learn's QuantileTransformer uses
SCALINGS = ("standard", "quantile", "quantile_linear", False)

# Outside of these straight lines begin, with the slope between the two on either side.
_LEVELS = ndtri([0.1, 0.2, 0.8, 0.9])
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

    def transform_entries(self, values: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Scale single values (n,), each as one of its column (n,)."""
        scaled, order = np.empty_like(values), np.argsort(columns, kind="stable")
        own = columns[order]
        starts = np.flatnonzero(np.diff(own, prepend=-1))
        for rows in np.split(order, starts[1:]) if len(own) else ():
            scaled[rows] = self.of_column(int(columns[rows[0]])).transform(values[rows, None])[
                :, 0
            ]
        return scaled

    @abstractmethod
    def of_column(self, column: int) -> "Scaler":
        """Give the scaler of one column."""

    def middle(self, dtype: np.dtype) -> np.ndarray | float:
        """Give what becomes of each column's middle, in X's type: its mean, median or zero."""
        return 0.0


class Identity(Scaler):
    """No scaling; refuses values that training in float32 could not bear."""

    largest: ClassVar[float] = _LARGEST

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Give X as it is."""
        if X.size and (largest := np.abs(X).max()) > _LARGEST:
            raise ValueError(
                f"scale_inputs=False needs X to hold values up to {_LARGEST:.0e}, so that "
                f"float32 can hold their squares, got {largest:.1e}."
            )
        # torch takes no array that runs backwards, and complains of one it could not write to.
        return np.require(X, requirements=("C", "W"))

    def of_column(self, column: int) -> "Identity":
        """Give the scaler of one column."""
        return self


@dataclass(frozen=True, eq=False)
class Standard(Scaler):
    """Columns in units of their spread, about their middle.

    Attributes
    ----------
    center, scale : ndarray of shape (n_columns,)
        In float64. Where the scale is 0, the column is one constant, whatever comes.
    """

    center: np.ndarray
    scale: np.ndarray

    @classmethod
    def fit(
        cls,
        X: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        constant: str = "centred",
        robust: bool = False,
    ) -> "Standard":
        """Learn centre and scale.

        Parameters
        ----------
        X : ndarray of shape (n, n_columns)
        weights : ndarray of shape (n,), default=None
            Positive.
        constant : {"centred", "fixed"}, default="centred"
            What becomes of a column of one value: another value is taken in the column's
            own units, as inputs need it; or it is that one for ever (a scale of 0), as
            targets need it.
        robust : bool, default=False
            Take the median, and a scale that up to 15 % of the values on either side
            cannot set, instead of the mean and the standard deviation.
        """
        # Values near the end of float64 would overflow in the variance: the columns'
        # magnitudes are taken out first.
        magnitude = np.abs(X).max(axis=0).astype(np.float64)
        magnitude[magnitude == 0] = 1.0
        same = X.min(axis=0) == X.max(axis=0)
        statistics = _robust if robust else _mean_and_deviation
        center, scale, rounding = statistics(X, weights, magnitude)
        center = np.where(same, X[0], center)
        if constant == "fixed":
            scale = np.where(same | rounding, 0.0, scale)
        else:
            scale = _centred(scale, same, rounding, magnitude)
        return cls(center, scale)

    @classmethod
    def of_moments(cls, moments: Moments, *, constant: str = "centred") -> "Standard":
        """Do what `fit` does for data that are known by their `moments`, of one part."""
        (center,), (deviation,), (low,), (high,) = (
            moments.mean, moments.deviation, moments.lowest, moments.highest,
        )  # fmt: skip
        magnitude = np.maximum(np.abs(low), np.abs(high))
        magnitude[(magnitude == 0) | np.isinf(magnitude)] = 1.0  # infinite where there is no value
        rounding = deviation <= _ROUNDING * np.abs(center)
        if constant == "fixed":
            same = low == high
            return cls(np.where(same, low, center), np.where(same | rounding, 0.0, deviation))
        return cls(center, _centred(deviation, low == high, rounding, magnitude))

    @classmethod
    def joined(cls, parts: Sequence["Standard"]) -> "Standard":
        """Put scalers of columns side by side."""
        return cls(*(np.concatenate([getattr(p, k) for p in parts]) for k in ("center", "scale")))

    @property
    def n_columns(self) -> int:
        """Columns it was fitted to."""
        return len(self.center)

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Scale X of shape (..., n_columns), in its own floating-point type."""
        scale = np.where(self.scale == 0, np.inf, self.scale)
        with np.errstate(over="ignore"):  # an overflow is cut to the limit below
            Z = (X - self.center) / scale
        return np.clip(Z, -LIMIT, LIMIT).astype(X.dtype, copy=False)

    def of_column(self, column: int) -> "Standard":
        """Give the scaler of one column."""
        return Standard(self.center[[column]], self.scale[[column]])

    def inverse(self, Z: np.ndarray) -> np.ndarray:
        """Undo ``transform``, in Z's type where that can hold the values, else in float64.

        A constant is given back exactly, whatever Z is.
        """
        dtype = Z.dtype if self.resolved_by(Z.dtype) else np.dtype(np.float64)
        limit = np.finfo(dtype).max
        with np.errstate(over="ignore"):
            X = Z * self.scale + self.center
        return np.clip(X, -limit, limit).astype(dtype, copy=False)

    def revised(
        self, X: np.ndarray, weights: np.ndarray | None = None, *, robust: bool = False
    ) -> "Standard":
        """Give the scaler of further data, in which a constant target may vary."""
        return self.awakened(Standard.fit(X, weights, constant="fixed", robust=robust))

    def awakened(self, new: "Standard") -> "Standard":
        """Take from the scaler of further data what was constant in those before."""
        awakened = (self.scale == 0) & ((new.scale > 0) | (new.center != self.center))
        if not awakened.any():
            return self
        return Standard(
            np.where(awakened, new.center, self.center), np.where(awakened, new.scale, self.scale)
        )

    def resolved_by(self, dtype: np.dtype) -> bool:
        """Tell whether `dtype` holds the scaled data, and their variation."""
        info = np.finfo(dtype)
        center, constant = np.abs(self.center), self.scale == 0
        with np.errstate(over="ignore", under="ignore"):
            largest = center + LIMIT * self.scale
            exact = self.center.astype(dtype) == self.center
        spread = (self.scale > info.tiny) & (info.eps * center <= _RESOLUTION * self.scale)
        return bool(((largest <= info.max) & np.where(constant, exact, spread)).all())


def _centred(
    scale: np.ndarray, same: np.ndarray, rounding: np.ndarray, magnitude: np.ndarray
) -> np.ndarray:
    """Give scales in which a new value of a constant column is taken in the column's own units."""
    return np.where(same, 1.0, np.where(rounding, magnitude, scale))


def _mean_and_deviation(
    X: np.ndarray, weights: np.ndarray | None, magnitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give mean, standard deviation, and where that is but the rounding of a constant."""
    fitted = StandardScaler().fit(X / magnitude, sample_weight=weights)
    deviation = np.sqrt(fitted.var_)
    scale = np.maximum(deviation * magnitude, np.finfo(np.float64).smallest_subnormal)
    # scikit-learn's own criterion grows with the number of samples, until a target of
    # small but real variation counts as a constant.
    rounding = deviation <= _ROUNDING * np.abs(fitted.mean_)
    return np.clip(fitted.mean_, -1, 1) * magnitude, scale, rounding


def _robust(
    X: np.ndarray, weights: np.ndarray | None, magnitude: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give what `_mean_and_deviation` gives, whatever a few wild values are."""
    part = np.where(magnitude > _LARGE, 0.25, 1.0)  # with which no difference overflows
    columns = (X * part).astype(np.float64, copy=False).T
    pairs = [robust_center_and_scale(x, weights, _ROUNDING) for x in columns]
    center, scale = np.array(pairs).T / part
    # Of ties and of flat distributions it would be the larger.
    _, deviation, _ = _mean_and_deviation(X, weights, magnitude)
    return center, np.minimum(scale, deviation), scale == 0


@dataclass(frozen=True, eq=False)
class NormalQuantile(Scaler):
    """Each column's distribution mapped to a standard normal, by rank.

    Equal values share the middle of their ranks, and between two values it is interpolated:
    a map without jumps, also where the rows are few. It takes weights, which scikit-learn's
    QuantileTransformer does not.

    Attributes
    ----------
    knots : list of (ndarray, ndarray), one a column
        Values in order, and what they become.
    median : ndarray of shape (n_columns,)
        In the units of X. Where values tie, it does not become zero.
    """

    knots: list[tuple[np.ndarray, np.ndarray]]
    median: np.ndarray

    tail: ClassVar[float] = _TAIL

    @classmethod
    def fit(cls, X: np.ndarray, weights: np.ndarray | None = None) -> Self:
        """Learn the distributions of X (n, n_columns), with positive weights (n,) if any."""
        mass = np.ones(len(X)) if weights is None else weights
        knots, median = [], []
        for x in X.T:
            values, group = np.unique(x, return_inverse=True)
            masses = np.bincount(group, mass)
            knots.append(_knots(values, masses))
            median.append(Distribution(values, masses).median())
        return cls(knots, np.array(median, dtype=np.float64))

    @classmethod
    def joined(cls, parts: Sequence["NormalQuantile"]) -> Self:
        """Put scalers of columns side by side."""
        return cls([pair for p in parts for pair in p.knots], np.hstack([p.median for p in parts]))

    @property
    def n_columns(self) -> int:
        """Columns it was fitted to."""
        return len(self.knots)

    @property
    def parts(self) -> list[float]:
        """Factors, one a column, with which no difference between its knots overflows."""
        return [_part(values) for values, _ in self.knots]

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Map X of shape (..., n_columns) to normal quantiles, in its own type."""
        Z = np.empty_like(X)
        for j, (values, normal) in enumerate(self.knots):
            part = _part(values)
            Z[..., j] = np.interp(X[..., j] * part, values * part, normal)
        return np.clip(Z, -_TAIL, _TAIL)

    def of_column(self, column: int) -> Self:
        """Give the scaler of one column."""
        return type(self)([self.knots[column]], self.median[[column]])

    def middle(self, dtype: np.dtype) -> np.ndarray:
        """Give what becomes of the medians, in X's type."""
        return self.transform(self.median.astype(dtype))


class LinearTails(NormalQuantile):
    """`NormalQuantile` between the 10 % and the 90 % quantile, and straight lines beyond.

    The outer training values lie on the lines, so that a network learns what they mean
    before it meets values beyond all of training.
    """

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Map X of shape (..., n_columns), in its own type."""
        Z = np.empty_like(X)
        for j, (values, normal) in enumerate(self.knots):
            part = _part(values)
            x, (low, high, slope_below, slope_above) = X[..., j] * part, self.lines(j)
            with np.errstate(over="ignore"):  # cut to the limit below
                below = np.minimum(x - low, 0) * slope_below
                above = np.maximum(x - high, 0) * slope_above
                inside = np.interp(np.clip(x, low, high), values * part, normal)
                Z[..., j] = np.clip(inside + below + above, -LIMIT, LIMIT)
        return Z

    def lines(self, column: int) -> tuple[float, float, float, float]:
        """Give where a column's lower line ends and its upper one begins, and their slopes.

        In units of the column times its part.
        """
        values, normal = self.knots[column]
        knots = values * _part(values)
        low, inner_low, inner_high, high = np.interp(_LEVELS, normal, knots)
        at = np.interp([low, inner_low, inner_high, high], knots, normal)
        overall = _slope(low, high, at[0], at[3])
        below = _slope(low, inner_low, at[0], at[1], overall)
        above = _slope(inner_high, high, at[2], at[3], overall)
        return low, high, below, above


def _slope(x0: float, x1: float, z0: float, z1: float, largest: float = np.inf) -> float:
    """Give a line's slope, at most `largest`; flat where its ends are one."""
    return min((z1 - z0) / (x1 - x0), largest) if x1 > x0 else min(largest, 0.0)


def _knots(values: np.ndarray, masses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ranks = (np.cumsum(masses) - masses / 2) / masses.sum()
    if len(values) > _N_KNOTS:
        levels = np.linspace(ranks[0], ranks[-1], _N_KNOTS)
        part = _part(values)
        values, ranks = np.interp(levels, ranks, values * part) / part, levels
    return values, ndtri(ranks)


def _part(values: np.ndarray) -> float:
    """Give a factor with which no difference between sorted `values` overflows."""
    return 0.25 if max(-float(values[0]), float(values[-1])) > _LARGE else 1.0


def make_scaler(kind: str | bool, X: np.ndarray, weights: np.ndarray | None) -> Scaler:
    """Fit the scaler called `kind`, one of `SCALINGS`, to X (n, n_columns)."""
    if kind == "standard":
        return Standard.fit(X, weights)
    if kind == "quantile":
        return NormalQuantile.fit(X, weights)
    if kind == "quantile_linear":
        return LinearTails.fit(X, weights)
    return Identity()


def make_scaler_by_column(
    kind: str | bool, columns: Iterable[tuple[np.ndarray, np.ndarray | None]]
) -> Scaler:
    """Fit a scaler to columns of which each has its own values (n,) and weights (n,)."""
    scalers: list[Any] = [make_scaler(kind, x[:, None], weights) for x, weights in columns]
    if not scalers or isinstance(scalers[0], Identity):
        return Identity()
    return type(scalers[0]).joined(scalers)
