"""The energy-transition recurrence on the CPU, backward; letters as in cpu_layout."""

import numpy as np

from .._numba import jit
from .cpu_forward import load_rows, release_into
from .cpu_gemm import matmul
from .cpu_layout import (
    BLOCKS,
    CANDIDATE,
    CELL,
    DECAY,
    HARD,
    INJECTION,
    MIXING,
    SOFT,
    STATE,
    STEP,
)
from .cpu_math import drop

# Weight gradients are one product over this many rows and steps at a time.
_CHUNK_ROWS = 128


@jit
def backward_shard(
    start, stop, n_room, n_lanes, x, input_weights, recurrent_weights, dt, lengths,
    width, release, time_decay, ground_state, bounded, timed, least, slots, grad_out,
    grad_x, grad_s, grad_c, grad_t, grad_input_weights, grad_recurrent_weights,
):  # fmt: skip
    """Rows `start` to `stop` of the batch, from the last step to the first.

    As in forward_shard, but input_weights (G, H, padded I) and recurrent_weights
    (4, H, W) are transposed. timed: whether anything depends on T' in a
    differentiable way; without it the increment's and the decay's gradients are zero.
    least: what is left of a gradient that counts as nothing. n_room: rows, as whole tiles.
    grad_out (B, T, H): gradient of the output. grad_x (B, T, I) is written, or (0, 0, 0).
    grad_s, grad_c, grad_t (B, H): on entry the gradients of the final state, on return
    those of the initial one. grad_input_weights (G, I + 1 as whole tiles, W) and
    grad_recurrent_weights (4, H as whole tiles, W): zero on entry, this shard's sums.
    """
    n_steps, n_inputs = x.shape[1:]
    n_hidden, W = recurrent_weights.shape[1:]
    n_blocks, _, n_padded_inputs = input_weights.shape
    n_rows = stop - start
    N = n_room * W
    slot = len(slots) // (n_steps + 1)
    zero, one = x.dtype.type(0), x.dtype.type(1)
    input_blocks = input_weights.reshape(-1)
    recurrent_blocks = recurrent_weights.reshape(-1)
    grad_input_blocks = grad_input_weights.reshape(-1)
    grad_recurrent_blocks = grad_recurrent_weights.reshape(-1)
    input_size = n_hidden * n_padded_inputs
    recurrent_size = n_hidden * W
    grad_input_size = grad_input_weights.shape[1] * W
    grad_recurrent_size = grad_recurrent_weights.shape[1] * W

    n_chunk = max(1, _CHUNK_ROWS // n_room)
    G = n_chunk * N  # numbers of a block in a chunk
    grads = np.empty(n_blocks * G, x.dtype)
    old_states, recalls = np.empty(G, x.dtype), np.empty(G, x.dtype)
    n_x = n_room * (n_inputs + 1)
    xs = np.ones(n_chunk * n_x, x.dtype)  # ones: the bias's input
    dx = np.empty(n_room * n_padded_inputs, x.dtype)
    dS, dC, dT = np.zeros(N, x.dtype), np.zeros(N, x.dtype), np.zeros(N, x.dtype)
    held = np.empty((3, N), x.dtype)
    above = np.zeros(N, x.dtype)
    for i in range(n_rows):
        for j in range(n_hidden):
            dS[i * W + j] = grad_s[start + i, j]
            dC[i * W + j] = grad_c[start + i, j]
            dT[i * W + j] = grad_t[start + i, j]
    m, d_energy, slope = np.empty(N, x.dtype), np.empty(N, x.dtype), np.empty(N, x.dtype)
    soft, elapsed = np.empty(N, x.dtype), np.ones(N, x.dtype)
    decay, ground = np.ones(N, x.dtype), np.zeros(N, x.dtype)
    if not timed:
        grads[STEP * G : (STEP + 1) * G] = zero
        if time_decay:
            grads[DECAY * G : (DECAY + 1) * G] = zero

    filled = 0
    for t in range(n_steps - 1, -1, -1):
        before, after = slots[t * slot :][:slot], slots[(t + 1) * slot :][:slot]
        old, C = before[STATE * N : (STATE + 1) * N], before[CELL * N : (CELL + 1) * N]
        S = after[STATE * N : (STATE + 1) * N]
        blocks = after[BLOCKS * N :]
        slack = blocks[STEP * N : (STEP + 1) * N]
        injection = blocks[INJECTION * N : (INJECTION + 1) * N]
        mixing = blocks[MIXING * N : (MIXING + 1) * N]
        h = blocks[CANDIDATE * N : (CANDIDATE + 1) * N]
        at = filled * N
        d_step = grads[STEP * G + at : STEP * G + at + N]
        d_injection = grads[INJECTION * G + at : INJECTION * G + at + N]
        d_mixing = grads[MIXING * G + at : MIXING * G + at + N]
        d_candidate = grads[CANDIDATE * G + at : CANDIDATE * G + at + N]
        old_state, recalled = old_states[at : at + N], recalls[at : at + N]

        load_rows(x, start, stop, t, lengths, xs[filled * n_x :], n_inputs + 1)
        load_rows(grad_out, start, stop, t, lengths, above, W)
        if len(lengths):
            # Past its end a sample's step hands everything through unchanged.
            for i in range(n_rows):
                if t >= lengths[start + i]:
                    for j in range(i * W, (i + 1) * W):
                        held[0, j], held[1, j], held[2, j] = dS[j], dC[j], dT[j]
                        dS[j], dC[j], dT[j] = zero, zero, zero
        if len(dt):
            for i in range(n_rows):
                passed = dt[start + i, t]
                if len(lengths) and t >= lengths[start + i]:
                    passed = one
                for j in range(i * W, (i + 1) * W):
                    elapsed[j] = passed
        if time_decay:
            decay = blocks[DECAY * N : (DECAY + 1) * N]
        if ground_state:
            ground = blocks[(n_blocks - 1) * N : n_blocks * N]

        for j in range(N):
            inner = (dS[j] + above[j]) * (one - S[j] * S[j])
            d_candidate[j] = inner * mixing[j] * (one - h[j] * h[j])
            d_mixing[j] = inner * (h[j] - old[j]) * mixing[j] * (one - mixing[j])
            dS[j] = inner * (one - mixing[j])
        matmul(
            d_candidate, W, 1, n_room, n_hidden, recurrent_blocks[3 * recurrent_size :], W,
            d_energy, W, W, n_lanes, False,
        )  # fmt: skip
        release_into(release, slack, width, m)
        for j in range(N):
            E = m[j] * C[j]
            recalled[j] = old[j] * E
            dS[j] += d_energy[j] * E
            d_energy[j] *= old[j]  # so far the gradient of S * E, now of E
            old_state[j] = old[j]

        if timed:
            if release == HARD:
                for j in range(N):
                    slope[j] = zero  # as it is after a gap, where m is one
            else:
                for j in range(N):
                    slope[j] = dC[j] * (ground[j] - C[j]) + d_energy[j] * C[j] - dT[j] * slack[j]
                if release == SOFT:
                    for j in range(N):
                        slope[j] *= m[j] * (m[j] - one) / width
                else:
                    release_into(SOFT, slack, width, soft)
                    for j in range(N):
                        slope[j] *= soft[j] * (soft[j] - one) / width
            for j in range(N):
                slope[j] += dT[j] * (one - m[j])  # the gradient of T'
            if time_decay:
                d_decay = grads[DECAY * G + at : DECAY * G + at + N]
                for j in range(N):
                    # T' + dt is R relu(T + Z_t).
                    d_decay[j] = slope[j] * (slack[j] + elapsed[j]) * (one - decay[j])
            for j in range(N):
                dT[j] = slope[j] * decay[j] if slack[j] + elapsed[j] > zero else zero
            if bounded:
                step = blocks[n_blocks * N : (n_blocks + 1) * N]
                for j in range(N):
                    d_step[j] = dT[j] * (one - step[j] * step[j])
            else:
                for j in range(N):
                    d_step[j] = dT[j]
        if ground_state:
            first = (n_blocks - 1) * G + at
            d_ground = grads[first : first + N]
            for j in range(N):
                d_ground[j] = dC[j] * m[j] * ground[j] * (one - ground[j])
        for j in range(N):
            d_injection[j] = dC[j] * injection[j] * (one - injection[j])
            dC[j] = dC[j] * (one - m[j]) + d_energy[j] * m[j]

        for g in range(0 if timed else 1, CANDIDATE):
            matmul(
                grads[g * G + at :], W, 1, n_room, n_hidden,
                recurrent_blocks[g * recurrent_size :], W, dS, W, W, n_lanes, True,
            )  # fmt: skip
        drop(dS, least)
        drop(dC, least)
        drop(dT, least)
        if len(lengths):
            for i in range(n_rows):
                if t >= lengths[start + i]:
                    for j in range(i * W, (i + 1) * W):
                        dS[j], dC[j], dT[j] = held[0, j], held[1, j], held[2, j]
        if len(grad_x):
            for g in range(n_blocks):
                matmul(
                    grads[g * G + at :], W, 1, n_room, n_hidden,
                    input_blocks[g * input_size :], n_padded_inputs,
                    dx, n_padded_inputs, n_padded_inputs, n_lanes, g > 0,
                )  # fmt: skip
            for i in range(n_rows):
                for j in range(n_inputs):
                    grad_x[start + i, t, j] = dx[i * n_padded_inputs + j]

        filled += 1
        if filled == n_chunk or t == 0:
            for g in range(n_blocks):
                if not timed and (g == STEP or (time_decay and g == DECAY)):
                    continue
                matmul(
                    xs, 1, n_inputs + 1, n_inputs + 1, filled * n_room,
                    grads[g * G :], W, grad_input_blocks[g * grad_input_size :], W, W,
                    n_lanes, True,
                )  # fmt: skip
                if g <= CANDIDATE:
                    matmul(
                        recalls if g == CANDIDATE else old_states, 1, W,
                        n_hidden, filled * n_room, grads[g * G :], W,
                        grad_recurrent_blocks[g * grad_recurrent_size :], W, W,
                        n_lanes, True,
                    )  # fmt: skip
            filled = 0

    for i in range(n_rows):
        for j in range(n_hidden):
            grad_s[start + i, j] = dS[i * W + j]
            grad_c[start + i, j] = dC[i * W + j]
            grad_t[start + i, j] = dT[i * W + j]
