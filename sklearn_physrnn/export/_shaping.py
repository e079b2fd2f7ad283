"""Operations of torch that move numbers, or put several together."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from ._graph import CannotExportError, Value
from ._writer import Writer, plain, rank

Operation = Callable[..., Any]
_FAR = 2**62  # beyond every end


def _axis(x: Any, dim: int) -> int:
    return dim % max(rank(x), 1)


def _name(w: Writer, node, x) -> str:
    return w.name(x, node.meta["val"].dtype)


# -- shapes -----------------------------------------------------------------------------------


def _viewed(w: Writer, node, x, *_, **__):
    sizes = [plain(size) for size in node.meta["val"].shape]
    free = [i for i, size in enumerate(sizes) if not isinstance(size, int)]
    if len(free) == 1:
        sizes[free[0]] = -1  # which Reshape finds by itself
    return w.result(node, "Reshape", _name(w, node, x), w.sizes(sizes))


def _transposed(w: Writer, node, x, a=0, b=1):
    axes = list(range(rank(x)))
    if axes:
        a, b = _axis(x, a), _axis(x, b)
        axes[a], axes[b] = axes[b], axes[a]
    return w.result(node, "Transpose", _name(w, node, x), perm=axes)


def _permuted(w: Writer, node, x, dims):
    return w.result(node, "Transpose", _name(w, node, x), perm=[_axis(x, d) for d in dims])


def _unsqueezed(w: Writer, node, x, dim):
    axis = dim % (rank(x) + 1)
    return w.result(node, "Unsqueeze", _name(w, node, x), w.graph.integers(axis))


def _squeezed(w: Writer, node, x, dims):
    dims = [dims] if isinstance(dims, int) else dims
    axes = [_axis(x, d) for d in dims if x.shape[_axis(x, d)] == 1]
    if not axes:
        return w.value(node, _name(w, node, x))
    return w.result(node, "Squeeze", _name(w, node, x), w.graph.integers(*axes))


def _expanded(w: Writer, node, x, sizes, *, implicit=False):
    # Of ones, Expand keeps what is there.
    sizes = [1 if isinstance(size, int) and size == -1 else size for size in sizes]
    return w.result(node, "Expand", _name(w, node, x), w.sizes(sizes))


def _sliced(w: Writer, node, x, dim=0, start=None, end=None, step=1):
    bounds = [0 if start is None else start, _FAR if end is None else end]
    if bounds == [0, _FAR] and step == 1:
        return w.value(node, _name(w, node, x))
    names = [w.sizes([bound]) for bound in bounds]
    axis, step = w.graph.integers(_axis(x, dim)), w.graph.integers(step)
    return w.result(node, "Slice", _name(w, node, x), *names, axis, step)


def _selected(w: Writer, node, x, dim, index):
    at = w.graph.constant(np.array(index, dtype=np.int64))
    return w.result(node, "Gather", _name(w, node, x), at, axis=_axis(x, dim))


def _flipped(w: Writer, node, x, dims):
    axes = [_axis(x, d) for d in dims]
    ends, starts, steps = ([n] * len(axes) for n in (-_FAR, -1, -1))
    names = (w.graph.integers(*numbers) for numbers in (starts, ends, axes, steps))
    return w.result(node, "Slice", _name(w, node, x), *names)


# -- parts, and what is put together ----------------------------------------------------------


def _unbound(w: Writer, node, x, dim=0):
    axis = _axis(x, dim)
    name = w.name(x, x.dtype)
    at = (w.graph.constant(np.array(i, dtype=np.int64)) for i in range(x.shape[axis]))
    return w.values(node, [w.graph.node("Gather", name, i, axis=axis) for i in at])


def _split(w: Writer, node, x, sizes, dim=0):
    lengths = [part.shape[_axis(x, dim)] for part in node.meta["val"]]
    if len(lengths) == 1:
        return [x]
    names = w.graph.nodes(
        "Split", w.name(x, x.dtype), w.graph.integers(*lengths),
        n_outputs=len(lengths), axis=_axis(x, dim),
    )  # fmt: skip
    return w.values(node, names)


def _joined(w: Writer, node, parts, dim=0):
    parts = [x for x in parts if tuple(x.shape) != (0,)]  # torch skips what is empty
    names = [_name(w, node, x) for x in parts]
    return w.result(node, "Concat", *names, axis=_axis(parts[0], dim))


def _stacked(w: Writer, node, parts, dim=0):
    axis = dim % (rank(parts[0]) + 1)
    at = w.graph.integers(axis)
    names = [w.graph.node("Unsqueeze", _name(w, node, x), at) for x in parts]
    return w.value(node, names[0]) if len(names) == 1 else w.result(
        node, "Concat", *names, axis=axis
    )  # fmt: skip


def _looked_up(w: Writer, node, table, indices, *_, **__):
    return w.result(node, "Gather", _name(w, node, table), w.name(indices, torch.int64), axis=0)


def _index_selected(w: Writer, node, x, dim, indices):
    indices = w.name(indices, torch.int64)
    return w.result(node, "Gather", _name(w, node, x), indices, axis=_axis(x, dim))


def _gathered(w: Writer, node, x, dim, indices, **_):
    indices = w.name(indices, torch.int64)
    return w.result(node, "GatherElements", _name(w, node, x), indices, axis=_axis(x, dim))


def _indexed(w: Writer, node, x, indices):
    """Take by one list of places; torch allows more."""
    axes = [axis for axis, places in enumerate(indices) if places is not None]
    if len(axes) != 1:
        raise CannotExportError(
            "Indexing with several tensors at once has no form in ONNX here; take one after the "
            "other."
        )
    places = indices[axes[0]]
    if places.dtype is torch.bool:
        raise CannotExportError(
            "Indexing with a mask gives as many numbers as it likes, and cannot be exported; take "
            "torch.where."
        )
    return _index_selected(w, node, x, axes[0], places)


def _repeated(w: Writer, node, x, repeats):
    name = _name(w, node, x)
    if len(repeats) > rank(x):
        axes = w.graph.integers(*range(len(repeats) - rank(x)))
        name = w.graph.node("Unsqueeze", name, axes)
    return w.result(node, "Tile", name, w.sizes(repeats))


# -- new tensors ------------------------------------------------------------------------------


def _full(w: Writer, node, sizes, value, **_):
    dtype = node.meta["val"].dtype
    return w.result(node, "Expand", w.name(value, dtype), w.sizes(sizes))


def _full_like(w: Writer, node, x, value, **_):
    dtype = node.meta["val"].dtype
    shape = w.graph.node("Shape", w.name(x, x.dtype))
    return w.result(node, "Expand", w.name(value, dtype), shape)


# -- over axes --------------------------------------------------------------------------------


def _reduced(op: str) -> Operation:
    def write(w: Writer, node, x, dims=None, keepdim=False, **_):
        dims = [dims] if isinstance(dims, int) else dims
        axes = [_axis(x, d) for d in dims] if dims else list(range(rank(x)))
        name = _name(w, node, x)
        return w.result(node, op, name, w.graph.integers(*axes), keepdims=int(keepdim))

    return write


def _extreme(op: str) -> Operation:
    def write(w: Writer, node, x, dim=None, keepdim=False):
        if not isinstance(dim, int | None):  # of two tensors
            dtype = node.meta["val"].dtype
            return w.result(node, op, w.name(x, dtype), w.name(dim, dtype))
        axes = w.graph.integers(*(range(rank(x)) if dim is None else [_axis(x, dim)]))
        value = w.graph.node(f"Reduce{op}", w.name(x, x.dtype), axes, keepdims=int(keepdim))
        if dim is None:
            return w.value(node, value)
        place = w.graph.node(
            f"Arg{op}", w.name(x, x.dtype), axis=_axis(x, dim), keepdims=int(keepdim)
        )
        return w.values(node, [value, place])

    return write


def _place(op: str) -> Operation:
    def write(w: Writer, node, x, dim=None, keepdim=False):
        name = w.name(x, x.dtype)
        if dim is None:
            name, dim = w.graph.node("Reshape", name, w.graph.integers(-1)), 0
        axis = _axis(x, dim)
        return w.result(node, op, name, axis=axis, keepdims=int(keepdim))

    return write


def _length(w: Writer, node, x, order=2, dims=None, keepdim=False, **_):
    if order not in (1, 2):
        raise CannotExportError(f"The norm of order {order} cannot be exported; take 1 or 2.")
    return _reduced(f"ReduceL{order}")(w, node, x, dims, keepdim)


def _varied(w: Writer, node, x, dims=None, *, correction=1, keepdim=False):
    dims = [dims] if isinstance(dims, int) else dims
    axes = [_axis(x, d) for d in dims] if dims else list(range(rank(x)))
    name, at = _name(w, node, x), w.graph.integers(*axes)
    apart = w.graph.node("Sub", name, w.graph.node("ReduceMean", name, at, keepdims=1))
    square = w.graph.node("Mul", apart, apart)
    mean = w.graph.node("ReduceMean", square, at, keepdims=int(keepdim))
    n = math.prod(x.shape[axis] for axis in axes)
    return w.result(node, "Mul", mean, w.name(n / (n - correction), node.meta["val"].dtype))


def _of_truths(op: str) -> Operation:
    def write(w: Writer, node, x, dim=None, keepdim=False):
        axes = w.graph.integers(*(range(rank(x)) if dim is None else [_axis(x, dim)]))
        number = w.graph.cast(Value(w.name(x, torch.bool), torch.bool, ()), torch.int64).name
        found = w.graph.node(op, number, axes, keepdims=int(keepdim))
        return w.value(node, w.graph.cast(Value(found, torch.int64, ()), torch.bool).name)

    return write


def _summed_up(w: Writer, node, x, dim, **_):
    axis = w.graph.constant(np.array(_axis(x, dim), dtype=np.int64))
    return w.result(node, "CumSum", _name(w, node, x), axis)


def _sorted(w: Writer, node, x, dim=-1, descending=False):
    axis = _axis(x, dim)
    names = w.graph.nodes(
        "TopK", w.name(x, x.dtype), w.graph.integers(x.shape[axis]),
        n_outputs=2, axis=axis, largest=int(descending), sorted=1,
    )  # fmt: skip
    return w.values(node, names)


# -- products ---------------------------------------------------------------------------------


def _product(w: Writer, node, a, b):
    return w.result(node, "MatMul", _name(w, node, a), _name(w, node, b))


def _linear(w: Writer, node, x, weight, bias=None):
    name = _name(w, node, x)
    if rank(x) == 2 and bias is not None:
        weight, bias = _name(w, node, weight), _name(w, node, bias)
        return w.result(node, "Gemm", name, weight, bias, transB=1)
    if isinstance(weight, Value):
        turned = w.graph.node("Transpose", weight.name, perm=[1, 0])
    else:
        turned = _name(w, node, weight.T)
    product = w.graph.node("MatMul", name, turned)
    return w.value(node, product) if bias is None else w.result(
        node, "Add", product, _name(w, node, bias)
    )  # fmt: skip


def _added_product(w: Writer, node, bias, a, b, *, beta=1, alpha=1):
    names = (_name(w, node, x) for x in (a, b, bias))
    return w.result(node, "Gemm", *names, alpha=float(alpha), beta=float(beta))


def _einsum(w: Writer, node, equation, parts, **_):
    names = (_name(w, node, x) for x in parts)
    return w.result(node, "Einsum", *names, equation=equation)


# -- layers -----------------------------------------------------------------------------------


def _layer_norm(w: Writer, node, x, shape, weight=None, bias=None, eps=1e-5, *_):
    dtype = node.meta["val"].dtype
    weight = torch.ones(list(shape)) if weight is None else weight
    names = [w.name(part, dtype) for part in (x, weight, *([] if bias is None else [bias]))]
    return w.result(node, "LayerNormalization", *names, axis=-len(shape), epsilon=eps)


def _gated(w: Writer, node, x, dim=-1):
    name = _name(w, node, x)
    halves = w.graph.nodes("Split", name, n_outputs=2, axis=_axis(x, dim), num_outputs=2)
    return w.result(node, "Mul", halves[0], w.graph.node("Sigmoid", halves[1]))


def _softmax(op: str) -> Operation:
    def write(w: Writer, node, x, dim, *_):
        return w.result(node, op, _name(w, node, x), axis=_axis(x, dim))

    return write


SHAPING: dict[str, Operation] = {
    **dict.fromkeys(
        (
            "aten::view", "aten::reshape", "aten::_unsafe_view", "aten::flatten",
            "aten::unflatten",
        ),
        _viewed,
    ),
    "aten::transpose": _transposed,
    "aten::t": _transposed,
    "aten::numpy_T": lambda w, node, x: _permuted(w, node, x, range(rank(x))[::-1]),
    "aten::mT": lambda w, node, x: _transposed(w, node, x, -1, -2),
    "aten::permute": _permuted,
    "aten::unsqueeze": _unsqueezed,
    "aten::squeeze": _squeezed,
    "aten::expand": _expanded,
    "aten::slice": _sliced,
    "aten::select": _selected,
    "aten::flip": _flipped,
    "aten::unbind": _unbound,
    "aten::split": _split,
    "aten::split_with_sizes": _split,
    "aten::chunk": _split,
    "aten::cat": _joined,
    "aten::concat": _joined,
    "aten::stack": _stacked,
    "aten::embedding": _looked_up,
    "aten::index": _indexed,
    "aten::index_select": _index_selected,
    "aten::gather": _gathered,
    "aten::repeat": _repeated,
    "aten::full": _full,
    "aten::zeros": lambda w, node, sizes, **_: _full(w, node, sizes, 0),
    "aten::ones": lambda w, node, sizes, **_: _full(w, node, sizes, 1),
    "aten::new_full": lambda w, node, _, sizes, value, **__: _full(w, node, sizes, value),
    "aten::new_zeros": lambda w, node, _, sizes, **__: _full(w, node, sizes, 0),
    "aten::new_ones": lambda w, node, _, sizes, **__: _full(w, node, sizes, 1),
    "aten::full_like": _full_like,
    "aten::zeros_like": lambda w, node, x, **_: _full_like(w, node, x, 0),
    "aten::ones_like": lambda w, node, x, **_: _full_like(w, node, x, 1),
    "aten::sum": _reduced("ReduceSum"),
    "aten::mean": _reduced("ReduceMean"),
    "aten::prod": _reduced("ReduceProd"),
    "aten::amax": _reduced("ReduceMax"),
    "aten::amin": _reduced("ReduceMin"),
    "aten::logsumexp": _reduced("ReduceLogSumExp"),
    "aten::max": _extreme("Max"),
    "aten::min": _extreme("Min"),
    "aten::linalg_vector_norm": _length,
    "aten::var": _varied,
    "aten::argmax": _place("ArgMax"),
    "aten::argmin": _place("ArgMin"),
    "aten::any": _of_truths("ReduceMax"),
    "aten::all": _of_truths("ReduceMin"),
    "aten::cumsum": _summed_up,
    "aten::sort": _sorted,
    "aten::matmul": _product,
    "aten::mm": _product,
    "aten::bmm": _product,
    "aten::linear": _linear,
    "aten::addmm": _added_product,
    "aten::einsum": _einsum,
    "aten::layer_norm": _layer_norm,
    "aten::glu": _gated,
    "aten::softmax": _softmax("Softmax"),
    "aten::_softmax": _softmax("Softmax"),
    "aten::log_softmax": _softmax("LogSoftmax"),
    "aten::_log_softmax": _softmax("LogSoftmax"),
}  # fmt: skip
