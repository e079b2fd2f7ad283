"""Projection, oscillators and readout in one differentiable function.

Shape letters: B batch, T time, H inputs and outputs, P modes.

The three run chunk by chunk in time. The chunk's matrix products stay products of
decent size for BLAS, while the drive and the positions, which are P / H times as
large as the input, live in buffers of bounded size and are never allocated at full
length. Forward, a chunk costs two products. Backward walks the chunks in reverse and
recomputes the drive, one product, rather than keeping it. By echoes the positions come
back too, as the mean of the two; back-propagation keeps them.
"""

from collections.abc import Sequence

import torch

from .._autograd import compiled_backward, compiled_forward
from .engine import Engine
from .scan import (
    Echoes,
    as_arrays,
    begin,
    coefficients,
    first_position,
    no_power,
    parameter_gradients,
    power_of,
    saved_borders,
    way_back,
    way_there,
)

_CHUNK = 2**18  # numbers in a buffer: 1 MB of float32, which the caches hold
# On a GPU 32 MB: some 10 to 20 microseconds to read or write, so that a chunk's handful
# of kernels keeps the device busy for as long as their launch takes, and rows enough for
# its matrix products. Forward holds two such buffers, backward up to four.
_DEVICE_CHUNK = 2**23
_MIN_STEPS = 8


