"""The energy-transition recurrence on the CPU, forward; letters as in cpu_layout."""

import numpy as np

from .._numba import jit
from .cpu_gemm import matmul
from .cpu_layout import (
    BLOCKS,
    CANDIDATE,
    CELL,
    DECAY,
    INJECTION,
    MIXING,
    SOFT,
    STATE,
    STEP,
)
from .cpu_math import bound, sigmoid, squash

_ONE_IN_FLOAT32, _ONE = 17.4, 40.0  # from where on a sigmoid rounds to one


@jit
def release_into(release, slack, width, out):
    """Released fraction m of a plane of T': a step, or a sigmoid for "soft"."""
    # Plain integers would turn float32 arithmetic into float64.
    zero, one = slack.dtype.type(0), slack.dtype.type(1)
    if release == SOFT:
        # One exactly, where it is one but for rounding: after a long gap the least that is
        # left would be multiplied by the gap.
        least = -slack.dtype.type(_ONE_IN_FLOAT32 if slack.itemsize == 4 else _ONE) * width
        for j in range(len(out)):
            out[j] = one if slack[j] < least else sigmoid(-slack[j] / width)
    else:
        for j in range(len(out)):
            # A NaN stays one.
            out[j] = one if slack[j] <= zero else (zero if slack[j] > zero else slack[j])


@jit
def load_rows(source, start, stop, t, lengths, out, out_stride):
    """Rows of source (B, T, C) at step `t`, zero past a sample's end."""
    n_columns = source.shape[2]
    for row in range(start, stop):
        to = out[(row - start) * out_stride :]
        if len(lengths) and t >= lengths[row]:
            for j in range(n_columns):
                to[j] = 0
        else:
            for j in range(n_columns):
                to[j] = source[row, t, j]


@jit
def forward_shard(
    start, stop, n_room, n_lanes, x, input_weights, recurrent_weights, t0, dt, lengths,
    width, release, time_decay, ground_state, bounded, n_slots, slots, out, s_out, c_out, t_out,
):  # fmt: skip
    """Rows `start` to `stop` of the batch over all steps.

    n_room: rows that there is room for, whole tiles of them, or one; n_lanes: of a vector.
    x (B, T, I); input_weights (G, I + 1, W), the last row the bias; recurrent_weights
    (4, H, W); t0 (B, H); dt (B, T) or (0, 0); lengths (B,) or (0,); slots: flat, this
    shard's n_slots slots, the first holding the state before the first step; T + 1 of
    them keep everything, 2 are used in turn. out (B, T, H); s_out,
    c_out, t_out (B, H): the state after each sample's last step.
    """
    n_steps, n_inputs = x.shape[1:]
    n_hidden, W = recurrent_weights.shape[1:]
    n_rows = stop - start
    N = n_room * W
    zero, one = x.dtype.type(0), x.dtype.type(1)
    keep = n_slots > 2
    input_blocks = input_weights.reshape(-1)
    recurrent_blocks = recurrent_weights.reshape(-1)
    input_block, recurrent_block = (n_inputs + 1) * W, n_hidden * W

    xs = np.ones(n_room * (n_inputs + 1), x.dtype)  # ones: the bias's input
    n_blocks = len(input_weights)
    slot = len(slots) // n_slots
    T = np.ones(N, x.dtype)
    for i in range(n_rows):
        for j in range(n_hidden):
            T[i * W + j] = t0[start + i, j]
    m, recalled = np.empty(N, x.dtype), np.zeros(N, x.dtype)
    elapsed = np.ones(N, x.dtype)
    decay, ground = np.ones(N, x.dtype), np.zeros(N, x.dtype)

    for t in range(n_steps):
        before = slots[(t if keep else t % 2) * slot :][:slot]
        after = slots[(t + 1 if keep else (t + 1) % 2) * slot :][:slot]
        old, C = before[STATE * N : (STATE + 1) * N], before[CELL * N : (CELL + 1) * N]
        S, new_C = after[STATE * N : (STATE + 1) * N], after[CELL * N : (CELL + 1) * N]
        blocks = after[BLOCKS * N :]
        slack = blocks[STEP * N : (STEP + 1) * N]
        injection = blocks[INJECTION * N : (INJECTION + 1) * N]
        mixing = blocks[MIXING * N : (MIXING + 1) * N]
        h = blocks[CANDIDATE * N : (CANDIDATE + 1) * N]

        load_rows(x, start, stop, t, lengths, xs, n_inputs + 1)
        for g in range(n_blocks):
            block = blocks[g * N : (g + 1) * N]
            matmul(
                xs, n_inputs + 1, 1, n_room, n_inputs + 1,
                input_blocks[g * input_block :], W, block, W, W, n_lanes, False,
            )  # fmt: skip
            if g < CANDIDATE:
                matmul(
                    old, W, 1, n_room, n_hidden,
                    recurrent_blocks[g * recurrent_block :], W, block, W, W, n_lanes, True,
                )  # fmt: skip
        if len(dt):
            for i in range(n_rows):
                passed = dt[start + i, t]
                if len(lengths) and t >= lengths[start + i]:
                    passed = one
                for j in range(i * W, (i + 1) * W):
                    elapsed[j] = passed

        if bounded:
            bound(slack)
            step = blocks[n_blocks * N : (n_blocks + 1) * N]
            for j in range(N):
                step[j] = slack[j]
        squash(injection)
        squash(mixing)
        if time_decay:
            decay = blocks[DECAY * N : (DECAY + 1) * N]
            squash(decay)
        if ground_state:
            ground = blocks[(n_blocks - 1) * N : n_blocks * N]
            squash(ground)
        for j in range(N):
            remaining = T[j] + slack[j]  # so far the increment
            remaining = zero if remaining <= zero else remaining
            slack[j] = decay[j] * remaining - elapsed[j]
        release_into(release, slack, width, m)
        for j in range(N):
            new_C[j] = (one - m[j]) * C[j] + (m[j] * ground[j] + injection[j])
        for j in range(N):
            recalled[j] = old[j] * (m[j] * C[j])
        if len(lengths):
            for i in range(n_rows):
                if t >= lengths[start + i]:
                    for j in range(i * W, (i + 1) * W):
                        slack[j] = T[j]
                        m[j] = zero
                        new_C[j] = C[j]
        for j in range(N):
            T[j] = (one - m[j]) * slack[j]

        matmul(
            recalled, W, 1, n_room, n_hidden,
            recurrent_blocks[CANDIDATE * recurrent_block :], W, h, W, W, n_lanes, True,
        )  # fmt: skip
        bound(h)
        for j in range(N):
            S[j] = old[j] + mixing[j] * (h[j] - old[j])
        bound(S)
        for i in range(n_rows):
            at = S[i * W :]
            to = out[start + i, t]
            if len(lengths) and t >= lengths[start + i]:
                for j in range(n_hidden):
                    to[j] = zero
                for j in range(W):
                    at[j] = old[i * W + j]
            else:
                for j in range(n_hidden):
                    to[j] = at[j]

    final = slots[(n_steps if keep else n_steps % 2) * slot :]
    for i in range(n_rows):
        for j in range(n_hidden):
            s_out[start + i, j] = final[STATE * N + i * W + j]
            c_out[start + i, j] = final[CELL * N + i * W + j]
            t_out[start + i, j] = T[i * W + j]
