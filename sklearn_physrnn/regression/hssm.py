"""Where HSSMSeriesRegressor was first, and skbase's lookup finds it."""

from ..panel.hssm import HSSMSeriesRegressor as HSSMSeriesRegressor
