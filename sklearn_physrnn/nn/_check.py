"""Arguments of modules, checked before torch would complain of them in its own words."""

from numbers import Integral, Real
from typing import Any

import numpy as np

_LARGEST = 2**31 - 1
_FLOAT32 = float(np.finfo(np.float32).max)


def check_sizes(**sizes: Any) -> None:
    """Raise ValueError unless all are integers, and so small that a tensor may have them."""
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, Integral) or int(value) > _LARGEST:
            raise ValueError(
                f"{name} must be an integer of at least 1 and below 2**31, got {value!r}."
            )


def check_at_least_one(**sizes: Any) -> None:
    """Raise ValueError unless all are integers of at least 1."""
    check_sizes(**sizes)
    for name, value in sizes.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")


def check_numbers(**values: Any) -> None:
    """Raise ValueError unless all are real numbers that float32 can hold."""
    for name, value in values.items():
        wrong = isinstance(value, bool) or not isinstance(value, Real)
        if wrong or not abs(value) <= _FLOAT32:
            raise ValueError(f"{name} must be a finite number of float32, got {value!r}.")


def check_flags(**values: Any) -> None:
    """Raise ValueError unless all are True or False."""
    for name, value in values.items():
        if not isinstance(value, bool | np.bool_):
            raise ValueError(f"{name} must be True or False, got {value!r}.")


def check_names(**values: Any) -> None:
    """Raise ValueError unless all are strings, or None."""
    for name, value in values.items():
        if value is not None and not isinstance(value, str):
            raise ValueError(f"{name} must be a string, got {value!r}.")


def check_dropout(dropout: Any) -> None:
    """Raise ValueError unless it is a share below 1."""
    check_numbers(dropout=dropout)
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout!r}.")