class _Chunks:
    """Slices of time, and buffers reused from one to the next."""

    def __init__(self, u: torch.Tensor, n_modes: int) -> None:
        self.n_rows, self.n_total, _ = u.shape
        size = _CHUNK if u.is_cpu else _DEVICE_CHUNK
        self.n_steps = max(_MIN_STEPS, size // max(1, self.n_rows * n_modes))
        self.n_steps = max(1, min(self.n_steps, self.n_total))
        self.like = u
        self.starts = range(0, self.n_total, self.n_steps)

    def buffer(self, width: int) -> torch.Tensor:
        return self.like.new_empty(self.n_rows * self.n_steps * width)

    def length(self, first: int) -> int:
        return min(self.n_steps, self.n_total - first)

    def take(self, buffer: torch.Tensor, first: int, width: int) -> torch.Tensor:
        """The part of a buffer that this chunk fills, as (rows of B x T, width)."""
        n = self.n_rows * self.length(first)
        return buffer[: n * width].view(n, width)

    def load(self, x: torch.Tensor, buffer: torch.Tensor, first: int) -> torch.Tensor:
        flat = self.take(buffer, first, x.shape[2])
        self.split(flat, first).copy_(x[:, first : first + self.n_steps])
        return flat

    def split(self, flat: torch.Tensor, first: int) -> torch.Tensor:
        return flat.view(self.n_rows, self.length(first), -1)


class Unit(torch.autograd.Function):
    """``C y + D u`` of oscillators y driven by ``B u + b``."""

    @staticmethod
    @compiled_forward
    def forward(
        ctx, engine: Engine, gradient, epsilon, u, b_matrix, bias, c_matrix, skip,
        start, dt, lengths, *parameters,
    ):  # fmt: skip
        """Outputs (B, T, H) of inputs `u` (B, T, H), and the last state (2, B, P)."""
        u = u.detach().contiguous()
        width = u.shape[2]
        n_modes = len(b_matrix)
        gradient, epsilon = way_back(gradient, epsilon, dt)
        gradient = gradient if any(ctx.needs_input_grad) else None
        keep = gradient == "bptt"
        chunks = _Chunks(u, n_modes)
        steps, counts = as_arrays(u, dt, lengths)
        coefs = coefficients(engine, parameters, u.dtype)
        state = begin(start, u, n_modes)
        power = power_of(engine, gradient, epsilon, state)
        n_kept = engine.N_KEPT if keep else 1
        kept = u.new_empty(n_kept * u[..., 0].numel() * n_modes if keep else 0)
        borders = way_there(engine, gradient, u, steps, counts, parameters)
        buffers = [chunks.buffer(w) for w in (width, n_modes, width, 0 if keep else n_modes)]
        out = torch.empty_like(u)
        for first in chunks.starts:
            x = chunks.load(u, buffers[0], first)
            drive = _project(x, b_matrix, bias, chunks.take(buffers[1], first, n_modes))
            if keep:
                positions = _piece(kept, n_kept, chunks, first, n_modes)
            else:
                positions = chunks.split(chunks.take(buffers[3], first, n_modes), first)[None]
            engine.advance(
                coefs, state, power, chunks.split(drive, first), steps, counts, first, positions,
                borders=borders,
            )  # fmt: skip
            o = torch.mm(
                positions[0].view_as(drive), c_matrix.T, out=chunks.take(buffers[2], first, width)
            )
            part = out[:, first : first + chunks.n_steps]
            torch.addcmul(chunks.split(o, first), chunks.split(x, first), skip, out=part)
        ctx.options = engine, gradient, epsilon
        ctx.set_materialize_grads(False)
        memory = *((kept, start) if keep else (state, power)), *(borders or (None, None))
        ctx.save_for_backward(u, b_matrix, bias, c_matrix, skip, dt, lengths, *memory, *parameters)
        return out, state

    @staticmethod
    @compiled_backward
    def backward(ctx, grad, grad_end):
        """Gradients of the inputs, the maps, the first state and the parameters."""
        engine, gradient, epsilon = ctx.options
        u, b_matrix, bias, c_matrix, skip, dt, lengths, *memory = ctx.saved_tensors
        parameters = memory[4:]
        width, n_modes = u.shape[2], len(b_matrix)
        grad = torch.zeros_like(u) if grad is None else grad.to(u.dtype).contiguous()
        chunks = _Chunks(u, n_modes)
        steps, counts = as_arrays(u, dt, lengths)
        rhel = gradient == "rhel"
        if rhel:
            limits = None if lengths is None else counts
            state, power = memory[:2]
            echoes = Echoes(
                engine, epsilon, parameters[-1], state, power, counts,
                lambda: _position_gradient_norm(grad, c_matrix, limits, chunks), grad_end,
            )  # fmt: skip
            middle = chunks.buffer(n_modes)
        else:
            kept, start = memory[:2]
            grad_state = begin(grad_end, u, n_modes)
        coefs = coefficients(engine, parameters, u.dtype)
        buffers = [chunks.buffer(w) for w in (width, width, n_modes, n_modes, n_modes)]
        grad_u = torch.empty_like(u)
        grad_b, grad_c = torch.zeros_like(b_matrix), torch.zeros_like(c_matrix)
        grad_bias = None if bias is None else torch.zeros_like(bias)
        grad_skip = torch.zeros_like(skip)
        sums = 0.0
        for first in reversed(chunks.starts):
            x = chunks.load(u, buffers[0], first)
            g = chunks.load(grad, buffers[1], first)
            drive = _project(x, b_matrix, bias, chunks.take(buffers[2], first, n_modes))
            grad_y = torch.mm(g, c_matrix, out=chunks.take(buffers[3], first, n_modes))
            grad_drive = chunks.take(buffers[4], first, n_modes)
            rows = (
                chunks.split(drive, first), steps, counts, first,
                chunks.split(grad_y, first), chunks.split(grad_drive, first),
            )  # fmt: skip
            if rhel:
                y = chunks.take(middle, first, n_modes)
                sums += engine.echo(
                    coefs,
                    echoes.states,
                    echoes.nudge,
                    *rows,
                    chunks.split(y, first),
                    saved_borders(memory),
                )
            else:
                trajectory = _piece(kept, engine.N_KEPT, chunks, first, n_modes)
                if first:
                    last = _piece(kept, engine.N_KEPT, chunks, first - chunks.n_steps, n_modes)
                    before = last[0, :, -1].contiguous()
                else:
                    before = first_position(start, grad_state)
                y = trajectory[0].view_as(drive)
                sums += engine.adjoint(coefs, grad_state, rows[0], trajectory, before, *rows[1:])
            grad_b.addmm_(grad_drive.T, x)
            grad_c.addmm_(g.T, y)
            if grad_bias is not None:
                grad_bias += grad_drive.sum(0)
            grad_skip += x.mul_(g).sum(0)
            x = torch.mm(grad_drive, b_matrix, out=x)
            part = grad_u[:, first : first + chunks.n_steps]
            torch.addcmul(chunks.split(x, first), chunks.split(g, first), skip, out=part)
        grad_start = None
        if ctx.needs_input_grad[8]:
            grad_start = echoes.grad_start() if rhel else grad_state
        grads = parameter_gradients(engine, sums, parameters)
        return (
            None, None, None, grad_u, grad_b, grad_bias, grad_c, grad_skip, grad_start,
            None, None, *grads,
        )  # fmt: skip


@torch.no_grad()
def undo(
    engine: Engine, u: torch.Tensor, b_matrix: torch.Tensor, bias: torch.Tensor | None,
    dt: torch.Tensor | None, lengths: torch.Tensor | None, parameters: Sequence[torch.Tensor],
    state: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """The state (2, B, P) from which inputs `u` (B, T, H) lead to `state`.

    `dt` is what :func:`.steps.as_undone` makes of steps with gaps.
    """
    u = u.contiguous()
    n_modes = len(b_matrix)
    chunks = _Chunks(u, n_modes)
    steps, counts = as_arrays(u, dt, lengths)
    coefs = coefficients(engine, parameters, u.dtype)
    state = turned_round(begin(state, u, n_modes))
    buffers = [chunks.buffer(width) for width in (u.shape[2], n_modes, n_modes)]
    flat, sizes, power = u.flatten(0, 1), steps.mT.flatten(0, 1), no_power(u)
    for first in reversed(chunks.starts):
        n_steps = chunks.length(first)
        left = (counts - first).clamp(0, n_steps)
        rows = backwards(left, n_steps, first, chunks.n_total)
        x = torch.index_select(flat, 0, rows, out=chunks.take(buffers[0], first, u.shape[2]))
        drive = _project(x, b_matrix, bias, chunks.take(buffers[1], first, n_modes))
        if dt is not None:
            steps = sizes[rows].view(-1, n_steps, steps.shape[1]).mT.contiguous()
        positions = chunks.split(chunks.take(buffers[2], first, n_modes), first)
        engine.advance(
            coefs, state, power, chunks.split(drive, first), steps, left, 0, positions[None]
        )
    return turned_round(state)


def turned_round(state: torch.Tensor) -> torch.Tensor:
    """`state` (2, B, P) with its momentum reversed."""
    return torch.stack([-state[0], state[1]])


def backwards(lengths: torch.Tensor, n_steps: int, first: int, n_total: int) -> torch.Tensor:
    """Rows, among those of flat sequences of `n_total` steps, from each sample's last step back.

    The sample's `lengths` steps from `first` on are taken, and then any, `n_steps` in all.
    """
    back = torch.arange(n_steps, device=lengths.device)
    within = (lengths[:, None] - 1 - back).clamp_(min=0)
    sample = torch.arange(len(lengths), device=lengths.device)
    return (sample[:, None] * n_total + first + within).view(-1)


def _project(
    x: torch.Tensor, matrix: torch.Tensor, bias: torch.Tensor | None, out: torch.Tensor
) -> torch.Tensor:
    if bias is None:
        return torch.mm(x, matrix.T, out=out)
    return torch.addmm(bias, x, matrix.T, out=out)


def _piece(
    kept: torch.Tensor, n_kept: int, chunks: _Chunks, first: int, n_modes: int
) -> torch.Tensor:
    n_steps = chunks.length(first)
    begin = n_kept * chunks.n_rows * first * n_modes
    size = n_kept * chunks.n_rows * n_steps * n_modes
    return kept[begin : begin + size].view(n_kept, chunks.n_rows, n_steps, n_modes)


def _position_gradient_norm(
    grad: torch.Tensor, c_matrix: torch.Tensor, lengths: torch.Tensor | None, chunks: _Chunks
) -> torch.Tensor:
    """Norm over time of ``grad @ C``, (B, P), without its being formed at full length.

    Either chunk by chunk or, where there are more modes than outputs, through the
    Gram matrix of `grad`, whichever is the smaller product.
    """
    width, n_modes = c_matrix.shape
    # Gradients are small: their squares would be nothing in float32 without a scale.
    scale = grad.abs().amax((1, 2), keepdim=True)
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    buffer = chunks.buffer(width)
    squares = grad.new_zeros(chunks.n_rows, *((width, width) if width < n_modes else (n_modes,)))
    for first in chunks.starts:
        g = chunks.split(chunks.load(grad, buffer, first), first)
        g /= scale
        if lengths is not None:
            time = torch.arange(first, first + g.shape[1], device=g.device)
            g.masked_fill_((time >= lengths[:, None])[:, :, None], 0.0)
        if width < n_modes:
            squares.baddbmm_(g.mT, g)
        else:
            squares += (g @ c_matrix).square_().sum(1)
    if width < n_modes:
        squares = ((squares @ c_matrix) * c_matrix).sum(1).clamp_(min=0)
    return squares.sqrt() * scale[:, 0]
