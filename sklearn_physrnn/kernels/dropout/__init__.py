"""Dropout whose masks follow from a key and from each element's place, and are never kept.

A row's place is any integer that no other row has; the same row and column are dropped under
the same key wherever in a tensor they stand, and the way back finds them again.
"""

from typing import Any, cast

import numpy as np
import torch

from .._dispatch import choose_backend, triton_works
from .reference import SCALE_BITS, row_bits
from .reference import dropped as _reference


class _Drop(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bits, p, backend):
        ctx.save_for_backward(bits)
        ctx.options = p, backend
        return _dropped(x, bits, p, backend)

    @staticmethod
    def backward(ctx, grad):
        return _Drop.apply(grad, *ctx.saved_tensors, *ctx.options), None, None, None


def _dropped(x: torch.Tensor, bits: torch.Tensor, p: float, backend: str) -> torch.Tensor:
    limit = min(int((1 - p) * 2**SCALE_BITS), 2**SCALE_BITS - 1)
    if backend == "reference":
        return _reference(x, bits, limit, 1 / (1 - p))
    if backend == "cuda":
        from . import cuda

        return cuda.dropped(x, bits, limit, 1 / (1 - p))
    from . import cpu  # compiled code, only when it is first needed

    rows = x.detach().contiguous().view(-1, x.shape[-1]).numpy()
    out = cpu.dropped(rows, bits.view(-1).numpy(), np.uint32(limit), 1 / (1 - p))
    return torch.from_numpy(out).view_as(x)


def dropout(
    x: torch.Tensor, places: torch.Tensor, key: torch.Tensor, p: float, backend: str | None = None
) -> torch.Tensor:
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
    backend : {"cpu", "cuda", "reference"} or None
        For tests and benchmarks; by default the tensors' device decides.

    Returns
    -------
    Tensor like `x`
    """
    if places.shape != x.shape[:-1]:
        raise ValueError(
            f"places must be of shape {tuple(x.shape[:-1])}, got {tuple(places.shape)}."
        )
    if backend is None and x.is_cuda and triton_works():
        backend = "cuda"  # in half precision, too, since there is nothing to add up
    chosen = choose_backend(x, backend)
    return cast(Any, _Drop.apply(x, row_bits(places, key), p, chosen))
