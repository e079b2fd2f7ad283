"""Recurrent networks built from physics, as scikit-learn and sktime estimators."""

from .estimators._dynpmnn import DynPMNNClassifier, DynPMNNRegressor

__version__ = "0.1.0.dev0"

__all__ = ["DynPMNNClassifier", "DynPMNNRegressor"]
