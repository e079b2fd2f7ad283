"""Recurrent networks built from physics, as scikit-learn and sktime estimators."""

from ._version import __version__ as __version__
from .estimators._dynpmnn import DynPMNNClassifier, DynPMNNRegressor
from .estimators._hssm import HSSMClassifier, HSSMRegressor
from .estimators._petnn import PETNNClassifier, PETNNRegressor
from .persistence import load

__all__ = [
    "DynPMNNClassifier",
    "DynPMNNRegressor",
    "HSSMClassifier",
    "HSSMRegressor",
    "PETNNClassifier",
    "PETNNRegressor",
    "load",
]
