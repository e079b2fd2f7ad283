"""Small matrix products inside a time loop.

A step's products, some 8 rows by a weight matrix, are too small for BLAS: its set-up
and its own threads cost as much as the work, and limiting those threads is a setting
of the whole process. So the innermost tile, 4 rows by up to 4 vectors kept in
registers, is written here as LLVM vectors. It runs at the speed that the machine's
BLAS has on large matrices, and touches nothing global.
"""

from math import prod

import numpy as np
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .._numba import jit

ROWS = 4
# Without AVX-512 there are 16 vector registers of 32 bytes (or NEON's 32 of 16): two
# vectors a row then fill them.
_AVX512 = binding.get_host_cpu_features().get("avx512f", False)
_VECTOR_BYTES = 64 if _AVX512 else 32
_WIDE = 4 if _AVX512 else 2
_CACHE_LINE = 64


def lanes(dtype):
    """Numbers of `dtype` in a vector; columns are padded to a multiple of it."""
    return _VECTOR_BYTES // np.dtype(dtype).itemsize


def _make_tile(n_vectors, height=ROWS):
    """An intrinsic for one tile, `height` rows by `n_vectors`, of :func:`matmul`."""

    @intrinsic
    def tile(
        context, left, left_at, left_stride, left_step, n_rows, n_summed,
        right, right_at, right_stride, out, out_at, out_stride, accumulate,
    ):  # fmt: skip
        whole = types.intp
        signature = types.void(
            left, whole, whole, whole, whole, whole,
            right, whole, whole, out, whole, whole, types.boolean,
        )  # fmt: skip
        item_bytes = np.dtype(str(left.dtype)).itemsize
        n_lanes = lanes(str(left.dtype))

        def codegen(context, builder, signature, args):
            (_, left_at, left_stride, left_step, n_rows, n_summed,
             _, right_at, right_stride, _, out_at, out_stride, accumulate) = args  # fmt: skip
            integer = left_at.type
            vector = ir.VectorType(context.get_data_type(left.dtype), n_lanes)
            zero = ir.Constant(vector, [0.0] * n_lanes)
            undefined = ir.Constant(vector, ir.Undefined)
            splat = ir.Constant(ir.VectorType(ir.IntType(32), n_lanes), [0] * n_lanes)

            def pointer(position, offset):
                array = make_array(signature.args[position])(context, builder, args[position])
                return builder.gep(array.data, [offset])

            def vector_at(base, v):
                address = builder.gep(base, [integer(v * n_lanes)])
                return builder.bitcast(address, vector.as_pointer())

            def load(address):
                value = builder.load(address)
                value.align = item_bytes
                return value

            # Rows from `n_rows` on do not exist on the left: read the last one again.
            last = builder.sub(n_rows, integer(1))
            lefts, outs = [], []
            for r in range(height):
                row = integer(r)
                outs.append(builder.gep(pointer(9, out_at), [builder.mul(out_stride, row)]))
                row = builder.select(builder.icmp_signed("<", row, last), row, last)
                lefts.append(builder.gep(pointer(0, left_at), [builder.mul(left_stride, row)]))
            right_pointer = pointer(6, right_at)
            tiles = [(r, v) for r in range(height) for v in range(n_vectors)]
            # Stack slots, which LLVM turns into registers.
            sums = {tile: cgutils.alloca_once(builder, vector) for tile in tiles}
            with builder.if_else(accumulate) as (then, otherwise):
                with then:
                    for r, v in tiles:
                        builder.store(load(vector_at(outs[r], v)), sums[r, v])
                with otherwise:
                    for r, v in tiles:
                        builder.store(zero, sums[r, v])
            with cgutils.for_range(builder, n_summed) as loop:
                base = builder.gep(right_pointer, [builder.mul(loop.index, right_stride)])
                rights = [load(vector_at(base, v)) for v in range(n_vectors)]
                position = builder.mul(loop.index, left_step)
                for r in range(height):
                    scalar = builder.load(builder.gep(lefts[r], [position]))
                    scalar = builder.insert_element(undefined, scalar, ir.IntType(32)(0))
                    factor = builder.shuffle_vector(scalar, undefined, splat)
                    for v in range(n_vectors):
                        product = builder.fmul(factor, rights[v], flags=("contract",))
                        total = builder.load(sums[r, v])
                        total = builder.fadd(total, product, flags=("contract",))
                        builder.store(total, sums[r, v])
            for r, v in tiles:
                stored = builder.store(builder.load(sums[r, v]), vector_at(outs[r], v))
                stored.align = item_bytes
            return context.get_dummy_value()

        return signature, codegen

    return tile


_wide_tile = _make_tile(_WIDE)
_narrow_tile = _make_tile(1)
_LONG = 2 * _WIDE
_long_row = _make_tile(_LONG, 1)
_short_row = _make_tile(1, 1)


@jit
def matmul(
    left, left_stride, left_step, n_rows, n_summed,
    right, right_stride, out, out_stride, n_columns, n_lanes, accumulate,
):  # fmt: skip
    """``out (+)= left @ right``, on flat arrays that begin where the matrices do.

    Element (r, k) of the left matrix is ``left[r * left_stride + k * left_step]``;
    the others are row-major with the strides given. `out` has `n_rows` rounded up to
    a multiple of 4 rows, all of them written, but of a single one no more than that;
    `n_columns` is a multiple of `n_lanes`.
    """
    first = 0
    while n_rows == 1 and first < n_columns:
        if n_columns - first >= _LONG * n_lanes:
            _long_row(
                left, 0, left_stride, left_step, n_rows, n_summed,
                right, first, right_stride, out, first, out_stride, accumulate,
            )  # fmt: skip
            first += _LONG * n_lanes
        else:
            _short_row(
                left, 0, left_stride, left_step, n_rows, n_summed,
                right, first, right_stride, out, first, out_stride, accumulate,
            )  # fmt: skip
            first += n_lanes
    while first < n_columns:
        wide = n_columns - first >= _WIDE * n_lanes
        for row in range(0, n_rows, ROWS):
            at, to = row * left_stride, row * out_stride + first
            if wide:
                _wide_tile(
                    left, at, left_stride, left_step, n_rows - row, n_summed,
                    right, first, right_stride, out, to, out_stride, accumulate,
                )  # fmt: skip
            else:
                _narrow_tile(
                    left, at, left_stride, left_step, n_rows - row, n_summed,
                    right, first, right_stride, out, to, out_stride, accumulate,
                )  # fmt: skip
        first += _WIDE * n_lanes if wide else n_lanes


def aligned_empty(shape, dtype):
    """Array at the start of a cache line: a vector across two loads at half the speed."""
    size = prod(shape) if isinstance(shape, tuple) else shape
    room = np.empty(size + _CACHE_LINE, dtype)
    address, _ = room.__array_interface__["data"]
    start = -address % _CACHE_LINE // room.itemsize
    return room[start : start + size].reshape(shape)


def padded(n_columns, dtype):
    """`n_columns` rounded up to whole vectors."""
    width = lanes(dtype)
    return -(-n_columns // width) * width


def pad_columns(matrices):
    """Copy of `matrices` (..., rows, columns), columns padded with zeros."""
    width = padded(matrices.shape[-1], matrices.dtype)
    out = aligned_empty((*matrices.shape[:-1], width), matrices.dtype)
    out[..., : matrices.shape[-1]] = matrices
    out[..., matrices.shape[-1] :] = 0
    return out
