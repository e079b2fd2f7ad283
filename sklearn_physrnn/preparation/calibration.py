r"""Distributions of targets, from errors on rows that training has not seen.

Of a row x the model gives a middle m(x) and two widths, below and above it. The errors of n
calibration rows in these units, :math:`z_i = (y_i - m(x_i)) / w_\pm(x_i)`, are sorted; the
quantile of level p of a new row is :math:`m + w_\pm z_{(k)}`, with k = ceil(p (n + 1)) for p above
1/2 and floor(p (n + 1)) below, and infinite where there is no such error. If the new row and the
calibration rows are exchangeable, and the model does not know the latter, y lies below it with a
probability of at least p, or at most p. (Lei and others, arXiv 1604.04173, have widths by a
learned spread, Romano and others, arXiv 1905.03222, by learned quantiles.)

With sample weights a row counts as its weight says, and a new row as their mean.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
from sklearn.linear_model import RidgeCV

from ..storage.format import Spec
from ..storage.plain import Fields

Arrays = dict[str, np.ndarray]

# Rows that a spread is learned from, at least: with fewer all widths are the same.
FEWEST_FOR_SPREAD = 100

_PENALTIES = np.logspace(0, 8, 17)  # the last leaves all rows the same width


class Middle(NamedTuple):
    """What a model says of rows, in the units of y; each (n_samples, n_targets).

    Attributes
    ----------
    middle : ndarray
    below, above : ndarray
        Widths to either side, positive; 1 where the model has none.
    """

    middle: np.ndarray
    below: np.ndarray
    above: np.ndarray

    @classmethod
    def of_points(cls, predictions: np.ndarray) -> Self:
        """Take predictions (n_samples, n_targets)."""
        one = np.ones(predictions.shape)
        return cls(predictions.astype(np.float64), one, one)

    @classmethod
    def of_quantiles(cls, values: np.ndarray, levels: tuple[float, ...]) -> Self:
        """Take quantiles (n_samples, n_targets, n_levels), in increasing order."""
        values = values.astype(np.float64)
        at = np.asarray(levels)
        if at[0] < 0.5 < at[-1]:
            high = int(np.searchsorted(at, 0.5))
            share = (0.5 - at[high - 1]) / (at[high] - at[high - 1])
            middle = (1 - share) * values[..., high - 1] + share * values[..., high]
        else:
            middle = values.mean(axis=-1)
        return cls(middle, _positive(middle - values[..., 0]), _positive(values[..., -1] - middle))

    def scaled(self, spread: np.ndarray) -> Self:
        """Multiply the widths."""
        return type(self)(self.middle, self.below * spread, self.above * spread)

    def errors(self, y: np.ndarray) -> np.ndarray:
        """Give errors in units of the widths."""
        off = y - self.middle
        return off / np.where(off < 0, self.below, self.above)

    def at(self, errors: np.ndarray) -> np.ndarray:
        """Undo `errors`, of (n_targets, n_levels): (n_samples, n_targets, n_levels)."""
        widths = np.where(errors < 0, self.below[..., None], self.above[..., None])
        return self.middle[..., None] + widths * errors


def _positive(widths: np.ndarray) -> np.ndarray:
    """Keep learned quantiles that meet apart, by a hundredth of their usual distance."""
    usual = np.median(widths, axis=0, keepdims=True)
    floor = np.where(usual > 0, usual / 100, 1.0)
    return np.maximum(widths, floor)


@dataclass(frozen=True, eq=False)
class Spread:
    """How large errors are, by what the network makes of a row.

    The logarithm is linear in features and their squares.

    Attributes
    ----------
    weights : ndarray of shape (2 n_features + 1, n_targets)
        The last row is the constant.
    range : ndarray of shape (2, n_targets)
        What was seen of the logarithm; what lies outside counts as its end.
    """

    weights: np.ndarray
    range: np.ndarray

    @classmethod
    def learned(cls, features: np.ndarray, errors: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn from errors (n_samples, n_targets), each of a model that did not see the row."""
        size = np.abs(errors)
        usual = np.where((found := np.median(size, axis=0)) > 0, found, 1.0)
        logs = np.log(np.maximum(size, usual / 100))
        terms = _terms(features)
        center, scale = terms.mean(axis=0), terms.std(axis=0)
        scale = np.where(scale > 1e-9 * np.abs(center), scale, 1.0)
        ridge = RidgeCV(_PENALTIES, alpha_per_target=True)
        ridge.fit((terms - center) / scale, logs, sample_weight=weights)
        slopes = np.reshape(ridge.coef_, (logs.shape[1], -1)).T / scale[:, None]
        constant = np.reshape(ridge.intercept_, (1, -1)) - center @ slopes
        known = cls(np.concatenate([slopes, constant]), np.empty((2, 0)))
        seen = known._logs(features)
        return cls(known.weights, np.stack([seen.min(axis=0), seen.max(axis=0)]))

    def of(self, features: np.ndarray) -> np.ndarray:
        """Give the size of errors to be expected, (n_samples, n_targets)."""
        return np.exp(np.clip(self._logs(features), *self.range))

    def _logs(self, features: np.ndarray) -> np.ndarray:
        return _terms(features) @ self.weights[:-1] + self.weights[-1]


