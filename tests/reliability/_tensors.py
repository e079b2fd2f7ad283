"""Hostile tensors, and what is none, for modules and kernels."""

import numpy as np
import torch
from hypothesis import strategies as st

VALUES = {
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": -float("inf"),
    "huge": 3e38,
    "-huge": -3e38,
    "denormal": 1e-45,
    "zero": 0.0,
    "negative": -1.0,
    "large": 1e6,
}
WILD = {"nan", "inf", "-inf", "huge", "-huge"}


def _filled(x: torch.Tensor, value: float, everywhere: bool) -> torch.Tensor:
    if not x.is_floating_point():
        value = int(np.nan_to_num(value, posinf=2**62, neginf=-(2**62), nan=7).clip(-9e18, 9e18))
    x = x.clone()
    if everywhere:
        return x.fill_(value)
    x.view(-1)[-1:] = value
    return x


CHANGES = {
    **{f"a {name}": lambda x, v=value: _filled(x, v, False) for name, value in VALUES.items()},
    **{f"all {name}": lambda x, v=value: _filled(x, v, True) for name, value in VALUES.items()},
    **{
        f"of {dtype}": lambda x, dtype=dtype: x.to(dtype)
        for dtype in (
            torch.float64, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.uint8,
            torch.bool, torch.complex64,
        )
    },
    "an axis more": lambda x: x.unsqueeze(-1),
    "an axis more in front": lambda x: x.unsqueeze(0),
    "an axis less": lambda x: x[..., 0],
    "a row less": lambda x: x[1:],
    "a row": lambda x: x[:1],
    "no row": lambda x: x[:0],
    "a column less": lambda x: x[..., 1:],
    "no column": lambda x: x[..., :0],
    "a column more": lambda x: torch.cat([x, x[..., :1]], -1),
    "no second axis": lambda x: x[:, :0],
    "a step less": lambda x: x[:, 1:],
    "flat": torch.flatten,
    "swapped": lambda x: x.transpose(0, -1),
    "one number": lambda x: x.sum(),
    "strided": lambda x: x.repeat_interleave(2, -1)[..., ::2],
    "expanded": lambda x: x[:1].expand_as(x),
    "column-major": lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    "with gradient": lambda x: x.detach().clone().requires_grad_(x.is_floating_point()),
    "meta": lambda x: x.to("meta"),
    "sparse": lambda x: x.to_sparse(),
    "array": lambda x: x.detach().numpy(),
    "list": lambda x: x.tolist(),
    "tuple": tuple,
    **{f"{thing!r}": lambda x, thing=thing: thing for thing in ("x", 3, 2.5, {}, [], object, b"")},
}  # fmt: skip


def _apply(change, x):
    try:
        return change(x)
    except (RuntimeError, ValueError, TypeError, IndexError):
        return x


@st.composite
def changed(draw, arguments: dict) -> tuple[dict[str, list[str]], dict]:
    """`arguments` with none, one or two of them made hostile, and the names of the changes."""
    arguments, done = dict(arguments), {}
    names = sorted(name for name, x in arguments.items() if isinstance(x, torch.Tensor))
    for name in draw(st.lists(st.sampled_from(names), max_size=2, unique=True)):
        done[name] = draw(st.lists(st.sampled_from(sorted(CHANGES)), min_size=1, max_size=2))
        for change in done[name]:
            if isinstance(arguments[name], torch.Tensor):
                arguments[name] = _apply(CHANGES[change], arguments[name])
    return done, arguments


def tame(done: dict[str, list[str]]) -> bool:
    """Whether no number was put in that its type or float32's square cannot hold."""
    if "float16" in repr(done) and "large" in repr(done):
        return False
    changes = [change for names in done.values() for change in names]
    return not any(change.partition(" ")[2] in WILD for change in changes)
