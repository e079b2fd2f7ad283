"""The loop that runs programs, on the CPU.

Shape letters: N streams, T steps, C channels; R streams of a block, whose registers have room
for `room` rows; P oscillators, H neurons.
"""

import math
from typing import Any

import numpy as np
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from .._exponentials import gelu_plane
from .._numba import jit
from ..oscillators.linear.cpu import run_row
from ..oscillators.linear.cpu_turn import turn
from ..oscillators.nonlinear.cpu import run_rows
from ..petnn.cpu_forward import forward_shard
from ..petnn.cpu_gemm import ROWS, matmul
from ..petnn.cpu_layout import CELL, STATE
from ..petnn.cpu_math import sigmoid
from .codes import BAD_INPUT, BAD_OUTPUT, DONE, Code


def _without_owner(context, array):
    """An array without an owner, whose slices are not counted: that took most of a short step.

    Whoever called keeps the numbers.
    """

    def codegen(context, builder, signature, args):
        made = make_array(signature.args[0])(context, builder, args[0])
        made.meminfo = cgutils.get_null_value(made.meminfo.type)
        made.parent = cgutils.get_null_value(made.parent.type)
        return made._getvalue()

    return array(array), codegen


_borrowed: Any = intrinsic(_without_owner)

# Loops over two arrays, each by itself: of more LLVM does not find out that they are apart, and
# then does not vectorise.


@jit
def _copy(source, n, out):
    for j in range(n):
        out[j] = source[j]


@jit
def _load(x, start, t, n_rows, out, width):
    for i in range(n_rows):
        _copy(x[start + i, t], x.shape[2], out[i * width :])


@jit
def _load_scaled(x, start, t, n_rows, numbers, out, width):
    n = x.shape[2]
    center, scale, limit = numbers[:n], numbers[n : 2 * n], numbers[2 * n]
    for i in range(n_rows):
        for c in range(n):
            z = (np.float64(x[start + i, t, c]) - center[c]) / scale[c]
            z = limit if z > limit else (-limit if z < -limit else z)
            out[i * width + c] = z


@jit
def _look_up(x, start, t, n_rows, table, out, size, width):
    for i in range(n_rows):
        _copy(table[int(x[start + i, t, 0]) * size :], size, out[i * width :])


@jit
def _affine(x, x_width, n_in, n_rows, matrix, stride, bias, biased, out, width, n_lanes):
    if biased:
        for i in range(n_rows):
            _copy(bias, width, out[i * width :])
    matmul(x, x_width, 1, n_rows, n_in, matrix, stride, out, width, width, n_lanes, biased)


@jit
def _standardise(x, size, width, n_rows, numbers, out):
    mean, scale = numbers[:size], numbers[size : 2 * size]
    for i in range(n_rows):
        row, to = x[i * width :], out[i * width :]
        for j in range(size):
            to[j] = (row[j] - mean[j]) * scale[j]


@jit
def _normalise(x, size, width, n_rows, numbers, eps, out):
    weight, bias = numbers[:size], numbers[size : 2 * size]
    for i in range(n_rows):
        row, to = x[i * width :], out[i * width :]
        mean = 0.0
        for j in range(size):
            mean += row[j]
        mean /= size
        square = 0.0
        for j in range(size):
            square += (row[j] - mean) * (row[j] - mean)
        scale = 1.0 / math.sqrt(square / size + eps)
        for j in range(size):
            to[j] = (row[j] - mean) * scale * weight[j] + bias[j]


@jit
def _rectify(plane):
    zero = plane.dtype.type(0)
    for j in range(len(plane)):
        plane[j] = zero if plane[j] < zero else plane[j]  # a NaN stays one


@jit
def _gate(x, x_width, n_rows, out, size, width):
    for i in range(n_rows):
        row, to = x[i * x_width :], out[i * width :]
        for j in range(size):
            to[j] = sigmoid(row[size + j])
        for j in range(size):
            to[j] *= row[j]


@jit
def _add(x, n_rows, factor, scaled, out, size, width):
    for i in range(n_rows):
        row, to = x[i * width :], out[i * width :]
        if scaled:
            for j in range(size):
                to[j] += factor[j] * row[j]
        else:
            for j in range(size):
                to[j] += row[j]


@jit
def _part(passed, steps):
    """Size and gap of a step: as they are, or of what passes; `steps` (2,) receives them."""
    steps[0], steps[1] = passed[0], passed.dtype.type(0)
    if len(passed) == 2:
        steps[1] = passed[1]
    elif passed[0] > 1:
        steps[0], steps[1] = passed.dtype.type(1), passed[0] - passed.dtype.type(1)


@jit
def _three(rows, size):
    """Rows of a matrix: cheaper than to reshape it."""
    return rows[:size], rows[size : 2 * size], rows[2 * size : 3 * size]


