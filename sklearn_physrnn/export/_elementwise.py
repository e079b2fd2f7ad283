"""Operations of torch that act number by number."""

import math
from collections.abc import Callable
from typing import Any

import torch

from ._graph import Value
from ._writer import Writer, common

Operation = Callable[..., Any]


def _alone(op: str) -> Operation:
    def write(w: Writer, node, x, *_):
        return w.result(node, op, w.name(x, node.meta["val"].dtype))

    return write


_OF_TRUTH = {"Add": "Or", "Mul": "And", "Max": "Or", "Min": "And"}


def _of_two(op: str) -> Operation:
    def write(w: Writer, node, a, b, *, alpha=1):
        dtype = node.meta["val"].dtype
        if dtype is torch.bool:
            return _of_truth(_OF_TRUTH[op])(w, node, a, b)
        second = w.name(b, dtype)
        if alpha != 1:
            second = w.graph.node("Mul", second, w.name(alpha, dtype))
        return w.result(node, op, w.name(a, dtype), second)

    return write


def _compared(op: str, *, denied: bool = False) -> Operation:
    def write(w: Writer, node, a, b):
        dtype = common(a, b)
        name = w.graph.node(op, w.name(a, dtype), w.name(b, dtype))
        return w.result(node, "Not", name) if denied else w.value(node, name)

    return write


def _of_truth(op: str) -> Operation:
    def write(w: Writer, node, *args):
        return w.result(node, op, *(w.name(x, torch.bool) for x in args))

    return write


def _made_of(formula: Callable[..., str]) -> Operation:
    """Write an operation of several nodes; `formula` takes their writer and names."""

    def write(w: Writer, node, *args, **options):
        dtype = node.meta["val"].dtype
        return w.value(node, formula(_Formula(w, dtype), *(w.name(x, dtype) for x in args)))

    return write


class _Formula:
    """Nodes of one type by their names, with numbers among the arguments."""

    def __init__(self, writer: Writer, dtype: torch.dtype) -> None:
        self._writer, self.dtype = writer, dtype

    def __getattr__(self, op: str) -> Callable[..., str]:
        def add(*args: Any, **attributes: Any) -> str:
            names = (x if isinstance(x, str) else self._writer.name(x, self.dtype) for x in args)
            return self._writer.graph.node(op, *names, **attributes)

        return add


def _expm1(f: Any, x: str) -> str:
    # exp(x) - 1 = tanh(x / 2) (exp(x) + 1), which keeps its digits near zero.
    return f.Mul(f.Tanh(f.Mul(x, 0.5)), f.Add(f.Exp(x), 1))


def _log1p(f: Any, x: str) -> str:
    # What rounding takes from 1 + x, the quotient gives back (Kahan).
    one_more = f.Add(x, 1)
    gained = f.Sub(one_more, 1)
    none = f.Equal(gained, 0)
    safe = f.Where(none, f.Add(f.Mul(x, 0), 1), gained)
    return f.Where(none, x, f.Mul(f.Log(one_more), f.Div(x, safe)))


def _atan2(f: Any, y: str, x: str) -> str:
    # Along the axis of y, the angle is a quarter turn.
    none = f.Equal(x, 0)
    safe = f.Where(none, f.Add(f.Mul(x, 0), 1), x)
    turn = f.Where(f.Less(y, 0), -math.pi, math.pi)
    angle = f.Add(f.Atan(f.Div(y, safe)), f.Where(f.Less(x, 0), turn, 0.0))
    upright = f.Mul(f.Sign(y), math.pi / 2)
    return f.Where(none, upright, angle)


def _erf(w: Writer, node, x):
    # Few have it for doubles.
    name = w.graph.node("Erf", w.name(x, torch.float32))
    found = Value(name, torch.float32, ())
    return w.value(node, w.graph.cast(found, node.meta["val"].dtype).name)


def _gelu(w: Writer, node, x, *, approximate="none"):
    name = w.graph.node("Gelu", w.name(x, torch.float32), approximate=approximate)
    found = Value(name, torch.float32, ())
    return w.value(node, w.graph.cast(found, node.meta["val"].dtype).name)


def _softplus(w: Writer, node, x, beta=1.0, threshold=20.0):
    f = _Formula(w, node.meta["val"].dtype)
    scaled = f.Mul(w.name(x, f.dtype), beta)
    return w.value(node, f.Where(f.Greater(scaled, threshold), w.name(x, f.dtype),
                                 f.Div(f.Softplus(scaled), beta)))  # fmt: skip


def _clamp(w: Writer, node, x, low=None, high=None):
    dtype = node.meta["val"].dtype
    name = w.name(x, dtype)
    if low is not None:
        name = w.graph.node("Max", name, w.name(low, dtype))
    if high is not None:
        name = w.graph.node("Min", name, w.name(high, dtype))
    return w.value(node, name)


def _divided(w: Writer, node, a, b, *, rounding_mode=None):
    f = _Formula(w, node.meta["val"].dtype)
    found = f.Div(w.name(a, f.dtype), w.name(b, f.dtype))
    if rounding_mode == "floor":
        found = f.Floor(found)
    elif rounding_mode == "trunc":
        found = f.Mul(f.Sign(found), f.Floor(f.Abs(found)))
    return w.value(node, found)


def _reversed(w: Writer, node, a, b, alpha=1):
    return _of_two("Sub")(w, node, b, a, alpha=alpha)


