"""The energy-transition recurrence on a GPU, backward; letters as in cuda_math."""

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
    sum_of_products,
    total,
)


@triton.jit
def _load_kept(
    kept, gates, grad_out, there, H: tl.constexpr, BOUNDED: tl.constexpr, DECAY: tl.constexpr,
    GROUND: tl.constexpr,
):  # fmt: skip
    """What the forward loop kept of one step, and the gradient of its output."""
    s = tl.load(kept, there, 0)
    c = tl.load(kept + H, there, 0)
    slack = tl.load(kept + 2 * H, there, 0)
    z_c = tl.load(gates + H, there, 0).to(s.dtype)
    z_w = tl.load(gates + 2 * H, there, 0).to(s.dtype)
    h = tl.load(gates + 3 * H, there, 0).to(s.dtype)
    step, above = tl.zeros_like(s), tl.zeros_like(s)
    decay, ground = tl.zeros_like(s) + 1, tl.zeros_like(s)
    if BOUNDED:
        step = tl.load(gates, there, 0).to(s.dtype)
    if DECAY:
        decay = tl.load(gates + 4 * H, there, 0).to(s.dtype)
    if GROUND:
        ground = tl.load(gates + (4 + DECAY) * H, there, 0).to(s.dtype)
    if grad_out is not None:
        above = tl.load(grad_out, there, 0)
    return s, c, slack, step, z_c, z_w, h, decay, ground, above


