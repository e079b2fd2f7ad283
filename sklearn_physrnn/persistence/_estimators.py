"""Estimators of tables and sequences: how they are written, read, and moved to a device."""

from typing import Any

from ._reading import CLASSES, from_contents
from ._writing import to_contents

__all__ = ["CLASSES", "from_contents", "place", "to_contents"]


def place(estimator: Any, device: str) -> None:
    """Set where to compute."""
    estimator.device = device