def _raised(w: Writer, node, x, exponent):
    dtype = node.meta["val"].dtype
    name = w.name(x, dtype)
    # Pow would take a logarithm.
    if isinstance(exponent, int | float) and exponent in (2, 3, 4):
        square = w.graph.node("Mul", name, name)
        if exponent == 2:
            return w.value(node, square)
        return w.result(node, "Mul", square, name if exponent == 3 else square)
    return w.result(node, "Pow", name, w.name(exponent, dtype))


def _chosen(w: Writer, node, condition, a, b):
    dtype = node.meta["val"].dtype
    return w.result(
        node, "Where", w.name(condition, torch.bool), w.name(a, dtype), w.name(b, dtype)
    )


def _filled(w: Writer, node, x, mask, value):
    return _chosen(w, node, mask, value, x)


def _same(w: Writer, node, x, *_, **__):
    dtype = node.meta["val"].dtype
    return w.value(node, w.name(x, dtype))


def _is_nan(w: Writer, node, x):
    return w.result(node, "IsNaN", w.name(x, x.dtype))


def _is_inf(w: Writer, node, x):
    f = _Formula(w, x.dtype)
    return w.value(node, f.Equal(f.Abs(w.name(x, x.dtype)), math.inf))


def _is_finite(w: Writer, node, x):
    f = _Formula(w, x.dtype)
    return w.value(node, f.Less(f.Abs(w.name(x, x.dtype)), math.inf))


def _round(w: Writer, node, x, *, decimals=0):
    f = _Formula(w, node.meta["val"].dtype)
    unit = 10.0**decimals
    return w.value(node, f.Div(f.Round(f.Mul(w.name(x, f.dtype), unit)), unit))


_SIMPLE = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "exp",
    "floor", "log", "neg", "reciprocal", "relu", "sigmoid", "sign", "sin", "sinh", "sqrt", "tan",
    "tanh",
)  # fmt: skip

ELEMENTWISE: dict[str, Operation] = {
    **{f"aten::{name}": _alone(name.capitalize()) for name in _SIMPLE},
    "aten::add": _of_two("Add"),
    "aten::sub": _of_two("Sub"),
    "aten::mul": _of_two("Mul"),
    "aten::rsub": _reversed,
    "aten::div": _divided,
    "aten::floor_divide": lambda w, node, a, b: _divided(w, node, a, b, rounding_mode="floor"),
    "aten::remainder": _made_of(lambda f, a, b: f.Sub(a, f.Mul(f.Floor(f.Div(a, b)), b))),
    "aten::fmod": _made_of(lambda f, a, b: f.Mod(a, b, fmod=1)),
    "aten::pow": _raised,
    "aten::square": _made_of(lambda f, x: f.Mul(x, x)),
    "aten::rsqrt": _made_of(lambda f, x: f.Reciprocal(f.Sqrt(x))),
    "aten::exp2": _made_of(lambda f, x: f.Exp(f.Mul(x, math.log(2)))),
    "aten::expm1": _made_of(_expm1),
    "aten::log1p": _made_of(_log1p),
    "aten::log2": _made_of(lambda f, x: f.Mul(f.Log(x), 1 / math.log(2))),
    "aten::log10": _made_of(lambda f, x: f.Mul(f.Log(x), 1 / math.log(10))),
    "aten::atan2": _made_of(_atan2),
    "aten::hypot": _made_of(lambda f, a, b: f.Sqrt(f.Add(f.Mul(a, a), f.Mul(b, b)))),
    "aten::silu": _made_of(lambda f, x: f.Mul(x, f.Sigmoid(x))),
    "aten::softplus": _softplus,
    "aten::elu": lambda w, node, x, alpha=1.0: w.result(
        node, "Elu", w.name(x, x.dtype), alpha=float(alpha)
    ),
    "aten::leaky_relu": lambda w, node, x, slope=0.01: w.result(
        node, "LeakyRelu", w.name(x, x.dtype), alpha=float(slope)
    ),
    "aten::erf": _erf,
    "aten::gelu": _gelu,
    "aten::round": _round,
    "aten::minimum": _of_two("Min"),
    "aten::maximum": _of_two("Max"),
    "aten::clamp": _clamp,
    "aten::clamp_min": lambda w, node, x, low: _clamp(w, node, x, low),
    "aten::clamp_max": lambda w, node, x, high: _clamp(w, node, x, None, high),
    "aten::where": _chosen,
    "aten::masked_fill": _filled,
    "aten::eq": _compared("Equal"),
    "aten::ne": _compared("Equal", denied=True),
    "aten::lt": _compared("Less"),
    "aten::le": _compared("LessOrEqual"),
    "aten::gt": _compared("Greater"),
    "aten::ge": _compared("GreaterOrEqual"),
    "aten::logical_and": _of_truth("And"),
    "aten::logical_or": _of_truth("Or"),
    "aten::logical_not": _of_truth("Not"),
    **dict.fromkeys(("aten::bitwise_and", "aten::__and__"), _of_truth("And")),
    **dict.fromkeys(("aten::bitwise_or", "aten::__or__"), _of_truth("Or")),
    "aten::bitwise_not": _of_truth("Not"),
    "aten::isnan": _is_nan,
    "aten::isinf": _is_inf,
    "aten::isfinite": _is_finite,
    **dict.fromkeys(
        (
            "aten::_to_copy", "aten::to", "aten::alias", "aten::clone", "aten::contiguous",
            "aten::detach", "aten::detach_", "aten::dropout", "aten::lift_fresh_copy",
        ),
        _same,
    ),
}  # fmt: skip
