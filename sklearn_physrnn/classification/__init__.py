"""Classifiers of panels for sktime."""

from ..panel import HSSMSeriesClassifier, PETNNSeriesClassifier

__all__ = ["HSSMSeriesClassifier", "PETNNSeriesClassifier"]
