"""Thin scikit-learn classes over the torch modules: one file a model family."""

from ._dynpmnn import DynPMNNClassifier, DynPMNNRegressor
from ._hssm import HSSMClassifier, HSSMRegressor
from ._petnn import PETNNClassifier, PETNNRegressor

__all__ = [
    "DynPMNNClassifier",
    "DynPMNNRegressor",
    "HSSMClassifier",
    "HSSMRegressor",
    "PETNNClassifier",
    "PETNNRegressor",
]
