"""What the regressors of panels share."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sktime.regression.base import BaseRegressor

from ._estimator import Narrower, SeriesEstimator


class BaseSeriesRegressor(SeriesEstimator, BaseRegressor):
    """Regression of panels, by a regressor of sequences."""

    _narrower: ClassVar[dict[str, Narrower]] = {
        **SeriesEstimator._narrower,
        # sktime's regressors predict one value a target.
        "quantile": Narrower(
            [Interval(Real, 0, 1, closed="neither")],
            'quantile : float\n    What ``loss="quantile"`` estimates.',
        ),
    }

    _tags: ClassVar[dict[str, Any]] = {
        "capability:multioutput": True,
        "y_inner_mtype": "numpy2D",
    }

    def _fit(self, X, y):
        self.regressor_ = self._fitted_estimator(X, y)
        return self

    def _predict(self, X) -> np.ndarray:
        return self.regressor_.predict(self._sequences(X))
