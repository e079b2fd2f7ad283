"""The loops over time of :mod:`.cuda`, which says what they do and why.

Shape letters: B batch, T time steps, P modes. A program holds BLOCK modes of one sample
and takes SUBS times STEPS steps at once, lane (sub, mode) the STEPS of them that start
at ``sub * STEPS``.
"""

import triton
import triton.language as tl

from ..cuda_kernels import clear, where_am_i


@triton.jit
def coefficients(stiffness, step, mode, valid, real: tl.constexpr):
    """kappa in float64 and in two parts, and gain."""
    d = tl.load(step + mode, mask=valid, other=0.0).to(tl.float64)
    a = tl.load(stiffness + mode, mask=valid, other=0.0).to(tl.float64)
    kappa = d * d * a
    high = kappa.to(real)
    low = (kappa - high.to(tl.float64)).to(real)
    return kappa, high, low, (d * d).to(real)


@triton.jit
def driven(z, y, force, kappa, low, s):
    """A step."""
    h = 0.5 * s
    y_half = y + h * z
    z += s * (force - low * y_half)
    z -= s * kappa * y_half
    return z, y_half + h * z, y_half


@triton.jit
def free(z, y, kappa, low, s):
    """A step without a drive."""
    h = 0.5 * s
    y_half = y + h * z
    z -= s * low * y_half
    z -= s * kappa * y_half
    return z, y_half + h * z, y_half


@triton.jit
def _free64(z, y, kappa, s):
    """A step without a drive, in float64."""
    h = 0.5 * s
    y_half = y + h * z
    z -= s * kappa * y_half
    return z, y_half + h * z


@triton.jit
def _identity(SUBS: tl.constexpr, BLOCK: tl.constexpr):
    one, zero = tl.full((SUBS, BLOCK), 1.0, tl.float64), tl.zeros((SUBS, BLOCK), tl.float64)
    return one, zero, zero, one


@triton.jit
def _power(kappa, STEPS: tl.constexpr, SUBS: tl.constexpr):
    """Matrix of STEPS steps of one size, for each of SUBS."""
    zz, yy = tl.full(kappa.shape, 1.0, tl.float64), tl.full(kappa.shape, 1.0, tl.float64)
    yz, zy = tl.zeros(kappa.shape, tl.float64), tl.zeros(kappa.shape, tl.float64)
    for _ in range(STEPS):
        zz, yz = _free64(zz, yz, kappa, 1.0)
        zy, yy = _free64(zy, yy, kappa, 1.0)
    shape: tl.constexpr = (SUBS, kappa.shape[1])
    return (
        tl.broadcast_to(zz, shape), tl.broadcast_to(zy, shape),
        tl.broadcast_to(yz, shape), tl.broadcast_to(yy, shape),
    )  # fmt: skip


@triton.jit
def _then(a_zz, a_zy, a_yz, a_yy, a_z, a_y, b_zz, b_zy, b_yz, b_yy, b_z, b_y):
    """One affine map of (z, y), and then another."""
    return (
        b_zz * a_zz + b_zy * a_yz, b_zz * a_zy + b_zy * a_yy,
        b_yz * a_zz + b_yy * a_yz, b_yz * a_zy + b_yy * a_yy,
        b_zz * a_z + b_zy * a_y + b_z, b_yz * a_z + b_yy * a_y + b_y,
    )  # fmt: skip


@triton.jit
def _then_two(
    a_zz, a_zy, a_yz, a_yy, a_z, a_y, a_z2, a_y2, b_zz, b_zy, b_yz, b_yy, b_z, b_y, b_z2, b_y2
):
    """The same for two pairs (z, y) with one matrix."""
    return (
        b_zz * a_zz + b_zy * a_yz, b_zz * a_zy + b_zy * a_yy,
        b_yz * a_zz + b_yy * a_yz, b_yz * a_zy + b_yy * a_yy,
        b_zz * a_z + b_zy * a_y + b_z, b_yz * a_z + b_yy * a_y + b_y,
        b_zz * a_z2 + b_zy * a_y2 + b_z2, b_yz * a_z2 + b_yy * a_y2 + b_y2,
    )  # fmt: skip


@triton.jit
def _item(begin, rest, is_first):
    """What a scan over sub-chunks takes: the state before the first, else what rest gives."""
    return tl.where(is_first, begin, rest).to(tl.float64)


