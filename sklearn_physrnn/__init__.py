"""Recurrent networks built from physics, as scikit-learn and sktime estimators."""

from .estimators._dynpmnn import DynPMNNClassifier, DynPMNNRegressor
from .estimators._hssm import HSSMClassifier, HSSMRegressor
from .estimators._petnn import PETNNClassifier, PETNNRegressor
from .persistence import load, save

__version__ = "0.1.0.dev0"

__all__ = [
    "DynPMNNClassifier",
    "DynPMNNRegressor",
    "HSSMClassifier",
    "HSSMRegressor",
    "PETNNClassifier",
    "PETNNRegressor",
    "load",
    "save",
]
