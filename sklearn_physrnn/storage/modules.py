"""The trained module and its optimizer's state as named arrays."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from .format import Spec
from .plain import Fields
from .state import State

# What each optimizer keeps of a parameter, one value a weight; Adam counts its steps besides.
_MOMENTS = {
    "adamw": ("exp_avg", "exp_avg_sq"),
    "adam": ("exp_avg", "exp_avg_sq"),
    "sgd": ("momentum_buffer",),
}


def same_settings(one: nn.Module, other: nn.Module) -> bool:
    """Tell whether two modules differ in nothing but the values of their weights."""
    return list(_settings(one)) == list(_settings(other))


def _settings(module: nn.Module) -> Iterator[tuple[Any, ...]]:
    for name, part in module.named_modules():
        values = {
            key: value.item() if isinstance(value, np.generic) else value
            for key, value in vars(part).items()
        }
        plain = {
            key: value
            for key, value in values.items()
            if value is None or isinstance(value, bool | int | float | str)
        }
        for transient in ("training", "generator"):  # of training, and gone after it
            plain.pop(transient, None)
        yield name, type(part), plain
    for name, tensor in module.state_dict().items():
        yield name, tensor.dtype, tensor.shape


def weight_specs(module: nn.Module) -> dict[str, Spec]:
    """Give dtype and shape of every weight and buffer."""
    return {name: _spec(tensor) for name, tensor in module.state_dict().items()}


def _spec(tensor: torch.Tensor) -> Spec:
    return {torch.float32: "F32", torch.float64: "F64"}[tensor.dtype], tuple(tensor.shape)


def weight_arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Give the values of every weight and buffer."""
    return {name: tensor.cpu().numpy() for name, tensor in module.state_dict().items()}


def younger_buffers(module: nn.Module) -> dict[str, torch.Tensor]:
    """Give what stands for buffers that files of earlier versions lack."""
    return {
        f"{prefix}.{name}": torch.full_like(part.get_buffer(name), value, device="cpu")
        for prefix, part in module.named_modules()
        for name, value in getattr(part, "younger_buffers", {}).items()
    }


def fill(module: nn.Module, arrays: dict[str, np.ndarray]) -> None:
    """Give an outline its values."""
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    tensors = {**younger_buffers(module), **tensors}
    module.load_state_dict(tensors, assign=True)
    module.eval()


def optimizer_fields(state: dict[str, Any], order: list[str]) -> dict[str, Any]:
    """Say which optimizer it was, and the `order` in which it counts the parameters.

    Its state has a number for each; the file has names.
    """
    unseen = [name for index, name in enumerate(order) if index not in state["state"]]
    return {"name": state["optimizer"], "parameters": order, "unseen": unseen}


def _seen(fields: dict[str, Any]) -> dict[int, str]:
    """Give number and name of the parameters that there is a state for."""
    unseen = set(fields["unseen"])
    return {n: name for n, name in enumerate(fields["parameters"]) if name not in unseen}


def optimizer_arrays(fields: dict[str, Any], state: dict[str, Any]) -> dict[str, np.ndarray]:
    """Give the values of the optimizer's state."""
    arrays = {
        f"{moment}.{name}": state["state"][index][moment].numpy()
        for index, name in _seen(fields).items()
        for moment in _MOMENTS[fields["name"]]
    }
    if fields["name"] != "sgd":
        steps = [float(state["state"][index]["step"]) for index in _seen(fields)]
        arrays["step"] = np.array(steps, dtype=np.float32)
    return arrays


def optimizer_specs(data: Any, module: nn.Module) -> dict[str, Spec]:
    """Say which arrays belong to an optimizer of `module` that `data` describes."""
    fields = Fields(data, "optimizer")
    name, order = fields.take("name", str), fields.take("parameters", list)
    unseen = fields.take("unseen", list)
    fields.close()
    parameters = dict(module.named_parameters())
    if name not in _MOMENTS:
        raise ValueError(f"its optimizer {name!r:.50} is unknown.")
    if sorted(order) != sorted(parameters) or not set(unseen) <= set(order):
        raise ValueError("its optimizer is not one of the module's parameters.")
    seen = _seen(data)
    specs = {
        f"{moment}.{parameter}": _spec(parameters[parameter])
        for parameter in seen.values()
        for moment in _MOMENTS[name]
    }
    if name != "sgd":
        specs["step"] = "F32", (len(seen),)
    return specs


def make_optimizer_state(
    data: dict[str, Any], arrays: dict[str, np.ndarray], order: list[str]
) -> dict[str, Any]:
    """Build the state as the engine keeps it, from arrays that `optimizer_specs` gives."""
    # Numbers are the engine's own, never the file's: torch's fused optimizers do not check
    # that a state has its parameter's shape, and write past its end.
    numbers = {name: index for index, name in enumerate(order)}
    state: dict[int, dict[str, torch.Tensor]] = {}
    for place, parameter in enumerate(_seen(data).values()):
        index = numbers[parameter]
        entry = (
            {"step": torch.tensor(arrays["step"][place], device="cpu")} if "step" in arrays else {}
        )
        for moment in _MOMENTS[data["name"]]:
            entry[moment] = torch.from_numpy(arrays[f"{moment}.{parameter}"])
        state[index] = entry
    return {"optimizer": data["name"], "state": state}


def module_state(
    module: nn.Module, optimizer_state: dict[str, Any], order: list[str]
) -> dict[str, Any]:
    """Give the state of a trained module and its optimizer, which counts in that `order`."""
    fields = optimizer_fields(optimizer_state, order)
    optimizer = {**fields, "values": optimizer_arrays(fields, optimizer_state)}
    return {"weights": weight_arrays(module), "optimizer": optimizer}


def check_module(state: State, module: nn.Module) -> None:
    """Check the arrays of a `module_state` against an outline, before any is read."""
    there = state.specs()
    younger = younger_buffers(module)
    for name, spec in weight_specs(module).items():
        if there.get(f"weights.{name}") != spec and not (
            name in younger and f"weights.{name}" not in there
        ):
            raise ValueError(
                f"the array {name!r:.200} of its module must be {spec[0]} of shape {spec[1]}, "
                f"and is {there.get(f'weights.{name}', 'absent')}."
            )


def read_module(state: State, module: nn.Module, order: list[str]) -> dict[str, Any]:
    """Give the outline `module` its values, and make its optimizer's state.

    `order` is that of the module's parameters in an optimizer.
    """
    check_module(state, module)
    return state.read(lambda state: _read_module(state, module, order))


def _read_module(state: State, module: nn.Module, order: list[str]) -> dict[str, Any]:
    weights, optimizer = state.part("weights"), state.part("optimizer")
    there = weights.specs()
    dtypes = {"F32": np.float32, "F64": np.float64}

    def take(part: State, specs: dict[str, Spec], finite: bool) -> dict[str, np.ndarray]:
        return {
            name: part.array(name, shape, dtypes[dtype], finite=finite)
            for name, (dtype, shape) in specs.items()
        }

    specs = weight_specs(module)
    fill(module, take(weights, {k: v for k, v in specs.items() if k in there}, True))
    weights.close()
    fields = {name: optimizer.take(name, str, list) for name in ("name", "parameters", "unseen")}
    values, specs = optimizer.part("values"), optimizer_specs(fields, module)
    # A training that diverged leaves its last good weights, and an optimizer past them.
    arrays = take(values, specs, False)
    values.close()
    optimizer.close()
    return make_optimizer_state(fields, arrays, order)
