"""The seam between torch and any oscillator's kernels, for a drive as it comes.

An `engine` is the compiled module of one kind of oscillator (:mod:`.cpu` here, its
namesake for nonlinear oscillators), all with the same functions.
"""

from types import ModuleType

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from .._autograd import compiled_backward, compiled_forward
from ._nudge import nudge_sizes


def as_arrays(
    like: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None
) -> tuple[np.ndarray, np.ndarray]:
    """`dt` and `lengths` as kernels take them, for `like` of shape (B, T, ...)."""
    n_rows, n_steps = like.shape[:2]
    if dt is None:
        steps = like.new_empty(0, 0)
    else:
        steps = dt.detach().to(like.dtype).contiguous()
    if lengths is None:
        lengths = torch.full((n_rows,), n_steps)
    return steps.numpy(), lengths.to(torch.int64).contiguous().numpy()


def nudge_array(engine, epsilon, step, power, counts, grad_norm) -> np.ndarray:
    """Nudges of Z = step * z, and the factor of half differences, (2, B, P).

    `power` (B, P) adds up the squares of the positions, `grad_norm` is called for the
    norm of their gradient.
    """
    if epsilon == "auto" and engine.RELATIVE_NUDGE is None:
        size = torch.ones_like(power)
    else:
        norm = grad_norm() if epsilon == "auto" else torch.ones_like(power)
        counts = torch.from_numpy(counts)
        size = nudge_sizes(epsilon, engine.RELATIVE_NUDGE, power, counts, norm)
        size = size * step.double()
    return torch.stack([size, 1 / size]).to(power.dtype).numpy()


class Scan(torch.autograd.Function):
    """Positions of driven oscillators; the last of `parameters` is the step size."""

    @staticmethod
    @compiled_forward
    def forward(ctx, engine: ModuleType, gradient, epsilon, drive, dt, lengths, *parameters):
        drive = drive.detach().contiguous()
        n_rows, _, n_modes = drive.shape
        keep = gradient == "bptt" and any(ctx.needs_input_grad)
        rhel = gradient == "rhel" and any(ctx.needs_input_grad)
        steps, counts = as_arrays(drive, dt, lengths)
        coefs = coefficients(engine, parameters, drive.dtype)
        state = drive.new_zeros(2, n_rows, n_modes)
        power = drive.new_zeros((n_rows, n_modes) if rhel else (0, 0))
        n_kept = engine.N_KEPT if keep else 1
        kept = drive.new_empty(n_kept, *drive.shape)
        engine.advance(
            coefs, state.numpy(), power.numpy(), drive.numpy(), steps, counts, 0, kept.numpy()
        )
        ctx.options = engine, gradient, epsilon
        memory = (kept,) if keep else (state, power)
        ctx.save_for_backward(drive, dt, lengths, *memory, *parameters)
        return kept[0]

    @staticmethod
    @compiled_backward
    def backward(ctx, grad):
        engine, gradient, epsilon = ctx.options
        drive, dt, lengths, *rest = ctx.saved_tensors
        grad = grad.to(drive.dtype).contiguous()
        steps, counts = as_arrays(drive, dt, lengths)
        grad_drive = torch.empty_like(drive)
        arrays = drive.numpy(), steps, counts, 0, grad.numpy(), grad_drive.numpy()
        if gradient == "rhel":
            state, power, *parameters = rest
            coefs = coefficients(engine, parameters, drive.dtype)
            nudge = nudge_array(
                engine, epsilon, parameters[-1], power, counts, lambda: _norm(grad, lengths)
            )
            middle = torch.empty_like(drive).numpy()
            states = engine.echoes(state.numpy())
            sums = engine.echo(coefs, states, nudge, *arrays, middle)
        else:
            kept, *parameters = rest
            coefs = coefficients(engine, parameters, drive.dtype)
            zeros = np.zeros((2, *drive[:, 0].shape), drive.numpy().dtype)
            sums = engine.adjoint(
                coefs, zeros, arrays[0], kept.numpy(), np.zeros_like(zeros[0]), *arrays[1:]
            )
        grads = parameter_gradients(engine, sums, parameters)
        return None, None, None, grad_drive, None, None, *grads


class ReferenceEcho(torch.autograd.Function):
    """The same by RHEL in plain torch, on any device; `reference` is the module."""

    @staticmethod
    def forward(ctx, reference: ModuleType, epsilon, drive, dt, lengths, *parameters):
        y, *state = reference.oscillator(drive, *parameters, dt, lengths)
        ctx.options = reference, epsilon
        ctx.save_for_backward(drive, dt, lengths, y.square().sum(1), *state, *parameters)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx, grad):
        reference, epsilon = ctx.options
        drive, dt, lengths, power, z, y, *parameters = ctx.saved_tensors
        counts = lengths
        if counts is None:
            counts = torch.full((len(drive),), drive.shape[1], device=drive.device)
        sizes = nudge_sizes(epsilon, reference.RELATIVE_NUDGE, power, counts, _norm(grad, lengths))
        *grads, _ = reference.echo(
            drive, *parameters, dt, lengths, z, y, grad, sizes.to(drive.dtype)
        )
        return None, None, grads[0], None, None, *grads[1:]


def coefficients(engine, parameters, dtype: torch.dtype) -> np.ndarray:
    """What the kernels of `engine` need of `parameters`."""
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    with np.errstate(all="ignore"):  # parameters may be zero or not finite
        return engine.coefficients(*_float64(parameters), kind)


def parameter_gradients(engine, sums, parameters) -> list[torch.Tensor]:
    """Gradients of `parameters`, in their dtypes, from the sums of a kernel."""
    grads = engine.parameter_gradients(sums, *_float64(parameters))
    return [torch.from_numpy(g).to(p.dtype) for g, p in zip(grads, parameters, strict=True)]


def _float64(parameters):
    return [parameter.detach().double().numpy() for parameter in parameters]


def _norm(grad: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """Root of the sum of squares over the steps of each sample, (B, P)."""
    if lengths is not None:
        running = torch.arange(grad.shape[1], device=grad.device) < lengths[:, None]
        grad = torch.where(running[:, :, None], grad, 0.0)
    return torch.linalg.vector_norm(grad.double(), dim=1)
