"""Dropout whose masks follow from a key and from each element's place, and are never kept.

A row's place is any integer that no other row has; the same row and column are dropped under
the same key wherever in a tensor they stand, and the way back finds them again.
"""

from typing import Any, cast

import numpy as np
import torch

from .reference import SCALE_BITS, row_bits
from .reference import dropped as _reference

_COMPILED = (torch.float32, torch.float64)


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bits, p):
        ctx.save_for_backward(bits)
        ctx.p = p
        return _dropped(x, bits, p)

    @staticmethod
    def backward(ctx, grad):
        return _Drop.apply(grad, *ctx.saved_tensors, ctx.p), None, None


def _dropped(x: torch.Tensor, bits: torch.Tensor, p: float) -> torch.Tensor:
    limit = min(int((1 - p) * 2**SCALE_BITS), 2**SCALE_BITS - 1)
    if not x.is_cpu or x.dtype not in _COMPILED:
        return _reference(x, bits, limit, 1 / (1 - p))
    from . import cpu  # compiled code, only when it is first needed

    rows = x.detach().contiguous().view(-1, x.shape[-1]).numpy()
    out = cpu.dropped(rows, bits.view(-1).numpy(), np.uint32(limit), 1 / (1 - p))
    return torch.from_numpy(out).view_as(x)


def dropout(x: torch.Tensor, places: torch.Tensor, key: torch.Tensor, p: float) -> torch.Tensor:
    """Set a share `p` of the elements to zero, and divide the others by 1 - p.

    Differentiable in `x`. Nothing here waits for a device.

    Parameters
    ----------
    x : Tensor of shape (..., channels)
    places : int64 Tensor of shape (...)
        Of each row, on the device of `x`.
    key : int64 Tensor of shape ()
    p : float
        0 to 1, without 1.

    Returns
    -------
    Tensor like `x`
    """
    if places.shape != x.shape[:-1]:
        raise ValueError(
            f"places must be of shape {tuple(x.shape[:-1])}, got {tuple(places.shape)}."
        )
    return cast(Any, _Drop.apply(x, row_bits(places, key), p))
