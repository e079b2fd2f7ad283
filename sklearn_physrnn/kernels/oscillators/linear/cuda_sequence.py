"""The loops of :mod:`.cuda` for many modes and samples: time in sequence, a mode a lane.

Shape letters: B batch, T time steps, P modes. A program is one warp of BLOCK modes of one
sample; it asks for a tile of STEPS steps while it works on the tile before.
"""

import triton
import triton.language as tl

from ..cuda_kernels import clear, fetch, row_of, where_am_i
from .cuda_kernels import coefficients, driven, free
from .cuda_turn import after, slope, turn


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift"])
def forward(
    drive, out, momentum, position, stiffness, step, dt, lengths, turns,
    first, n_steps, n_total, n_modes: tl.constexpr, shift,
    HAS_DT: tl.constexpr, HAS_GAPS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Positions (B, T, P) from `drive`; momentum and position (B, P) in place."""
    real: tl.constexpr = drive.dtype.element_ty
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode + shift, valid
    mode, valid = every[None, :], valid[None, :]
    kappa64, kappa, low, gain = coefficients(stiffness, step, mode, valid, real)
    cell = row * n_modes + mode
    z = tl.load(momentum + cell, mask=valid, other=0.0)
    y = tl.load(position + cell, mask=valid, other=0.0)
    tail = out + (row * n_steps + n_run) * n_modes
    start = row * n_steps * n_modes + mode
    drive += start
    out += start
    if HAS_DT:
        dt += row * (2 * n_total if HAS_GAPS else n_total) + first
    if HAS_GAPS:
        turns = tl.load(turns + mode, mask=valid, other=0.0)
    u_tile = fetch(drive, n_modes, n_run, valid, STEPS)

    for tile in range(0, n_run, STEPS):
        left = n_run - tile
        drive += STEPS * n_modes
        u_ahead = fetch(drive, n_modes, left - STEPS, valid, STEPS)
        for i in tl.static_range(STEPS):
            if HAS_DT:
                s = tl.load(dt + i, mask=i < left, other=0.0)
            else:
                s = 1.0
            if HAS_GAPS:
                gap = tl.load(dt + (n_total + i), mask=i < left, other=0.0)
                if gap > 0:
                    c, r, q = turn(turns, gap, kappa64)
                    z, y = after(z, y, c, r, q)
            z_next, y_next, _ = driven(z, y, gain * row_of(u_tile, i), kappa, low, s)
            z, y = tl.where(i < left, z_next, z), tl.where(i < left, y_next, y)
            tl.store(out + i * n_modes, y, mask=(i < left) & valid)
        out += STEPS * n_modes
        u_tile = u_ahead
        if HAS_DT:
            dt += STEPS
    tl.store(momentum + cell, z, mask=valid)
    tl.store(position + cell, y, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift"])
def backward(
    drive, grad, grad_drive, kept, before, z_diff, y_diff, z_mean, y_mean, nudge, contrast,
    stiffness, step, dt, lengths, sum_kappa, sum_gain, turns,
    first, n_steps, n_total, n_modes: tl.constexpr, shift,
    ECHO: tl.constexpr, HAS_DT: tl.constexpr, HAS_GAPS: tl.constexpr, STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients of the drive (B, T, P), and of kappa and gain (B, P), from those of y.

    The names are those of :func:`.cuda_kernels.backward`.
    """
    real: tl.constexpr = drive.dtype.element_ty
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode + shift, valid
    mode, valid = every[None, :], valid[None, :]
    kappa64, kappa, low, gain = coefficients(stiffness, step, mode, valid, real)
    cell = row * n_modes + mode
    dz = tl.load(z_diff + cell, mask=valid, other=0.0)
    dy = tl.load(y_diff + cell, mask=valid, other=0.0)
    if ECHO:
        mz = tl.load(z_mean + cell, mask=valid, other=0.0)
        my = tl.load(y_mean + cell, mask=valid, other=0.0)
        size = tl.load(nudge + cell, mask=valid, other=0.0)
        scale = tl.load(contrast + cell, mask=valid, other=0.0)
    else:
        edge = tl.load(before + cell, mask=valid, other=0.0)
    end = row * n_steps + n_run
    tail = grad_drive + end * n_modes
    final = (end - 1) * n_modes + mode
    drive += final
    grad += final
    grad_drive += final
    if kept is not None:
        kept_tail = kept + end * n_modes
        kept += final
    if HAS_DT:
        dt += row * (2 * n_total if HAS_GAPS else n_total) + first + n_run - 1
    else:
        bend = (1.0 / (1.0 - 0.25 * kappa64)).to(real)
    if HAS_GAPS:
        turns = tl.load(turns + mode, mask=valid, other=0.0)
    u_tile = fetch(drive, -n_modes, n_run, valid, STEPS)
    g_tile = fetch(grad, -n_modes, n_run, valid, STEPS)
    if not ECHO:
        # Of every step the position before it; after the first one it is known.
        now = tl.load(kept, mask=(n_run > 0) & valid, other=0.0)
        kept -= n_modes
        y_tile = fetch(kept, -n_modes, n_run - 1, valid, STEPS)
    total_kappa = tl.zeros((1, BLOCK), tl.float64)
    total_gain = tl.zeros((1, BLOCK), tl.float64)

    for tile in range(0, n_run, STEPS):
        left = n_run - tile
        drive -= STEPS * n_modes
        grad -= STEPS * n_modes
        u_ahead = fetch(drive, -n_modes, left - STEPS, valid, STEPS)
        g_ahead = fetch(grad, -n_modes, left - STEPS, valid, STEPS)
        if not ECHO:
            y_ahead = fetch(kept - STEPS * n_modes, -n_modes, left - STEPS - 1, valid, STEPS)
        part_kappa = tl.zeros((1, BLOCK), real)
        part_gain = tl.zeros((1, BLOCK), real)
        for i in tl.static_range(STEPS):
            if HAS_DT:
                s = tl.load(dt - i, mask=i < left, other=0.0)
            else:
                s = 1.0
            there = (i < left) & valid
            u, g = row_of(u_tile, i), row_of(g_tile, i)
            if ECHO:
                g *= size
                if kept is not None:
                    tl.store(kept - i * n_modes, my, mask=there)
                z_next, y_next, y_half = driven(mz, my, gain * u, kappa, low, s)
                mz, my = tl.where(i < left, z_next, mz), tl.where(i < left, y_next, my)
            else:
                # The kick's position follows from those before and after the step.
                last = tl.where(i + 1 < left, row_of(y_tile, i), edge)
                y_half = 0.5 * (now + last) - 0.25 * s * s * (gain * u)
                if HAS_DT:
                    y_half = y_half / (1.0 - 0.25 * s * s * kappa)
                else:
                    y_half *= bend
                now = last
            z_next, y_next, moved = free(dz + g, dy, kappa, low, s)
            dz, dy = tl.where(i < left, z_next, dz), tl.where(i < left, y_next, dy)
            # dL/dtheta = -sum contrast(dH/dtheta), H = kappa/2 y_half^2 - gain u y_half
            shifted = s * moved
            if ECHO:
                shifted *= scale
            tl.store(grad_drive - i * n_modes, gain * shifted, mask=there)
            part_kappa -= tl.where(i < left, shifted * y_half, 0.0)
            part_gain += tl.where(i < left, shifted * u, 0.0)
            if HAS_GAPS:
                # Only of echoes: see ``turn.py``.
                gap = tl.load(dt + (n_total - i), mask=i < left, other=0.0)
                if gap > 0:
                    c, r, q = turn(turns, gap, kappa64)
                    pull_y, pull_z = scale * dz, scale * dy
                    dz, dy = after(dz, dy, c, r, q)
                    mz, my = after(mz, my, c, r, q)
                    total_kappa += slope(turns, gap, kappa64, c, r, q, pull_z, pull_y, -mz, my)
        total_kappa += part_kappa.to(tl.float64)
        total_gain += part_gain.to(tl.float64)
        grad_drive -= STEPS * n_modes
        if kept is not None:
            kept -= STEPS * n_modes
        u_tile, g_tile = u_ahead, g_ahead
        if not ECHO:
            y_tile = y_ahead
        if HAS_DT:
            dt -= STEPS
    tl.store(z_diff + cell, dz, mask=valid)
    tl.store(y_diff + cell, dy, mask=valid)
    tl.store(sum_kappa + cell, total_kappa, mask=valid)
    tl.store(sum_gain + cell, total_gain, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)
    if ECHO:
        tl.store(z_mean + cell, mz, mask=valid)
        tl.store(y_mean + cell, my, mask=valid)
        if kept is not None:
            clear(kept_tail, n_steps - n_run, n_modes, every, all_valid, STEPS)
