"""Where PETNNSeriesClassifier was first, and skbase's lookup finds it."""

from ..panel.petnn import PETNNSeriesClassifier as PETNNSeriesClassifier
