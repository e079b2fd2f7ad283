"""A hidden layer that integrates a vector field."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from ._field import maps_plainly
from ._members import MemberLinear
from ._solvers import SOLVERS, fused, integrate, path
from ._stability import StepStability, step_stability
from .vector_fields import VECTOR_FIELDS

Map = Callable[[torch.Tensor], torch.Tensor]
Dynamics = str | nn.Module | Callable[[int], nn.Module]


def make_field(dynamics: Dynamics, hidden_size: int) -> nn.Module:
    """Build a layer's vector field from a name, a module to copy, or a factory.

    Raises
    ------
    ValueError
        If the name is unknown, or the module's output is not like its state.
    TypeError
        If it is no module, or lacks ``n_states``.
    """
    if isinstance(dynamics, str):
        if dynamics not in VECTOR_FIELDS:
            raise ValueError(
                f"dynamics must be one of {sorted(VECTOR_FIELDS)} or a vector field, "
                f"got {dynamics!r}."
            )
        return VECTOR_FIELDS[dynamics](hidden_size)
    if not callable(dynamics):
        raise TypeError(
            f"dynamics must be a name, a vector field or a callable, got {dynamics!r}."
        )
    if isinstance(dynamics, nn.Module):
        field = copy.deepcopy(dynamics)
    else:
        try:
            field = dynamics(hidden_size)
        except TypeError as error:
            raise TypeError(
                f"dynamics={dynamics!r} made no vector field from hidden_size={hidden_size}: "
                f"{error}."
            ) from error
    if not isinstance(field, nn.Module):
        raise TypeError(
            "dynamics must be a name, an nn.Module or a callable hidden_size -> nn.Module, "
            f"got {type(field).__name__}."
        )
    n_states = getattr(field, "n_states", None)
    if not isinstance(n_states, int) or n_states < 1:
        raise TypeError(
            f"The vector field {type(field).__name__} must have an integer attribute n_states "
            f">= 1, got {n_states!r}."
        )
    _check_shapes(field, hidden_size, n_states)
    return field


def _check_shapes(field: nn.Module, hidden_size: int, n_states: int) -> None:
    state, drive = torch.zeros(2, hidden_size, n_states), torch.zeros(2, hidden_size)
    own = next(field.parameters(), None)
    if own is not None:
        state, drive = state.to(own), drive.to(own)
    try:
        with torch.no_grad():
            derivative = field(state, drive)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"The vector field {type(field).__name__} does not take a state of shape "
            f"{tuple(state.shape)} (batch, hidden_size, n_states) and a drive of shape "
            f"{tuple(drive.shape)}: {error}"
        ) from error
    shape = tuple(getattr(derivative, "shape", ()))
    if shape != tuple(state.shape):
        raise ValueError(
            f"The vector field {type(field).__name__} must return a derivative like its state, "
            f"of shape {tuple(state.shape)}, got {shape}."
        )


class DynPMNNLayer(nn.Module):
    """An affine map to initial state and drive, then an integration to ``t_end``."""

    n_states: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dynamics: Dynamics,
        solver: str,
        n_steps: int,
        t_end: float,
        n_members: int,
        diverse: bool,
    ) -> None:
        super().__init__()
        self.hidden_size, self.solver = hidden_size, solver
        self.n_steps, self.t_end = n_steps, t_end
        self.n_members = n_members
        self.field = make_field(dynamics, hidden_size)
        self.n_states = int(self.field.n_states)  # type: ignore[arg-type]  # checked above
        # NOTE[paper]: the drive depends on the input; the release keeps it at zero.
        n_raw = hidden_size * (self.n_states + 1)
        self.project = (
            nn.Linear(input_size, n_raw)
            if n_members == 1
            else MemberLinear(input_size, n_raw, n_members, diverse=diverse)
        )
        nn.init.normal_(self.project.weight, std=input_size**-0.5)
        nn.init.uniform_(self.project.bias, -0.3, 0.3)
        with torch.no_grad():
            state = torch.zeros(1, hidden_size, self.n_states)
            self.output_size = self._observe(state.to(self.project.weight)).shape[-1]

    def _method(self, name: str, default: Map) -> Map:
        """Give the field's own method where it has one."""
        return getattr(self.field, name, default)

    def _observe(self, state: torch.Tensor) -> torch.Tensor:
        observe = self._method("observe", lambda state: state)
        return observe(state).transpose(-1, -2).flatten(-2)

    def _raw(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.project(x).flatten(0, -2)
        return rows.unflatten(-1, (self.n_states + 1, self.hidden_size))

    def start(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map x (batch, [n_members,] input_size) to a bounded initial state and drive.

        Returns
        -------
        state : Tensor of shape (rows, hidden_size, n_states)
            One row a sample and member.
        drive : Tensor of shape (rows, hidden_size)
        """
        raw = self._raw(x).transpose(-1, -2)
        initial_state = self._method("initial_state", torch.tanh)
        # Bounded, both: an explicit scheme has a stable region only so large.
        return initial_state(raw[..., :-1]), torch.tanh(raw[..., -1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, [n_members,] input_size) to features (batch, ..., output_size)."""
        # Without unpacking, where the field leaves all three parts to us.
        run = fused(self.field, SOLVERS[self.solver]) if maps_plainly(self.field) else None
        if run is not None:
            features = run(torch.tanh(self._raw(x)), self.n_steps, self.dt).flatten(1)
        else:
            state, drive = self.start(x)
            state = integrate(self.field, state, drive, self.solver, self.n_steps, self.dt)
            features = self._observe(state)
        return self._of_members(features)

    def _of_members(self, features: torch.Tensor) -> torch.Tensor:
        if self.n_members > 1:
            return features.unflatten(0, (-1, self.n_members))
        return features

    def advance(self, state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
        """Go on by one step, by the scheme itself, from `start` or an earlier step."""
        return SOLVERS[self.solver].step(self.field, state, drive, self.dt)

    def finish(self, state: torch.Tensor) -> torch.Tensor:
        """Map the state after the last step (rows, hidden_size, n_states) to features."""
        return self._of_members(self._observe(state))

    @property
    def dt(self) -> float:
        """Size of a step, in the unit of the dynamics."""
        return self.t_end / self.n_steps

    @torch.no_grad()
    def path(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Every state on the way, step by step, for those who look at the layer.

        Parameters
        ----------
        x : Tensor of shape (batch, [n_members,] input_size)

        Returns
        -------
        states : Tensor of shape (rows, n_steps + 1, hidden_size, n_states)
            One row a sample and member.
        drive : Tensor of shape (rows, hidden_size)
        """
        state, drive = self.start(x)
        states = path(self.field, state, drive, self.solver, self.n_steps, self.dt)
        return torch.stack(list(states), 1), drive

    def stability(self, x: torch.Tensor) -> StepStability:
        """What the step does at the states that x leads to."""
        with torch.no_grad():
            state, drive = self.start(x)
        return step_stability(self.field, state, drive, self.solver, self.n_steps, self.t_end)
