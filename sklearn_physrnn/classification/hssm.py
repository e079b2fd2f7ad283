"""Where HSSMSeriesClassifier was first, and skbase's lookup finds it."""

from ..panel import HSSMSeriesClassifier as HSSMSeriesClassifier
