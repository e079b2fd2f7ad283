"""Pieces of the loops over time of any oscillator, in Triton.

A program holds BLOCK modes of one sample.
"""

import triton
import triton.language as tl


@triton.jit
def where_am_i(lengths, first, n_steps, n_modes, BLOCK: tl.constexpr):
    """Row (in 64 bits), modes, whether they exist, and number of steps to run."""
    n_blocks = tl.cdiv(n_modes, BLOCK)
    row = (tl.program_id(0) // n_blocks).to(tl.int64)
    mode = (tl.program_id(0) % n_blocks) * BLOCK + tl.arange(0, BLOCK)
    n_run = tl.minimum(tl.maximum(tl.load(lengths + row) - first, 0), n_steps).to(tl.int32)
    return row, mode, mode < n_modes, n_run


@triton.jit
def clear(pointer, n_rows, n_modes, mode, valid, ROWS: tl.constexpr):
    """Write zeros to `n_rows` rows from `pointer` on."""
    each = tl.arange(0, ROWS)
    zeros = tl.zeros((ROWS, mode.shape[0]), pointer.dtype.element_ty)
    for begin in range(0, n_rows, ROWS):
        there = (begin + each < n_rows)[:, None] & valid[None, :]
        tl.store(pointer + (each[:, None] * n_modes + mode[None, :]), zeros, mask=there)
        pointer += ROWS * n_modes
