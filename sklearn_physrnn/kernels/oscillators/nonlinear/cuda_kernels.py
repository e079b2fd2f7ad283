"""The loops over time of :mod:`.cuda`, which says what they do and why.

Shape letters: B batch, T time steps, P modes. A program holds BLOCK modes of one sample,
one a lane, and STEPS steps of what it reads and writes. The steps of a gap (``gap.py``) are
taken in between, under the drive `rest`: a warp has one sample, so that all its lanes do.
"""

import triton
import triton.language as tl

from ..cuda_kernels import clear, fetch, row_of, where_am_i, with_row, write
from .parameters import TANH_LIMIT, TANH_P, TANH_Q

_LIMIT = tl.constexpr(TANH_LIMIT)
_P0, _P1, _P2, _P3, _P4 = map(tl.constexpr, TANH_P)
_Q0, _Q1, _Q2, _Q3, _Q4 = map(tl.constexpr, TANH_Q)


@triton.jit
def _within(x, limit):
    """`x` between -limit and limit; a NaN stays one."""
    x = tl.minimum(x, limit, propagate_nan=tl.PropagateNan.ALL)
    return tl.maximum(x, -limit, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def tanh(x):
    """Hyperbolic tangent, to a few units of the last place however small x is."""
    if x.dtype == tl.float32:
        x = _within(x, _LIMIT)
        z = x * x
        p = (((_P4 * z + _P3) * z + _P2) * z + _P1) * z + _P0
        q = (((_Q4 * z + _Q3) * z + _Q2) * z + _Q1) * z + _Q0
        t = _within(x * (p / q), 1.0)
    else:
        # Lambert's continued fraction to its seventh level, 1e-17 at 0.4; from there on
        # the exponential loses nothing.
        z = x * x
        p = ((z + 378.0) * z + 17325.0) * z + 135135.0
        q = ((28.0 * z + 3150.0) * z + 62370.0) * z + 135135.0
        e = tl.exp(-2.0 * tl.abs(x))
        large = (1.0 - e) / (1.0 + e)
        t = tl.where(tl.abs(x) < 0.4, x * (p / q), tl.where(x < 0.0, -large, large))
    return t


@triton.jit
def atanh(p):
    """Inverse hyperbolic tangent of -1 < p < 1, likewise."""
    n_terms: tl.constexpr = 8 if p.dtype == tl.float32 else 17
    z = p * p
    series = tl.zeros_like(p)
    for k in tl.static_range(n_terms):
        series = (series + 1.0 / (2 * (n_terms - k) + 1)) * z
    large = 0.5 * tl.log((1.0 + p) / (1.0 - p))
    return tl.where(z < 1.0 / 9.0, p + p * series, large)


@triton.jit
def _coefficients(w, c, alpha, step, mode, valid, real: tl.constexpr):
    """stiff in two parts, pull, w and 1 / w."""
    d = tl.load(step + mode, mask=valid, other=0.0).to(tl.float64)
    slope = tl.load(w + mode, mask=valid, other=1.0).to(tl.float64)
    stiff = d * d * tl.load(alpha + mode, mask=valid, other=0.0).to(tl.float64)
    pull = d * d * tl.load(c + mode, mask=valid, other=0.0).to(tl.float64)
    high = stiff.to(real)
    low = (stiff - high.to(tl.float64)).to(real)
    return high, low, pull.to(real), slope.to(real), (1.0 / slope).to(real)


@triton.jit
def _driven(z, y, u, s, stiff, low, pull, slope):
    """Z and y after a step of size s, and y at its kick."""
    h = 0.5 * s
    y_half = y + h * z
    force = low * y_half + pull * tanh(slope * y_half + u)
    force += stiff * y_half
    z_next = z - s * force
    return z_next, y_half + h * z_next, y_half


@triton.jit
def _mirrored(mz, dz, my, dy, u, s, stiff, low, pull, slope, edge):
    """The same of mean and half difference, and what they tell of the potential.

    `edge` is the largest number below one. The last three are mean and half difference of
    tanh, and that of log cosh.
    """
    h = 0.5 * s
    y_half = my + h * mz
    dy_half = dy + h * dz

    th_m = tanh(slope * y_half + u)
    th_h = tanh(slope * dy_half)
    th_h = _within(th_h, edge)
    product = th_m * th_h
    divisor = 1.0 / ((1.0 - product) * (1.0 + product))
    th = th_m * ((1.0 - th_h) * (1.0 + th_h)) * divisor
    dth = th_h * ((1.0 - th_m) * (1.0 + th_m)) * divisor

    mz -= s * (low * y_half + pull * th)
    mz -= s * (stiff * y_half)
    dz -= s * (low * dy_half + pull * dth)
    dz -= s * (stiff * dy_half)
    return mz, dz, y_half + h * mz, dy_half + h * dz, y_half, dy_half, th, dth, atanh(product)


@triton.jit
def _contrasts(f, y_half, dy_half, th, dth, dlog, pull, inverse):
    """Those of H = stiff/2 y_half^2 + pull/w log cosh(w y_half + u), by u, w, pull, stiff."""
    wells = f * inverse * dlog
    tilt = f * (th * dy_half + dth * y_half)
    by_w = pull * inverse * (tilt - wells)
    return f * pull * inverse * dth, by_w, wells, f * y_half * dy_half


@triton.jit
def _gap_at(dt, there):
    """Steps that a gap is, and their size."""
    gap = tl.load(dt, mask=there, other=0.0)
    n_gap = tl.ceil(gap).to(tl.int32)
    return n_gap, gap / tl.maximum(n_gap, 1).to(gap.dtype)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift"])
def forward(
    drive, out, half_out, momentum, position, power, w, c, alpha, rest, step, dt, lengths,
    first, n_steps, n_total, n_modes: tl.constexpr, shift,
    HAS_DT: tl.constexpr, HAS_GAPS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Positions (B, T, P) from `drive`; momentum, position and power (B, P) in place."""
    real: tl.constexpr = drive.dtype.element_ty
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode + shift, valid
    mode, valid = every[None, :], valid[None, :]
    stiff, low, pull, slope, _ = _coefficients(w, c, alpha, step, mode, valid, real)
    cell = row * n_modes + mode
    z = tl.load(momentum + cell, mask=valid, other=0.0)
    y = tl.load(position + cell, mask=valid, other=0.0)
    tail = out + (row * n_steps + n_run) * n_modes
    start = row * n_steps * n_modes + mode
    drive += start
    out += start
    if half_out is not None:
        half_out += start
    u_tile = fetch(drive, n_modes, n_run, valid, STEPS)
    if HAS_DT:
        dt += row * (2 * n_total if HAS_GAPS else n_total) + first
    if HAS_GAPS:
        quiet = tl.load(rest + mode, mask=valid, other=0.0).to(real)
    total = tl.zeros((1, BLOCK), tl.float64)

    for tile in range(0, n_run, STEPS):
        left = n_run - tile
        drive += STEPS * n_modes
        u_ahead = fetch(drive, n_modes, left - STEPS, valid, STEPS)
        squares = tl.zeros((1, BLOCK), real)
        y_tile = tl.zeros((STEPS, BLOCK), real)
        half_tile = tl.zeros((STEPS, BLOCK), real)
        for i in tl.static_range(STEPS):
            u = row_of(u_tile, i)
            if HAS_DT:
                s = tl.load(dt + i, mask=i < left, other=0.0)
            else:
                s = 1.0
            if HAS_GAPS:
                n_gap, part = _gap_at(dt + (n_total + i), i < left)
                for _k in range(n_gap):
                    z, y, _half = _driven(z, y, quiet, part, stiff, low, pull, slope)
            z_next, y_next, y_half = _driven(z, y, u, s, stiff, low, pull, slope)
            z, y = tl.where(i < left, z_next, z), tl.where(i < left, y_next, y)
            y_tile = with_row(y_tile, i, y)
            half_tile = with_row(half_tile, i, y_half)
            squares += tl.where(i < left, y * y, 0.0)
        total += squares.to(tl.float64)
        write(out, n_modes, left, valid, y_tile)
        out += STEPS * n_modes
        if half_out is not None:
            write(half_out, n_modes, left, valid, half_tile)
            half_out += STEPS * n_modes
        u_tile = u_ahead
        if HAS_DT:
            dt += STEPS
    tl.store(momentum + cell, z, mask=valid)
    tl.store(position + cell, y, mask=valid)
    if power is not None:
        before = tl.load(power + cell, mask=valid, other=0.0)
        tl.store(power + cell, (before.to(tl.float64) + total).to(real), mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift"])
def adjoint(
    drive, grad, grad_drive, y_halves, momentum, position, w, c, alpha, rest, step, dt, lengths,
    sum_w, sum_pull, sum_stiff, first, n_steps, n_total, n_modes: tl.constexpr, shift,
    HAS_DT: tl.constexpr, HAS_GAPS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients of the drive (B, T, P), and of w, pull and stiff (B, P), from those of y.

    There are no gaps: over them the echoes' gradient is taken.
    """
    real: tl.constexpr = drive.dtype.element_ty
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode + shift, valid
    mode, valid = every[None, :], valid[None, :]
    stiff, low, pull, slope, _ = _coefficients(w, c, alpha, step, mode, valid, real)
    cell = row * n_modes + mode
    p = tl.load(momentum + cell, mask=valid, other=0.0)
    q = tl.load(position + cell, mask=valid, other=0.0)
    end = row * n_steps + n_run
    tail = grad_drive + end * n_modes
    final = (end - 1) * n_modes + mode
    drive += final
    grad += final
    grad_drive += final
    y_halves += final
    u_tile = fetch(drive, -n_modes, n_run, valid, STEPS)
    g_tile = fetch(grad, -n_modes, n_run, valid, STEPS)
    y_tile = fetch(y_halves, -n_modes, n_run, valid, STEPS)
    if HAS_DT:
        dt += row * n_total + first + n_run - 1
    total_w = tl.zeros((1, BLOCK), tl.float64)
    total_pull = tl.zeros((1, BLOCK), tl.float64)
    total_stiff = tl.zeros((1, BLOCK), tl.float64)

    for tile in range(0, n_run, STEPS):
        left = n_run - tile
        drive -= STEPS * n_modes
        grad -= STEPS * n_modes
        y_halves -= STEPS * n_modes
        u_ahead = fetch(drive, -n_modes, left - STEPS, valid, STEPS)
        g_ahead = fetch(grad, -n_modes, left - STEPS, valid, STEPS)
        y_ahead = fetch(y_halves, -n_modes, left - STEPS, valid, STEPS)
        du_tile = tl.zeros((STEPS, BLOCK), real)
        part_w = tl.zeros((1, BLOCK), real)
        part_pull = tl.zeros((1, BLOCK), real)
        part_stiff = tl.zeros((1, BLOCK), real)
        for i in tl.static_range(STEPS):
            y_half = row_of(y_tile, i)
            if HAS_DT:
                s = tl.load(dt - i, mask=i < left, other=0.0)
            else:
                s = 1.0
            h = 0.5 * s
            th = tanh(slope * y_half + row_of(u_tile, i))
            q_next = q + row_of(g_tile, i)
            p_next = p + h * q_next
            sp = s * p_next
            bend = sp * pull * ((1.0 - th) * (1.0 + th))
            du_tile = with_row(du_tile, i, -bend)
            part_w -= tl.where(i < left, bend * y_half, 0.0)
            part_pull -= tl.where(i < left, sp * th, 0.0)
            part_stiff -= tl.where(i < left, sp * y_half, 0.0)
            q_next -= low * sp + bend * slope
            q_next -= stiff * sp
            p = tl.where(i < left, p_next + h * q_next, p)
            q = tl.where(i < left, q_next, q)
        total_w += part_w.to(tl.float64)
        total_pull += part_pull.to(tl.float64)
        total_stiff += part_stiff.to(tl.float64)
        write(grad_drive, -n_modes, left, valid, du_tile)
        grad_drive -= STEPS * n_modes
        u_tile, g_tile, y_tile = u_ahead, g_ahead, y_ahead
        if HAS_DT:
            dt -= STEPS
    tl.store(momentum + cell, p, mask=valid)
    tl.store(position + cell, q, mask=valid)
    tl.store(sum_w + cell, total_w, mask=valid)
    tl.store(sum_pull + cell, total_pull, mask=valid)
    tl.store(sum_stiff + cell, total_stiff, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift"])
def echo(
    drive, grad, grad_drive, middle, z_mean, z_diff, y_mean, y_diff, nudge, contrast,
    w, c, alpha, rest, step, dt, lengths, sum_w, sum_pull, sum_stiff, sum_rest,
    first, n_steps, n_total, n_modes: tl.constexpr, shift,
    HAS_DT: tl.constexpr, HAS_GAPS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The same by two echoes, as their mean and half difference, (B, P) each, in place.

    The mean's positions go to `middle` unless that is None.
    """
    real: tl.constexpr = drive.dtype.element_ty
    # The largest number below one, of this type: as a mere number it would pass through
    # float32, and be one.
    ulp: tl.constexpr = 2.0**-24 if real == tl.float32 else 2.0**-53
    edge = tl.full((1, BLOCK), 1.0 - ulp, real)
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode + shift, valid
    mode, valid = every[None, :], valid[None, :]
    stiff, low, pull, slope, inverse = _coefficients(w, c, alpha, step, mode, valid, real)
    cell = row * n_modes + mode
    mz = tl.load(z_mean + cell, mask=valid, other=0.0)
    dz = tl.load(z_diff + cell, mask=valid, other=0.0)
    my = tl.load(y_mean + cell, mask=valid, other=0.0)
    dy = tl.load(y_diff + cell, mask=valid, other=0.0)
    size = tl.load(nudge + cell, mask=valid, other=0.0)
    scale = tl.load(contrast + cell, mask=valid, other=0.0)
    end = row * n_steps + n_run
    tail = grad_drive + end * n_modes
    final = (end - 1) * n_modes + mode
    drive += final
    grad += final
    grad_drive += final
    if middle is not None:
        middle_tail = middle + end * n_modes
        middle += final
    u_tile = fetch(drive, -n_modes, n_run, valid, STEPS)
    g_tile = fetch(grad, -n_modes, n_run, valid, STEPS)
    if HAS_DT:
        dt += row * (2 * n_total if HAS_GAPS else n_total) + first + n_run - 1
    if HAS_GAPS:
        quiet = tl.load(rest + mode, mask=valid, other=0.0).to(real)
        total_rest = tl.zeros((1, BLOCK), tl.float64)
    total_w = tl.zeros((1, BLOCK), tl.float64)
    total_pull = tl.zeros((1, BLOCK), tl.float64)
    total_stiff = tl.zeros((1, BLOCK), tl.float64)

    for tile in range(0, n_run, STEPS):
        left = n_run - tile
        drive -= STEPS * n_modes
        grad -= STEPS * n_modes
        u_ahead = fetch(drive, -n_modes, left - STEPS, valid, STEPS)
        g_ahead = fetch(grad, -n_modes, left - STEPS, valid, STEPS)
        du_tile = tl.zeros((STEPS, BLOCK), real)
        y_tile = tl.zeros((STEPS, BLOCK), real)
        part_w = tl.zeros((1, BLOCK), real)
        part_pull = tl.zeros((1, BLOCK), real)
        part_stiff = tl.zeros((1, BLOCK), real)
        for i in tl.static_range(STEPS):
            if HAS_DT:
                s = tl.load(dt - i, mask=i < left, other=0.0)
            else:
                s = 1.0
            y_tile = with_row(y_tile, i, my)
            dz_next = dz + size * row_of(g_tile, i)
            z_next, dz_next, y_next, dy_next, y_half, dy_half, th, dth, dlog = _mirrored(
                mz, dz_next, my, dy, row_of(u_tile, i), s, stiff, low, pull, slope, edge
            )
            mz, dz = tl.where(i < left, z_next, mz), tl.where(i < left, dz_next, dz)
            my, dy = tl.where(i < left, y_next, my), tl.where(i < left, dy_next, dy)
            # dL/dtheta = -sum contrast(dH/dtheta)
            by_drive, by_w, by_pull, by_stiff = _contrasts(
                s * scale, y_half, dy_half, th, dth, dlog, pull, inverse
            )
            du_tile = with_row(du_tile, i, -by_drive)
            part_w -= tl.where(i < left, by_w, 0.0)
            part_pull -= tl.where(i < left, by_pull, 0.0)
            part_stiff -= tl.where(i < left, by_stiff, 0.0)
            if HAS_GAPS:  # back in time the gap comes after its step
                n_gap, part = _gap_at(dt + (n_total - i), i < left)
                for _k in range(n_gap):
                    mz, dz, my, dy, y_half, dy_half, th, dth, dlog = _mirrored(
                        mz, dz, my, dy, quiet, part, stiff, low, pull, slope, edge
                    )
                    by_drive, by_w, by_pull, by_stiff = _contrasts(
                        part * scale, y_half, dy_half, th, dth, dlog, pull, inverse
                    )
                    total_rest -= by_drive.to(tl.float64)
                    total_w -= by_w.to(tl.float64)
                    total_pull -= by_pull.to(tl.float64)
                    total_stiff -= by_stiff.to(tl.float64)
        total_w += part_w.to(tl.float64)
        total_pull += part_pull.to(tl.float64)
        total_stiff += part_stiff.to(tl.float64)
        write(grad_drive, -n_modes, left, valid, du_tile)
        grad_drive -= STEPS * n_modes
        if middle is not None:
            write(middle, -n_modes, left, valid, y_tile)
            middle -= STEPS * n_modes
        u_tile, g_tile = u_ahead, g_ahead
        if HAS_DT:
            dt -= STEPS
    tl.store(z_mean + cell, mz, mask=valid)
    tl.store(z_diff + cell, dz, mask=valid)
    tl.store(y_mean + cell, my, mask=valid)
    tl.store(y_diff + cell, dy, mask=valid)
    tl.store(sum_w + cell, total_w, mask=valid)
    tl.store(sum_pull + cell, total_pull, mask=valid)
    tl.store(sum_stiff + cell, total_stiff, mask=valid)
    if HAS_GAPS:
        tl.store(sum_rest + cell, total_rest, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)
    if middle is not None:
        clear(middle_tail, n_steps - n_run, n_modes, every, all_valid, STEPS)
