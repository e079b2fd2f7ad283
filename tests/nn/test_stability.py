"""When a step counts as unstable, and what the warning says."""

import re
import warnings

import pytest
import torch
from torch import nn

from sklearn_physrnn.nn import DynPMNN, FitzHughNagumo, HodgkinHuxley, Kuramoto, StabilityWarning
from sklearn_physrnn.nn._solvers import SOLVERS
from sklearn_physrnn.nn._stability import _growth, step_stability


class Linear(nn.Module):
    """Neurons without coupling: ``x' = A x``."""

    def __init__(self, matrix):
        super().__init__()
        self.matrix = torch.tensor(matrix).double()
        self.n_states = len(matrix)

    def forward(self, state, drive):
        return state @ self.matrix.T


class Chain(nn.Module):
    """Neurons that pull each other along a ring."""

    n_states = 1

    def forward(self, state, drive):
        return (state.roll(1, -2) - state) + (state.roll(-1, -2) - state)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _look(field, state, solver, dt, n_steps=1):
    state = torch.as_tensor(state).double()
    drive = torch.zeros(state.shape[:-1]).double()
    return step_stability(field, state, drive, solver, n_steps, dt * n_steps)


def _paper_neuron():
    """FitzHugh-Nagumo with the paper's constants."""
    field = FitzHughNagumo(1).double()
    with torch.no_grad():
        field.a.fill_(0.2)
        field._b.raw.copy_(torch.tensor([0.02]).double().expm1().log())
        field._g.raw.copy_(torch.tensor([3.0]).double().expm1().log())
    return field


# The spec's limits: 2 over the fast mode's rate at v.
@pytest.mark.parametrize(("v", "limit"), [(-1.0, 0.36), (-2.0, 0.12), (-3.0, 0.058)])
def test_explicit_limit_of_fitzhugh_nagumo(v, limit):
    field, state = _paper_neuron(), [[[v, 0.0]]]
    assert _look(field, state, "euler", 0.97 * limit).stable
    assert not _look(field, state, "euler", 1.03 * limit).stable


def test_growth_of_the_neuron_itself_does_not_count():
    field = _paper_neuron()
    for v in (0.2, 0.4, 0.6):
        jacobian = torch.autograd.functional.jacobian(
            lambda s: field(s.view(1, 1, 2), torch.zeros(1, 1).double()).flatten(),
            torch.tensor([v, 0.0]).double(),
        )
        assert torch.linalg.eigvals(jacobian).real.max() > 0  # it grows
        for solver in SOLVERS:
            assert _look(field, [[[v, 0.0]]], solver, 0.1).stable


# Where |R(z)| = 1 on the negative axis.
@pytest.mark.parametrize(
    ("solver", "limit"),
    [("euler", 2.0), ("semi_implicit_euler", 2.0), ("heun", 2.0), ("rk4", 2.785)],
)
def test_limits_on_the_negative_axis(solver, limit):
    field, state = Linear([[-1.0]]), torch.ones(1, 1, 1)
    assert _look(field, state, solver, 0.99 * limit).stable
    report = _look(field, state, solver, 1.5 * limit)
    assert not report.stable
    assert report.unstable_fraction == 1
    # The numbers are those of the recurrence itself.
    after = SOLVERS[solver].step(field, state.double(), torch.zeros(1, 1), 1.5 * limit)
    assert report.worst_growth == pytest.approx(after.abs().item())
    assert report.dt == 1.5 * limit


def test_semi_implicit_euler_stands_larger_steps_of_an_oscillator():
    # A damped oscillator; the scheme's modes are found from its own step matrix.
    field = Linear([[0.0, 1.0], [-1.0, -0.6]])
    state = torch.ones(1, 1, 2)
    assert not _look(field, state, "euler", 0.9).stable
    assert _look(field, state, "semi_implicit_euler", 0.9).stable
    assert not _look(field, state, "semi_implicit_euler", 3.0).stable


def test_a_turning_mode_needs_no_impossible_step():
    # Decays, but a hundred times slower than it turns: no explicit step keeps it down.
    field = Linear([[-0.01, 1.0], [-1.0, -0.01]])
    assert _look(field, torch.ones(1, 1, 2), "euler", 0.1).stable


