"""The torch modules: physical recurrences, layers and vector fields."""

from ._stability import StabilityWarning
from .dynpmnn import DynPMNN
from .vector_fields import FitzHughNagumo, HodgkinHuxley, Kuramoto, VanDerPol, VectorField

__all__ = [
    "DynPMNN",
    "FitzHughNagumo",
    "HodgkinHuxley",
    "Kuramoto",
    "StabilityWarning",
    "VanDerPol",
    "VectorField",
]
