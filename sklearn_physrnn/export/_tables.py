"""Estimators of tables: what they do to rows, as a graph."""

import copy
from functools import singledispatch
from typing import Any

import torch
from torch import nn

from ..nn._dynpmnn_layer import DynPMNNLayer
from ..nn.dynpmnn import DynPMNN
from ..preparation.categories import Categories
from ..preparation.tables import INDICATOR, TableInputs
from ._graph import CannotExportError, Graph, Value
from ._loops import repeated
from ._scaling import scaling
from ._translation import call


class Columns(nn.Module):
    """X (batch, n_features) to what the network sees of it, in float32.

    Rows that prediction would refuse become NaN.
    """

    numbers: torch.Tensor
    holed: torch.Tensor

    def __init__(self, inputs: TableInputs) -> None:
        super().__init__()
        assert inputs.scaler is not None
        self.register_buffer("numbers", torch.as_tensor(inputs.numbers))
        self.register_buffer("holed", torch.tensor(inputs.holed, dtype=torch.int64))
        self.scaling = scaling(inputs.scaler)
        self.refuses = inputs.missing == "error"
        self.categories = nn.ModuleList(
            _Indicators(own, self.refuses) for own in inputs.categories
        )

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        parts = [own(X) for own in self.categories]
        if len(self.holed):
            holes = X.index_select(1, self.holed).isnan()
            parts.insert(0, holes.to(torch.float32) * INDICATOR)
        if len(self.numbers):
            parts.insert(0, self._numbers(X.index_select(1, self.numbers)))
        return torch.cat(parts, 1)

    def _numbers(self, x: torch.Tensor) -> torch.Tensor:
        scaled = self.scaling(x)
        if not self.refuses:
            scaled = torch.where(x.isnan(), 0.0, scaled)
        return scaled.to(torch.float32)


class _Indicators(nn.Module):
    """One a category of a column, of numbers or none."""

    levels: torch.Tensor

    def __init__(self, own: Categories, refuses: bool) -> None:
        super().__init__()
        levels = [own.levels[position] for position in own.kept]
        texts = [level for level in levels if isinstance(level, str)]
        if texts:
            raise CannotExportError(
                f"Column {own.column} of X holds categories that are no numbers, such as "
                f"{texts[0]!r:.50}, and cannot be exported: a graph takes X as one array of "
                "numbers. Encode them before the fit, by OrdinalEncoder() say, and name the "
                "column in categorical_features."
            )
        # No number is NaN, so it is the missing ones' place.
        numbers = [float("nan") if level is None else float(level) for level in levels]
        self.register_buffer("levels", torch.tensor(numbers, dtype=torch.float64))
        self.missing = [level is None for level in levels]
        self.column, self.refuses = own.column, refuses

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        x = X[:, self.column : self.column + 1].double()
        found = x == self.levels
        if any(self.missing):
            found = found | (x.isnan() & torch.tensor(self.missing))
        ones = found.to(torch.float32)
        return torch.where(x.isnan(), torch.nan, ones) if self.refuses else ones


@singledispatch
def network_of_rows(network: nn.Module, graph: Graph, x: Value) -> Value:
    """Add what a network does to x (batch, n_columns)."""
    raise CannotExportError(f"The network {type(network).__name__} cannot be exported.")


@network_of_rows.register
def _(network: DynPMNN, graph: Graph, x: Value) -> Value:
    if network.embedding is not None:
        (x,) = call(graph, network.embedding, x)
    for index, layer in enumerate(network.layers):
        assert isinstance(layer, DynPMNNLayer)
        name = f"The vector field {type(layer.field).__name__}"
        state, drive = call(graph, _Part(layer, layer.start, name), x)
        body = _Part(layer, layer.advance, name)
        state = repeated(graph, body, layer.n_steps, state, drive)
        (x,) = call(graph, _Finish(network, index), x, state)
    return call(graph, _Part(network, network.conclude, "The head"), x)[0]


class _Part(nn.Module):
    """One of a module's methods; `what` messages call it."""

    def __init__(self, module: nn.Module, method: Any, what: str) -> None:
        super().__init__()
        self.module, self.method, self.what = module, method, what

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.method(*inputs)


class _Finish(nn.Module):
    """What a layer passes on."""

    def __init__(self, network: DynPMNN, index: int) -> None:
        super().__init__()
        self.network, self.index = network, index
        self.what = f"What layer {index} passes on"

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        layer = self.network.layers[self.index]
        assert isinstance(layer, DynPMNNLayer)
        return self.network.passed_on(self.index, x, layer.finish(state))


def in_evaluation(network: nn.Module) -> nn.Module:
    """Give a copy of a network as it predicts in float32, without gradients."""
    return copy.deepcopy(network).to("cpu", torch.float32).eval().requires_grad_(False)
