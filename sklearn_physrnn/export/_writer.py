"""What operations of torch are written with: arguments as names in a graph, in their types."""

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import fx

from ._graph import Graph, Value


class Writer:
    """Writes nodes for operations of torch.

    An argument is a :class:`Value`, a tensor where it does not change, or a number. A size
    that is only known when the graph runs is one of torch's symbols.

    Parameters
    ----------
    graph : Graph
    symbols : dict of expression to (Value, int, int)
        Inputs that have a size, so many times, in an axis.
    """

    def __init__(self, graph: Graph, symbols: dict[Any, tuple[Value, int, int]]) -> None:
        self.graph, self._symbols = graph, symbols

    def name(self, x: Any, dtype: torch.dtype) -> str:
        """Give the name of an argument, in `dtype`."""
        if isinstance(x, Value):
            return self.graph.cast(x, dtype).name
        if isinstance(x, torch.SymInt):
            return self.graph.cast(Value(self._size(x), torch.int64, (1,)), dtype).name
        return self.graph.constant(torch.as_tensor(x, dtype=dtype).numpy())

    def result(self, node: fx.Node, op: str, *inputs: str, **attributes: Any) -> Value:
        """Write the node that does what `node` of torch's graph does."""
        return self.value(node, self.graph.node(op, *inputs, **attributes))

    def value(self, node: fx.Node, name: str) -> Value:
        """Say what torch knows of the value `name`."""
        of = node.meta["val"]
        return Value(name, of.dtype, tuple(map(plain, of.shape)))

    def values(self, node: fx.Node, names: Sequence[str]) -> list[Value]:
        """Do so for several outputs."""
        found = zip(names, node.meta["val"], strict=True)
        return [Value(name, of.dtype, tuple(map(plain, of.shape))) for name, of in found]

    def sizes(self, sizes: Iterable[Any]) -> str:
        """Give the name of a list of sizes."""
        sizes = [plain(size) for size in sizes]
        if all(isinstance(size, int) for size in sizes):
            return self.graph.integers(*sizes)
        parts = [self.graph.integers(s) if isinstance(s, int) else self._size(s) for s in sizes]
        return parts[0] if len(parts) == 1 else self.graph.node("Concat", *parts, axis=0)

    def _size(self, size: torch.SymInt) -> str:
        number, symbol = size.node.expr.as_coeff_Mul()
        value, axis, times = self._symbols[symbol]
        name = self.graph.node("Shape", value.name, start=axis, end=axis + 1)
        for op, factor in (("Div", times), ("Mul", int(number))):
            if factor != 1:
                name = self.graph.node(op, name, self.graph.integers(factor))
        return name


def plain(size: Any) -> Any:
    """Give a size as a number, if it is one."""
    known = isinstance(size, torch.SymInt) and size.node.expr.is_number
    return int(size) if known else size


def common(a: Any, b: Any) -> torch.dtype:
    """Give the type in which torch takes two arguments together."""
    return torch.result_type(_like(a), _like(b))


def _like(x: Any) -> Any:
    return torch.empty((1,) * len(x.shape), dtype=x.dtype) if isinstance(x, Value) else x


def rank(x: Any) -> int:
    """Count an argument's dimensions."""
    return len(x.shape)
