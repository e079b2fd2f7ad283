"""The masks of `reference` on a GPU, in one pass over the data."""

import torch
import triton
import triton.language as tl

from .reference import _COLUMN, _ROUNDS

_BLOCK = 1024


@triton.jit
def _drop(
    x_ptr, bits_ptr, out_ptr, n, width, limit, scale,
    STEP: tl.constexpr, FIRST: tl.constexpr, SECOND: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = at < n
    row = at // width
    column = (at - row * width).to(tl.uint32)
    bits = tl.load(bits_ptr + row, mask=inside, other=0)
    low = (bits & 0xFFFFFFFF).to(tl.uint32)
    high = ((bits >> 32) & 0xFFFFFFFF).to(tl.uint32)
    number = low + column * tl.full((1,), STEP, tl.uint32)
    number = (number ^ (number >> 16)) * tl.full((1,), FIRST, tl.uint32)
    number = number ^ (number >> 15) ^ high
    number = number * tl.full((1,), SECOND, tl.uint32)
    number = number ^ (number >> 15)
    x = tl.load(x_ptr + at, mask=inside, other=0.0)
    kept = number.to(tl.int64) < limit
    tl.store(out_ptr + at, tl.where(kept, x * scale, 0.0).to(x.dtype), mask=inside)


def dropped(x: torch.Tensor, bits: torch.Tensor, limit: int, scale: float) -> torch.Tensor:
    """`x` (..., channels) times `scale`, or 0, by the `bits` (...) of its rows."""
    x = x.contiguous()
    out = torch.empty_like(x)
    n = x.numel()
    if n:
        _drop[(triton.cdiv(n, _BLOCK),)](
            x, bits.contiguous(), out, n, x.shape[-1], limit, scale,
            STEP=_COLUMN, FIRST=_ROUNDS[0], SECOND=_ROUNDS[1], BLOCK=_BLOCK,
        )  # fmt: skip
    return out
