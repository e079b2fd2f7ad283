"""What a regressor adds to the base: real targets, scaled, and their losses."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import RegressorMixin, _fit_context
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..preparation.arrays import check_finite, checking_targets, naming
from ..preparation.scaling import Standard
from ..training._losses import REGRESSION_LOSSES, ROBUST_LOSSES, regression_loss
from ._base import _BaseEstimator


class _BaseRegressor(RegressorMixin, _BaseEstimator):
    """Regression of one or several targets, by mean, median or quantiles."""

    loss: str
    quantile: float | Sequence[float]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseEstimator._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES))],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _quantiles(self) -> np.ndarray:
        with naming(f"quantile={self.quantile!r}"):
            quantiles = np.atleast_1d(np.asarray(self.quantile, dtype=float))
        if (
            quantiles.ndim != 1
            or not len(quantiles)
            or not ((quantiles > 0) & (quantiles < 1)).all()
        ):
            raise ValueError(
                f"quantile must be a number, or a list of numbers, in (0, 1), got {self.quantile}."
            )
        if (np.diff(quantiles) <= 0).any():
            raise ValueError(f"quantile must be in increasing order, got {self.quantile}.")
        return quantiles

    def _several_quantiles(self) -> bool:
        return self.loss == "quantile" and not isinstance(self.quantile, Real)

    def _encode_targets(self, y: np.ndarray, *, reset: bool) -> np.ndarray:
        # (n,) stays one target; its predictions come back as (n,) too.
        if reset:
            self._quantiles()
            self._y_shape = y.shape[1:]
        elif y.shape[1:] != self._y_shape:
            raise ValueError(
                f"y must be of shape (n_samples{''.join(f', {k}' for k in self._y_shape)}) as in "
                f"the first fit, got {y.shape}."
            )
        return y.reshape(len(y), -1).astype(np.float64)

    def _fit_targets(self, y: np.ndarray, weights: np.ndarray | None) -> None:
        self._y_scaler = Standard.fit(
            y, weights, constant="fixed", robust=self.loss in ROBUST_LOSSES
        )

    def _revise_targets(self, y: np.ndarray, weights: np.ndarray | None) -> None:
        # A target that was constant in the first batch may vary in a later one.
        present = ~np.isnan(y).any(axis=-1)
        if weights is not None and y.ndim > 2:
            weights = np.repeat(weights, present.sum(axis=1))
        robust = self.loss in ROBUST_LOSSES
        self._y_scaler = self._y_scaler.revised(y[present], weights, robust=robust)

    def _target_tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(self._y_scaler.transform(y)).to(dtype)

    def _criterion(self) -> nn.Module:
        return regression_loss(self.loss, self._quantiles().tolist())

    def _n_module_outputs(self) -> int:
        n_quantiles = len(self._quantiles()) if self.loss == "quantile" else 1
        return int(np.prod(self._y_shape)) * n_quantiles

    def _decode(self, outputs: np.ndarray) -> np.ndarray:
        check_finite(outputs, self._remedies)
        n_targets = int(np.prod(self._y_shape))
        if not self._several_quantiles():
            return self._y_scaler.inverse(outputs).reshape(-1, *self._y_shape)
        values = outputs.reshape(len(outputs), n_targets, -1)
        values = self._y_scaler.inverse(values.swapaxes(1, 2)).swapaxes(1, 2)
        # Separately learned quantiles may cross; sorted ones are never worse.
        return np.sort(values, axis=-1).reshape(len(outputs), *self._y_shape, -1)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on a part of the data, at a constant learning rate.

        Parameters
        ----------
        X : as in ``fit``
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Notes
        -----
        The first call learns the scaling of X and y, so let it see a typical batch.
        """
        with self._unchanged_on_error():
            resume = hasattr(self, "module_")
            return self._fit(X, y, sample_weight, resume=resume, max_iter=1)

    def predict(self, X):
        """Predict the targets of X.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units of the y that was fitted; float32 where X is and float32 can
            hold the values and tell them apart, else float64. With ``loss="quantile"``
            and a list of quantiles, a last axis holds one value a quantile, in
            increasing order.

        Raises
        ------
        ValueError, TypeError
            If X is not as described, or the model's output for it is not finite.
        """
        return self._decode(self._outputs(X))

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination R², or D² where several quantiles are predicted.

        Parameters
        ----------
        X : as in ``fit``
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            R² averaged over targets; for a list of quantiles the mean over quantiles of
            scikit-learn's ``d2_pinball_score``. At best 1; 0 for a constant prediction.
        """
        predictions = self.predict(X)
        with checking_targets(self, y) as y:
            y = check_array(
                y, dtype=np.float64, ensure_2d=False, allow_nd=True, ensure_all_finite=False
            )
            weights = self._check_weights(sample_weight, y)
            return self._score_predictions(y, predictions, weights)

    def _score_predictions(self, y, predictions, weights) -> float:
        # The scores do not depend on the unit, but the squares of extreme values overflow.
        unit = np.abs(y[np.isfinite(y)]).max(initial=0)
        if unit > 1e100 or 0 < unit < 1e-100:
            y, predictions = y / unit, predictions / unit
        if not self._several_quantiles():
            return r2_score(y, predictions, sample_weight=weights)
        return float(
            np.mean(
                [
                    d2_pinball_score(y, predictions[..., k], sample_weight=weights, alpha=q)
                    for k, q in enumerate(self._quantiles())
                ]
            )
        )

    def _score_outputs(self, outputs, y, weights) -> float:
        if len(y) < 2 or not np.isfinite(outputs).all():
            return float("nan")
        return self._score_predictions(
            y.reshape(*y.shape[:-1], *self._y_shape), self._decode(outputs), weights
        )
