"""The torch modules: physical recurrences, layers and vector fields."""

from ._solvers import integrate
from ._stability import StabilityWarning
from .damped_hru import DampedHRU
from .dynpmnn import DynPMNN
from .hssm import HSSM
from .linear_hru import LinearHRU
from .nonlinear_hru import NonlinearHRU
from .petnn import PETNN
from .vector_fields import FitzHughNagumo, HodgkinHuxley, Kuramoto, VanDerPol, VectorField

__all__ = [
    "HSSM",
    "PETNN",
    "DampedHRU",
    "DynPMNN",
    "FitzHughNagumo",
    "HodgkinHuxley",
    "Kuramoto",
    "LinearHRU",
    "NonlinearHRU",
    "StabilityWarning",
    "VanDerPol",
    "VectorField",
    "integrate",
]
