"""The two decorators that every kernel's ``torch.autograd.Function`` wears."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch.amp import custom_bwd, custom_fwd
from torch.autograd.function import once_differentiable

_Function = TypeVar("_Function", bound=Callable[..., Any])


def compiled_forward(function: _Function) -> _Function:
    """Give `function` float32 under autocast: compiled code knows no bfloat16."""
    wrapped = custom_fwd(function, device_type="cpu", cast_inputs=torch.float32)
    return cast(_Function, wrapped)


def compiled_backward(function: _Function) -> _Function:
    """Run `function` as its forward ran, and refuse a second derivative."""
    wrapped = once_differentiable(custom_bwd(function, device_type="cpu"))
    return cast(_Function, wrapped)
