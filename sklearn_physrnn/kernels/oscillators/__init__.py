"""Driven oscillators, stepped by leapfrog: linear ones and nonlinear ones.

What both kinds share stands here: the checks of their arguments (``checks.py``), the
nudge of their echoes (``nudge.py``), and the seams to torch, for a drive as it comes
(``scan.py``) and for oscillators between two linear maps (``unit.py``). Each kind has a
folder with its step, written three times.
"""

from .checks import check_sequence
from .linear import oscillator, oscillator_unit
from .nonlinear import nonlinear_oscillator, nonlinear_oscillator_unit
from .nudge import check_epsilon

__all__ = [
    "check_epsilon",
    "check_sequence",
    "nonlinear_oscillator",
    "nonlinear_oscillator_unit",
    "oscillator",
    "oscillator_unit",
]
