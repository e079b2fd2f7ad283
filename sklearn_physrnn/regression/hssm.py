"""Where HSSMSeriesRegressor was first, and skbase's lookup finds it."""

from ..panel import HSSMSeriesRegressor as HSSMSeriesRegressor
