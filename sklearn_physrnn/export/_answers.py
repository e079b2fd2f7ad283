"""What targets make of a network's outputs, as a graph."""

from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import nn

from ..preparation.class_targets import ClassTargets
from ..preparation.label_sets import LabelSets
from ..preparation.log_targets import LogTargets
from ..preparation.number_targets import NumberTargets
from ..preparation.step_classes import StepClasses
from ..preparation.step_targets import StepTargets
from ..preparation.targets import Targets
from ._graph import CannotExportError, Graph, Value

NUMPY: dict[torch.dtype, np.dtype] = {
    torch.float32: np.dtype(np.float32),
    torch.float64: np.dtype(np.float64),
    torch.int64: np.dtype(np.int64),
    torch.bool: np.dtype(np.bool_),
}

_LABELS = {"b": torch.bool, "i": torch.int64, "u": torch.int64, "f": torch.float64}


@singledispatch
def answer(targets: Targets, dtype: torch.dtype) -> nn.Module:
    """Give a module that makes of outputs (..., n_outputs) what a model with X of `dtype` says."""
    raise CannotExportError(f"Targets of the kind {type(targets).__name__} cannot be exported.")


@singledispatch
def by_name(targets: Targets, graph: Graph, said: list[Value]) -> dict[str, Value]:
    """Give what such a module said the names that callers know, and labels their own type."""
    return {"y": said[0]}


class _Numbers(nn.Module):
    """Outputs (..., n_outputs) to numbers in the units of y."""

    center: torch.Tensor
    scale: torch.Tensor

    def __init__(self, targets: NumberTargets, dtype: torch.dtype) -> None:
        super().__init__()
        scaler = targets.fitted_scaler
        self.register_buffer("center", torch.as_tensor(scaler.center))
        self.register_buffer("scale", torch.as_tensor(scaler.scale))
        self.several, self.shape = targets.several, targets.prediction_shape
        self.dtype = torch.float32 if scaler.resolved_by(NUMPY[dtype]) else torch.float64
        self.dtype = torch.promote_types(self.dtype, dtype)

    def forward(self, outputs: torch.Tensor) -> tuple[torch.Tensor]:
        outputs = outputs.double().unflatten(-1, (len(self.center), -1))
        values = outputs * self.scale[:, None] + self.center[:, None]
        if self.several:
            values = values.sort(-1).values
        largest = torch.finfo(self.dtype).max
        values = values.clamp(-largest, largest)
        return (values.reshape(*values.shape[:-2], *self.shape).to(self.dtype),)


class _LogNumbers(_Numbers):
    """Logarithms of means to means, in the units of y."""

    def forward(self, outputs: torch.Tensor) -> tuple[torch.Tensor]:
        (values,) = super().forward(outputs.double().exp())
        return (values.clamp(min=torch.finfo(self.dtype).tiny),)


class _Probabilities(nn.Module):
    """Outputs (..., n_classes) to the place of the largest, and to probabilities."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return outputs.argmax(-1), outputs.softmax(-1).to(self.dtype)


class _LabelSets(nn.Module):
    """Outputs (..., n_labels) to 0 or 1 for each label, and to probabilities."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, outputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (outputs > 0).long(), outputs.sigmoid().to(self.dtype)


class _AtSteps(nn.Module):
    """What is said of steps, NaN past a sample's end, and past the last class there."""

    def __init__(self, step: nn.Module, n_outputs: int) -> None:
        super().__init__()
        self.step, self.past = step, n_outputs

    def forward(self, outputs: torch.Tensor, inside: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Take outputs (batch, time, n_outputs), and where (batch, time, 1) there are steps."""
        said = []
        for values in self.step(outputs):
            here = inside.reshape(*inside.shape[:2], *(1 for _ in values.shape[2:]))
            past = torch.nan if values.is_floating_point() else self.past
            said.append(torch.where(here, values, past))
        return tuple(said)


@answer.register
def _(targets: NumberTargets, dtype: torch.dtype) -> nn.Module:
    return _Numbers(targets, dtype)


@answer.register
def _(targets: LogTargets, dtype: torch.dtype) -> nn.Module:
    return _LogNumbers(targets, dtype)


@answer.register
def _(targets: ClassTargets, dtype: torch.dtype) -> nn.Module:
    return _Probabilities(dtype)


@answer.register
def _(targets: LabelSets, dtype: torch.dtype) -> nn.Module:
    return _LabelSets(dtype)


@answer.register
def _(targets: StepTargets, dtype: torch.dtype) -> nn.Module:
    return _AtSteps(answer(targets.step, dtype), targets.n_outputs)


@by_name.register
def _(targets: ClassTargets, graph: Graph, said: list[Value]) -> dict[str, Value]:
    place, probabilities = said
    return {"y": _labels(graph, targets.classes, place), "probabilities": probabilities}


@by_name.register
def _(targets: LabelSets, graph: Graph, said: list[Value]) -> dict[str, Value]:
    return {"y": said[0], "probabilities": said[1]}


@by_name.register
def _(targets: StepClasses, graph: Graph, said: list[Value]) -> dict[str, Value]:
    place, probabilities = said
    classes = np.asarray(targets.classes)
    past = targets.answer().past
    if past is None:  # which no graph can say
        past = {None: "", torch.bool: False}.get(label_type(classes), -1)
    return {
        "y": _labels(graph, [*classes.tolist(), past], place, like=classes),
        "probabilities": probabilities,
    }


def _labels(graph: Graph, labels: Any, place: Value, like: np.ndarray | None = None) -> Value:
    """Give what stands at a place among the labels."""
    dtype = label_type(np.asarray(labels) if like is None else like)
    known = np.asarray(labels, dtype=np.dtype(object) if dtype is None else NUMPY[dtype])
    return Value(graph.node("Gather", graph.constant(known), place.name), dtype, place.shape)


def label_type(classes: np.ndarray) -> torch.dtype | None:
    """Give the type of labels in a graph, None of texts.

    Raises
    ------
    CannotExportError
        If there is none.
    """
    if classes.dtype.kind == "U" or all(isinstance(label, str) for label in classes.tolist()):
        return None
    if classes.dtype.kind not in _LABELS:
        raise CannotExportError(
            f"Labels of the dtype {classes.dtype} cannot be exported; fit to numbers, booleans or "
            "text."
        )
    return _LABELS[classes.dtype.kind]
