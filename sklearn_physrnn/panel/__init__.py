"""Classifiers and regressors of panels, with what both share.

``sklearn_physrnn.classification`` and ``sklearn_physrnn.regression`` are their public faces.
"""

from .hssm import HSSMSeriesClassifier, HSSMSeriesRegressor
from .petnn import PETNNSeriesClassifier, PETNNSeriesRegressor

__all__ = [
    "HSSMSeriesClassifier",
    "HSSMSeriesRegressor",
    "PETNNSeriesClassifier",
    "PETNNSeriesRegressor",
]
