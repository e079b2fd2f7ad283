"""Where PETNNSeriesClassifier was first, and skbase's lookup finds it."""

from ..panel import PETNNSeriesClassifier as PETNNSeriesClassifier
