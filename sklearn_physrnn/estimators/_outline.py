"""The module that parameters describe, without its weights."""

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ..training.parameters import DTYPES


def outline(
    params: Any, make_module: Callable[[], nn.Module], dtype: str, max_layers: int
) -> nn.Module:
    """Build a module without any memory, on torch's meta device: no values, only shapes.

    Parameters
    ----------
    params : estimator or forecaster
    make_module : callable
        Builds the module that they describe.
    dtype : str
        Of its weights, as the parameter of that name gives it.
    max_layers : int

    Raises
    ------
    ValueError
        If the parameters describe no module, or one of more than `max_layers` layers.
    """
    # Layers are Python objects, which take memory even so.
    depth = params._family.depth
    if getattr(params, depth) > max_layers:
        raise ValueError(f"{depth}={getattr(params, depth)} does not fit to its weights.")
    try:
        with torch.device("meta"):
            return make_module().to(DTYPES[dtype])
    except (RuntimeError, TypeError, ArithmeticError) as error:
        raise ValueError(f"its parameters describe no module ({error!s:.200}).") from error
