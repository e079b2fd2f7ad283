"""Whether a solver's step is small enough for the states a network visits.

A mode of the local Jacobian that decays must not grow under the scheme. A mode that
grows by itself may: FitzHugh-Nagumo neurons do, for v between about 0.1 and 0.7.
"""

from dataclasses import dataclass

import torch

from ._solvers import SOLVERS, Field, Solver

SLACK = 1e-6  # rounding of the eigenvalues of a step at the very edge

# A mode counts as decaying if its real part is at least this share of its modulus. One
# that turns much faster than it decays gains a little from an explicit scheme at any
# practical step: an error of the scheme's order, which no step would be small enough for.
_DAMPING = 0.25

# What bounds the work: instants looked at, blocks of the Jacobian, and the size of a
# candidate that is tried out before it is suggested.
_MAX_INSTANTS, _MAX_BLOCKS, _MAX_TRIED = 64, 4096, 2000
_MAX_SUGGESTED = 10**6
_ESCAPED = 1e3  # times the initial states' size: no solution, the scheme has blown up


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
        Largest factor by which a decaying mode changes in one step; above 1 it grows,
        and it is infinite where the states themselves escape.
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
        return self.worst_growth <= 1 + SLACK


def _growth(
    jacobian: torch.Tensor, eigenvalues: torch.Tensor, n_states: int, solver: Solver, dt: float
) -> torch.Tensor:
    """Largest factor (n_blocks,) by which the scheme changes a decaying mode in one step."""
    decaying = eigenvalues.real < -_DAMPING * eigenvalues.abs()
    z = dt * eigenvalues
    if not solver.by_variable:
        factor = solver.amplification(z).abs()
        return torch.where(decaying, factor, torch.zeros_like(factor)).amax(-1)
    # Known are the modes of the step as a whole. For each mode of the equation that does not
    # decay, the nearest to its exact factor is left out.
    modes = torch.linalg.eigvals(solver.matrix(jacobian, n_states, dt))
    left = torch.ones_like(decaying)
    for exact, other in zip(z.exp().unbind(-1), (~decaying).unbind(-1), strict=True):
        distance = (modes - exact.unsqueeze(-1)).abs().masked_fill(~left, torch.inf)
        nearest = distance.argmin(-1, keepdim=True)
        left.scatter_(-1, nearest, left.gather(-1, nearest) & ~other.unsqueeze(-1))
    return torch.where(left, modes.abs(), 0).amax(-1)


@torch.no_grad()
def couples_neurons(field: Field, state: torch.Tensor, drive: torch.Tensor) -> bool:
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


def _jacobians(
    field: Field, state: torch.Tensor, drive: torch.Tensor, coupled: bool
) -> torch.Tensor:
    """Jacobian blocks (n_blocks, n, n): one a neuron, or one a layer if `coupled`.

    The state is of shape (batch, hidden, n_states). Blocks that overflow are left out.
    """
    with torch.enable_grad():
        state = state.detach().requires_grad_()
        derivative = field(state, drive)
        if coupled:
            derivative = derivative.flatten(-2)
        # Samples, and neurons that do not see each other, stay apart in such a sum.
        rows = [
            torch.autograd.grad(
                derivative[..., k].sum(), state, retain_graph=True, materialize_grads=True
            )[0]
            if derivative[..., k].requires_grad
            else torch.zeros_like(state)
            for k in range(derivative.shape[-1])
        ]
    if coupled:
        rows = [row.flatten(-2) for row in rows]
    jacobian = torch.stack(rows, -2).flatten(0, -3).double()
    return jacobian[torch.isfinite(jacobian).all(-1).all(-1)]


class Trial:
    """What steps of any size do on the way from given initial states."""

    def __init__(
        self, field: Field, state: torch.Tensor, drive: torch.Tensor, solver: str, t_end: float
    ) -> None:
        self.field, self.solver, self.t_end = field, SOLVERS[solver], t_end
        self.coupled = couples_neurons(field, state, drive)
        self.state, self.drive = state, drive
        self.n_states = state.shape[-1]
        self.bound = _ESCAPED * (1 + float(state.abs().max()))

    def visit(self, n_steps: int) -> tuple[torch.Tensor, torch.Tensor, bool]:
        """Blocks and eigenvalues of the states passed, and whether a state escaped."""
        state, width = self.state, self.state.shape[-2]
        n_instants = min(n_steps, _MAX_INSTANTS)
        n_blocks = max(4, min(32, 10**7 // width**3)) if self.coupled else _MAX_BLOCKS // width
        n_samples = max(1, min(len(state), n_blocks // n_instants))
        state, drive = state[:n_samples], self.drive[:n_samples]
        instants = {n_steps * i // n_instants for i in range(n_instants)}
        visited, drives, escaped = [], [], False
        for step in range(n_steps + 1):
            # Not a number is not within the bound either.
            within = (state.abs() <= self.bound).all(-1).all(-1)
            if not within.all():
                escaped, state, drive = True, state[within], drive[within]
            if step in instants:
                visited.append(state)
                drives.append(drive)
            if step < n_steps and len(state):
                state = self.solver.step(self.field, state, drive, self.t_end / n_steps)
        jacobian = _jacobians(self.field, torch.cat(visited), torch.cat(drives), self.coupled)
        return jacobian, torch.linalg.eigvals(jacobian), escaped

    def growth(
        self, jacobian: torch.Tensor, eigenvalues: torch.Tensor, n_steps: int
    ) -> torch.Tensor:
        """Largest factor of a decaying mode of each block, in one of `n_steps` steps."""
        dt = self.t_end / n_steps
        return _growth(jacobian, eigenvalues, self.n_states, self.solver, dt)

    def enough(self, jacobian: torch.Tensor, eigenvalues: torch.Tensor, n_steps: int) -> int:
        """Steps, `n_steps` or more, that keep the decaying modes of all blocks from growing."""
        while n_steps < _MAX_SUGGESTED:
            failing = self.growth(jacobian, eigenvalues, n_steps) > 1 + SLACK
            if not failing.any():
                break
            jacobian, eigenvalues = jacobian[failing], eigenvalues[failing]
            n_steps += max(1, n_steps // 8)
        return min(n_steps, _MAX_SUGGESTED)


@torch.no_grad()
def step_stability(
    field: Field,
    state: torch.Tensor,
    drive: torch.Tensor,
    solver: str,
    n_steps: int,
    t_end: float,
) -> StepStability:
    """Look at the states that an integration from `state` passes.

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
    trial = Trial(field, state, drive, solver, t_end)
    jacobian, eigenvalues, escaped = trial.visit(n_steps)
    growth = trial.growth(jacobian, eigenvalues, n_steps)
    worst = float("inf") if escaped else float(growth.max()) if len(growth) else 0.0
    enough = n_steps
    if worst > 1 + SLACK:
        # States that a bad step leads to say little about a good one: start from the
        # initial states, and look again at those that each candidate passes.
        enough = trial.enough(*trial.visit(1)[:2], n_steps)
        while enough <= _MAX_TRIED:
            jacobian, eigenvalues, still_escapes = trial.visit(enough)
            needed = trial.enough(jacobian, eigenvalues, enough)
            if still_escapes:
                needed = max(needed, 2 * enough)
            if needed == enough:
                break
            enough = needed
    return StepStability(
        dt=t_end / n_steps,
        worst_growth=worst,
        unstable_fraction=float((growth > 1 + SLACK).double().mean()) if len(growth) else 1.0,
        stable_n_steps=enough,
    )
