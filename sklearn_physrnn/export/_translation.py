"""What a module of torch does to tensors, as nodes of ONNX."""

import operator
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import fx, nn
from torch.export.graph_signature import InputKind

from ._elementwise import ELEMENTWISE
from ._graph import CannotExportError, Graph, Value
from ._shaping import SHAPING
from ._writer import Writer, plain

_OPERATIONS = {**ELEMENTWISE, **SHAPING}

# What torch notes down of tensors, and does not do to them.
_NOTES = ("aten::_assert", "aten::sym_constrain", "aten::sym_size")

_EXAMPLE = 5  # of a size that is free: neither 0 nor 1, which torch takes for fixed


def call(graph: Graph, module: nn.Module, *inputs: Value) -> list[Value]:
    """Add all that `module` does to `inputs`, tensors like its own.

    Raises
    ------
    CannotExportError
        If it does more than a graph can hold.
    """
    program = _followed(module, inputs)
    missing = _missing(program)
    while missing:
        smaller = _decomposed(program, missing)
        left = _missing(smaller)
        if left >= missing:
            raise CannotExportError(
                f"{_what(module)} cannot be exported: it uses {', '.join(sorted(left))}, "
                "of which no form in ONNX is known here. Write it with other operations of torch."
            )
        program, missing = smaller, left
    return _Translation(graph, program, inputs).outputs()


def _followed(module: nn.Module, inputs: Sequence[Value]) -> torch.export.ExportedProgram:
    """Follow a module through tensors like `inputs`, whose free sizes stay free."""
    examples = tuple(
        torch.zeros([size if isinstance(size, int) else _example(size) for size in value.shape],
                    dtype=value.dtype)
        for value in inputs
    )  # fmt: skip
    free = tuple(
        {i: size for i, size in enumerate(value.shape) if not isinstance(size, int)}
        for value in inputs
    )
    try:
        with torch.no_grad():
            return torch.export.export(
                _Called(module.eval()), examples, dynamic_shapes=(free,), strict=False
            )
    except Exception as error:  # of any kind: the module may be a user's
        first = next(iter(str(error).strip().splitlines()), "")
        raise CannotExportError(
            f"{_what(module)} cannot be exported: it must do the same operations of torch "
            f"whatever the values of its tensors are, and torch.export says "
            f"{type(error).__name__}: {first}"
        ) from error


def _what(module: nn.Module) -> str:
    """Give what messages call a module."""
    return str(getattr(module, "what", type(module).__name__))


class _Called(nn.Module):
    """A module with inputs that have no names."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.module(*inputs)


def _example(size: Any) -> int:
    """Give a number for a size that is free, or a multiple of one that is."""
    return size.fn(_EXAMPLE) if hasattr(size, "fn") else _EXAMPLE


def _missing(program: torch.export.ExportedProgram) -> set[str]:
    """Name the operations that have no form, unless they only concern what never changes."""
    signature = program.graph_signature
    changing = set(signature.user_inputs)
    found = set()
    for node in program.graph.nodes:
        if not changing.intersection(part.name for part in node.all_input_nodes):
            continue
        changing.add(node.name)
        name = _name_of(node)
        if name is not None and name not in _OPERATIONS and not name.startswith(_NOTES):
            found.add(name)
    return found


def _decomposed(
    program: torch.export.ExportedProgram, names: set[str]
) -> torch.export.ExportedProgram:
    """Put what operations are made of in their place."""
    table = torch.export.default_decompositions()
    own = {op: made_of for op, made_of in table.items() if op._schema.name in names}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch's, of its own code
        return program.run_decompositions(own)


def _name_of(node: fx.Node) -> str | None:
    """Name the operation of torch that a node is, if it is one on tensors."""
    own = isinstance(node.target, torch._ops.OpOverload)
    return node.target._schema.name if own else None  # type: ignore[union-attr]


class _Translation:
    """Of one program, into a graph."""

    def __init__(
        self, graph: Graph, program: torch.export.ExportedProgram, inputs: Sequence[Value]
    ) -> None:
        self._graph, self._program = graph, program
        self._known: dict[fx.Node, Any] = {}
        self._free: dict[Any, Any] = {}  # what symbols stand for
        self._writer = Writer(graph, self._bound(inputs))

    def _bound(self, inputs: Sequence[Value]) -> dict[Any, tuple[Value, int, int]]:
        """Bind weights and inputs; say where sizes that are free are found."""
        kept = {**self._program.state_dict, **self._program.constants}
        given, found = iter(inputs), {}  # type: ignore[var-annotated]
        placeholders = [n for n in self._program.graph.nodes if n.op == "placeholder"]
        specs = self._program.graph_signature.input_specs
        for node, spec in zip(placeholders, specs, strict=True):
            if spec.kind is not InputKind.USER_INPUT:
                self._known[node] = kept[spec.target].detach()
                continue
            value = self._known[node] = next(given)
            for axis, (own, size) in enumerate(
                zip(value.shape, node.meta["val"].shape, strict=True)
            ):
                if isinstance(own, int):
                    continue
                number, symbol = _parts(size)
                self._free.setdefault(symbol, own if number == 1 else own.root)
                found.setdefault(symbol, (value, axis, number))
        return found

    def outputs(self) -> list[Value]:
        """Write all nodes; give what comes of them."""
        for node in self._program.graph.nodes:
            if node.op == "call_function":
                self._known[node] = self._of(node)
        (output,) = (n for n in self._program.graph.nodes if n.op == "output")
        return [self._declared(node) for node in output.args[0]]

    def _of(self, node: fx.Node) -> Any:
        name = _name_of(node)
        if isinstance(node.meta.get("val"), torch.SymInt | int | torch.SymBool | bool):
            return node.meta["val"]
        if name is not None and name.startswith(_NOTES):
            return None
        args: Any = fx.node.map_arg(node.args, self._known.get)
        kwargs: Any = fx.node.map_arg(node.kwargs, self._known.get)
        if node.target is operator.getitem:
            return args[0][args[1]]
        if not _has_values((args, kwargs)):
            return node.target(*args, **kwargs)  # type: ignore[operator]  # weights alone
        assert name is not None
        return _OPERATIONS[name](self._writer, node, *args, **kwargs)

    def _declared(self, node: fx.Node) -> Value:
        """Give an output with sizes as the graph declares them."""
        found, of = self._known[node], node.meta["val"]
        sizes = []
        for size in map(plain, of.shape):
            if isinstance(size, int):
                sizes.append(size)
                continue
            number, symbol = _parts(size)
            sizes.append(self._free[symbol] if number == 1 else number * self._free[symbol])
        if not isinstance(found, Value):  # a weight
            found = Value(self._writer.name(found, of.dtype), of.dtype, ())
        return found._replace(shape=tuple(sizes))


def _parts(size: torch.SymInt) -> tuple[int, Any]:
    number, symbol = size.node.expr.as_coeff_Mul()
    return int(number), symbol


def _has_values(x: Any) -> bool:
    """Tell whether something among arguments is only known when the graph runs."""
    if isinstance(x, Value) or isinstance(plain(x), torch.SymInt):
        return True
    if isinstance(x, dict):
        return any(map(_has_values, x.values()))
    return isinstance(x, list | tuple) and any(map(_has_values, x))
