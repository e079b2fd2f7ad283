"""One-step schemes for ordinary differential equations, by name."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

Field = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Step = Callable[[Field, torch.Tensor, torch.Tensor, float], torch.Tensor]


def _euler(field: Field, state: torch.Tensor, drive: torch.Tensor, dt: float) -> torch.Tensor:
    return state + dt * field(state, drive)


def _semi_implicit_euler(
    field: Field, state: torch.Tensor, drive: torch.Tensor, dt: float
) -> torch.Tensor:
    # Variable by variable, each with the new values of those before it.
    variables = list(state.unbind(-1))
    for k in range(len(variables)):
        derivative = field(torch.stack(variables, -1), drive)
        variables[k] = variables[k] + dt * derivative[..., k]
    return torch.stack(variables, -1)


def _heun(field: Field, state: torch.Tensor, drive: torch.Tensor, dt: float) -> torch.Tensor:
    k1 = field(state, drive)
    k2 = field(state + dt * k1, drive)
    return state + dt / 2 * (k1 + k2)


def _rk4(field: Field, state: torch.Tensor, drive: torch.Tensor, dt: float) -> torch.Tensor:
    k1 = field(state, drive)
    k2 = field(state + dt / 2 * k1, drive)
    k3 = field(state + dt / 2 * k2, drive)
    k4 = field(state + dt * k3, drive)
    return state + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


@dataclass(frozen=True)
class Solver:
    """A one-step scheme.

    Attributes
    ----------
    step : callable
        ``step(field, state, drive, dt)`` gives the state one step later.
    order : int
        The global error shrinks as dt to this power.
    """

    step: Step
    order: int


SOLVERS = {
    "euler": Solver(_euler, 1),
    "semi_implicit_euler": Solver(_semi_implicit_euler, 1),
    "heun": Solver(_heun, 2),
    "rk4": Solver(_rk4, 4),
}


def integrate(
    field: Field, state: torch.Tensor, drive: torch.Tensor, solver: str, n_steps: int, dt: float
) -> torch.Tensor:
    """Follow `field` from `state` for `n_steps` steps of size `dt` under constant `drive`.

    A field with a method ``integrate`` of the same arguments may do it faster; where that
    returns None, the scheme in ``SOLVERS`` does it.
    """
    fused = getattr(field, "integrate", None)
    if fused is not None:
        result = fused(state, drive, solver, n_steps, dt)
        if result is not None:
            return result
    step = SOLVERS[solver].step
    for _ in range(n_steps):
        state = step(field, state, drive, dt)
    return state