@triton.jit
def _starts(zz, zy, yz, yy, z, y, rest_z, rest_y, is_first):
    """State (z, y) before every sub-chunk, from the one before the first."""
    z_item, y_item = _item(z, rest_z, is_first), _item(y, rest_y, is_first)
    _, _, _, _, zs, ys = tl.associative_scan((zz, zy, yz, yy, z_item, y_item), 0, _then)
    return zs.to(rest_z.dtype), ys.to(rest_y.dtype)


@triton.jit
def _starts_two(
    zz, zy, yz, yy, z, y, z2, y2, rest_z, rest_y, rest_z2, rest_y2, is_first
):  # fmt: skip
    """The same for two pairs (z, y)."""
    z_item, y_item = _item(z, rest_z, is_first), _item(y, rest_y, is_first)
    z2_item, y2_item = _item(z2, rest_z2, is_first), _item(y2, rest_y2, is_first)
    _, _, _, _, zs, ys, zs2, ys2 = tl.associative_scan(
        (zz, zy, yz, yy, z_item, y_item, z2_item, y2_item), 0, _then_two
    )
    real: tl.constexpr = rest_z.dtype
    return zs.to(real), ys.to(real), zs2.to(real), ys2.to(real)


@triton.jit
def _take(values, here):
    """The row of `values` that `here` marks."""
    return tl.sum(tl.where(here, values, 0.0), axis=0, keep_dims=True)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total"])
def forward(
    drive, out, momentum, position, stiffness, step, dt, lengths,
    first, n_steps, n_total, n_modes,
    HAS_DT: tl.constexpr, SUBS: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
    UNROLL: tl.constexpr, AGAIN: tl.constexpr,
):  # fmt: skip
    """Positions (B, T, P) from `drive`; momentum and position (B, P) in place."""
    real: tl.constexpr = drive.dtype.element_ty
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode, valid
    mode, valid = every[None, :], valid[None, :]
    kappa64, kappa, low, gain = coefficients(stiffness, step, mode, valid, real)
    zero = tl.zeros_like(mode)  # a step's size goes to every mode's lane
    cell = row * n_modes + mode
    z = tl.load(momentum + cell, mask=valid, other=0.0)
    y = tl.load(position + cell, mask=valid, other=0.0)
    tail = out + (row * n_steps + n_run) * n_modes
    drive += row * n_steps * n_modes
    out += row * n_steps * n_modes
    if HAS_DT:
        dt += row * n_total + first
    else:
        zz, zy, yz, yy = _power(kappa64, STEPS, SUBS)
    sub = tl.arange(0, SUBS)[:, None]
    begin = sub * STEPS
    is_first = sub == 0
    cells = begin * n_modes + mode

    for tile in range(0, n_run, SUBS * STEPS):
        left = n_run - tile
        # From rest through the sub-chunk before: what it adds to the state after it.
        rest_z = tl.zeros((SUBS, BLOCK), real)
        rest_y = tl.zeros((SUBS, BLOCK), real)
        if HAS_DT:
            zz, zy, yz, yy = _identity(SUBS, BLOCK)
        for some in range(0, STEPS, UNROLL):
            for i in tl.static_range(UNROLL):
                t = begin - STEPS + some + i
                on = (t >= 0) & (t < left)
                u = tl.load(
                    drive + (cells + (some + i - STEPS) * n_modes),
                    mask=on & valid, other=0.0,
                )  # fmt: skip
                if HAS_DT:
                    s = tl.load(dt + (t + zero), mask=on & valid, other=0.0)
                    wide = s.to(tl.float64)
                    zz, yz = _free64(zz, yz, kappa64, wide)
                    zy, yy = _free64(zy, yy, kappa64, wide)
                else:
                    s = 1.0
                rest_z, rest_y, _ = driven(rest_z, rest_y, gain * u, kappa, low, s)
        zs, ys = _starts(zz, zy, yz, yy, z, y, rest_z, rest_y, is_first)
        # From the right state through the sub-chunk itself, from a cache this time.
        u = tl.load(drive + cells, mask=(begin < left) & valid, other=0.0)
        for some in range(0, STEPS, AGAIN):
            for i in tl.static_range(AGAIN):
                t = begin + some + i
                on = t < left
                there = on & valid
                # Loads are not moved across stores: ask for the next before this one's.
                ahead = tl.load(
                    drive + (cells + (some + i + 1) * n_modes),
                    mask=(t + 1 < left) & valid, other=0.0,
                )  # fmt: skip
                if HAS_DT:
                    s = tl.load(dt + (t + zero), mask=there, other=0.0)
                else:
                    s = 1.0
                z_next, y_next, _ = driven(zs, ys, gain * u, kappa, low, s)
                zs, ys = tl.where(on, z_next, zs), tl.where(on, y_next, ys)
                tl.store(out + (cells + (some + i) * n_modes), ys, mask=there)
                u = ahead
        last = sub == (tl.minimum(left, SUBS * STEPS) - 1) // STEPS
        z, y = _take(zs, last), _take(ys, last)
        drive += SUBS * STEPS * n_modes
        out += SUBS * STEPS * n_modes
        if HAS_DT:
            dt += SUBS * STEPS
    tl.store(momentum + cell, z, mask=valid)
    tl.store(position + cell, y, mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, SUBS)


