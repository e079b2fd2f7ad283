"""One-step schemes for ordinary differential equations, by name."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

import torch

Field = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
Step = Callable[[Field, torch.Tensor, torch.Tensor, float], torch.Tensor]
# All steps at once: ``(start, n_steps, dt) -> final``, where `start` (batch, n_states + 1,
# hidden) holds the state variables and the drive, `final` (batch, n_states, hidden) the state.
Integrator = Callable[[torch.Tensor, int, float], torch.Tensor]


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
    """A one-step scheme, and by its step all that is known of it.

    Attributes
    ----------
    step : callable
        ``step(field, state, drive, dt)`` gives the state one step later, for a state of
        shape (..., hidden, n_states), complex too, and a drive of shape (..., hidden).
    order : int
        The global error shrinks as dt to this power.
    by_variable : bool, default=False
        Whether the state variables are moved in turn, so that what becomes of a mode is no
        function of its eigenvalue alone.
    """

    step: Step
    order: int
    by_variable: bool = False

    def amplification(self, z: torch.Tensor) -> torch.Tensor:
        """Stability function R(z): what a step multiplies ``y' = (z / dt) y`` by.

        Of a scheme that is not `by_variable`.
        """
        rate = z.unsqueeze(-1)
        one = torch.ones_like(rate)
        return self.step(lambda state, _: rate * state, one, torch.zeros_like(z), 1.0).squeeze(-1)

    def matrix(self, jacobian: torch.Tensor, n_states: int, dt: float) -> torch.Tensor:
        """Matrices (n_blocks, n, n) that a step multiplies the state of ``y' = J y`` by.

        Parameters
        ----------
        jacobian : Tensor of shape (n_blocks, n, n)
            J of blocks of n / n_states neurons, the variables of a neuron side by side.
        n_states : int
        dt : float
        """
        n = jacobian.shape[-1]
        transposed = jacobian.transpose(-1, -2)

        def field(state: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
            return (state.flatten(-2) @ transposed).unflatten(-1, (-1, n_states))

        one = torch.eye(n, dtype=jacobian.dtype, device=jacobian.device)
        start = one.expand(len(jacobian), n, n).unflatten(-1, (-1, n_states))
        columns = self.step(field, start, torch.zeros_like(start[..., 0]), dt).flatten(-2)
        return columns.transpose(-1, -2)


EULER = Solver(_euler, 1)
SEMI_IMPLICIT_EULER = Solver(_semi_implicit_euler, 1, by_variable=True)

# A scheme that is added here is one everywhere: for layers, estimators, checks and displays.
SOLVERS = {
    "euler": EULER,
    "semi_implicit_euler": SEMI_IMPLICIT_EULER,
    "heun": Solver(_heun, 2),
    "rk4": Solver(_rk4, 4),
}


def fused(field: Field, solver: Solver) -> Integrator | None:
    """Give what `field` offers in place of the steps of `solver`, if it does.

    That is, what its method ``integrator(solver)`` returns, where it has one.
    """
    offer = getattr(field, "integrator", None)
    return None if offer is None else cast(Integrator | None, offer(solver))


def path(
    field: Field, state: torch.Tensor, drive: torch.Tensor, solver: str, n_steps: int, dt: float
) -> Iterator[torch.Tensor]:
    """Follow `field` from `state` and give the state at every step, the start included."""
    step = SOLVERS[solver].step
    yield state
    for _ in range(n_steps):
        state = step(field, state, drive, dt)
        yield state


def integrate(
    field: Field, state: torch.Tensor, drive: torch.Tensor, solver: str, n_steps: int, dt: float
) -> torch.Tensor:
    """Follow `field` from `state` for `n_steps` steps of size `dt` under constant `drive`.

    All at once where the field offers that, else step by step.

    Parameters
    ----------
    field : callable
        ``field(state, drive)`` gives the state's derivative.
    state : Tensor of shape (..., hidden, n_states)
    drive : Tensor of shape (..., hidden)
    solver : {"euler", "semi_implicit_euler", "heun", "rk4"}
        The scheme.
    n_steps : int
    dt : float

    Returns
    -------
    Tensor like `state`

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import integrate
    >>> state, drive = torch.ones(1, 1), torch.zeros(1)
    >>> fallen = integrate(lambda s, d: -s, state, drive, "rk4", n_steps=10, dt=0.1)
    >>> bool((fallen - torch.exp(-state)).abs().max() < 1e-6)
    True
    """
    run = fused(field, SOLVERS[solver]) if state.ndim == 3 else None
    if run is not None:
        start = torch.cat((state.transpose(-1, -2), drive.unsqueeze(-2)), -2)
        return run(start, n_steps, dt).transpose(-1, -2)
    return deque(path(field, state, drive, solver, n_steps, dt), maxlen=1).pop()