@jit
def _swing(
    drive, width, n_modes, start, n_rows, coefs, rates, exact, state, at, dt, t, steps, out
):  # fmt: skip
    angles = _three(exact, n_modes)
    size = steps[: min(dt.size, 1)]
    for i in range(n_rows):
        own = state[start + i]
        z, y = own[at : at + n_modes], own[at + n_modes : at + 2 * n_modes]
        if dt.size > 0:
            _part(dt[start + i, t], steps)
            if steps[1] > 0:
                turn(z, y, steps[1], angles, rates)
        run_row(coefs, rates, z, y, (drive[i * width :],), size, (out[i * width :],))


@jit
def _swing_hard(drive, width, n_modes, start, n_rows, rows, state, at, dt, t, out):
    rows = rows[: 6 * n_modes].reshape(6, n_modes)
    one = np.ones(1, np.int64)
    steps = np.ones((1, 2 * min(dt.size, 1), min(dt.size, 1)), drive.dtype)
    no_power, no_rest = np.empty((1, 0), drive.dtype), np.empty((1, 0, 0), drive.dtype)
    for i in range(n_rows):
        own = state[start + i, at : at + 2 * n_modes].reshape(2, 1, n_modes)
        if dt.size > 0:
            _part(dt[start + i, t], steps[0, :, 0])
        u = drive[i * width : i * width + n_modes].reshape(1, 1, n_modes)
        o = out[i * width : i * width + n_modes].reshape(1, 1, n_modes)
        run_rows(rows, own[0], own[1], no_power, u, steps, one, 0, o, no_rest)


