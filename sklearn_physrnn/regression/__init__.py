"""Regressors of panels for sktime."""

from ..panel.hssm import HSSMSeriesRegressor
from ..panel.petnn import PETNNSeriesRegressor

__all__ = ["HSSMSeriesRegressor", "PETNNSeriesRegressor"]
