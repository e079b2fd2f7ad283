"""FitzHugh-Nagumo integration on the CPU, forward and backward.

Shape letters: B batch, H hidden, N steps. Every array is C-contiguous: `start` of shape
(B, 3, H) holds v, w and the drive, `final` of shape (B, 2, H) holds v and w. A kernel works
on the rows from `begin` to `end`.

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
def _forward(begin, end, start, a, b, g, dt, n_steps, semi_implicit, final):
    n_hidden = start.shape[2]
    for row in range(begin, end):
        v, w, I = final[row, 0], final[row, 1], start[row, 2]
        for j in range(n_hidden):
            v[j] = start[row, 0, j]
            w[j] = start[row, 1, j]
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
    begin, end, start, a, b, g, dt, n_steps, semi_implicit, grad_final, grad_start, sums
):  # fmt: skip
    # sums: (3, H), gradients of a, b and g summed over these rows, written here.
    #
    # All of the reverse loop's operands are lanes of one buffer, a constant distance
    # apart. LLVM then knows that they do not overlap; for a dozen separate arrays it
    # would need more run-time checks than it allows, and would not vectorise.
    n_hidden = start.shape[2]
    one = start.dtype.type(1)  # a literal 1 would turn float32 into float64
    L = _BLOCK
    V_NEXT, A, B, G, I = 2 * L, 4 * L, 5 * L, 6 * L, 7 * L
    P, Q, R, DA, DB, DG = 8 * L, 9 * L, 10 * L, 11 * L, 12 * L, 13 * L
    s = np.empty(14 * L, start.dtype)
    path = np.empty((n_steps + 1) * 2 * L, start.dtype)  # v, w of every step, in turn
    for first in range(0, n_hidden, L):
        n = min(L, n_hidden - first)
        for j in range(n):
            s[A + j], s[B + j], s[G + j] = a[first + j], b[first + j], g[first + j]
            s[DA + j] = s[DB + j] = s[DG + j] = 0
        for row in range(begin, end):
            for j in range(n):
                path[j], path[L + j] = start[row, 0, first + j], start[row, 1, first + j]
                s[I + j] = start[row, 2, first + j]
                s[P + j] = grad_final[row, 0, first + j]
                s[Q + j] = grad_final[row, 1, first + j]
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
                grad_start[row, 0, first + j] = s[P + j]
                grad_start[row, 1, first + j] = s[Q + j]
                grad_start[row, 2, first + j] = s[R + j]
        for j in range(n):
            sums[0, first + j] = s[DA + j]
            sums[1, first + j] = s[DB + j]
            sums[2, first + j] = s[DG + j]


def forward(
    start: np.ndarray, a: np.ndarray, b: np.ndarray, g: np.ndarray, dt: float, n_steps: int,
    semi_implicit: bool,
) -> np.ndarray:  # fmt: skip
    """`start` to `final`, under the constants a, b, g of shape (H,)."""
    n_rows, _, n_hidden = start.shape
    final = np.empty((n_rows, 2, n_hidden), start.dtype)
    arguments = (start, a, b, g, start.dtype.type(dt), n_steps, semi_implicit, final)
    run(
        lambda _, begin, end: _forward(begin, end, *arguments),
        shards(n_rows, n_hidden * n_steps),
    )
    return final


def backward(
    grad_final: np.ndarray, start: np.ndarray, a: np.ndarray, b: np.ndarray, g: np.ndarray,
    dt: float, n_steps: int, semi_implicit: bool,
) -> tuple[np.ndarray, ...]:  # fmt: skip
    """Gradients of ``(start, a, b, g)``."""
    n_rows, _, n_hidden = start.shape
    grad_start = np.empty_like(start)
    pieces = shards(n_rows, 4 * n_hidden * n_steps)
    sums = np.zeros((len(pieces), 3, n_hidden), start.dtype)
    arguments = (
        start, a, b, g, start.dtype.type(dt), n_steps, semi_implicit, grad_final, grad_start,
    )  # fmt: skip
    run(lambda index, begin, end: _backward(begin, end, *arguments, sums[index]), pieces)
    return grad_start, *sums.sum(axis=0)
