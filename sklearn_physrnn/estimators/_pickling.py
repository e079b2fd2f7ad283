"""The state that pickle, joblib, copy and skops see: numpy arrays in place of torch's objects.

Smaller than pickled tensors, which bring half a kilobyte each, and what skops can keep, which
knows no tensors. Where a module cannot be made again from the estimator's parameters, because
it or they are the user's own or were changed, it stays what it is.
"""

import inspect
from functools import partial
from typing import Any

import torch
from torch import nn

from ..storage.modules import same_settings, weight_arrays
from ._outline import outline


def without_torch(estimator: Any, state: dict[str, Any]) -> dict[str, Any]:
    """Put arrays in the place of a fitted module and of its optimizer's state."""
    module = state.get("module_")
    if module is None or not _told_by_settings(module):
        return state
    if any(map(callable, estimator.get_params(deep=False).values())):  # the user's own physics
        return state
    dtype = str(next(module.parameters()).dtype).removeprefix("torch.")
    try:
        described = outline(estimator, estimator._make_module, dtype, len(module.state_dict()))
    except Exception:  # of a class of the user's own, whatever its code leads to
        return state
    if not same_settings(described, module):
        return state
    return {
        **state,
        "module_": {"dtype": dtype, "weights": weight_arrays(module)},
        "_optimizer_state": _each(state["_optimizer_state"], lambda tensor: tensor.numpy()),
    }


def _told_by_settings(module: nn.Module) -> bool:
    """Tell whether weights and settings are all there is to it: a user's parts may have more."""
    known = ("torch", __name__.partition(".")[0])
    return all(type(part).__module__.partition(".")[0] in known for part in module.modules())


def with_torch(estimator: Any) -> None:
    """Undo `without_torch`, on an estimator with that state, of this version or an earlier one."""
    for name, parameter in inspect.signature(type(estimator)).parameters.items():
        if name not in vars(estimator) and parameter.default is not parameter.empty:
            setattr(estimator, name, parameter.default)  # one that is younger than the state
    kept = getattr(estimator, "module_", None)
    if kept is not None and not hasattr(estimator, "kernels_"):  # of an earlier version
        estimator.kernels_ = {}
    if kept is None or isinstance(kept, nn.Module):
        return
    # Copies: arrays may be memory-mapped, and read-only.
    weights = {k: torch.tensor(array, device="cpu") for k, array in kept["weights"].items()}
    module = outline(estimator, estimator._make_module, kept["dtype"], len(weights))
    module.load_state_dict(weights, assign=True)
    estimator.module_ = module.eval()
    estimator._optimizer_state = _each(
        estimator._optimizer_state, partial(torch.tensor, device="cpu")
    )


def _each(optimizer_state: dict[str, Any], change: Any) -> dict[str, Any]:
    states = {
        index: {key: None if value is None else change(value) for key, value in entry.items()}
        for index, entry in optimizer_state["state"].items()
    }
    return {**optimizer_state, "state": states}
