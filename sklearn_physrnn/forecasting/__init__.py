"""Forecasters in sktime's framework."""

from .dynpmnn import DynPMNNForecaster
from .hssm import HSSMForecaster
from .petnn import PETNNForecaster

__all__ = ["DynPMNNForecaster", "HSSMForecaster", "PETNNForecaster"]
