"""A graph of ONNX that grows: constants and nodes."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

OPSET = 20  # the first with Gelu
IR_VERSION = 10  # what belongs to it

TYPES = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int32: TensorProto.INT32,
    torch.int64: TensorProto.INT64,
    torch.bool: TensorProto.BOOL,
}
_TEXTS = "OSU"  # NumPy's kinds of them


class CannotExportError(ValueError):
    """Something has no form in ONNX."""


class Value(NamedTuple):
    """A tensor of a graph.

    Attributes
    ----------
    name : str
    dtype : torch.dtype or None
        None of texts.
    shape : tuple
        Numbers; a size that is free is a ``torch.export.Dim``.
    """

    name: str
    dtype: torch.dtype | None
    shape: tuple[Any, ...]

    def info(self) -> ValueInfoProto:
        """Give what ONNX is told of it."""
        shape = [size if isinstance(size, int) else size.__name__ for size in self.shape]
        kind = TensorProto.STRING if self.dtype is None else TYPES[self.dtype]
        return helper.make_tensor_value_info(self.name, kind, shape)


class Graph:
    """Nodes in order, and the constants that they read.

    Parameters
    ----------
    outer : Graph or None
        Of which this one is a loop's body: constants and names are kept there.
    """

    def __init__(self, outer: "Graph | None" = None) -> None:
        self._root: Graph = self if outer is None else outer._root
        self._nodes: list[NodeProto] = []
        self._known: dict[tuple[Any, ...], list[str]] = {}
        self._constants: dict[tuple[Any, ...], tuple[str, np.ndarray]] = {}
        self._numbers = itertools.count()

    def fresh(self, what: str) -> str:
        """Give a name that is nowhere in this graph, nor in those around and inside it."""
        return f"{what}_{next(self._root._numbers)}"

    def constant(self, array: np.ndarray) -> str:
        """Give the name of an array that does not change."""
        texts = array.dtype.kind in _TEXTS
        content = str(array.tolist()) if texts else array.tobytes()
        key = (array.dtype.str, array.shape, content)
        known = self._root._constants
        if key not in known:
            known[key] = self.fresh("constant"), array
        return known[key][0]

    def integers(self, *numbers: int) -> str:
        """Give the name of a list of whole numbers."""
        return self.constant(np.array(numbers, dtype=np.int64))

    def nodes(self, op: str, *inputs: str, n_outputs: int, **attributes: Any) -> list[str]:
        """Add a node, unless there is one like it; give the names of its outputs."""
        key = (op, inputs, n_outputs, repr(attributes))
        if key not in self._known:
            outputs = self._known[key] = [self.fresh(op.lower()) for _ in range(n_outputs)]
            self._nodes.append(helper.make_node(op, inputs, outputs, **attributes))
        return self._known[key]

    def node(self, op: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of one output; give its name."""
        return self.nodes(op, *inputs, n_outputs=1, **attributes)[0]

    def cast(self, value: Value, dtype: torch.dtype) -> Value:
        """Give a value in another type."""
        if value.dtype is dtype:
            return value
        name = self.node("Cast", value.name, to=TYPES[dtype])
        return Value(name, dtype, value.shape)

    def named(self, value: Value, name: str, *, exactly: bool = False) -> Value:
        """Give a value again, under a name of this very graph's own."""
        name = name if exactly else self.fresh(name)
        self._nodes.append(helper.make_node("Identity", [value.name], [name]))
        return Value(name, value.dtype, value.shape)

    def proto(
        self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]
    ) -> GraphProto:
        """Give the graph itself, without what leads nowhere."""
        used = {info.name for info in outputs}
        nodes = []
        for node in reversed(self._nodes):
            if used.intersection(node.output):
                nodes.append(node)
                used |= _read_by(node)
        known = self._constants.values()
        constants = [_tensor(name, array) for name, array in known if name in used]
        return helper.make_graph(nodes[::-1], name, inputs, outputs, initializer=constants)


def _tensor(name: str, array: np.ndarray) -> TensorProto:
    if array.dtype.kind in _TEXTS:
        texts: Any = [str(text).encode() for text in array.ravel().tolist()]
        return helper.make_tensor(name, TensorProto.STRING, array.shape, texts)
    return numpy_helper.from_array(array, name)


def _read_by(node: NodeProto) -> set[str]:
    """Give the names that a node reads, and those that its bodies do."""
    found = set(node.input)
    for attribute in node.attribute:
        for inner in attribute.g.node:
            found |= _read_by(inner)
    return found
