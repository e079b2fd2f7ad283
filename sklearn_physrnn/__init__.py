"""Recurrent networks built from physics, as scikit-learn and sktime estimators."""

from ._version import __version__ as __version__
from .estimators import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from .persistence import load, save

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
