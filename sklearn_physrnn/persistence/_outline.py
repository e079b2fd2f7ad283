"""The module that an estimator's parameters describe."""

from typing import Any

import torch
from torch import nn

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


def outline(estimator: Any, dtype: str, max_layers: int) -> nn.Module:
    """Build the module that the estimator's parameters describe, without any memory.

    Its weights are on torch's meta device: shapes and dtypes, no values.

    Raises
    ------
    ValueError
        If the parameters describe no module, or one of more than `max_layers` layers.
    """
    # Layers are Python objects, which take memory even so.
    for name in ("num_layers", "num_blocks"):
        if getattr(estimator, name, 1) > max_layers:
            raise ValueError(f"{name}={getattr(estimator, name)} does not fit to its weights.")
    try:
        with torch.device("meta"):
            module = estimator._make_module().to(_DTYPES[dtype])
    except (RuntimeError, TypeError, ArithmeticError) as error:
        raise ValueError(f"its parameters describe no module ({error!s:.200}).") from error
    return module
