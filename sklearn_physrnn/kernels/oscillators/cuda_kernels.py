"""Pieces of the loops over time of any oscillator, in Triton.

A program holds BLOCK modes of one sample. Where time stays in sequence a lane is a mode, and
what a program reads and writes are tiles (STEPS, BLOCK), a column a lane. To be laid out
like that, the compiler must not see that a row of modes starts where vectors may: it would
give a lane four modes, and spread the steps over lanes. Hence the kernels' `shift`, which is
zero, but only at run time. A warp's accesses coalesce all the same.
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


@triton.jit
def fetch(pointer, stride, n_left, valid, STEPS: tl.constexpr):
    """Up to STEPS rows, `stride` apart, from those that `pointer` has for every mode."""
    each = tl.arange(0, STEPS)[:, None]
    return tl.load(pointer + each * stride, mask=(each < n_left) & valid, other=0.0)


@triton.jit
def write(pointer, stride, n_left, valid, tile):
    """Up to as many rows as `tile` has, to where `pointer` has every mode's first."""
    each = tl.arange(0, tile.shape[0])[:, None]
    tl.store(pointer + each * stride, tile, mask=(each < n_left) & valid)


@triton.jit
def row_of(tile, i: tl.constexpr):
    """Row i of a tile; all rows are in the lane's own registers, and nothing is added."""
    each = tl.arange(0, tile.shape[0])[:, None]
    return tl.sum(tl.where(each == i, tile, 0.0), axis=0, keep_dims=True)


@triton.jit
def with_row(tile, i: tl.constexpr, row):
    """The tile with another row i, again without a move."""
    each = tl.arange(0, tile.shape[0])[:, None]
    return tl.where(each == i, row, tile)
