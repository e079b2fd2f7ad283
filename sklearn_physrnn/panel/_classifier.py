"""What the classifiers of panels share."""

from typing import Any, ClassVar

import numpy as np
from sktime.classification.base import BaseClassifier

from ._estimator import SeriesEstimator


class BaseSeriesClassifier(SeriesEstimator, BaseClassifier):
    """Classification of panels, by a classifier of sequences."""

    _tags: ClassVar[dict[str, Any]] = {
        "capability:predict_proba": True,
        "capability:class_weight": True,
    }

    def _fit(self, X, y):
        self.classifier_ = self._fitted_estimator(X, y)
        return self

    def _predict(self, X) -> np.ndarray:
        return self.classifier_.predict(self._sequences(X))

    def _predict_proba(self, X) -> np.ndarray:
        return self.classifier_.predict_proba(self._sequences(X))
