"""The seam between torch and any oscillator's kernels, for a drive as it comes.

Nothing here waits for a device.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch.autograd.function import once_differentiable

from .._autograd import compiled_backward, compiled_forward
from . import reference
from .borders import Borders, borders_of, spacing
from .engine import Coefficients, Engine, Reference, Sums
from .nudge import nudge_sizes, with_end
from .steps import has_gaps


def as_arrays(
    like: torch.Tensor, dt: torch.Tensor | None, lengths: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Steps and `lengths` as engines take them, for `like` of shape (B, T, ...).

    `dt` is what :func:`.steps.as_steps` makes of a factor of the step size.
    """
    n_rows, n_steps = like.shape[:2]
    steps = like.new_empty(0, 0, 0) if dt is None else dt.detach().to(like).contiguous()
    if lengths is None:
        lengths = torch.full((n_rows,), n_steps, device=like.device)
    return steps, lengths.to(like.device, torch.int64).contiguous()


def begin(first: torch.Tensor | None, like: torch.Tensor, n_modes: int) -> torch.Tensor:
    """A state (2, B, P) to be carried on in place: a copy of `first`, or rest."""
    if first is None:
        return like.new_zeros(2, len(like), n_modes)
    return first.detach().to(like.dtype, memory_format=torch.contiguous_format, copy=True)


def no_power(like: torch.Tensor) -> torch.Tensor:
    """What an engine is given where nobody asks for the power."""
    return like.new_empty(0, 0)


def power_of(
    engine: Engine, gradient: str | None, epsilon: float | str, state: torch.Tensor
) -> torch.Tensor:
    """Where the power of a run goes, (B, P) or empty.

    Only the echoes ask for it, and of them only those whose nudge has to be in proportion
    to the motion.
    """
    if gradient == "rhel" and epsilon == "auto" and engine.RELATIVE_NUDGE is not None:
        return torch.zeros_like(state[0])
    return no_power(state)


def way_back(
    gradient: str | None, epsilon: float | str, steps: torch.Tensor | None
) -> tuple[str | None, float | str]:
    """How a gradient is computed, and with what nudge: where there are gaps, by echoes.

    What back-propagation keeps, positions after steps, does not tell what happened in a gap.
    Echoes of linear oscillators have the same gradient, those of others have it but for the
    square of a nudge that is as small as it can be (``linear/turn.py``, ``nonlinear/gap.py``).
    """
    if gradient == "bptt" and has_gaps(steps):
        return "rhel", "auto"
    return gradient, epsilon


def way_there(
    engine: Engine, gradient: str | None, like: torch.Tensor, steps: torch.Tensor,
    lengths: torch.Tensor, parameters: Sequence[torch.Tensor],
) -> Borders | None:  # fmt: skip
    """Room for states that echoes, if there will be any, cannot do without."""
    if gradient != "rhel" or not engine.FORGETS:
        return None
    return borders_of(like, parameters[-2], steps, lengths, len(parameters[-2]))


class Echoes:
    """The two echoes of a run: their state, their nudges, and what they have to tell.

    They run as their mean and half difference. The half difference is the nudge times the
    loss gradient of the state, time reversed: Z's is that of y, and the other way round.

    Parameters
    ----------
    engine : Engine
    epsilon : float or "auto"
    step : Tensor of shape (P,)
    state : Tensor of shape (2, B, P)
        The end of the free run.
    power : Tensor of shape (B, P), or empty
        The sum of the squares of its positions.
    counts : Tensor of shape (B,)
        Steps of each sample.
    grad_norm : callable
        Called for the norm of the positions' gradient, (B, P).
    grad_state : Tensor of shape (2, B, P) or None
        Gradient of the end.

    Attributes
    ----------
    states : Tensor of shape (4, B, P)
        Mean and half difference of Z, then of y.
    nudge : Tensor of shape (2, B, P)
        Nudges of Z = step * z, and the factor of half differences.
    """

    def __init__(
        self, engine: Engine, epsilon: float | str, step: torch.Tensor, state: torch.Tensor,
        power: torch.Tensor, counts: torch.Tensor, grad_norm: Callable[[], torch.Tensor],
        grad_state: torch.Tensor | None,
    ) -> None:  # fmt: skip
        if isinstance(epsilon, str):
            if engine.RELATIVE_NUDGE is None:
                size = None
            else:
                norm = with_end(grad_norm(), grad_state)
                size = nudge_sizes(epsilon, engine.RELATIVE_NUDGE, power, counts, norm)
                size = size * step.double()
        else:
            size = (epsilon * step.double()).expand(state.shape[1:])
        if size is None:
            self.nudge = state.new_ones(2, *state.shape[1:])
        else:
            self.nudge = torch.stack([size, 1 / size]).to(state.dtype)
        self.states = state.new_zeros(4, *state.shape[1:])
        torch.neg(state[0], out=self.states[0])
        self.states[2] = state[1]
        if grad_state is not None:
            self.states[1::2] = self.nudge[0] * grad_state.flip(0)

    def grad_start(self) -> torch.Tensor:
        """Gradient of the state (2, B, P) at which the free run began."""
        return self.nudge[1] * self.states[1::2].flip(0)


