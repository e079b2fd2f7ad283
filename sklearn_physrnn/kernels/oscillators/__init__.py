"""Driven oscillators, stepped by leapfrog: linear ones and nonlinear ones.

What both kinds share stands here. A call passes ``seam.py``, which checks it
(``checks.py``) and chooses the code; then a ``torch.autograd.Function``, of a drive as it
comes (``scan.py``) or of oscillators between two linear maps (``unit.py``), which runs the
code and nudges the echoes (``nudge.py``). What it asks of that code says ``engine.py``.
Each kind has a folder with its step, written three times around the pieces in
``reference.py``, ``cpu.py`` and ``cuda.py``.
"""

from .checks import check_sequence
from .damped import damped_oscillator, damped_oscillator_unit, undo_damped_oscillator_unit
from .linear import oscillator, oscillator_unit, undo_oscillator_unit
from .nonlinear import (
    nonlinear_oscillator,
    nonlinear_oscillator_unit,
    undo_nonlinear_oscillator_unit,
)
from .nudge import check_epsilon

__all__ = [
    "check_epsilon",
    "check_sequence",
    "damped_oscillator",
    "damped_oscillator_unit",
    "nonlinear_oscillator",
    "nonlinear_oscillator_unit",
    "oscillator",
    "oscillator_unit",
    "undo_damped_oscillator_unit",
    "undo_nonlinear_oscillator_unit",
    "undo_oscillator_unit",
]
