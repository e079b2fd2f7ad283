"""Rows of a table as inputs."""

import numpy as np
from sklearn.utils.validation import validate_data

from ..preparation.arrays import check_targets, checking_targets, naming, native, real_numbers
from ..preparation.scaling import Scaler, make_scaler
from ._base import _BaseEstimator

_DTYPES = [np.float64, np.float32]  # anything else becomes the first


class _TabularInputs(_BaseEstimator):
    """X of shape (n_samples, n_features), scaled by column."""

    def _validate_inputs(self, X, *, reset: bool, n_min: int = 1) -> np.ndarray:
        with naming("X"):
            X = real_numbers(X, "X")
            X = validate_data(self, X, dtype=_DTYPES, reset=reset, ensure_min_samples=n_min)
            return native(X)

    def _validate_inputs_and_targets(self, X, y, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        X = self._validate_inputs(X, reset=reset, n_min=2 if reset else 1)
        with checking_targets(self, y) as y:
            return X, check_targets(self, y, X)

    def _fit_inputs(self, X: np.ndarray, weights: np.ndarray | None) -> Scaler:
        return make_scaler(self.scale_inputs, X, weights)

    def _module_inputs(self, X: np.ndarray, preparation: Scaler) -> dict[str, np.ndarray]:
        return {"x": preparation.transform(X)}
