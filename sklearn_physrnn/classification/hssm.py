"""Where HSSMSeriesClassifier was first, and skbase's lookup finds it."""

from ..panel.hssm import HSSMSeriesClassifier as HSSMSeriesClassifier
