"""FitzHugh-Nagumo integration on a GPU, in Triton, forward and backward.

Shape letters: B batch, H hidden, N steps. Arrays are as in ``cpu.py``: `start` of shape
(B, 3, H), `final` of shape (B, 2, H), both C-contiguous.

A program owns a tile of neighbouring rows and neurons and integrates it in registers;
device memory sees five values a neuron forward and eight backward, whatever N, and no
trajectory is kept in between. The backward pass integrates again, in segments of eight
steps, last to first. Within a segment all is unrolled and the states stay in registers;
the state that a segment begins with is integrated anew from `start`. Up to eight steps
that costs nothing, for sixteen half a forward pass, for N many about N / 16 of them:
less than the traffic of a trajectory as long as N is below some hundreds.

All arithmetic is in the arrays' own type. Gradients of a, b and g are summed over the
rows of a program in registers, and over programs by torch: no atomics, so the same
inputs give the same bits. Any size and number of steps is taken, float32 and float64;
the reference runs where there is no Triton, and in half precision outside autocast, which
would not last the steps.
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
import triton
import triton.language as tl

# Neurons of a tile, and threads that share it (32 a warp): a few values a thread, so
# that the segment's states fit in registers and loads are of 16 bytes where possible.
_TILE = {"forward": 512, "backward": 256}
_WARPS = 4
# Each program of the backward pass leaves a row of partial sums.
_MAX_PROGRAMS = 4096


@triton.jit
def _step(v, w, drive, a, b, g, dt, SEMI_IMPLICIT: tl.constexpr):
    v_next = v + dt * (drive - (v - a) * (v * v - v) - w)
    if SEMI_IMPLICIT:
        seen = v_next
    else:
        seen = v
    return v_next, w + dt * b * (seen - g * w)


@triton.jit
def _place(row_tile, columns, n_rows, n_hidden, ROWS: tl.constexpr):
    # In 64 bits, for row times hidden may pass 2**31.
    rows = (row_tile * ROWS + tl.arange(0, ROWS)).to(tl.int64)
    return rows, (rows < n_rows)[:, None] & (columns < n_hidden)[None, :]


@triton.jit
def _constants(a_ptr, b_ptr, g_ptr, columns, n_hidden):
    known = columns < n_hidden
    a = tl.load(a_ptr + columns, known, 0.0)[None, :]
    b = tl.load(b_ptr + columns, known, 0.0)[None, :]
    g = tl.load(g_ptr + columns, known, 0.0)[None, :]
    return a, b, g


@triton.jit
def _load_start(start, rows, columns, inside, n_hidden):
    at = start + rows[:, None] * (3 * n_hidden) + columns[None, :]
    v = tl.load(at, inside, 0.0)
    w = tl.load(at + n_hidden, inside, 0.0)
    drive = tl.load(at + 2 * n_hidden, inside, 0.0)
    return v, w, drive


@triton.jit
def _forward(
    start, a_ptr, b_ptr, g_ptr, final, n_rows, n_hidden, n_steps, dt, dt_rest,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, SEMI_IMPLICIT: tl.constexpr,
):  # fmt: skip
    dtype = start.dtype.element_ty
    dt = tl.full((), dt, dtype) + tl.full((), dt_rest, dtype)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    rows, inside = _place(tl.program_id(0), columns, n_rows, n_hidden, ROWS)
    a, b, g = _constants(a_ptr, b_ptr, g_ptr, columns, n_hidden)
    v, w, drive = _load_start(start, rows, columns, inside, n_hidden)
    for _ in range(n_steps):
        v, w = _step(v, w, drive, a, b, g, dt, SEMI_IMPLICIT)
    at = final + rows[:, None] * (2 * n_hidden) + columns[None, :]
    tl.store(at, v, inside)
    tl.store(at + n_hidden, w, inside)


@triton.jit
def _advance(v, w, drive, a, b, g, dt, STEPS: tl.constexpr, SEMI_IMPLICIT: tl.constexpr):
    for _ in tl.static_range(STEPS):
        v, w = _step(v, w, drive, a, b, g, dt, SEMI_IMPLICIT)
    return v, w


# Back over 1, 2, 4 and 8 steps: from the state before them, and the gradient (p, q) after
# them, to that before; r, da, db and dg gather those of drive, a, b and g. Each states its
# middle anew, which the compiler, seeing the same sum again, takes from a register.


@triton.jit
def _back_1(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT: tl.constexpr):
    dq = dt * q
    dv = b * dq
    if SEMI_IMPLICIT:
        dp = dt * (p + dv)
        seen, _ = _step(v, w, drive, a, b, g, dt, SEMI_IMPLICIT)
    else:
        dp = dt * p
        seen = v
    db += dq * (seen - g * w)
    dg -= dv * w
    da += dp * (v * v - v)
    r += dp
    p += dv - dp * (v * v - v + (v - a) * (v + v - 1))
    q -= dv * g + dp
    return p, q, r, da, db, dg


@triton.jit
def _back_2(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT: tl.constexpr):
    x, y = _advance(v, w, drive, a, b, g, dt, 1, SEMI_IMPLICIT)
    p, q, r, da, db, dg = _back_1(x, y, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT)
    return _back_1(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT)


@triton.jit
def _back_4(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT: tl.constexpr):
    x, y = _advance(v, w, drive, a, b, g, dt, 2, SEMI_IMPLICIT)
    p, q, r, da, db, dg = _back_2(x, y, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT)
    return _back_2(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT)


@triton.jit
def _back_8(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT: tl.constexpr):
    x, y = _advance(v, w, drive, a, b, g, dt, 4, SEMI_IMPLICIT)
    p, q, r, da, db, dg = _back_4(x, y, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT)
    return _back_4(v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT)


@triton.jit
def _backward(
    grad_final, start, a_ptr, b_ptr, g_ptr, grad_start, sums,
    n_rows, n_hidden, n_row_tiles, n_segments, dt, dt_rest,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr, SEMI_IMPLICIT: tl.constexpr,
    REST: tl.constexpr,
):  # fmt: skip
    # n_segments of 8 steps come first, REST steps last: 4, 2 and 1, or some of these.
    dtype = start.dtype.element_ty
    dt = tl.full((), dt, dtype) + tl.full((), dt_rest, dtype)
    first, stride = tl.program_id(0), tl.num_programs(0)
    columns = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    a, b, g = _constants(a_ptr, b_ptr, g_ptr, columns, n_hidden)
    da = tl.zeros((ROWS, COLUMNS), dtype)
    db = tl.zeros((ROWS, COLUMNS), dtype)
    dg = tl.zeros((ROWS, COLUMNS), dtype)
    for row_tile in range(first, n_row_tiles, stride):
        rows, inside = _place(row_tile, columns, n_rows, n_hidden, ROWS)
        v0, w0, drive = _load_start(start, rows, columns, inside, n_hidden)
        at = grad_final + rows[:, None] * (2 * n_hidden) + columns[None, :]
        p = tl.load(at, inside, 0.0)
        q = tl.load(at + n_hidden, inside, 0.0)
        r = tl.zeros((ROWS, COLUMNS), dtype)
        if REST > 0:
            v, w = v0, w0
            for _ in range(n_segments * 8):
                v, w = _step(v, w, drive, a, b, g, dt, SEMI_IMPLICIT)
            if REST % 2 == 1:
                x, y = _advance(v, w, drive, a, b, g, dt, REST - 1, SEMI_IMPLICIT)
                p, q, r, da, db, dg = _back_1(
                    x, y, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT
                )
            if REST % 4 >= 2:
                x, y = _advance(v, w, drive, a, b, g, dt, REST // 4 * 4, SEMI_IMPLICIT)
                p, q, r, da, db, dg = _back_2(
                    x, y, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT
                )
            if REST >= 4:
                p, q, r, da, db, dg = _back_4(
                    v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT
                )
        for done in range(n_segments):
            v, w = v0, w0
            for _ in range((n_segments - 1 - done) * 8):
                v, w = _step(v, w, drive, a, b, g, dt, SEMI_IMPLICIT)
            p, q, r, da, db, dg = _back_8(
                v, w, p, q, r, da, db, dg, drive, a, b, g, dt, SEMI_IMPLICIT
            )
        at = grad_start + rows[:, None] * (3 * n_hidden) + columns[None, :]
        tl.store(at, p, inside)
        tl.store(at + n_hidden, q, inside)
        tl.store(at + 2 * n_hidden, r, inside)
    at = sums + first * (3 * n_hidden) + columns
    known = columns < n_hidden
    tl.store(at, tl.sum(da, 0), known)
    tl.store(at + n_hidden, tl.sum(db, 0), known)
    tl.store(at + 2 * n_hidden, tl.sum(dg, 0), known)


def _sizes(n_hidden: int, what: str) -> dict[str, int]:
    columns = min(triton.next_power_of_2(n_hidden), 128)
    return {"ROWS": max(1, _TILE[what] // columns), "COLUMNS": columns}


def _split(dt: float) -> tuple[float, float]:
    # A launch passes a number as float32; what that leaves of it is passed beside it.
    nearest = float(np.float32(dt))
    return nearest, dt - nearest


def _on(tensor: torch.Tensor) -> AbstractContextManager:
    # Triton launches on the current device. Interpreted, the tensor is on none.
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def forward(
    start: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    g: torch.Tensor,
    dt: float,
    n_steps: int,
    semi_implicit: bool,
) -> torch.Tensor:
    """`start` to `final`, under the constants a, b, g of shape (H,); all contiguous."""
    n_rows, _, n_hidden = start.shape
    final = start.new_empty(n_rows, 2, n_hidden)
    if final.numel():
        sizes = _sizes(n_hidden, "forward")
        grid = triton.cdiv(n_rows, sizes["ROWS"]), triton.cdiv(n_hidden, sizes["COLUMNS"])
        with _on(start):
            _forward[grid](
                start, a, b, g, final, n_rows, n_hidden, n_steps, *_split(dt), **sizes,
                SEMI_IMPLICIT=bool(semi_implicit), num_warps=_WARPS,
            )  # fmt: skip
    return final


def backward(
    grad_final: torch.Tensor,
    start: torch.Tensor,
    a: torch.Tensor,
    b: torch.Tensor,
    g: torch.Tensor,
    dt: float,
    n_steps: int,
    semi_implicit: bool,
) -> tuple[torch.Tensor, ...]:
    """Gradients of ``(start, a, b, g)``."""
    n_rows, _, n_hidden = start.shape
    grad_start = torch.empty_like(start)
    if not grad_start.numel():
        return grad_start, *start.new_zeros(3, n_hidden)
    sizes = _sizes(n_hidden, "backward")
    n_row_tiles = triton.cdiv(n_rows, sizes["ROWS"])
    n_columns = triton.cdiv(n_hidden, sizes["COLUMNS"])
    n_programs = min(n_row_tiles, max(1, _MAX_PROGRAMS // n_columns))
    sums = start.new_empty(n_programs, 3, n_hidden)
    n_segments, rest = divmod(n_steps, 8)
    with _on(start):
        _backward[n_programs, n_columns](
            grad_final, start, a, b, g, grad_start, sums,
            n_rows, n_hidden, n_row_tiles, n_segments, *_split(dt), **sizes,
            SEMI_IMPLICIT=bool(semi_implicit), REST=rest, num_warps=_WARPS,
        )  # fmt: skip
    return grad_start, *sums.sum(0)
