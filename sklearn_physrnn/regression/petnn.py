"""Where PETNNSeriesRegressor was first, and skbase's lookup finds it."""

from ..panel.petnn import PETNNSeriesRegressor as PETNNSeriesRegressor
