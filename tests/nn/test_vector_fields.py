"""The physics of the vector fields, and what training may do to their constants."""

import math

import pytest
import torch

from sklearn_physrnn.nn import FitzHughNagumo, HodgkinHuxley, Kuramoto, VanDerPol
from sklearn_physrnn.nn._solvers import integrate

FIELDS = [FitzHughNagumo, VanDerPol, HodgkinHuxley, Kuramoto]

POSITIVE = {
    FitzHughNagumo: ["b", "g"],
    VanDerPol: ["mu"],
    HodgkinHuxley: ["_g_na", "_g_k", "_g_l"],
    Kuramoto: [],
}


def _value(field, name):
    value = getattr(field, name)
    return value() if callable(value) else value


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.fixture(params=FIELDS, ids=lambda kind: kind.__name__)
def field(request):
    return request.param(5).double()


def _start(field, batch=7):
    raw = torch.randn(batch, 5, field.n_states, dtype=torch.float64)
    return field.initial_state(raw), torch.tanh(torch.randn(batch, 5, dtype=torch.float64))


def test_shapes(field):
    state, drive = _start(field)
    assert field(state, drive).shape == state.shape == (7, 5, field.n_states)
    assert field.observe(state).shape == (7, 5, field.n_observed)
    # Leading axes are free.
    assert field(state.unsqueeze(0), drive.unsqueeze(0)).shape == (1, 7, 5, field.n_states)


def test_initial_state_and_features_are_bounded(field):
    raw = 1e4 * torch.randn(50, 5, field.n_states, dtype=torch.float64)
    state = field.initial_state(raw)
    assert torch.isfinite(field(state, torch.ones(50, 5).double())).all()
    assert field.observe(state).abs().max() <= 2


def test_derivative_is_that_of_autograd_friendly_code(field):
    state, drive = _start(field, 2)
    assert torch.autograd.gradcheck(field, (state.requires_grad_(), drive.requires_grad_()))


def test_gradients_flow_to_every_constant(field):
    # Each neuron on its own: a batch could hide one that is cut off.
    state, drive = _start(field)
    final = integrate(field, state, drive, "rk4", 4, 0.02)
    (field.observe(final) * torch.randn(7, 5, field.n_observed)).sum().backward()
    for name, parameter in field.named_parameters():
        assert (parameter.grad != 0).all(), name


@pytest.mark.parametrize("direction", [-1, 1])
def test_constants_stay_physical_whatever_the_optimiser_does(field, direction):
    optimizer = torch.optim.SGD(field.parameters(), lr=1.0)
    for size in (0.1, 1.0, 10.0, 30.0):
        for parameter in field.parameters():
            parameter.grad = torch.full_like(parameter, direction * size)
        optimizer.step()
        for name in POSITIVE[type(field)]:
            value = _value(field, name)
            assert (value > 0).all(), name
            assert torch.isfinite(value).all(), name


def test_initial_constants():
    field = HodgkinHuxley(3)
    for name, expected in (("_g_na", 120.0), ("_g_k", 36.0), ("_g_l", 0.3)):
        torch.testing.assert_close(_value(field, name), torch.full((3,), expected))
    assert FitzHughNagumo(100).b.std() > 0.1  # neurons differ from the start


def test_fitzhugh_nagumo_equations():
    field = FitzHughNagumo(1).double()
    v, w, drive = 0.7, -0.2, 0.4
    a, b, g = field.a.item(), field.b.item(), field.g.item()
    state = torch.tensor([[[v, w]]], dtype=torch.float64)
    derivative = field(state, torch.tensor([[drive]], dtype=torch.float64)).flatten().tolist()
    assert derivative == pytest.approx([drive - v * (v - a) * (v - 1) - w, b * (v - g * w)])


def test_fitzhugh_nagumo_rests_at_zero_and_is_excitable():
    field = FitzHughNagumo(1).double()
    with torch.no_grad():
        field.a.fill_(0.2)
        field._b.raw.fill_(math.log(math.expm1(0.02)))
        field._g.raw.fill_(math.log(math.expm1(3.0)))
    v0 = torch.tensor([0.0, 0.1, 0.4], dtype=torch.float64)
    state = torch.stack((v0, torch.zeros(3).double()), -1).unsqueeze(1)
    peak = v0.clone()
    with torch.no_grad():
        for _ in range(100):
            state = integrate(field, state, torch.zeros(3, 1).double(), "rk4", 10, 0.1)
            peak = torch.maximum(peak, state[:, 0, 0])
    assert peak[0] == 0
    assert peak[1] == 0.1  # below the threshold a: decays
    assert peak[2] > 0.7  # above it: an action potential


