"""Regressors of panels for sktime."""

from ..panel import HSSMSeriesRegressor, PETNNSeriesRegressor

__all__ = ["HSSMSeriesRegressor", "PETNNSeriesRegressor"]