def _terms(features: np.ndarray) -> np.ndarray:
    return np.concatenate([features, features**2], axis=1)


def spread_and_sizes(
    features: np.ndarray, errors: np.ndarray, weights: np.ndarray | None, folds: np.ndarray
) -> tuple[Spread, np.ndarray]:
    """Learn a spread, and give what it is of its own rows, each learned without their fold."""
    sizes = np.empty(errors.shape)
    for fold in np.unique(folds):
        own, others = folds == fold, folds != fold
        part = Spread.learned(
            features[others], errors[others], None if weights is None else weights[others]
        )
        sizes[own] = part.of(features[own])
    return Spread.learned(features, errors, weights), sizes


@dataclass(frozen=True, eq=False)
class Calibration:
    """Errors of rows that training has not seen.

    Attributes
    ----------
    errors : ndarray of shape (n_rows, n_targets)
        In units of a row's width, sorted.
    weights : ndarray of shape (n_rows, n_targets)
        Of the rows of `errors`.
    spread : Spread or None
        What makes the width, besides quantiles that the model has learned; None if nothing.
    """

    errors: np.ndarray
    weights: np.ndarray
    spread: Spread | None = None

    @classmethod
    def of(cls, errors: np.ndarray, weights: np.ndarray | None, spread: Spread | None) -> Self:
        """Sort errors (n_rows, n_targets)."""
        weights = np.ones(len(errors)) if weights is None else weights
        order = np.argsort(errors, axis=0, kind="stable")
        return cls(np.take_along_axis(errors, order, axis=0), weights[order], spread)

    def __len__(self) -> int:
        return len(self.errors)

    def reaches(self, levels: np.ndarray) -> np.ndarray:
        """Tell for which levels every target has an error."""
        return np.isfinite(self.quantiles(levels)).all(axis=0)

    def quantiles(self, levels: np.ndarray) -> np.ndarray:
        """Give errors (n_targets, n_levels) of these levels, infinite where there are none."""
        n_rows, n_targets = self.errors.shape
        found = np.empty((n_targets, len(levels)))
        for target in range(n_targets):
            weights = self.weights[:, target] / self.weights[:, target].mean()
            up_to, slack = weights.cumsum(), 1e-9 * (n_rows + 1)
            from_on = up_to[-1] - up_to + weights
            padded = np.concatenate([[-np.inf], self.errors[:, target], [np.inf]])
            for i, level in enumerate(levels):
                if level >= 0.5:  # the first with enough at and below it
                    k = 1 + np.searchsorted(up_to + slack, level * (n_rows + 1))
                else:  # the last with enough at and above it
                    enough = from_on + slack >= (1 - level) * (n_rows + 1)
                    k = np.count_nonzero(enough)
                found[target, i] = padded[k]
        return found

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give it as JSON and arrays."""
        fields = {
            "shape": list(self.errors.shape),
            "n_features": None if self.spread is None else len(self.spread.weights) // 2,
        }
        arrays = {"errors": self.errors, "weights": self.weights}
        if self.spread is not None:
            arrays |= {"spread": self.spread.weights, "range": self.spread.range}
        return fields, arrays

    @classmethod
    def from_arrays(cls, arrays: Arrays) -> Self:
        """Undo `to_state`."""
        spread = Spread(arrays["spread"], arrays["range"]) if "spread" in arrays else None
        errors, weights = arrays["errors"], arrays["weights"]
        if (np.diff(errors, axis=0) < 0).any() or not (weights > 0).all():
            raise ValueError("its calibration must hold sorted errors and positive weights.")
        return cls(errors, weights, spread)


def calibration_specs(described: dict[str, Any], n_targets: int) -> dict[str, Spec]:
    """Say of what type and shape the arrays are of which a file has such fields."""
    fields = Fields(described, "calibration")
    shape = fields.integers("shape")
    n_features = fields.take("n_features", int, type(None))
    fields.close()
    if len(shape) != 2 or shape[1] != n_targets or not 0 <= (n_features or 0) < 2**31:
        raise ValueError(f"its calibration is not of {n_targets} targets.")
    rows = "F64", tuple(shape)
    specs: dict[str, Spec] = {"errors": rows, "weights": rows}
    if n_features is not None:
        specs |= {
            "spread": ("F64", (2 * n_features + 1, n_targets)),
            "range": ("F64", (2, n_targets)),
        }
    return specs
