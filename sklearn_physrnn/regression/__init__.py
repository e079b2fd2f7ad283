"""Regressors of panels for sktime."""

from .hssm import HSSMSeriesRegressor
from .petnn import PETNNSeriesRegressor

__all__ = ["HSSMSeriesRegressor", "PETNNSeriesRegressor"]
