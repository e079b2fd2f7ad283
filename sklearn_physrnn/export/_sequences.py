"""Estimators of sequences: one step of theirs as a graph, and walks through whole sequences."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ..nn._one_step import NetworkStep
from ..preparation.inputs import Inputs
from ..preparation.sequences import SequenceInputs
from ..preparation.step_targets import StepTargets
from ..preparation.tokens import TokenInputs
from ._answers import answer, by_name
from ._clock import Clock
from ._graph import CannotExportError, Graph, Value
from ._holes import Memory, lines
from ._loops import along_time
from ._scaling import scaling
from ._translation import call

N_SAMPLES, N_STEPS = torch.export.Dim("n_samples"), torch.export.Dim("n_steps")

_N_READ = torch.export.Dim("n_read")  # steps that have outputs

_VALUE = "value"  # the state that is what was seen last of each channel
_TIME = "time"  # the state that is the last step's stamp


class Step(nn.Module):
    """One step of an estimator, from X as it comes and a state to what its head sees.

    Attributes
    ----------
    names : tuple of str
        Of the state's tensors.
    """

    columns: torch.Tensor

    def __init__(self, inputs: Inputs, network: NetworkStep, dtype: torch.dtype) -> None:
        super().__init__()
        self.network, self.dtype = network, dtype
        self.clock = self.scaling = self.memory = None
        self.names = network.names
        if isinstance(inputs, TokenInputs):
            return
        if type(inputs) is not SequenceInputs or inputs.scaler is None:
            raise CannotExportError(f"{type(inputs).__name__} cannot be exported.")
        if inputs.time_channel is not None and inputs.longest_gap < np.inf and not inputs.bounded:
            raise CannotExportError(
                "Nonlinear oscillators cross a gap of time in as many steps as it is long, which "
                "a graph does not: with a time_channel, fit with dynamics='linear'."
            )
        self.scaling = scaling(inputs.scaler)
        n_channels = inputs.n_values
        if inputs.holes.allowed:
            self.memory = Memory(inputs.holes, n_channels)
            if not inputs.holes.looks_ahead:
                self.names = (*self.names, _VALUE)
        if inputs.time_channel is not None:
            n_channels += 1
            self.clock, self.time = Clock(inputs), inputs.time_channel % n_channels
            self.names = (*self.names, _TIME)
        columns = [i for i in range(n_channels) if self.clock is None or i != self.time]
        self.register_buffer("columns", torch.tensor(columns))

    @property
    def remembers(self) -> bool:
        """Whether what stands for missing values follows from steps before."""
        return _VALUE in self.names

    def rest(self, n_samples: int) -> tuple[torch.Tensor, ...]:
        """Give the state before the first step."""
        rest = self.network.rest(n_samples)
        if self.remembers:
            rest = (*rest, self.memory.rest(n_samples))  # type: ignore[union-attr]
        if self.clock is None:
            return rest
        return (*rest, torch.full((n_samples, 1), torch.nan, dtype=self.dtype))

    def read(self, X: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Map X (..., n_channels), or tokens (...), to what is to be known of it.

        Returns
        -------
        x : Tensor
            Scaled; NaN where nothing may be missing, and in float32 then.
        missing : Tensor, where values may be
        now : Tensor of shape (..., 1), where there are time stamps
        """
        if self.scaling is None:
            return (X,)
        x = X if self.clock is None else X.index_select(-1, self.columns)
        now = () if self.clock is None else (X[..., self.time : self.time + 1],)
        if self.memory is None:
            return self.scaling(x).to(torch.float32), *now
        missing = x.isnan()
        return self.scaling(torch.where(missing, 0.0, x)), missing, *now

    def forward(
        self, heard: Sequence[torch.Tensor], state: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, ...]:
        """Map what is known of a step, (batch, ...), to features and the next state."""
        x, dt = heard[0], None
        after: tuple[torch.Tensor, ...] = ()
        if self.clock is not None:
            now = heard[-1]
            dt, after, state = self.clock(state[-1], now), (now,), state[:-1]
        if self.remembers:
            x, value = self._filled(heard[0], heard[1], state[-1])
            state, after = state[:-1], (value, *after)
        features, own = self.network.features(x, state, dt)
        return features, *own, *after

    def _filled(
        self, z: torch.Tensor, missing: torch.Tensor, value: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give x with what was last where values are missing, and what is then the last."""
        assert self.memory is not None
        value = torch.where(self.memory.there(missing), z, value)
        return self.memory.columns(z, missing, value), value


class _OneStep(nn.Module):
    """What a step says, and the state after it."""

    def __init__(self, step: Step, said: nn.Module) -> None:
        super().__init__()
        self.step, self.said = step, said

    def forward(self, X: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        features, *after = self.step(self.step.read(X), state)
        return (*self.said(self.step.network.head(features)), *after)


class _WithinEnds(nn.Module):
    """A step that leaves features and state alone of samples that have ended."""

    def __init__(self, step: Step, n_heard: int) -> None:
        super().__init__()
        self.step, self.n_heard = step, n_heard

    def forward(self, inside: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, ...]:
        heard, before = rest[: self.n_heard], rest[self.n_heard :]
        after = self.step(heard, before[1:])
        return tuple(torch.where(inside, *x) for x in zip(after, before, strict=True))


class _Begun(nn.Module):
    """All that is known of whole sequences (batch, time, ...) before a walk through them.

    That is where there are steps and no padding, (batch, time, 1); what the step reads of X;
    where values may be missing that are looked for in both directions, when each step was,
    and what was seen before the first; and the features and the state before it.
    """

    def __init__(self, step: Step) -> None:
        super().__init__()
        self.step = step

    @property
    def ahead(self) -> Memory | None:
        """Where missing values are looked for in both directions, what is known of them."""
        return None if self.step.remembers else self.step.memory

    def forward(self, X: torch.Tensor) -> tuple[torch.Tensor, ...]:
        heard, memory = self.step.read(X), self.ahead
        sought: tuple[torch.Tensor, ...] = ()
        if memory is not None:
            seen = memory.rest(X.shape[0])
            at = heard[-1] if self.step.clock is not None else _numbered(X)
            sought = (at.double(), seen, torch.zeros_like(seen))
        return _inside(X), *heard, *sought, *self._rest(X.shape[0])

    def _rest(self, n_samples: int) -> tuple[torch.Tensor, ...]:
        width = next(iter(self.step.network.head.state_dict().values())).shape[-1]
        return torch.full((n_samples, width), torch.nan), *self.step.rest(n_samples)


def _inside(X: torch.Tensor) -> torch.Tensor:
    tokens = not X.is_floating_point()
    present = X[:, :, None] >= 0 if tokens else ~X.isnan().all(-1, keepdim=True)
    return present.flip(1).to(torch.int64).cumsum(1).flip(1) > 0


def _numbered(X: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(X[:, :, :1], dtype=torch.float64).cumsum(1)


class _Said(nn.Module):
    """What is said of features: of whole sequences, or of steps and where they are inside."""

    def __init__(self, network: NetworkStep, said: nn.Module) -> None:
        super().__init__()
        self.head, self.said = network.head, said

    def forward(self, features: torch.Tensor, *inside: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return self.said(self.head(features), *inside)


def _every(graph: Graph, value: Value, every: int) -> Value:
    """Give steps `every`, 2 `every` and so on of a value (batch, time, ...)."""
    if every == 1:
        return value
    bounds = (graph.integers(number) for number in (every - 1, 2**62, 1, every))
    name = graph.node("Slice", value.name, *bounds)
    return Value(name, value.dtype, (value.shape[0], _N_READ, *value.shape[2:]))


class _Channel(nn.Module):
    """Series of one channel (batch, time) with an axis for it."""

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        return X[:, :, None]


def whole_sequences(
    estimator: Any, network: NetworkStep, graph: Graph, dtype: torch.dtype
) -> tuple[list[Value], dict[str, Value]]:
    """Add all that `predict` does; return the graph's inputs, and outputs by name."""
    inputs, targets = estimator._prepared.inputs, estimator._prepared.targets
    given = X = _input(inputs, dtype, (N_SAMPLES, N_STEPS))
    if len(X.shape) == 2 and X.dtype is dtype:
        (X,) = call(graph, _Channel(), X)
    step = Step(inputs, network, dtype)
    begun = _Begun(step)
    n_rest = 1 + len(step.names)
    found = call(graph, begun, X)
    inside, heard, rest = found[0], found[1:-n_rest], found[-n_rest:]
    if begun.ahead is not None:
        *heard, at, nothing, when = heard
        x = lines(graph, begun.ahead, [*heard[:2], at], [nothing, when])
        heard = [x, *heard[2:]]
    body = _WithinEnds(step, len(heard))
    at_steps = isinstance(targets, StepTargets)

    def advance(inner: Graph, state: list[Value], now: list[Value]):
        after = call(inner, body, *now, *state)
        return after, after[:1] if at_steps else []

    after, features = along_time(graph, advance, rest, [inside, *heard])
    seen = after[:1]
    if at_steps:
        seen = [_every(graph, value, network.every) for value in (features[0], inside)]
    found = call(graph, _Said(network, answer(targets, dtype)), *seen)
    return [given], by_name(targets, graph, found)


def one_step(
    estimator: Any, network: NetworkStep, graph: Graph, dtype: torch.dtype
) -> tuple[list[Value], dict[str, Value], dict[str, torch.Tensor]]:
    """Add one step; return inputs, outputs by name, and the state that it begins with."""
    inputs, targets = estimator._prepared.inputs, estimator._prepared.targets
    X = _input(inputs, dtype, (N_SAMPLES,))
    step = Step(inputs, network, dtype)
    holed = isinstance(inputs, SequenceInputs) and (inputs.holes.told or inputs.holes.empty)
    if holed and not step.remembers:
        raise CannotExportError(
            "step=True needs a model whose answer to a step does not depend on later ones: this "
            "one was fitted to sequences with missing values, and missing='linear' looks ahead. "
            "Fit it with missing='mask'."
        )
    if not step.remembers:
        step.memory = None  # a missing value is NaN then, from there on
    first = {f"state_{k}": x for k, x in zip(step.names, step.rest(1), strict=True)}
    state = [
        Value(name, x.dtype, (*x.shape[:-2], N_SAMPLES, x.shape[-1])) for name, x in first.items()
    ]
    of_step = targets.step if isinstance(targets, StepTargets) else targets
    found = call(graph, _OneStep(step, answer(of_step, dtype)), X, *state)
    n_said = len(found) - len(state)
    outputs = by_name(of_step, graph, found[:n_said])
    outputs |= {f"next_{k}": x for k, x in zip(step.names, found[n_said:], strict=True)}
    return [X, *state], outputs, first


def _input(inputs: Inputs, dtype: torch.dtype, free: tuple[Any, ...]) -> Value:
    if isinstance(inputs, TokenInputs):
        return Value("X", torch.int64, free)
    if len(free) == 2 and getattr(inputs, "n_dims", 3) == 2:
        return Value("X", dtype, free)
    assert isinstance(inputs, SequenceInputs)
    n_channels = inputs.n_values + (inputs.time_channel is not None)
    return Value("X", dtype, (*free, n_channels))
