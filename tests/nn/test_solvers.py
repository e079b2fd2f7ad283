"""Every scheme converges to the solution at its order, for every vector field."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_physrnn.nn import DynPMNN, FitzHughNagumo, HodgkinHuxley, Kuramoto, VanDerPol
from sklearn_physrnn.nn._solvers import SOLVERS, integrate

FIELDS = {FitzHughNagumo: 1.0, VanDerPol: 1.0, HodgkinHuxley: 0.2, Kuramoto: 1.0}
STEPS = [32, 64, 128, 256]


class Decay(nn.Module):
    """Straight lines and an exponential: a solution in closed form."""

    n_states = 2

    def forward(self, state, drive):
        x, y = state.unbind(-1)
        return torch.stack((drive, x - y), -1)


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _slope(errors):
    return -np.polyfit(np.log(STEPS), np.log(errors), 1)[0]


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
@torch.no_grad()
def test_order_of_convergence(kind, solver):
    field, t_end = kind(4).double(), FIELDS[kind]
    state = field.initial_state(torch.randn(3, 4, field.n_states, dtype=torch.float64))
    drive = torch.tanh(torch.randn(3, 4, dtype=torch.float64))

    def final(solver, n_steps):
        return field.observe(integrate(field, state, drive, solver, n_steps, t_end / n_steps))

    truth = final("rk4", 1024)
    # rk4 at 256 steps is near rounding for smooth fields; its slope is read at larger steps.
    scale = 4 if solver == "rk4" and kind is not HodgkinHuxley else 1
    errors = [(final(solver, n // scale) - truth).abs().max().item() for n in STEPS]
    assert _slope(errors) == pytest.approx(SOLVERS[solver].order, abs=0.35)
    assert errors[-1] < errors[0] / 3


@pytest.mark.parametrize("solver", SOLVERS)
@torch.no_grad()
def test_network_output_converges_to_rk4(solver):
    x = torch.randn(6, 3, dtype=torch.float64)
    net = DynPMNN(3, 2, hidden_size=5, solver="rk4", n_steps=1024).double().eval()
    truth = net(x)
    errors = []
    for n_steps in STEPS:
        other = DynPMNN(3, 2, hidden_size=5, solver=solver, n_steps=n_steps // 2)
        other.double().eval().load_state_dict(net.state_dict())
        errors.append((other(x) - truth).abs().max().item())
    assert _slope(errors) == pytest.approx(SOLVERS[solver].order, abs=0.35)


@pytest.mark.parametrize("solver", ["euler", "semi_implicit_euler"])
def test_fused_kernel_is_the_generic_path(solver):
    field = FitzHughNagumo(6).double()
    state = torch.randn(4, 6, 2, dtype=torch.float64).tanh().requires_grad_()
    drive = torch.randn(4, 6, dtype=torch.float64).tanh().requires_grad_()
    fused = integrate(field, state, drive, solver, 7, 0.1)
    generic = integrate(field.forward, state, drive, solver, 7, 0.1)
    assert fused.grad_fn.name() != generic.grad_fn.name()  # two ways indeed
    torch.testing.assert_close(fused, generic, rtol=1e-12, atol=1e-12)
    sources = (state, drive, *field.parameters())
    for x, y in zip(
        torch.autograd.grad(fused.square().sum(), sources),
        torch.autograd.grad(generic.square().sum(), sources),
        strict=True,
    ):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("solver", ["heun", "rk4"])
def test_fused_kernel_leaves_other_schemes_alone(solver):
    field = FitzHughNagumo(3)
    assert field.integrator(SOLVERS[solver]) is None


def test_steps_by_hand():
    state, drive = torch.tensor([[[1.0, 2.0]]]).double(), torch.tensor([[3.0]]).double()
    dt, field = 0.1, Decay()
    by_hand = {
        "euler": [1.3, 1.9],
        "semi_implicit_euler": [1.3, 2.0 + dt * (1.3 - 2.0)],
        "heun": [1.3, 2.0 + dt / 2 * (-1.0 + (1.3 - 1.9))],
    }
    for solver, expected in by_hand.items():
        assert integrate(field, state, drive, solver, 1, dt).flatten().tolist() == pytest.approx(
            expected
        )
    # x = 1 + 3 t, y = 3 t - 2 + 4 exp(-t)
    final = integrate(field, state, drive, "rk4", 20, 0.05).flatten().tolist()
    assert final == pytest.approx([4.0, 1.0 + 4 * np.exp(-1)], abs=1e-6)


def test_no_steps_give_the_start():
    state = torch.randn(2, 3, 2)
    assert torch.equal(integrate(Decay(), state, torch.zeros(2, 3), "rk4", 0, 0.1), state)
