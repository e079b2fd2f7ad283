"""The loops of :mod:`.cuda` for many modes and samples: time in sequence, a mode a lane.

Shape letters: B batch, T time steps, P modes. A program is one warp of BLOCK modes of one
sample; it asks for a tile of STEPS steps while it works on the tile before.

With a `decay`, which may be None, oscillators are damped ones. `slots` and `states` are those of
:class:`..borders.Borders`, or None.
"""

import triton
import triton.language as tl

from ..cuda_kernels import clear, fetch, row_of, where_am_i
from .cuda_decay import keep, kept_at, left_by, lost_in, rates, regained
from .cuda_kernels import coefficients, driven, free
from .cuda_turn import after, slope, turn


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift", "n_states"])
def forward(
    drive, out, momentum, position, stiffness, step, dt, lengths, turns, decay, slots,
    states, first, n_steps, n_total, n_modes: tl.constexpr, shift, n_states,
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
    if decay is not None:
        half, lost = rates(decay, mode, valid, real)
    if slots is not None:
        slots += first
        states += row * n_states * (2 * n_modes)
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
            if slots is not None:
                slot = tl.load(slots + i, mask=i < left, other=-1)
                if slot >= 0:
                    keep(states, slot, z, y, mode, valid, n_modes)
            if HAS_GAPS:
                gap = tl.load(dt + (n_total + i), mask=i < left, other=0.0)
                if gap > 0:
                    c, r, q = turn(turns, gap, kappa64)
                    if decay is not None:
                        share = left_by(2.0 * half * gap)
                        c, r = share * c, share * r
                    z, y = after(z, y, c, r, q)
            z_now, y_now = z, y
            if decay is not None:
                if HAS_DT:
                    lost = lost_in(half.to(real) * s)
                z_now, y_now = z + lost * z, y + lost * y
            z_next, y_next, _ = driven(z_now, y_now, gain * row_of(u_tile, i), kappa, low, s)
            if decay is not None:
                z_next, y_next = z_next + lost * z_next, y_next + lost * y_next
            z, y = tl.where(i < left, z_next, z), tl.where(i < left, y_next, y)
            tl.store(out + i * n_modes, y, mask=(i < left) & valid)
        out += STEPS * n_modes
        u_tile = u_ahead
        if HAS_DT:
            dt += STEPS
        if slots is not None:
            slots += STEPS
    tl.store(momentum + cell, z, mask=valid)
    tl.store(position + cell, y, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total", "shift", "n_states"])
def backward(
    drive, grad, grad_drive, kept, before, z_diff, y_diff, z_mean, y_mean, nudge, contrast,
    stiffness, step, dt, lengths, sum_kappa, sum_gain, sum_rate, turns, decay,
    slots, states, first, n_steps, n_total, n_modes: tl.constexpr, shift, n_states,
    ECHO: tl.constexpr, HAS_DT: tl.constexpr, HAS_GAPS: tl.constexpr, STEPS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients of the drive (B, T, P), of kappa, gain and decay (B, P), from those of y.

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
    if decay is not None:
        half, lost = rates(decay, mode, valid, real)
        total_rate = tl.zeros((1, BLOCK), tl.float64)
    if slots is not None:
        slots += first + n_run - 1
        states += row * n_states * (2 * n_modes)
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
        if decay is not None:
            part_rate = tl.zeros((1, BLOCK), real)
        for i in tl.static_range(STEPS):
            if HAS_DT:
                s = tl.load(dt - i, mask=i < left, other=0.0)
            else:
                s = 1.0
            there = (i < left) & valid
            u, g = row_of(u_tile, i), row_of(g_tile, i)
            if decay is not None:
                if HAS_DT:
                    lost = lost_in(half.to(real) * s)
                again = regained(lost)
            if ECHO:
                g *= size
                if kept is not None:
                    tl.store(kept - i * n_modes, my, mask=there)
                z_now, y_now = mz, my
                if decay is not None:
                    z_now, y_now = mz + again * mz, my + again * my
                z_next, y_next, y_half = driven(z_now, y_now, gain * u, kappa, low, s)
                if decay is not None:
                    z_next, y_next = z_next + again * z_next, y_next + again * y_next
                mz, my = tl.where(i < left, z_next, mz), tl.where(i < left, y_next, my)
            else:
                # The kick's position follows from those before and after the step.
                last = tl.where(i + 1 < left, row_of(y_tile, i), edge)
                y_now, y_last = now, last
                if decay is not None:
                    y_now, y_last = now + again * now, last + lost * last
                y_half = 0.5 * (y_now + y_last) - 0.25 * s * s * (gain * u)
                if HAS_DT:
                    y_half = y_half / (1.0 - 0.25 * s * s * kappa)
                else:
                    y_half *= bend
                now = last
            dz_now, dy_now = dz + g, dy
            if decay is not None:
                dz_now, dy_now = dz_now + lost * dz_now, dy + lost * dy
                # The state's product with its gradient after the kick; the momentum is what
                # the position has moved by, over s / 2.
                if ECHO:
                    shrunk = s * scale * (dz_now * y_now - dy_now * z_now)
                else:
                    shrunk = 2.0 * dy_now * (y_now - y_half) + s * dz_now * y_now
            z_next, y_next, moved = free(dz_now, dy_now, kappa, low, s)
            if decay is not None:
                z_next, y_next = z_next + lost * z_next, y_next + lost * y_next
            dz, dy = tl.where(i < left, z_next, dz), tl.where(i < left, y_next, dy)
            # dL/dtheta = -sum contrast(dH/dtheta), H = kappa/2 y_half^2 - gain u y_half
            shifted = s * moved
            if ECHO:
                shifted *= scale
            tl.store(grad_drive - i * n_modes, gain * shifted, mask=there)
            part_kappa -= tl.where(i < left, shifted * y_half, 0.0)
            part_gain += tl.where(i < left, shifted * u, 0.0)
            if decay is not None:
                part_rate -= tl.where(i < left, shrunk - 0.5 * s * gain * shifted * u, 0.0)
            if slots is not None:
                slot = tl.load(slots - i, mask=i < left, other=-1)
            if HAS_GAPS:
                # Only of echoes: see ``turn.py``.
                gap = tl.load(dt + (n_total - i), mask=i < left, other=0.0)
                if gap > 0:
                    c, r, q = turn(turns, gap, kappa64)
                    pull_y, pull_z = scale * dz, scale * dy
                    if decay is not None:
                        share = left_by(2.0 * half * gap)
                        dz, dy = after(dz, dy, share * c, share * r, q)
                        mz, my = after(mz, my, c / share, r / share, q)
                        if slots is not None:  # noqa: SIM102
                            if slot >= 0:
                                mz, my = kept_at(states, slot, mode, valid, n_modes)
                        # Read off where nothing has faded yet.
                        part_rate -= gap * scale * (dz * my - dy * mz)
                        pull_y, pull_z = share * pull_y, share * pull_z
                    else:
                        dz, dy = after(dz, dy, c, r, q)
                        mz, my = after(mz, my, c, r, q)
                    total_kappa += slope(turns, gap, kappa64, c, r, q, pull_z, pull_y, -mz, my)
            if slots is not None:  # noqa: SIM102
                if slot >= 0:
                    mz, my = kept_at(states, slot, mode, valid, n_modes)
        total_kappa += part_kappa.to(tl.float64)
        total_gain += part_gain.to(tl.float64)
        if decay is not None:
            total_rate += part_rate.to(tl.float64)
        grad_drive -= STEPS * n_modes
        if kept is not None:
            kept -= STEPS * n_modes
        u_tile, g_tile = u_ahead, g_ahead
        if not ECHO:
            y_tile = y_ahead
        if HAS_DT:
            dt -= STEPS
        if slots is not None:
            slots -= STEPS
    tl.store(z_diff + cell, dz, mask=valid)
    tl.store(y_diff + cell, dy, mask=valid)
    tl.store(sum_kappa + cell, total_kappa, mask=valid)
    tl.store(sum_gain + cell, total_gain, mask=valid)
    if decay is not None:
        tl.store(sum_rate + cell, total_rate, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, STEPS)
    if ECHO:
        tl.store(z_mean + cell, mz, mask=valid)
        tl.store(y_mean + cell, my, mask=valid)
        if kept is not None:
            clear(kept_tail, n_steps - n_run, n_modes, every, all_valid, STEPS)