@jit
def _excite(
    x, x_width, n_inputs, start, n_rows, weights, recurrent, facts, state, dt, t, scratch,
    out, size, width, n_lanes,
):  # fmt: skip
    at_s, at_c, at_t = int(facts[1]), int(facts[2]), int(facts[3])
    n_blocks, planes = int(facts[4]), int(facts[5])
    room = 1 if n_rows == 1 else -(-n_rows // ROWS) * ROWS
    plane = room * width
    slots = scratch[: 2 * planes * plane]
    rest = scratch[2 * planes * plane :]
    inputs = rest[: n_rows * n_inputs].reshape(n_rows, 1, n_inputs)
    rest = rest[n_rows * n_inputs :]
    part = n_rows * size
    t0 = rest[:part].reshape(n_rows, size)
    said = rest[part : 2 * part].reshape(n_rows, 1, size)
    s = rest[2 * part : 3 * part].reshape(n_rows, size)
    c = rest[3 * part : 4 * part].reshape(n_rows, size)
    after = rest[4 * part : 5 * part].reshape(n_rows, size)
    passed = np.empty((0, 0), scratch.dtype)
    if dt.size > 0:
        passed = np.empty((n_rows, 1), scratch.dtype)
    if size < width or n_rows < room:
        slots[STATE * plane : (STATE + 1) * plane] = 0
        slots[CELL * plane : (CELL + 1) * plane] = 0
    for i in range(n_rows):
        own = state[start + i]
        _copy(x[i * x_width :], n_inputs, inputs[i, 0])
        _copy(own[at_s:], size, slots[STATE * plane + i * width :])
        _copy(own[at_c:], size, slots[CELL * plane + i * width :])
        _copy(own[at_t:], size, t0[i])
        if dt.size > 0:
            passed[i, 0] = dt[start + i, t, 0]
    forward_shard(
        0, n_rows, room, n_lanes, inputs,
        weights[: n_blocks * (n_inputs + 1) * width].reshape(n_blocks, n_inputs + 1, width),
        recurrent[: 4 * size * width].reshape(4, size, width), t0, passed,
        np.empty(0, np.int64), scratch.dtype.type(facts[0]), int(facts[6]), facts[7] > 0,
        facts[8] > 0, facts[9] > 0, 2, slots, said, s, c, after,
    )  # fmt: skip
    for i in range(n_rows):
        own = state[start + i]
        _copy(s[i], size, own[at_s:])
        _copy(c[i], size, own[at_c:])
        _copy(after[i], size, own[at_t:])
        _copy(s[i], size, out[i * width :])


@jit
def _average(x, width, size, start, n_rows, sums, out):
    for i in range(n_rows):
        own, row, to = sums[start + i], x[i * width :], out[i * width :]
        own[size] += 1.0
        share = 1.0 / own[size]
        for j in range(size):
            own[j] += row[j]
        for j in range(size):
            to[j] = own[j] * share


@jit
def _choose_largest(x, width, size, start, n_rows, state, at, out):
    for i in range(n_rows):
        own, row = state[start + i, at : at + size], x[i * width :]
        for j in range(size):
            own[j] = own[j] if row[j] <= own[j] else row[j]  # a NaN stays one
        _copy(own, size, out[i * width :])


@jit
def _store(x, width, start, n_rows, out, k):
    for i in range(n_rows):
        _copy(x[i * width :], out.shape[2], out[start + i, k])


@jit
def _all_finite(x):
    for i in range(x.shape[0]):
        for t in range(x.shape[1]):
            for c in range(x.shape[2]):
                if not math.isfinite(x[i, t, c]):
                    return False
    return True


@jit
def run(
    instructions, head, split, room, n_lanes, weights, exact, memory, heard_at, heard_width,
    dt, state, sums, features, outputs, x,
):  # fmt: skip
    """Take all streams through all steps.

    Parameters
    ----------
    instructions : int64 (n, 11)
        See ``Program``. From `head` on they are done where there is an output.
    split : int
        Numbers a row that registers take in `memory`; scratch comes after.
    room : int
        Rows of a block.
    weights, exact : flat
        Of the dtype of all that has no other, and of float64.
    memory : flat
    heard_at, heard_width : int
        The register that the head sees.
    dt : (N, T, 1 or 2), or empty
        Units of time, or sizes and gaps.
    state, sums : (N, numbers of a stream)
        Of that dtype, and of float64; written in place.
    features, outputs : (N, T or 1, ...)
        Receive what the head sees, and what it says, of every step, or of the last.
    x : (N, T, C)

    Returns
    -------
    int
        `DONE`; `BAD_INPUT` if x is not finite, and nothing was done; or `BAD_OUTPUT`.
    """
    if not _all_finite(x):
        return BAD_INPUT
    instructions, memory = _borrowed(instructions), _borrowed(memory)
    weights, exact = _borrowed(weights), _borrowed(exact)
    x, dt, state, sums = _borrowed(x), _borrowed(dt), _borrowed(state), _borrowed(sums)
    features, outputs = _borrowed(features), _borrowed(outputs)
    n_steps, n_kept = x.shape[1], outputs.shape[1]
    scratch, steps = memory[split * room :], np.ones(2, memory.dtype)
    for start in range(0, len(x), room):
        n_rows = min(room, len(x) - start)
        for t in range(n_steps):
            k = t - (n_steps - n_kept)
            for line in range(len(instructions) if k >= 0 else head):
                row = instructions[line]
                code = row[0]
                a_size, a_width, b_size, b_width = row[2], row[3], row[5], row[6]
                a = memory[row[1] * room : (row[1] + a_width) * room]
                b = memory[row[4] * room : (row[4] + b_width) * room]
                first, second, third = row[7], row[8], row[9]
                if code == Code.INPUT:
                    _load(x, start, t, n_rows, a, a_width)
                elif code == Code.SCALED_INPUT:
                    _load_scaled(x, start, t, n_rows, exact[first:], a, a_width)
                elif code == Code.EMBEDDED:
                    _look_up(x, start, t, n_rows, weights[first:], a, a_size, a_width)
                elif code == Code.AFFINE:
                    _affine(
                        a, a_width, a_size, n_rows, weights[first:], third,
                        weights[max(second, 0) :], second >= 0, b, b_width, n_lanes,
                    )  # fmt: skip
                elif code == Code.STANDARDISED:
                    _standardise(a, a_size, a_width, n_rows, weights[first:], b)
                elif code == Code.NORMALISED:
                    _normalise(a, a_size, a_width, n_rows, weights[first:], exact[second], b)
                elif code == Code.RECTIFIED:
                    _rectify(a[: n_rows * a_width])
                elif code == Code.GELU:
                    gelu_plane(a[: n_rows * a_width])
                elif code == Code.GATED:
                    _gate(a, a_width, n_rows, b, b_size, b_width)
                elif code == Code.ADDED:
                    factor = weights[max(first, 0) :]
                    _add(a, n_rows, factor, first >= 0, b, b_size, b_width)
                elif code == Code.LINEAR:
                    coefs = _three(weights[second:], a_size)
                    _swing(
                        a, a_width, a_size, start, n_rows, coefs, None, exact[third:],
                        state, first, dt, t, steps, b,
                    )  # fmt: skip
                elif code == Code.DAMPED:
                    all_of = weights[second : second + 6 * a_size].reshape(6, a_size)
                    _swing(
                        a, a_width, a_size, start, n_rows, all_of[:3], all_of[3:], exact[third:],
                        state, first, dt, t, steps, b,
                    )  # fmt: skip
                elif code == Code.NONLINEAR:
                    _swing_hard(
                        a, a_width, a_size, start, n_rows, weights[second:], state, first, dt, t, b
                    )
                elif code == Code.NEURONS:
                    _excite(
                        a, a_width, a_size, start, n_rows, weights[first:], weights[second:],
                        exact[third:], state, dt, t, scratch, b, b_size, b_width, n_lanes,
                    )  # fmt: skip
                elif code == Code.MEAN:
                    _average(a, a_width, a_size, start, n_rows, sums, b)
                elif code == Code.LARGEST:
                    _choose_largest(a, a_width, a_size, start, n_rows, state, first, b)
                elif code == Code.SAID:
                    _store(a, a_width, start, n_rows, outputs, k)
            if k >= 0:
                _store(memory[heard_at * room :], heard_width, start, n_rows, features, k)
    return DONE if _all_finite(outputs) else BAD_OUTPUT
