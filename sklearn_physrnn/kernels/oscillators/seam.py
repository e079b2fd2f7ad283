"""From a caller's tensors to the code that serves them, for any kind of oscillator."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypedDict

import torch
from torch.nn.functional import linear

from .._dispatch import choose_backend
from .checks import (
    check_gradient,
    check_parameters,
    check_sequence,
    check_state,
    check_unit,
)
from .engine import Engine, Reference
from .nudge import check_epsilon
from .reference import leapfrog
from .scan import ReferenceEcho, Scan, as_arrays
from .steps import as_steps, as_undone, has_gaps
from .unit import Unit, backwards, turned_round, undo

Tensor = torch.Tensor
Tensors = dict[str, Tensor]


class Way(TypedDict, total=False):
    """How to run oscillators: keywords of every function.

    Attributes
    ----------
    dt : Tensor of shape (batch, time), optional
        Factor of the step size at every step; data, so it gets no gradient. What is above 1
        is a gap. Of shape (batch, time, 1) it has none; of (batch, time, 2) it holds factors
        of at most 1, and the gaps before them.
    lengths : Tensor of shape (batch,), optional
        Number of steps of each sample, which may be none. Later steps are neither read nor
        written: the result is zero there, and so is the gradient of what drives them.
    backend : {"cpu", "cuda", "reference"} or None
        For tests and benchmarks; by default the tensors' device decides.
    """

    dt: Tensor | None
    lengths: Tensor | None
    backend: str | None


class Options(Way, total=False):
    """The same of what has a gradient.

    Attributes
    ----------
    gradient : {"bptt", "rhel"}, default="bptt"
        How the gradient is computed.
    epsilon : float or "auto", default="auto"
        Size of the nudge under "rhel"; what "auto" is depends on the oscillators.
    """

    gradient: str
    epsilon: float | str


@dataclass(frozen=True)
class Oscillators:
    """One kind of oscillator.

    Parameters
    ----------
    reference : Reference
    engine : callable
        Compiled code for a backend, "cpu" or "cuda", imported only when it is first needed.
    """

    reference: Reference
    engine: Callable[[str], Engine]

    def positions(
        self, drive: Tensor, parameters: Tensors, state: Tensor | None, *,
        dt: Tensor | None = None, lengths: Tensor | None = None, backend: str | None = None,
        gradient: str = "bptt", epsilon: float | str = "auto",
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Positions (B, T, P) under `drive` (B, T, P), which this checks, and the last state."""
        check_gradient(gradient)
        check_sequence("drive", drive, dt, lengths)
        check_parameters(drive, parameters)
        check_state(state, drive, drive.shape[2])
        check_epsilon(epsilon)
        (wide,) = _widened(drive)
        state = None if state is None else state.to(wide.dtype)
        backend = choose_backend(wide, backend)
        if backend == "reference":
            y, state = self._plain(wide, parameters, state, dt, lengths, gradient, epsilon)
        else:
            way = self.engine(backend), _wanted(gradient), epsilon
            rest = state, self._steps(dt), lengths
            y, state = Scan.apply(*way, wide, *rest, *parameters.values())
        return y.to(drive.dtype), state

    def outputs(
        self, u: Tensor, maps: Tensors, parameters: Tensors, state: Tensor | None, *,
        checked: bool, dt: Tensor | None = None, lengths: Tensor | None = None,
        backend: str | None = None, gradient: str = "bptt", epsilon: float | str = "auto",
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Readout (B, T, H) of oscillators driven through `maps` by `u` (B, T, H).

        `maps` are b_matrix, c_matrix, skip and, if there is one, bias. `checked`: the caller
        has called :func:`.checks.check_sequence` for u, dt and lengths. The last state is the
        second result.
        """
        check_gradient(gradient)
        if not checked:
            check_sequence("u", u, dt, lengths)
        check_unit(u, maps, parameters)
        check_state(state, u, len(maps["b_matrix"]))
        check_epsilon(epsilon)
        wide, *values = _widened(u, *maps.values())
        state = None if state is None else state.to(wide.dtype)
        maps = dict(zip(maps, values, strict=True))
        b_matrix, bias = maps["b_matrix"], maps.get("bias")
        c_matrix, skip = maps["c_matrix"], maps["skip"]
        backend = choose_backend(wide, backend)
        if backend == "reference":
            drive = linear(wide, b_matrix, bias)
            y, state = self._plain(drive, parameters, state, dt, lengths, gradient, epsilon)
            o = torch.addcmul(y @ c_matrix.T, wide, skip)
        else:
            way = self.engine(backend), _wanted(gradient), epsilon
            maps_in_order = b_matrix, bias, c_matrix, skip
            rest = state, self._steps(dt), lengths
            o, state = Unit.apply(*way, wide, *maps_in_order, *rest, *parameters.values())
        return o.to(u.dtype), state

    @torch.no_grad()
    def undone(
        self, u: Tensor, maps: Tensors, parameters: Tensors, state: Tensor, *,
        checked: bool, dt: Tensor | None = None, lengths: Tensor | None = None,
        backend: str | None = None,
    ) -> Tensor:  # fmt: skip
        """The state from which inputs `u` (B, T, H) lead to `state`, both (2, B, P).

        `maps` are b_matrix and, if there is one, bias.
        """
        if not checked:
            check_sequence("u", u, dt, lengths)
        check_unit(u, maps, parameters)
        if state is None:
            raise TypeError("state must be a torch.Tensor, the last state, got None.")
        check_state(state, u, len(maps["b_matrix"]))
        wide, state, *values = _widened(u, state, *maps.values())
        maps = dict(zip(maps, values, strict=True))
        b_matrix, bias = maps["b_matrix"], maps.get("bias")
        backend = choose_backend(wide, backend)
        steps, gap = self._steps(dt), None
        if self.reference.left is not None:  # what decayed grows
            rate = [*parameters][-2]
            parameters = parameters | {rate: -parameters[rate]}
        if has_gaps(steps):
            steps, gap = as_undone(steps, lengths)
        if backend != "reference":
            engine, rest = self.engine(backend), [*parameters.values()]
            state = undo(engine, wide, b_matrix, bias, steps, lengths, rest, state)
        else:
            order = backwards(as_arrays(wide, None, lengths)[1], wide.shape[1], 0, wide.shape[1])
            wide = wide.flatten(0, 1)[order].view_as(wide)
            if steps is not None:
                steps = steps.mT.flatten(0, 1)[order].view_as(steps.mT).mT
            drive, state = linear(wide, b_matrix, bias), turned_round(state)
            lengths = None if lengths is None else lengths.to(drive.device)
            _, state = self._run(drive, parameters, state, steps, lengths, "bptt", "auto")
            state = turned_round(state)
        return state if gap is None else self._before_gap(state, gap, parameters)

    def _steps(self, dt: Tensor | None) -> Tensor | None:
        return as_steps(dt, self.reference.LONGEST)

    def _before_gap(self, state: Tensor, gap: Tensor, parameters: Tensors) -> Tensor:
        values = [x.double() for x in parameters.values()]
        (z, y), step = state.double(), values[-1]
        z, y = self.reference.gap(-z / step, y, gap[:, None].double(), *values)
        return torch.stack([-step * z, y]).to(state.dtype)

    def _plain(
        self, drive: Tensor, parameters: Tensors, state: Tensor | None, dt: Tensor | None,
        lengths: Tensor | None, gradient: str, epsilon: float | str,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        if lengths is not None:  # what is past them, NaN perhaps, is not read
            lengths = lengths.to(drive.device)
            past = torch.arange(drive.shape[1], device=drive.device) >= lengths[:, None]
            drive = drive.masked_fill(past[:, :, None], 0.0)
            if dt is not None:
                dt = dt.masked_fill(past if dt.ndim == 2 else past[:, :, None], 1.0)
        steps = self._steps(dt)
        return self._run(drive, parameters, state, steps, lengths, gradient, epsilon)

    def _run(
        self, drive: Tensor, parameters: Tensors, state: Tensor | None, steps: Tensor | None,
        lengths: Tensor | None, gradient: str, epsilon: float | str,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        dtype, own = drive.dtype, parameters["step"].dtype
        if has_gaps(steps):  # a long one magnifies a rounding error of the parameters'
            drive = drive.to(torch.promote_types(dtype, own))
        values = [x.to(drive.dtype) for x in parameters.values()]
        step = values[-1]
        start = None if state is None else (state[0] / step, state[1].to(step))
        if gradient == "rhel":
            y, *end = ReferenceEcho.apply(
                self.reference, epsilon, drive, *(start or (None, None)), steps, lengths, *values
            )
        else:
            y, *end = leapfrog(self.reference, drive, values, steps, lengths, start)
        state = torch.stack([step * end[0], end[1]])
        return y.to(dtype), state.to(dtype)  # dt may be wider


def _wanted(gradient: str) -> str | None:
    """`gradient`, or None where autograd is off and nothing need be kept for it.

    Inside a function's forward it is too late to ask.
    """
    return gradient if torch.is_grad_enabled() else None


def _widened(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The first tensor in float32 at least, the others in its dtype.

    Rounding errors grow with time; half precision would not last a hundred steps.
    """
    dtype = torch.promote_types(tensors[0].dtype, torch.float32)
    return tuple(x.to(dtype) for x in tensors)
