"""Whether a solver's step is small enough for the states a network visits.

A mode of the local Jacobian that decays (its eigenvalue has a negative real part) must
not grow under the scheme. A mode that grows by itself may: FitzHugh-Nagumo neurons do,
for v between about 0.1 and 0.7.
"""

from dataclasses import dataclass

import torch

from ._solvers import SOLVERS, Field

_SLACK = 1e-6  # rounding of the eigenvalues of a step at the very edge


class StabilityWarning(UserWarning):
    """A solver's step lies outside its stable region."""


@dataclass(frozen=True)
class StepStability:
    """What a step of size ``dt`` does to decaying modes at visited states.

    Attributes
    ----------
    dt : float
        Step size.
    worst_growth : float
        Largest factor by which a decaying mode changes in one step; above 1 it grows.
    unstable_fraction : float
        Share of visited states with such a mode.
    stable_n_steps : int
        Steps over the same time that keep every decaying mode from growing.
    """

    dt: float
    worst_growth: float
    unstable_fraction: float
    stable_n_steps: int

    @property
    def stable(self) -> bool:
        return self.worst_growth <= 1 + _SLACK


def _growth(jacobian: torch.Tensor, eigenvalues: torch.Tensor, solver: str, dt: float):
    """Factor by which the scheme changes each mode in one step, like `eigenvalues`."""
    z = dt * eigenvalues
    if solver == "euler":
        return (1 + z).abs()
    if solver == "heun":
        return (1 + z + z**2 / 2).abs()
    if solver == "rk4":
        return (1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24).abs()
    # Variable by variable: a product of elementary steps, no function of z alone. Its
    # modes are matched to the Jacobian's by the order of their real parts.
    n = jacobian.shape[-1]
    step = torch.eye(n, dtype=jacobian.dtype).expand_as(jacobian)
    for k in range(n):
        step = step.clone()
        step[..., k : k + 1, :] += dt * jacobian[..., k : k + 1, :] @ step
    growth = torch.linalg.eigvals(step)
    order = eigenvalues.real.argsort(-1)
    matched = growth.gather(-1, growth.real.argsort(-1))
    return torch.empty_like(growth).scatter(-1, order, matched).abs()


@torch.no_grad()
def _couples_neurons(field: Field, state: torch.Tensor, drive: torch.Tensor) -> bool:
    """Tell whether one neuron's state enters another's derivative."""
    if state.shape[-2] == 1:
        return False
    generator = torch.Generator().manual_seed(0)
    moved = torch.rand(state.shape[-2], generator=generator) < 0.5
    moved[:2] = torch.tensor([True, False])
    before = field(state, drive)
    for half in (moved, ~moved):
        nudged = state + 0.01 * half.unsqueeze(-1).to(state)
        if not torch.equal(field(nudged, drive)[..., ~half, :], before[..., ~half, :]):
            return True
    return False


def _jacobians(field: Field, state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
    """Jacobian blocks (..., n, n): one a neuron, or one a layer if neurons are coupled."""
    if _couples_neurons(field, state, drive):
        rows = [
            torch.autograd.functional.jacobian(
                lambda s, d=d: field(s.unflatten(0, state.shape[-2:]), d).flatten(), s.flatten()
            )
            for s, d in zip(state[:4], drive[:4], strict=True)
        ]
        return torch.stack(rows)
    with torch.enable_grad():
        state = state.detach().requires_grad_()
        derivative = field(state, drive)
        # Neurons do not see each other, so a sum over them keeps their gradients apart.
        rows = [
            torch.autograd.grad(derivative[..., k].sum(), state, retain_graph=True)[0]
            if derivative[..., k].requires_grad
            else torch.zeros_like(state)
            for k in range(state.shape[-1])
        ]
    return torch.stack(rows, -2)


def step_stability(
    field: Field,
    state: torch.Tensor,
    drive: torch.Tensor,
    solver: str,
    n_steps: int,
    t_end: float,
) -> StepStability:
    """Look at every state that an integration from `state` passes.

    Parameters
    ----------
    field : vector field
    state : Tensor of shape (n_samples, hidden, n_states)
        Initial states.
    drive : Tensor of shape (n_samples, hidden)
    solver : str
        A key of ``SOLVERS``.
    n_steps : int
    t_end : float
    """
    dt = t_end / n_steps
    visited = []
    with torch.no_grad():
        for _ in range(n_steps):
            visited.append(state)
            state = SOLVERS[solver].step(field, state, drive, dt)
    states = torch.stack([s for s in visited if torch.isfinite(s).all()])
    jacobian = torch.cat([_jacobians(field, s, drive).flatten(0, -3) for s in states]).double()
    eigenvalues = torch.linalg.eigvals(jacobian)
    decaying = eigenvalues.real < 0

    def growth(steps: int) -> torch.Tensor:
        factor = _growth(jacobian, eigenvalues, solver, t_end / steps)
        return torch.where(decaying, factor, torch.zeros_like(factor)).amax(-1)

    now = growth(n_steps)
    enough = n_steps
    while enough < 10**6 and growth(enough).max() > 1 + _SLACK:
        enough = enough + max(1, enough // 8)
    return StepStability(
        dt=dt,
        worst_growth=float(now.max()),
        unstable_fraction=float((now > 1 + _SLACK).double().mean()),
        stable_n_steps=enough,
    )
