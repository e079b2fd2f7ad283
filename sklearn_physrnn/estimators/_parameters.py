"""Constructors of many parameters, without a line for each."""

from typing import Any


def set_parameters(estimator: object, arguments: dict[str, Any]) -> None:
    """Assign the arguments of an estimator's ``__init__``, given as its ``locals()``."""
    for name, value in arguments.items():
        if name not in ("self", "__class__"):
            setattr(estimator, name, value)
