"""Estimators of tables and sequences: how they are written, read, and moved to a device."""

from typing import Any

from ..estimators._reading import from_contents
from ..estimators._writing import to_contents

__all__ = ["from_contents", "place", "to_contents"]


def place(estimator: Any, device: str) -> None:
    """Set where to compute."""
    estimator.device = device
