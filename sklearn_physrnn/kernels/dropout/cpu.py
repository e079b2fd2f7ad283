"""The masks of `reference` on the CPU, in one pass over the data."""

import numpy as np

from .._numba import jit
from .._threads import run, shards
from .reference import _COLUMN, _ROUNDS

_STEP = np.uint32(_COLUMN)
_FIRST, _SECOND = (np.uint32(factor) for factor in _ROUNDS)
_HALF, _OTHER = np.uint32(16), np.uint32(15)


@jit
def _drop(begin, end, x, bits, limit, scale, out):
    zero = x.dtype.type(0)
    for row in range(begin, end):
        low = np.uint32(bits[row])
        high = np.uint32(bits[row] >> 32)
        for j in range(x.shape[1]):
            n = np.uint32(low + np.uint32(np.uint32(j) * _STEP))
            n = np.uint32(np.uint32(n ^ (n >> _HALF)) * _FIRST)
            n = np.uint32(n ^ (n >> _OTHER) ^ high)
            n = np.uint32(n * _SECOND)
            n = np.uint32(n ^ (n >> _OTHER))
            out[row, j] = x[row, j] * scale if n < limit else zero


def dropped(x: np.ndarray, bits: np.ndarray, limit: np.uint32, scale: float) -> np.ndarray:
    """`x` (rows, channels) times `scale`, or 0, by the `bits` (rows,) of its rows."""
    out = np.empty_like(x)
    arguments = x, bits, limit, x.dtype.type(scale), out
    run(lambda _, begin, end: _drop(begin, end, *arguments), shards(len(x), x.shape[1]))
    return out
