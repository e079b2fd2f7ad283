"""Where PETNNSeriesRegressor was first, and skbase's lookup finds it."""

from ..panel import PETNNSeriesRegressor as PETNNSeriesRegressor
