"""The two decorators that every kernel's ``torch.autograd.Function`` wears."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import torch
from torch.autograd.function import once_differentiable

_Function = TypeVar("_Function", bound=Callable[..., Any])
_HALF = (torch.bfloat16, torch.float16)


def _device_type(args: tuple[Any, ...]) -> str:
    return next(x.device.type for x in args if isinstance(x, torch.Tensor))


def _float32(x: Any) -> Any:
    return x.float() if isinstance(x, torch.Tensor) and x.dtype in _HALF else x


def compiled_forward(function: _Function) -> _Function:
    """Give `function` float32 under autocast, on any device, and let it compute in that.

    torch.amp.custom_fwd does so too, but for one device type that it is told beforehand.
    """

    @wraps(function)
    def forward(ctx, *args):
        ctx.device_type = kind = _device_type(args)
        if not torch.is_autocast_enabled(kind):
            return function(ctx, *args)
        with torch.autocast(kind, enabled=False):
            return function(ctx, *map(_float32, args))

    return cast(_Function, forward)


def compiled_backward(function: _Function) -> _Function:
    """Run `function` without autocast, as its forward ran, and refuse a second derivative."""

    @wraps(function)
    def backward(ctx, *grads):
        # Not asked of the saved tensors: under torch.utils.checkpoint they can be had once.
        kind = ctx.device_type
        if not torch.is_autocast_enabled(kind):
            return function(ctx, *grads)
        with torch.autocast(kind, enabled=False):
            return function(ctx, *grads)

    return cast(_Function, once_differentiable(backward))