@triton.jit(do_not_specialize=["n_batch", "n_steps", "shift"])
def backward_kernel(
    gates, kept, weights, last_s, dt, lengths, grad_out, grad_s, grad_c, grad_t,
    grads, recalled, first_s, first_c, first_t, shared, n_batch, n_steps, shift,
    H: tl.constexpr, W: tl.constexpr, R: tl.constexpr, K: tl.constexpr,
    STAGES: tl.constexpr, PRECISION: tl.constexpr, HELD: tl.constexpr,
    WIDTH: tl.constexpr, SOFT: tl.constexpr, BOUNDED: tl.constexpr, DECAY: tl.constexpr,
    GROUND: tl.constexpr, SURROGATE: tl.constexpr, TIMED: tl.constexpr,
):  # fmt: skip
    """Rows of the batch from the last step to the first.

    gates (B, T, G, H), kept (B, T, 3, H): what the forward loop left. weights (4, W, W):
    see weight_tile. last_s (B, H): S after the last step. grad_out (B, T, H), grad_s,
    grad_c, grad_t (B, H): gradients of the results, or None for zero. TIMED: whether
    anything depends on T' in a differentiable way. grads (B, T, G, H): gradients of what
    the blocks' activations take in, zero past a sample's end. recalled (B, T, H): S E,
    which the candidate saw. first_s, first_c, first_t (B, H): gradients of the first
    state. shared (programs, 4, R, W) where HELD is less than 4, else None.
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
    new_s = tl.load(last_s + start, exists, 0)
    ds, dc, d_time = tl.zeros_like(new_s), tl.zeros_like(new_s), tl.zeros_like(new_s)
    if grad_s is not None:
        ds = tl.load(grad_s + start, exists, 0)
    if grad_c is not None:
        dc = tl.load(grad_c + start, exists, 0)
    if grad_t is not None:
        d_time = tl.load(grad_t + start, exists, 0)

    past_end = (row.to(tl.int64) + 1) * n_steps
    gates += (past_end - 1) * (n_blocks * H) + column
    grads += (past_end - 1) * (n_blocks * H) + column
    kept += (past_end - 1) * (3 * H) + column
    recalled += (past_end - 1) * H + column
    if grad_out is not None:
        grad_out += (past_end - 1) * H + column
    if dt is not None:
        dt += past_end - n_steps
    kind = grads.dtype.element_ty
    held_h = held_tile(weights, 3, HELD, W, PRECISION)
    held_w = held_tile(weights, 2, HELD, W, PRECISION)
    held_c = held_tile(weights, 1, HELD, W, PRECISION)
    held_t = None
    if TIMED:
        held_t = held_tile(weights, 0, HELD, W, PRECISION)
    if HELD < 4:
        shared += program.to(tl.int64) * (4 * R * W)

    (
        next_s, next_c, next_slack, next_step, next_zc, next_zw, next_h, next_decay,
        next_ground, next_above,
    ) = _load_kept(
        kept, gates, grad_out, exists & (n_steps <= length) & (n_steps > 0),
        H, BOUNDED, DECAY, GROUND,
    )  # fmt: skip
    for back in range(n_steps):
        now = n_steps - 1 - back
        there = exists & (now < length)
        s, c, slack, step, z_c = next_s, next_c, next_slack, next_step, next_zc
        z_w, h, decay, ground, above = next_zw, next_h, next_decay, next_ground, next_above
        elapsed = tl.full([R, 1], 1, s.dtype)
        if dt is not None:
            elapsed = tl.load(dt + now, (row < n_batch) & (now < length), 1)

        # Past its end a sample's step hands everything through unchanged.
        above_c = tl.where(there, dc, 0)
        above_t = tl.where(there, d_time, 0)
        inner = (above + tl.where(there, ds, 0)) * (1 - new_s * new_s)
        d_h = inner * z_w * (1 - h * h)
        d_w = inner * (h - s) * z_w * (1 - z_w)
        d_c = above_c * z_c * (1 - z_c)
        old_s = inner * (1 - z_w)
        tl.store(grads + 3 * H, d_h.to(kind), exists)
        tl.store(grads + 2 * H, d_w.to(kind), exists)
        tl.store(grads + H, d_c.to(kind), exists)

        if HELD > 0:
            d_recalled = product(d_h, held_h, PRECISION)
        else:
            share(shared, 3, d_h, R, W)
            tl.debug_barrier()
            sums = no_sum(s, R, K, W, PRECISION)
            for first_k in tl.range(0, W, UNROLL * K, num_stages=STAGES):
                for k in tl.static_range(0, UNROLL * K, K):
                    left = shared_tile(shared, 3, first_k + k, K, R, W, PRECISION)
                    sums = add_product(sums, left, weights, 3, first_k + k, K, W, PRECISION)
            d_recalled = total(sums, PRECISION)
        m = release(slack, WIDTH, SOFT)
        energy = m * c
        tl.store(recalled, (s * energy).to(kind), exists)
        old_s += d_recalled * energy
        d_energy = d_recalled * s

        old_t = tl.zeros_like(s)
        d_t = tl.zeros_like(s)
        if TIMED:
            d_slack = above_t * (1 - m)
            if SURROGATE:
                soft = release(slack, WIDTH, True)
                d_m = above_c * (ground - c) + d_energy * c - above_t * slack
                d_slack += d_m * soft * (soft - 1) / WIDTH
            scaled = slack + elapsed  # R relu(T + Z_t)
            old_t = tl.where(scaled > 0, d_slack * decay, 0)
            d_t = old_t
            if BOUNDED:
                d_t *= 1 - step * step
        tl.store(grads, d_t.to(kind), exists)
        if DECAY:
            d_decay = tl.zeros_like(s)
            if TIMED:
                d_decay = d_slack * scaled * (1 - decay)
            tl.store(grads + 4 * H, d_decay.to(kind), exists)
        if GROUND:
            d_ground = above_c * m * ground * (1 - ground)
            tl.store(grads + (4 + DECAY) * H, d_ground.to(kind), exists)

        if HELD == 4:
            old_s += sum_of_products(d_w, held_w, d_c, held_c, d_t, held_t, TIMED, PRECISION)
        else:
            if HELD <= 1:
                share(shared, 2, d_w, R, W)
            if HELD <= 2:
                share(shared, 1, d_c, R, W)
            if TIMED:
                share(shared, 0, d_t, R, W)
            if HELD > 1:
                old_s += product(d_w, held_w, PRECISION)
            if HELD > 2:
                old_s += product(d_c, held_c, PRECISION)
            tl.debug_barrier()
            sums = no_sum(s, R, K, W, PRECISION)
            for first_k in tl.range(0, W, UNROLL * K, num_stages=STAGES):
                for k in tl.static_range(0, UNROLL * K, K):
                    for block in tl.static_range(0 if TIMED else 1, 4 - max(HELD, 1)):
                        left = shared_tile(shared, block, first_k + k, K, R, W, PRECISION)
                        sums = add_product(
                            sums, left, weights, block, first_k + k, K, W, PRECISION
                        )
            old_s += total(sums, PRECISION)

        ds = tl.where(there, old_s, ds)
        dc = tl.where(there, above_c * (1 - m) + d_energy * m, dc)
        d_time = tl.where(there, old_t, d_time)
        new_s = tl.where(there, s, new_s)
        gates -= n_blocks * H
        grads -= n_blocks * H
        kept -= 3 * H
        recalled -= H
        if grad_out is not None:
            grad_out -= H
        # Last, as in the forward loop.
        (
            next_s, next_c, next_slack, next_step, next_zc, next_zw, next_h, next_decay,
            next_ground, next_above,
        ) = _load_kept(
            kept, gates, grad_out, exists & (now <= length) & (now > 0),
            H, BOUNDED, DECAY, GROUND,
        )  # fmt: skip

    tl.store(first_s + start, ds, exists)
    tl.store(first_c + start, dc, exists)
    if TIMED:
        tl.store(first_t + start, d_time, exists)