def test_coupled_neurons_are_seen_as_one_system():
    # Modes of the ring reach -4: a step beyond 1/2 makes neighbours flip against each other.
    state = torch.randn(3, 8, 1)
    for solver in ("euler", "semi_implicit_euler"):
        assert _look(Chain(), state, solver, 0.49).stable
        report = _look(Chain(), state, solver, 0.6)
        assert not report.stable
        assert report.worst_growth == pytest.approx(abs(1 - 4 * 0.6), rel=1e-6)


def test_strong_kuramoto_coupling_needs_small_steps():
    field = Kuramoto(6).double()
    with torch.no_grad():
        field.coupling.fill_(30.0)
    state = 0.01 * torch.randn(2, 6, 1)  # in phase: pulled together at the rate of the coupling
    assert _look(field, state, "euler", 1.9 / 30).stable
    assert not _look(field, state, "euler", 2.2 / 30).stable


@pytest.mark.parametrize(
    ("dynamics", "solver", "n_steps", "t_end"),
    [
        ("fitzhugh_nagumo", "euler", 1, 20.0),
        ("fitzhugh_nagumo", "semi_implicit_euler", 1, 20.0),
        ("fitzhugh_nagumo", "heun", 1, 20.0),
        ("fitzhugh_nagumo", "rk4", 4, 100.0),
        ("fitzhugh_nagumo", "euler", 10, 200.0),  # states overflow on the way
        ("van_der_pol", "euler", 2, 3.0),
        ("hodgkin_huxley", "euler", 5, 3.0),
    ],
)
def test_the_suggested_number_of_steps_silences_the_warning(dynamics, solver, n_steps, t_end):
    net = DynPMNN(
        3,
        1,
        hidden_size=6,
        num_layers=1,
        dynamics=dynamics,
        solver=solver,
        n_steps=n_steps,
        t_end=t_end,
    )
    x = torch.randn(16, 3)
    with pytest.warns(StabilityWarning) as caught:
        (report,) = net.check_stability(x)
    text = str(caught[0].message)
    assert f"a step of {t_end / n_steps:.3g}" in text
    assert solver in text
    assert f"now {n_steps}" in text
    assert f"now {t_end:g}" in text
    assert f"{report.worst_growth:.3g}" in text
    suggested = int(re.search(r"n_steps >= (\d+)", text)[1])
    assert n_steps < suggested == report.stable_n_steps < 10_000
    net.layers[0].n_steps = suggested
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.check_stability(x)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("dynamics", ["fitzhugh_nagumo", "van_der_pol", "kuramoto"])
def test_default_step_does_not_warn(dynamics, solver):
    net = DynPMNN(3, 1, dynamics=dynamics, solver=solver)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reports = net.check_stability(torch.randn(32, 3))
    assert len(reports) == len(net.layers)
    assert all(0 < report.worst_growth <= 1 for report in reports)


def test_a_layer_that_blows_up_ends_the_report():
    net = DynPMNN(3, 1, hidden_size=6, num_layers=3, solver="euler", n_steps=20, t_end=2000.0)
    with pytest.warns(StabilityWarning, match="Layer 0"):
        reports = net.check_stability(torch.randn(16, 3))
    assert len(reports) < 3
    assert reports[0].worst_growth > 1


def test_checking_changes_nothing():
    net = DynPMNN(3, 1, hidden_size=6)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    state = torch.get_rng_state()
    net.check_stability(torch.randn(8, 3, generator=torch.Generator().manual_seed(0)))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    assert all(p.grad is None for p in net.parameters())


def test_large_layers_and_many_steps_stay_affordable():
    # What is looked at is bounded: 64 times the steps are not 64 times the work.
    field = HodgkinHuxley(64)
    state = field.initial_state(torch.randn(32, 64, 4))
    report = step_stability(field, state, torch.zeros(32, 64), "rk4", 500, 5.0)
    assert report.stable


@pytest.mark.parametrize("solver", ["euler", "semi_implicit_euler"])
def test_growth_is_found_where_the_jacobian_is(solver):
    jacobian = torch.randn(3, 4, 4, dtype=torch.float64)
    modes = torch.linalg.eigvals(jacobian)
    expected = _growth(jacobian, modes, 2, SOLVERS[solver], 0.1)
    with torch.device("meta"):  # what names no device would be made there
        assert torch.equal(_growth(jacobian, modes, 2, SOLVERS[solver], 0.1), expected)