def test_hodgkin_huxley_rests_at_its_textbook_potential():
    field = HodgkinHuxley(1).double()
    state = field.initial_state(torch.zeros(1, 1, 4).double())
    with torch.no_grad():
        state = integrate(field, state, torch.zeros(1, 1).double(), "rk4", 1500, 0.03)
    v, m, h, n = state.flatten().tolist()
    assert v == pytest.approx(-65, abs=0.5)
    # Hodgkin and Huxley's resting gates.
    assert [m, h, n] == pytest.approx([0.053, 0.596, 0.318], abs=0.01)


def test_hodgkin_huxley_spikes_under_a_drive_of_one():
    field = HodgkinHuxley(1).double()
    state = field.initial_state(torch.zeros(2, 1, 4).double())
    drive = torch.tensor([[1.0], [0.0]]).double()
    potentials = []
    with torch.no_grad():
        for _ in range(250):
            state = integrate(field, state, drive, "rk4", 5, 0.04)
            potentials.append(state[:, 0, 0])
    driven, free = torch.stack(potentials, 1)[:, 100:]  # past the start
    upward = ((driven[:-1] < 0) & (driven[1:] >= 0)).sum()
    assert 1 <= upward <= 4  # some 70 Hz in 30 ms
    assert driven.max() > 20
    assert driven.min() < -70
    assert free.max() < -60


def test_hodgkin_huxley_rates_are_smooth_at_their_removable_poles():
    field = HodgkinHuxley(1).double()
    for pole in (-40.0, -55.0):
        v = torch.linspace(pole - 0.05, pole + 0.05, 1001, dtype=torch.float64)
        gates = torch.full((1001, 3), 0.4, dtype=torch.float64)
        state = torch.cat((v.unsqueeze(-1), gates), -1).unsqueeze(1)
        derivative = field(state, torch.zeros(1001, 1).double())[:, 0]
        curvature = derivative.diff(dim=0).diff(dim=0)
        assert curvature.abs().max() < 1e-5


def test_van_der_pol_limit_cycle_has_amplitude_two():
    field = VanDerPol(3).double()
    state = torch.tensor([[0.1, 0.0], [1.0, 1.0], [1.9, 0.0]]).double().expand(1, 3, 2)
    drive = torch.zeros(1, 3).double()
    with torch.no_grad():
        state = integrate(field, state, drive, "rk4", 2000, 0.02)
        peak = torch.zeros(3).double()
        for _ in range(500):
            state = integrate(field, state, drive, "rk4", 1, 0.02)
            peak = torch.maximum(peak, state[0, :, 0])
    assert peak.tolist() == pytest.approx([2.0] * 3, abs=0.03)


def test_kuramoto_is_the_double_sum():
    field = Kuramoto(6).double()
    theta = 3 * torch.randn(4, 6, 1, dtype=torch.float64)
    drive = torch.randn(4, 6, dtype=torch.float64)
    pairs = torch.sin(theta.squeeze(-1).unsqueeze(1) - theta)  # [b, i, j] = sin(j - i)
    expected = field.omega + drive + field.coupling / 6 * pairs.sum(-1)
    torch.testing.assert_close(field(theta, drive).squeeze(-1), expected)


@pytest.mark.parametrize(("coupling", "in_step"), [(8.0, True), (0.0, False)])
def test_kuramoto_synchronises_under_strong_coupling(coupling, in_step):
    field = Kuramoto(50).double()
    with torch.no_grad():
        field.coupling.fill_(coupling)
        theta = 2 * math.pi * torch.rand(1, 50, 1, dtype=torch.float64)
        theta = integrate(field, theta, torch.zeros(1, 50).double(), "rk4", 400, 0.05)
    order = torch.complex(theta.cos(), theta.sin()).mean().abs()
    assert order > 0.95 if in_step else order < 0.5
