"""Rows of a table as inputs."""

import numpy as np
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from ._base import _BaseEstimator
from ._scaling import Scaler, make_scaler

_DTYPES = [np.float64, np.float32]  # anything else becomes the first


class _TabularInputs(_BaseEstimator):
    """X of shape (n_samples, n_features), scaled by column."""

    def _validate_inputs(self, X, *, reset: bool) -> np.ndarray:
        return validate_data(self, X, dtype=_DTYPES, reset=reset)

    def _validate_inputs_and_targets(self, X, y, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        return validate_data(
            self,
            X,
            y,
            dtype=_DTYPES,
            reset=reset,
            multi_output=True,
            y_numeric=get_tags(self).estimator_type == "regressor",
            ensure_min_samples=2 if reset else 1,
        )

    def _fit_inputs(self, X: np.ndarray, weights: np.ndarray | None) -> Scaler:
        return make_scaler(self.scale_inputs, X, weights)

    def _module_inputs(self, X: np.ndarray, preparation: Scaler) -> dict[str, np.ndarray]:
        return {"x": preparation.transform(X)}
