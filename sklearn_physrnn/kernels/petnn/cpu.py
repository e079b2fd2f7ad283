"""The energy-transition recurrence on the CPU: arrays in, arrays out.

Letters as in cpu_layout. All arrays are C-contiguous and of one dtype, lengths of
int64; absent ones are None. Weights come as torch keeps them: input_weight (G H, I),
recurrent_weight (4 H, H), bias (G H,).
"""

import numpy as np

from .._threads import run
from .cpu_backward import backward_shard
from .cpu_forward import forward_shard
from .cpu_gemm import ROWS, aligned_empty, lanes, pad_columns, padded
from .cpu_layout import BLOCKS, CELL, STATE, STEP, as_flags, n_planes, room, shards

# Of the least normal number. Over thousands of steps a gradient fades into subnormal ones,
# which take ten times as long, and which rounding never lets become zero.
_FADED = 2.0**40


def _absent(array, n_axes, dtype):
    return np.empty((0,) * n_axes, dtype) if array is None else array


def _cut(slots, pieces, n_slots, planes, width):
    """The shards' parts of `slots`, each (n_slots, planes, room, width)."""
    sizes = [n_slots * planes * room(*piece) * width for piece in pieces]
    ends = np.cumsum(sizes)
    return [
        slots[end - size : end].reshape(n_slots, planes, -1, width)
        for size, end in zip(sizes, ends, strict=True)
    ]


def forward(switches, keep, x, input_weight, recurrent_weight, bias, s0, c0, t0, dt, lengths):
    """Output (B, T, H); final S, C, T (B, H); what :func:`backward` reads."""
    n_batch, n_steps, n_inputs = x.shape
    n_hidden = s0.shape[1]
    dtype = x.dtype
    width = padded(n_hidden, dtype)
    per_block = np.concatenate([input_weight, bias[:, None]], axis=1)
    per_block = per_block.reshape(-1, n_hidden, n_inputs + 1).transpose(0, 2, 1)
    input_weights = pad_columns(per_block)
    recurrent_weights = pad_columns(
        recurrent_weight.reshape(4, n_hidden, n_hidden).transpose(0, 2, 1)
    )
    dt, lengths = _absent(dt, 2, dtype), _absent(lengths, 1, np.int64)

    pieces = shards(n_batch)
    planes = n_planes(switches.n_blocks, switches.increment == "tanh")
    n_slots = max(2, n_steps + 1) if keep else 2
    n_rows = sum(room(*piece) for piece in pieces)
    slots = aligned_empty(n_slots * planes * n_rows * width, dtype)
    parts = _cut(slots, pieces, n_slots, planes, width)
    out = np.empty((n_batch, n_steps, n_hidden), dtype)
    final = np.empty_like(s0), np.empty_like(s0), np.empty_like(s0)

    def piece(index, start, stop):
        part = parts[index]
        for plane, value in ((STATE, s0), (CELL, c0)):
            part[0, plane] = 0
            part[0, plane, : stop - start, :n_hidden] = value[start:stop]
        forward_shard(
            start, stop, room(start, stop), lanes(dtype), x, input_weights,
            recurrent_weights, t0, dt, lengths, *as_flags(switches, dtype), n_slots,
            part.reshape(-1), out, *final,
        )  # fmt: skip

    run(piece, pieces)
    return out, *final, slots


def trajectory(switches, x, input_weight, recurrent_weight, bias, s0, c0, t0, dt, lengths):
    """S, C, T, m after every step, (B, T, H) each, zero past a sample's end."""
    n_batch, n_steps, _ = x.shape
    n_hidden = s0.shape[1]
    out, *_, slots = forward(
        switches, True, x, input_weight, recurrent_weight, bias, s0, c0, t0, dt, lengths
    )
    pieces = shards(n_batch)
    planes = n_planes(switches.n_blocks, switches.increment == "tanh")
    parts = _cut(slots, pieces, max(2, n_steps + 1), planes, padded(n_hidden, x.dtype))
    c, slack = np.zeros_like(out), np.zeros_like(out)
    for part, (start, stop) in zip(parts, pieces, strict=True):
        for plane, series in ((CELL, c), (BLOCKS + STEP, slack)):
            steps = part[1 : n_steps + 1, plane, : stop - start, :n_hidden]
            series[start:stop] = steps.transpose(1, 0, 2)
    if switches.release == "soft":
        with np.errstate(over="ignore"):
            m = 1 / (1 + np.exp(slack / x.dtype.type(switches.width)))
    else:
        m = (slack <= 0).astype(x.dtype)
    t = (1 - m) * slack
    if lengths is not None:
        over = np.arange(n_steps) >= lengths[:, None]
        for series in (c, t, m):
            series[over] = 0
    return out, c, t, m


def backward(
    switches, needs_grad_x, x, input_weight, recurrent_weight, dt, lengths, slots,
    grad_out, grad_s, grad_c, grad_t,
):  # fmt: skip
    """Gradients of x, input_weight, recurrent_weight, bias and the first S, C, T.

    Gradients that come in as None are zero; so are those that go out so.
    """
    n_batch, n_steps, n_inputs = x.shape
    n_hidden = recurrent_weight.shape[1]
    dtype = x.dtype
    timed = switches.release != "hard" or grad_t is not None
    if grad_out is None:
        grad_out = np.zeros((n_batch, n_steps, n_hidden), dtype)
    grad_state = [
        np.zeros((n_batch, n_hidden), dtype) if grad is None else grad.copy()
        for grad in (grad_s, grad_c, grad_t)
    ]
    dt, lengths = _absent(dt, 2, dtype), _absent(lengths, 1, np.int64)
    input_weights = pad_columns(input_weight.reshape(-1, n_hidden, n_inputs))
    recurrent_weights = pad_columns(recurrent_weight.reshape(4, n_hidden, n_hidden))
    n_blocks, width = len(input_weights), recurrent_weights.shape[2]

    least = dtype.type(np.finfo(dtype).tiny * _FADED)
    pieces = shards(n_batch)
    planes = n_planes(n_blocks, switches.increment == "tanh")
    parts = _cut(slots, pieces, max(2, n_steps + 1), planes, width)
    grad_x = np.empty(x.shape if needs_grad_x else (0, 0, 0), dtype)
    tall = -(-(n_inputs + 1) // ROWS) * ROWS, -(-n_hidden // ROWS) * ROWS
    grad_input = np.zeros((len(pieces), n_blocks, tall[0], width), dtype)
    grad_recurrent = np.zeros((len(pieces), 4, tall[1], width), dtype)

    def piece(index, start, stop):
        backward_shard(
            start, stop, room(start, stop), lanes(dtype), x, input_weights,
            recurrent_weights, dt, lengths, *as_flags(switches, dtype), timed, least,
            parts[index].reshape(-1), grad_out, grad_x, *grad_state,
            grad_input[index], grad_recurrent[index],
        )  # fmt: skip

    run(piece, pieces)
    grad_input = grad_input.sum(axis=0)[:, : n_inputs + 1, :n_hidden].transpose(0, 2, 1)
    grad_input = grad_input.reshape(-1, n_inputs + 1)
    grad_recurrent = grad_recurrent.sum(axis=0)[:, :n_hidden, :n_hidden].transpose(0, 2, 1)
    return (
        grad_x if needs_grad_x else None,
        np.ascontiguousarray(grad_input[:, :n_inputs]),
        np.ascontiguousarray(grad_recurrent).reshape(-1, n_hidden),
        np.ascontiguousarray(grad_input[:, n_inputs]),
        *grad_state[:2],
        grad_state[2] if timed else None,
    )
