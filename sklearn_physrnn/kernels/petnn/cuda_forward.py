"""The energy-transition recurrence on a GPU, forward; letters as in cuda_math."""

import triton
import triton.language as tl

from .cuda_math import (
    add_product,
    held_tile,
    no_sum,
    product,
    release,
    share,
    shared_tile,
    tanh,
    total,
)


@triton.jit
def _load_drive(drive, there, like, H: tl.constexpr, DECAY: tl.constexpr, GROUND: tl.constexpr):
    """The input's share of every block at one step, and 0 for a block that is not there."""
    step = tl.load(drive, there, 0).to(like.dtype)
    injection = tl.load(drive + H, there, 0).to(like.dtype)
    mixing = tl.load(drive + 2 * H, there, 0).to(like.dtype)
    candidate = tl.load(drive + 3 * H, there, 0).to(like.dtype)
    decay, ground = tl.zeros_like(step), tl.zeros_like(step)
    if DECAY:
        decay = tl.load(drive + 4 * H, there, 0).to(like.dtype)
    if GROUND:
        ground = tl.load(drive + (4 + DECAY) * H, there, 0).to(like.dtype)
    return step, injection, mixing, candidate, decay, ground


@triton.jit(do_not_specialize=["n_batch", "n_steps", "shift"])
def forward_kernel(
    drive, weights, s0, c0, t0, dt, lengths, out, s_out, c_out, t_out, kept, shared,
    n_batch, n_steps, shift,
    H: tl.constexpr, W: tl.constexpr, R: tl.constexpr, K: tl.constexpr,
    STAGES: tl.constexpr, PRECISION: tl.constexpr, HELD: tl.constexpr,
    WIDTH: tl.constexpr, SOFT: tl.constexpr, BOUNDED: tl.constexpr, DECAY: tl.constexpr,
    GROUND: tl.constexpr, KEEP: tl.constexpr,
):  # fmt: skip
    """Rows of the batch from the first step to the last.

    drive (B, T, G, H): the input's share of all blocks; if KEEP, what each block amounts
    to takes its place. weights (4, W, W): see weight_tile. s0, c0, t0 (B, H). dt (B, T) and
    lengths (B,), or None. out (B, T, H); s_out, c_out, t_out (B, H): after each sample's
    last step. kept (B, T, 3, H): if KEEP, S and C before each step, and T'. shared
    (programs, 2, R, W) where HELD is less than 4, else None.
    """
    n_blocks: tl.constexpr = 4 + DECAY + GROUND
    # Loads in flight at once; Triton itself sees to that where it finds a dot.
    UNROLL: tl.constexpr = 4 if PRECISION == "ieee" else 1
    if PRECISION == "ieee":
        weights += shift  # see cuda_math
    program = tl.program_id(0)
    row = program * R + tl.arange(0, R)[:, None]
    column = tl.arange(0, W)[None, :]
    exists = (row < n_batch) & (column < H)
    length = n_steps + tl.zeros_like(row)
    if lengths is not None:
        length = tl.load(lengths + row, row < n_batch, 0)

    start = row.to(tl.int64) * H + column
    s = tl.load(s0 + start, exists, 0)
    c = tl.load(c0 + start, exists, 0)
    t = tl.load(t0 + start, exists, 0)
    first = row.to(tl.int64) * n_steps
    drive += first * (n_blocks * H) + column
    out += first * H + column
    if KEEP:
        kept += first * (3 * H) + column
    if dt is not None:
        dt += first
    held_t = held_tile(weights, 0, HELD, W, PRECISION)
    held_c = held_tile(weights, 1, HELD, W, PRECISION)
    held_w = held_tile(weights, 2, HELD, W, PRECISION)
    held_h = held_tile(weights, 3, HELD, W, PRECISION)
    if HELD < 4:
        shared += program.to(tl.int64) * (2 * R * W)

    there = exists & (length > 0)
    next_x, next_c, next_w, next_h, next_decay, next_ground = _load_drive(
        drive, there, s, H, DECAY, GROUND
    )
    for now in range(n_steps):
        there = exists & (now < length)
        z_t, z_c, z_w, z_h = next_x, next_c, next_w, next_h
        decay, ground = next_decay, next_ground
        elapsed = tl.full([R, 1], 1, s.dtype)
        if dt is not None:
            elapsed = tl.load(dt + now, (row < n_batch) & (now < length), 1)

        if HELD == 4:
            z_t += product(s, held_t, PRECISION)
            z_c += product(s, held_c, PRECISION)
            z_w += product(s, held_w, PRECISION)
        else:
            share(shared, 0, s, R, W)
            if HELD > 2:
                z_c += product(s, held_c, PRECISION)
            if HELD > 1:
                z_w += product(s, held_w, PRECISION)
            tl.debug_barrier()
            sum_t = no_sum(s, R, K, W, PRECISION)
            sum_c = no_sum(s, R, K, W, PRECISION)
            sum_w = no_sum(s, R, K, W, PRECISION)
            for first_k in tl.range(0, W, UNROLL * K, num_stages=STAGES):
                for k in tl.static_range(0, UNROLL * K, K):
                    left = shared_tile(shared, 0, first_k + k, K, R, W, PRECISION)
                    sum_t = add_product(sum_t, left, weights, 0, first_k + k, K, W, PRECISION)
                    if HELD <= 2:
                        sum_c = add_product(sum_c, left, weights, 1, first_k + k, K, W, PRECISION)
                    if HELD <= 1:
                        sum_w = add_product(sum_w, left, weights, 2, first_k + k, K, W, PRECISION)
            z_t += total(sum_t, PRECISION)
            if HELD <= 2:
                z_c += total(sum_c, PRECISION)
            if HELD <= 1:
                z_w += total(sum_w, PRECISION)
        if BOUNDED:
            z_t = tanh(z_t)
        z_c, z_w = tl.sigmoid(z_c), tl.sigmoid(z_w)
        slack = t + z_t
        slack = tl.where(slack <= 0, 0, slack)  # a NaN stays one
        if DECAY:
            decay = tl.sigmoid(decay)
            slack *= decay
        slack -= elapsed
        m = release(slack, WIDTH, SOFT)
        energy = m * c
        if KEEP:
            tl.store(kept, s, exists)
            tl.store(kept + H, c, exists)
            tl.store(kept + 2 * H, slack, exists)
            kind = drive.dtype.element_ty
            if BOUNDED:
                tl.store(drive, z_t.to(kind), exists)
            tl.store(drive + H, z_c.to(kind), exists)
            tl.store(drive + 2 * H, z_w.to(kind), exists)
            if DECAY:
                tl.store(drive + 4 * H, decay.to(kind), exists)
        new_c = (1 - m) * c + z_c
        if GROUND:
            ground = tl.sigmoid(ground)
            new_c += m * ground
            if KEEP:
                tl.store(drive + (4 + DECAY) * H, ground.to(drive.dtype.element_ty), exists)

        if HELD > 0:
            z_h += product(s * energy, held_h, PRECISION)
        else:
            share(shared, 1, s * energy, R, W)
            tl.debug_barrier()
            sum_h = no_sum(s, R, K, W, PRECISION)
            for first_k in tl.range(0, W, UNROLL * K, num_stages=STAGES):
                for k in tl.static_range(0, UNROLL * K, K):
                    left = shared_tile(shared, 1, first_k + k, K, R, W, PRECISION)
                    sum_h = add_product(sum_h, left, weights, 3, first_k + k, K, W, PRECISION)
            z_h += total(sum_h, PRECISION)
        h = tanh(z_h)
        if KEEP:
            tl.store(drive + 3 * H, h.to(drive.dtype.element_ty), exists)
        new_s = tanh(s + z_w * (h - s))
        tl.store(out, tl.where(there, new_s, 0), exists)
        s = tl.where(there, new_s, s)
        c = tl.where(there, new_c, c)
        t = tl.where(there, (1 - m) * slack, t)
        drive += n_blocks * H
        out += H
        # Last, so that Triton lays out all that follows as these loads are, which give
        # each thread numbers of its own, and not as a product's sums, which do not.
        next_x, next_c, next_w, next_h, next_decay, next_ground = _load_drive(
            drive, exists & (now + 1 < length), s, H, DECAY, GROUND
        )
        if KEEP:
            kept += 3 * H

    tl.store(s_out + start, s, exists)
    tl.store(c_out + start, c, exists)
    tl.store(t_out + start, t, exists)