class Scan(torch.autograd.Function):
    """Positions of driven oscillators; the last of `parameters` is the step size."""

    @staticmethod
    @compiled_forward
    def forward(ctx, engine: Engine, gradient, epsilon, drive, first, dt, lengths, *parameters):
        """Positions (B, T, P) under `drive` (B, T, P), and the last state (2, B, P)."""
        drive = drive.detach().contiguous()
        gradient, epsilon = way_back(gradient, epsilon, dt)
        gradient = gradient if any(ctx.needs_input_grad) else None
        keep = gradient == "bptt"
        steps, counts = as_arrays(drive, dt, lengths)
        coefs = coefficients(engine, parameters, drive.dtype)
        state = begin(first, drive, drive.shape[2])
        power = power_of(engine, gradient, epsilon, state)
        kept = drive.new_empty(engine.N_KEPT if keep else 1, *drive.shape)
        borders = way_there(engine, gradient, drive, steps, counts, parameters)
        engine.advance(coefs, state, power, drive, steps, counts, 0, kept, borders)
        ctx.options = engine, gradient, epsilon
        ctx.set_materialize_grads(False)
        memory = *((kept, first) if keep else (state, power)), *(borders or (None, None))
        ctx.save_for_backward(drive, dt, lengths, *memory, *parameters)
        return kept[0], state

    @staticmethod
    @compiled_backward
    def backward(ctx, grad, grad_end):
        """Gradients of the drive, the first state and the parameters."""
        engine, gradient, epsilon = ctx.options
        drive, dt, lengths, *memory = ctx.saved_tensors
        parameters = memory[4:]
        grad = torch.zeros_like(drive) if grad is None else grad.to(drive.dtype).contiguous()
        steps, counts = as_arrays(drive, dt, lengths)
        coefs = coefficients(engine, parameters, drive.dtype)
        grad_drive = torch.empty_like(drive)
        rows = drive, steps, counts, 0, grad, grad_drive
        if gradient == "rhel":
            state, power = memory[:2]
            echoes = Echoes(
                engine, epsilon, parameters[-1], state, power, counts,
                lambda: _norm(grad, None if lengths is None else counts), grad_end,
            )  # fmt: skip
            borders = saved_borders(memory)
            sums = engine.echo(coefs, echoes.states, echoes.nudge, *rows, None, borders)
            grad_first = echoes.grad_start()
        else:
            kept, first = memory[:2]
            grad_first = begin(grad_end, drive, drive.shape[2])
            before = first_position(first, grad_first)
            sums = engine.adjoint(coefs, grad_first, drive, kept, before, *rows[1:])
        grads = parameter_gradients(engine, sums, parameters)
        asked = ctx.needs_input_grad[4]
        return None, None, None, grad_drive, grad_first if asked else None, None, None, *grads


