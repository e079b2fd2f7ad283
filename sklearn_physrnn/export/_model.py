"""An estimator as a file of ONNX."""

import json
from typing import Any

import torch
from onnx import ModelProto, checker, helper
from torch import nn

from .._version import __version__
from ..nn._one_step import NetworkStep
from ..preparation.tables import TableInputs
from ._answers import answer, by_name
from ._graph import IR_VERSION, OPSET, CannotExportError, Graph, Value
from ._sequences import N_SAMPLES, one_step, whole_sequences
from ._tables import Columns, in_evaluation, network_of_rows
from ._translation import call

TYPES = {"float32": torch.float32, "float64": torch.float64}


def packed(estimator: Any, dtype: str, *, step: bool) -> bytes:
    """Give the bytes of a file that predicts as a fitted estimator does."""
    graph, name = Graph(), type(estimator).__name__
    network = in_evaluation(estimator.module_)
    first: dict[str, torch.Tensor] = {}
    if isinstance(estimator._prepared.inputs, TableInputs):
        if step:
            raise ValueError(
                f"step=True is for models of sequences: {name} takes tables, whose rows have no "
                "time. Leave it out."
            )
        inputs, outputs = _of_rows(estimator, network, graph, TYPES[dtype])
    elif step:
        inputs, outputs, first = one_step(estimator, _step_of(network), graph, TYPES[dtype])
    else:
        inputs, outputs = whole_sequences(estimator, _step_of(network), graph, TYPES[dtype])
    named = [graph.named(value, own, exactly=True) for own, value in outputs.items()]
    infos = [value.info() for value in inputs], [value.info() for value in named]
    model = helper.make_model(
        graph.proto(name, *infos),
        producer_name=__name__.partition(".")[0],
        producer_version=__version__,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    _describe(model, network, first)
    checker.check_model(model)
    return model.SerializeToString()


def _of_rows(
    estimator: Any, network: nn.Module, graph: Graph, dtype: torch.dtype
) -> tuple[list[Value], dict[str, Value]]:
    known = estimator._prepared
    if getattr(known.inputs, "place", None) is not None:
        raise CannotExportError(
            "This model cannot be exported: it looks near rows of training up, which a graph does "
            "not hold. Set neighbors=None."
        )
    X = Value("X", dtype, (N_SAMPLES, known.inputs.n_features))
    (x,) = call(graph, Columns(known.inputs), X)
    outputs = network_of_rows(network, graph, x)
    said = call(graph, answer(known.targets, dtype), outputs)
    return [X], by_name(known.targets, graph, said)


def _step_of(network: nn.Module) -> NetworkStep:
    make = getattr(network, "as_step", None)
    if make is None:
        raise CannotExportError(f"{type(network).__name__} cannot be exported: it knows no step.")
    try:
        step = make()
    except (TypeError, ValueError) as error:  # which says why there is none
        raise CannotExportError(f"This model cannot be exported. {error}") from error
    if step.patch_size > 1:
        raise CannotExportError(
            "A model of patches cannot be exported: what is left of a sequence is a patch that "
            f"is filled up. Set patch_size=1 (now {step.patch_size})."
        )
    return step


def _describe(model: ModelProto, network: nn.Module, first: dict[str, torch.Tensor]) -> None:
    """Write down what a caller of steps has to know besides inputs and outputs."""
    if not first:
        return
    numbers = {name: str(float(x.reshape(-1)[0])) for name, x in first.items()}
    helper.set_model_props(
        model, {"first_state": json.dumps(numbers), "every": str(getattr(network, "every", 1))}
    )
