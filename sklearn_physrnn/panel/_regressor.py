"""What the regressors of panels share."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval
from sktime.regression.base import BaseRegressor

from ._border import time_before_channels
from ._estimator import SeriesEstimator

# sktime's regressors predict one value a target.
QUANTILE = """
quantile : float
    What ``loss="quantile"`` estimates.
"""


class BaseSeriesRegressor(SeriesEstimator, BaseRegressor):
    """Regression of panels, by a regressor of sequences."""

    _narrower_constraints: ClassVar[dict[str, list[Any]]] = {
        "quantile": [Interval(Real, 0, 1, closed="neither")],
    }

    _tags: ClassVar[dict[str, Any]] = {
        "capability:multioutput": True,
        "y_inner_mtype": "numpy2D",
    }

    def _fit(self, X, y):
        self.regressor_ = self._make_estimator().fit(time_before_channels(X), y)
        return self

    def _predict(self, X) -> np.ndarray:
        return self.regressor_.predict(time_before_channels(X))
