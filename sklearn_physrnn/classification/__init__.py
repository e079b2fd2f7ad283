"""Classifiers of panels for sktime."""

from .hssm import HSSMSeriesClassifier
from .petnn import PETNNSeriesClassifier

__all__ = ["HSSMSeriesClassifier", "PETNNSeriesClassifier"]