@triton.jit(do_not_specialize=["first", "n_steps", "n_total"])
def backward(
    drive, grad, grad_drive, kept, before, z_diff, y_diff, z_mean, y_mean, nudge, contrast,
    stiffness, step, dt, lengths, sum_kappa, sum_gain,
    first, n_steps, n_total, n_modes,
    ECHO: tl.constexpr, HAS_DT: tl.constexpr, SUBS: tl.constexpr, STEPS: tl.constexpr,
    BLOCK: tl.constexpr, UNROLL: tl.constexpr, AGAIN: tl.constexpr,
):  # fmt: skip
    """Gradients of the drive (B, T, P), and of kappa and gain (B, P), from those of y.

    The adjoint of the positions in `kept` runs in `z_diff` and `y_diff`, its names as an
    echo's half difference, the same recurrence. An echo has its mean beside it, whose
    positions go to `kept` unless that is None.
    """
    real: tl.constexpr = drive.dtype.element_ty
    row, mode, valid, n_run = where_am_i(lengths, first, n_steps, n_modes, BLOCK)
    every, all_valid = mode, valid
    mode, valid = every[None, :], valid[None, :]
    kappa64, kappa, low, gain = coefficients(stiffness, step, mode, valid, real)
    zero = tl.zeros_like(mode)  # a step's size goes to every mode's lane
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
    drive += (end - 1) * n_modes
    grad += (end - 1) * n_modes
    grad_drive += (end - 1) * n_modes
    if kept is not None:
        kept_tail = kept + end * n_modes
        kept += (end - 1) * n_modes
    if HAS_DT:
        dt += row * n_total + first + n_run - 1
    else:
        zz, zy, yz, yy = _power(kappa64, STEPS, SUBS)
        bend = (1.0 / (1.0 - 0.25 * kappa64)).to(real)
    sub = tl.arange(0, SUBS)[:, None]
    begin = sub * STEPS
    is_first = sub == 0
    cells = mode - begin * n_modes
    total_kappa = tl.zeros((SUBS, BLOCK), tl.float64)
    total_gain = tl.zeros((SUBS, BLOCK), tl.float64)

    for tile in range(0, n_run, SUBS * STEPS):
        left = n_run - tile
        rest_dz, rest_dy = tl.zeros((SUBS, BLOCK), real), tl.zeros((SUBS, BLOCK), real)
        if ECHO:
            rest_mz, rest_my = tl.zeros((SUBS, BLOCK), real), tl.zeros((SUBS, BLOCK), real)
        if HAS_DT:
            zz, zy, yz, yy = _identity(SUBS, BLOCK)
        for some in range(0, STEPS, UNROLL):
            for i in tl.static_range(UNROLL):
                r = begin - STEPS + some + i
                on = (r >= 0) & (r < left)
                there = on & valid
                at = cells - (some + i - STEPS) * n_modes
                g = tl.load(grad + at, mask=there, other=0.0)
                if HAS_DT:
                    s = tl.load(dt - (r + zero), mask=there, other=0.0)
                    wide = s.to(tl.float64)
                    zz, yz = _free64(zz, yz, kappa64, wide)
                    zy, yy = _free64(zy, yy, kappa64, wide)
                else:
                    s = 1.0
                if ECHO:
                    g *= size
                    u = tl.load(drive + at, mask=there, other=0.0)
                    rest_mz, rest_my, _ = driven(rest_mz, rest_my, gain * u, kappa, low, s)
                rest_dz, rest_dy, _ = free(rest_dz + g, rest_dy, kappa, low, s)
        if ECHO:
            dzs, dys, mzs, mys = _starts_two(
                zz, zy, yz, yy, dz, dy, mz, my, rest_dz, rest_dy, rest_mz, rest_my, is_first
            )
        else:
            dzs, dys = _starts(zz, zy, yz, yy, dz, dy, rest_dz, rest_dy, is_first)

        there = (begin < left) & valid
        g = tl.load(grad + cells, mask=there, other=0.0)
        u = tl.load(drive + cells, mask=there, other=0.0)
        if not ECHO:
            now = tl.load(kept + cells, mask=there, other=0.0)
        part_kappa = tl.zeros((SUBS, BLOCK), real)
        part_gain = tl.zeros((SUBS, BLOCK), real)
        for some in range(0, STEPS, AGAIN):
            for i in tl.static_range(AGAIN):
                r = begin + some + i
                on = r < left
                there = on & valid
                more = (r + 1 < left) & valid
                at = cells - (some + i) * n_modes
                g_ahead = tl.load(grad + (at - n_modes), mask=more, other=0.0)
                u_ahead = tl.load(drive + (at - n_modes), mask=more, other=0.0)
                if HAS_DT:
                    s = tl.load(dt - (r + zero), mask=there, other=0.0)
                else:
                    s = 1.0
                if ECHO:
                    g *= size
                    if kept is not None:
                        tl.store(kept + at, mys, mask=there)
                    z_next, y_next, y_half = driven(mzs, mys, gain * u, kappa, low, s)
                    mzs, mys = tl.where(on, z_next, mzs), tl.where(on, y_next, mys)
                else:
                    # The kick's position follows from those before and after the step.
                    last = tl.load(kept + (at - n_modes), mask=more, other=edge)
                    y_half = 0.5 * (now + last) - 0.25 * s * s * (gain * u)
                    if HAS_DT:
                        y_half = y_half / (1.0 - 0.25 * s * s * kappa)
                    else:
                        y_half *= bend
                    now = last
                z_next, y_next, moved = free(dzs + g, dys, kappa, low, s)
                dzs, dys = tl.where(on, z_next, dzs), tl.where(on, y_next, dys)
                # dL/dtheta = -sum contrast(dH/dtheta), H = kappa/2 y_half^2 - gain u y_half
                shift = s * moved
                if ECHO:
                    shift *= scale
                tl.store(grad_drive + at, gain * shift, mask=there)
                part_kappa -= tl.where(on, shift * y_half, 0.0)
                part_gain += tl.where(on, shift * u, 0.0)
                g, u = g_ahead, u_ahead
        total_kappa += part_kappa.to(tl.float64)
        total_gain += part_gain.to(tl.float64)
        final = sub == (tl.minimum(left, SUBS * STEPS) - 1) // STEPS
        dz, dy = _take(dzs, final), _take(dys, final)
        if ECHO:
            mz, my = _take(mzs, final), _take(mys, final)
        drive -= SUBS * STEPS * n_modes
        grad -= SUBS * STEPS * n_modes
        grad_drive -= SUBS * STEPS * n_modes
        if kept is not None:
            kept -= SUBS * STEPS * n_modes
        if HAS_DT:
            dt -= SUBS * STEPS
    tl.store(z_diff + cell, dz, mask=valid)
    tl.store(y_diff + cell, dy, mask=valid)
    tl.store(sum_kappa + cell, tl.sum(total_kappa, axis=0, keep_dims=True), mask=valid)
    tl.store(sum_gain + cell, tl.sum(total_gain, axis=0, keep_dims=True), mask=valid)
    clear(tail, n_steps - n_run, n_modes, every, all_valid, SUBS)
    if ECHO:
        tl.store(z_mean + cell, mz, mask=valid)
        tl.store(y_mean + cell, my, mask=valid)
        if kept is not None:
            clear(kept_tail, n_steps - n_run, n_modes, every, all_valid, SUBS)
