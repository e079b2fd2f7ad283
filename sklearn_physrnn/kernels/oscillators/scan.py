"""The seam between torch and any oscillator's kernels, for a drive as it comes.

Nothing here waits for a device.
"""

from collections.abc import Callable, Sequence

import torch
from torch.autograd.function import once_differentiable

from .._autograd import compiled_backward, compiled_forward
from .engine import Coefficients, Engine, Reference, Sums
from .nudge import nudge_sizes


def as_arrays(
    like: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """`dt` and `lengths` as engines take them, for `like` of shape (B, T, ...)."""
    n_rows, n_steps = like.shape[:2]
    steps = like.new_empty(0, 0) if dt is None else dt.detach().to(like).contiguous()
    if lengths is None:
        lengths = torch.full((n_rows,), n_steps, device=like.device)
    return steps, lengths.to(like.device, torch.int64).contiguous()


def start(
    engine: Engine, gradient: str | None, epsilon: float | str, like: torch.Tensor, n_modes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """A state (2, B, P) at rest, and where its power goes, (B, P) or empty.

    Only the echoes ask for the power, and of them only those whose nudge has to be in
    proportion to the motion.
    """
    state = like.new_zeros(2, len(like), n_modes)
    relative = gradient == "rhel" and epsilon == "auto" and engine.RELATIVE_NUDGE is not None
    return state, like.new_zeros(state.shape[1:] if relative else (0, 0))


def start_echoes(state: torch.Tensor) -> torch.Tensor:
    """The two echoes' start, (4, B, P), from the end of the free run.

    Mean and half difference of Z, then of y.
    """
    states = state.new_zeros(4, *state.shape[1:])
    torch.neg(state[0], out=states[0])
    states[2] = state[1]
    return states


def nudges(
    engine: Engine,
    epsilon: float | str,
    step: torch.Tensor,
    state: torch.Tensor,
    power: torch.Tensor,
    counts: torch.Tensor,
    grad_norm: Callable[[], torch.Tensor],
) -> torch.Tensor:
    """Nudges of Z = step * z, and the factor of half differences, (2, B, P).

    `power` (B, P) adds up the squares of the positions, `grad_norm` is called for the
    norm of their gradient.
    """
    if isinstance(epsilon, str):
        if engine.RELATIVE_NUDGE is None:
            return state.new_ones(2, *state.shape[1:])
        size = nudge_sizes(epsilon, engine.RELATIVE_NUDGE, power, counts, grad_norm())
        size = size * step.double()
    else:
        size = (epsilon * step.double()).expand(state.shape[1:])
    return torch.stack([size, 1 / size]).to(state.dtype)


class Scan(torch.autograd.Function):
    """Positions of driven oscillators; the last of `parameters` is the step size."""

    @staticmethod
    @compiled_forward
    def forward(ctx, engine: Engine, gradient, epsilon, drive, dt, lengths, *parameters):
        """Positions (B, T, P) under `drive` (B, T, P)."""
        drive = drive.detach().contiguous()
        gradient = gradient if any(ctx.needs_input_grad) else None
        keep = gradient == "bptt"
        steps, counts = as_arrays(drive, dt, lengths)
        coefs = coefficients(engine, parameters, drive.dtype)
        state, power = start(engine, gradient, epsilon, drive, drive.shape[2])
        kept = drive.new_empty(engine.N_KEPT if keep else 1, *drive.shape)
        engine.advance(coefs, state, power, drive, steps, counts, 0, kept)
        ctx.options = engine, gradient, epsilon
        memory = (kept,) if keep else (state, power)
        ctx.save_for_backward(drive, dt, lengths, *memory, *parameters)
        return kept[0]

    @staticmethod
    @compiled_backward
    def backward(ctx, grad):
        """Gradients of the drive and the parameters."""
        engine, gradient, epsilon = ctx.options
        drive, dt, lengths, *rest = ctx.saved_tensors
        grad = grad.to(drive.dtype).contiguous()
        steps, counts = as_arrays(drive, dt, lengths)
        grad_drive = torch.empty_like(drive)
        rows = drive, steps, counts, 0, grad, grad_drive
        if gradient == "rhel":
            state, power, *parameters = rest
            coefs = coefficients(engine, parameters, drive.dtype)
            nudge = nudges(
                engine, epsilon, parameters[-1], state, power, counts,
                lambda: _norm(grad, None if lengths is None else counts),
            )  # fmt: skip
            sums = engine.echo(coefs, start_echoes(state), nudge, *rows, None)
        else:
            kept, *parameters = rest
            coefs = coefficients(engine, parameters, drive.dtype)
            zeros = drive.new_zeros(2, *drive[:, 0].shape)
            before = torch.zeros_like(zeros[0])
            sums = engine.adjoint(coefs, zeros, drive, kept, before, *rows[1:])
        grads = parameter_gradients(engine, sums, parameters)
        return None, None, None, grad_drive, None, None, *grads


class ReferenceEcho(torch.autograd.Function):
    """The same by RHEL in plain torch, on any device."""

    @staticmethod
    def forward(ctx, reference: Reference, epsilon, drive, dt, lengths, *parameters):
        """Positions (B, T, P) under `drive` (B, T, P)."""
        y, *state = reference.oscillator(drive, parameters, dt, lengths)
        ctx.options = reference, epsilon
        ctx.save_for_backward(drive, dt, lengths, y.square().sum(1), *state, *parameters)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        """Gradients of the drive and the parameters."""
        reference, epsilon = ctx.options
        drive, dt, lengths, power, z, y, *parameters = ctx.saved_tensors
        counts = lengths
        if counts is None:
            counts = torch.full((len(drive),), drive.shape[1], device=drive.device)
        sizes = nudge_sizes(epsilon, reference.RELATIVE_NUDGE, power, counts, _norm(grad, lengths))
        *grads, _ = reference.echo(
            drive, parameters, dt, lengths, z, y, grad, sizes.to(drive.dtype)
        )
        return None, None, grads[0], None, None, *grads[1:]


def coefficients(
    engine: Engine, parameters: Sequence[torch.Tensor], dtype: torch.dtype
) -> Coefficients:
    """What the kernels of `engine` need of `parameters`; its own affair."""
    return engine.coefficients([parameter.detach() for parameter in parameters], dtype)


def parameter_gradients(
    engine: Engine, sums: Sums, parameters: Sequence[torch.Tensor]
) -> list[torch.Tensor]:
    """Gradients of `parameters`, in their dtypes, from the sums of a kernel."""
    grads = engine.parameter_gradients(sums, [p.detach().double() for p in parameters])
    return [grad.to(p.dtype) for grad, p in zip(grads, parameters, strict=True)]


def _norm(grad: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """Root of the sum of squares over the steps of each sample, (B, P)."""
    if lengths is not None:
        running = torch.arange(grad.shape[1], device=grad.device) < lengths[:, None]
        grad = torch.where(running[:, :, None], grad, 0.0)
    return torch.linalg.vector_norm(grad.double(), dim=1)
