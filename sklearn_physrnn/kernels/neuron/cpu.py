"""FitzHugh-Nagumo integration on the CPU, forward and backward.

Shape letters: B batch, H hidden, N steps. Every array is C-contiguous.

Rows are walked one by one and neurons in blocks, so that the state of a block, and
in the backward pass its whole trajectory, stays in the first-level cache. The
backward pass integrates again instead of reading a stored (N, B, H) trajectory from
memory: recomputing from cache is faster than that memory traffic.
"""

import numpy as np

from .._numba import inline, jit
from .._threads import run, shards

_BLOCK = 128  # neurons at a time; two (N + 1, _BLOCK) float32 buffers fit L1 for N = 16


@inline
def _step_v(v, w, drive, a, dt):
    return v + dt * (drive - (v - a) * (v * v - v) - w)


@jit
def _forward(v0, w0, drive, a, b, g, dt, n_steps, semi_implicit, v_out, w_out):
    n_rows, n_hidden = v0.shape
    for row in range(n_rows):
        v, w, I = v_out[row], w_out[row], drive[row]
        for j in range(n_hidden):
            v[j] = v0[row, j]
            w[j] = w0[row, j]
        for _ in range(n_steps):
            if semi_implicit:
                for j in range(n_hidden):
                    v_next = _step_v(v[j], w[j], I[j], a[j], dt)
                    w[j] += dt * b[j] * (v_next - g[j] * w[j])
                    v[j] = v_next
            else:
                for j in range(n_hidden):
                    v_next = _step_v(v[j], w[j], I[j], a[j], dt)
                    w[j] += dt * b[j] * (v[j] - g[j] * w[j])
                    v[j] = v_next


@jit
def _backward(
    v0, w0, drive, a, b, g, dt, n_steps, semi_implicit,
    grad_v, grad_w, grad_v0, grad_w0, grad_drive, grad_a, grad_b, grad_g,
):  # fmt: skip
    # grad_a, grad_b, grad_g: (H,), this shard's sums, written here.
    #
    # All of the reverse loop's operands are lanes of one buffer, a constant distance
    # apart. LLVM then knows that they do not overlap; for a dozen separate arrays it
    # would need more run-time checks than it allows, and would not vectorise.
    n_rows, n_hidden = v0.shape
    one = v0.dtype.type(1)  # a literal 1 would turn float32 into float64
    L = _BLOCK
    V_NEXT, A, B, G, I = 2 * L, 4 * L, 5 * L, 6 * L, 7 * L
    P, Q, R, DA, DB, DG = 8 * L, 9 * L, 10 * L, 11 * L, 12 * L, 13 * L
    s = np.empty(14 * L, v0.dtype)
    path = np.empty((n_steps + 1) * 2 * L, v0.dtype)  # v, w of every step, in turn
    for first in range(0, n_hidden, L):
        n = min(L, n_hidden - first)
        for j in range(n):
            s[A + j], s[B + j], s[G + j] = a[first + j], b[first + j], g[first + j]
            s[DA + j] = s[DB + j] = s[DG + j] = 0
        for row in range(n_rows):
            for j in range(n):
                path[j], path[L + j] = v0[row, first + j], w0[row, first + j]
                s[I + j] = drive[row, first + j]
                s[P + j], s[Q + j] = grad_v[row, first + j], grad_w[row, first + j]
                s[R + j] = 0
            for t in range(n_steps):
                x = path[2 * L * t : 2 * L * (t + 2)]
                for j in range(n):
                    v_next = _step_v(x[j], x[L + j], s[I + j], s[A + j], dt)
                    seen = v_next if semi_implicit else x[j]
                    x[2 * L + j] = v_next
                    x[3 * L + j] = x[L + j] + dt * s[B + j] * (seen - s[G + j] * x[L + j])
            for t in range(n_steps - 1, -1, -1):
                x = path[2 * L * t : 2 * L * (t + 2)]
                for j in range(n):
                    v, w = x[j], x[L + j]
                    dq = dt * s[Q + j]
                    dv = s[B + j] * dq
                    if semi_implicit:
                        dp = dt * (s[P + j] + dv)
                        seen = x[V_NEXT + j]
                    else:
                        dp = dt * s[P + j]
                        seen = v
                    s[DB + j] += dq * (seen - s[G + j] * w)
                    s[DG + j] -= dv * w
                    s[DA + j] += dp * (v * v - v)
                    s[R + j] += dp
                    slope = v * v - v + (v - s[A + j]) * (v + v - one)
                    s[P + j] += dv - dp * slope
                    s[Q + j] -= dv * s[G + j] + dp
            for j in range(n):
                grad_v0[row, first + j], grad_w0[row, first + j] = s[P + j], s[Q + j]
                grad_drive[row, first + j] = s[R + j]
        for j in range(n):
            grad_a[first + j], grad_b[first + j] = s[DA + j], s[DB + j]
            grad_g[first + j] = s[DG + j]


def forward(v, w, drive, a, b, g, dt, n_steps, semi_implicit):
    """Arrays of the reference's arguments to the final ``(v, w)``."""
    dt = v.dtype.type(dt)
    v_out, w_out = np.empty_like(v), np.empty_like(w)

    def piece(_, start, stop):
        rows = slice(start, stop)
        _forward(
            v[rows], w[rows], drive[rows], a, b, g, dt, n_steps, semi_implicit,
            v_out[rows], w_out[rows],
        )  # fmt: skip

    run(piece, shards(len(v), v.shape[1] * n_steps))
    return v_out, w_out


def backward(v, w, drive, a, b, g, dt, n_steps, semi_implicit, grad_v, grad_w):
    """Gradients of ``(v, w, drive, a, b, g)``."""
    dt = v.dtype.type(dt)
    grads = np.empty_like(v), np.empty_like(v), np.empty_like(v)
    pieces = shards(len(v), 4 * v.shape[1] * n_steps)
    sums = np.zeros((3, len(pieces), v.shape[1]), v.dtype)

    def piece(index, start, stop):
        rows = slice(start, stop)
        _backward(
            v[rows], w[rows], drive[rows], a, b, g, dt, n_steps, semi_implicit,
            grad_v[rows], grad_w[rows], *(grad[rows] for grad in grads), *sums[:, index],
        )  # fmt: skip

    run(piece, pieces)
    return *grads, *sums.sum(axis=1)
