"""The model families, each declared once for the estimators of every library."""

from .base import CoreSizes, Family, OfFamily
from .dynpmnn import DynPMNN
from .hssm import HSSM
from .petnn import PETNN

__all__ = ["HSSM", "PETNN", "CoreSizes", "DynPMNN", "Family", "OfFamily"]