class ReferenceEcho(torch.autograd.Function):
    """The same by RHEL in plain torch, on any device; the state as momentum and position.

    Oscillators that forget run from border to border.
    """

    @staticmethod
    def forward(ctx, kind: Reference, epsilon, drive, z, y, dt, lengths, *parameters):
        """Positions (B, T, P) under `drive` (B, T, P), and the last z and y (B, P)."""
        rest = torch.zeros_like(drive[:, 0])
        state = (rest, rest) if z is None else (z, y)
        cuts = _cuts(kind, drive, dt, lengths, parameters)
        outputs: list[torch.Tensor] = []
        starts: list[torch.Tensor] = []
        for cut in cuts:
            starts += state
            positions, *end = reference.leapfrog(
                kind, parameters=parameters, start=state, **_part(cut, drive, dt, lengths)
            )
            state = end[0], end[1]
            outputs.append(positions)
        positions = torch.cat(outputs, 1)
        ctx.options = kind, epsilon, cuts
        ctx.set_materialize_grads(False)
        power = positions.square().sum(1)
        ctx.n_kept = len(starts) + 2
        ctx.save_for_backward(drive, dt, lengths, power, *starts, *state, *parameters)
        return positions, *state

    @staticmethod
    @once_differentiable
    def backward(ctx, grad, *grad_end):
        """Gradients of the drive, the first state and the parameters."""
        kind, epsilon, cuts = ctx.options
        drive, dt, lengths, power, *rest = ctx.saved_tensors
        states, parameters = rest[: ctx.n_kept], rest[ctx.n_kept :]
        grad = torch.zeros_like(drive) if grad is None else grad
        pull: Any = None
        if any(part is not None for part in grad_end):
            pull = torch.stack([torch.zeros_like(power) if g is None else g for g in grad_end])
        counts = lengths
        if counts is None:
            counts = torch.full((len(drive),), drive.shape[1], device=drive.device)
        norm = with_end(_norm(grad, lengths), pull)
        size = nudge_sizes(epsilon, kind.RELATIVE_NUDGE, power, counts, norm).to(drive.dtype)
        grad_drive, grads = torch.empty_like(drive), [torch.zeros_like(x) for x in parameters]
        for i, cut in reversed([*enumerate(cuts)]):
            begin, end = states[2 * i : 2 * i + 2], states[2 * i + 2 : 2 * i + 4]
            grad_drive[:, cut], pull, parts = reference.echo(
                kind, parameters=parameters, end=end, grad=grad[:, cut], grad_end=pull,
                epsilon=size, begin=None if kind.left is None else begin,
                **_part(cut, drive, dt, lengths),
            )  # fmt: skip
            for total, part in zip(grads, parts, strict=True):
                total += part
        grad_start = pull if any(ctx.needs_input_grad[3:5]) else (None, None)
        return None, None, grad_drive, *grad_start, None, None, *grads


def _cuts(kind, drive, dt, lengths, parameters) -> list[slice]:
    """Pieces of time that echoes go through from a known end."""
    if kind.left is None:
        return [slice(None)]
    steps, counts = as_arrays(drive, dt, lengths)
    n_steps = drive.shape[1]
    if (every := spacing(drive, steps)) is not None:
        begins = [*range(0, n_steps, every)]
    else:
        slots = borders_of(drive, parameters[-2], steps, counts, 0).slots
        begins = torch.nonzero(slots >= 0).flatten().tolist()
    return [slice(*ends) for ends in pairwise([*begins, n_steps])]


def _part(cut: slice, drive, dt, lengths):
    """What of drive, steps and lengths falls in a piece, as the reference takes them."""
    if lengths is not None and cut.start is not None:
        lengths = (lengths - cut.start).clamp(0, cut.stop - cut.start)
    return {
        "drive": drive[:, cut],
        "steps": None if dt is None else dt[:, :, cut],
        "lengths": lengths,
    }


def saved_borders(memory: Sequence[torch.Tensor]) -> Borders | None:
    """Those that a forward saved behind its two other tensors."""
    return None if memory[2] is None else Borders(*memory[2:4])


def first_position(first: torch.Tensor | None, like: torch.Tensor) -> torch.Tensor:
    """The position (B, P) before the first step, from the state `first` or rest."""
    return torch.zeros_like(like[1]) if first is None else first[1].contiguous()


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
