"""Classifiers of panels for sktime."""

from ..panel.hssm import HSSMSeriesClassifier
from ..panel.petnn import PETNNSeriesClassifier

__all__ = ["HSSMSeriesClassifier", "PETNNSeriesClassifier"]
