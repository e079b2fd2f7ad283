"""The DynPMNN module: shapes, the paper's equations, and vector fields of a user."""

import copy
import pickle

import pytest
import torch
from torch import nn

from sklearn_physrnn.nn import DynPMNN, FitzHughNagumo, HodgkinHuxley, VectorField

NAMES = ["fitzhugh_nagumo", "van_der_pol", "hodgkin_huxley", "kuramoto"]


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


class Relaxation(nn.Module):
    """A user's own vector field, no more than what is asked for."""

    n_states = 1

    def __init__(self, hidden_size):
        super().__init__()
        self.rate = nn.Parameter(torch.ones(hidden_size))

    def forward(self, state, drive):
        return self.rate.unsqueeze(-1) * (drive.unsqueeze(-1) - state)


def _unpack(state, drive):
    v, w = state.unbind(-1)
    return torch.stack((v, w), -1)


class Broken(nn.Module):
    def __init__(self, n_states, function):
        super().__init__()
        self.n_states, self.function = n_states, function

    def forward(self, state, drive):
        return self.function(state, drive)


@pytest.mark.parametrize("dynamics", NAMES)
@pytest.mark.parametrize("num_layers", [1, 3])
def test_output_and_gradients(dynamics, num_layers):
    net = DynPMNN(4, 3, hidden_size=5, num_layers=num_layers, dynamics=dynamics, t_end=0.1)
    y = net(torch.randn(6, 4))
    assert y.shape == (6, 3)
    (y * torch.randn(6, 3)).sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name


def test_hidden_layer_is_as_wide_as_asked_for():
    # A fault of the release: one neuron, whatever the width.
    net = DynPMNN(4, 1, hidden_size=50)
    assert net.layers[0].output_size == 100
    y = net.layers[0](torch.randn(8, 4))
    assert torch.linalg.matrix_rank(y - y.mean(0)) == 7


def test_states_and_drive_start_bounded():
    layer = DynPMNN(4, 1).layers[0]
    state, drive = layer.start(1e6 * torch.randn(9, 4))
    assert state.abs().max() <= 1
    assert drive.abs().max() <= 1


def test_one_layer_by_hand():
    net = DynPMNN(2, 1, hidden_size=3, num_layers=1, solver="euler", n_steps=2, t_end=0.5)
    x = torch.randn(4, 2)
    v, w, drive = torch.tanh(net.layers[0].project(x)).unflatten(1, (3, 3)).unbind(1)
    field = net.layers[0].field
    for _ in range(2):
        dv = drive - v * (v - field.a) * (v - 1) - w
        dw = field.b * (v - field.g * w)
        v, w = v + 0.25 * dv, w + 0.25 * dw
    torch.testing.assert_close(net(x), net.head(torch.cat((v, w), 1)))


def test_physical_constants_are_trained():
    net = DynPMNN(2, 1, hidden_size=4)
    before = [layer.field.b.detach().clone() for layer in net.layers]
    optimizer = torch.optim.Adam(net.parameters(), 0.1)
    x = torch.randn(32, 2)
    for _ in range(3):
        optimizer.zero_grad()
        (net(x).squeeze(1) - x.prod(1)).square().mean().backward()
        optimizer.step()
    for layer, b in zip(net.layers, before, strict=True):
        assert (layer.field.b != b).all()


@pytest.mark.parametrize("solver", ["euler", "rk4"])
@pytest.mark.parametrize("dynamics", [Relaxation, Relaxation(5), lambda size: Relaxation(size)])
def test_a_users_vector_field(dynamics, solver):
    net = DynPMNN(4, 2, hidden_size=5, dynamics=dynamics, solver=solver)
    assert net(torch.randn(6, 4)).shape == (6, 2)
    assert net.check_stability(torch.randn(6, 4))[0].stable


def test_a_module_is_copied_for_each_layer():
    field = Relaxation(5)
    net = DynPMNN(4, 2, hidden_size=5, num_layers=2, dynamics=field)
    fields = [layer.field for layer in net.layers]
    assert len({id(f.rate) for f in (*fields, field)}) == 3


def test_a_users_initial_state_and_observation_are_used():
    class Custom(Relaxation):
        def initial_state(self, raw):
            return torch.full_like(raw, 2.0)

        def observe(self, state):
            return torch.cat((state, state**2, state**3), -1)

    net = DynPMNN(4, 2, hidden_size=5, num_layers=1, dynamics=Custom(5), n_steps=1, t_end=1e-9)
    features = net.layers[0](torch.randn(3, 4))
    assert features.shape == (3, 15)
    expected = torch.tensor([2.0, 4.0, 8.0]).repeat_interleave(5).expand(3, 15)
    torch.testing.assert_close(features, expected)


def test_a_field_without_dependence_on_its_state():
    class Ramp(VectorField):
        n_states = n_observed = 1

        def __init__(self):
            super().__init__()
            self.slope = nn.Parameter(torch.ones(()))

        def forward(self, state, drive):
            return self.slope * drive.unsqueeze(-1)

    net = DynPMNN(4, 1, hidden_size=5, dynamics=Ramp())
    assert net.check_stability(torch.randn(6, 4))[0].stable


@pytest.mark.parametrize(
    ("dynamics", "error", "message"),
    [
        ("hodgkin", ValueError, "fitzhugh_nagumo.*'hodgkin'"),
        (lambda size: "no module", TypeError, "got str"),
        (nn.Linear(3, 3), TypeError, "n_states"),
        (Broken(0, lambda s, i: s), TypeError, "n_states >= 1, got 0"),
        (Broken(2.0, lambda s, i: s), TypeError, "n_states"),
        (Broken(2, lambda s, i: s[..., :1]), ValueError, r"\(2, 5, 2\), got \(2, 5, 1\)"),
        (Broken(2, lambda s, i: i), ValueError, r"got \(2, 5\)"),
        (Broken(2, lambda s, i: None), ValueError, r"got \(\)"),
        (Broken(2, lambda s, i: s.matmul(s)), ValueError, "does not take a state"),
        (Broken(3, _unpack), ValueError, "does not take a state"),
        (Broken(2, lambda s: s), ValueError, "does not take a state"),
        (Relaxation(7), ValueError, "does not take a state"),
    ],
)
def test_a_bad_vector_field_is_explained(dynamics, error, message):
    with pytest.raises(error, match=message):
        DynPMNN(4, 1, hidden_size=5, dynamics=dynamics)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"input_size": 0}, "input_size must be at least 1, got 0"),
        ({"output_size": -1}, "output_size must be at least 1, got -1"),
        ({"hidden_size": 0}, "hidden_size"),
        ({"num_layers": 0}, "num_layers"),
        ({"n_steps": 0}, "n_steps"),
        ({"t_end": 0.0}, "t_end must be positive, got 0.0"),
        ({"t_end": float("nan")}, "t_end"),
        ({"solver": "leapfrog"}, "'euler', 'heun', 'rk4', 'semi_implicit_euler'.*'leapfrog'"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        DynPMNN(**{"input_size": 4, "output_size": 1, **parameters})


def test_time_and_steps_may_be_anything_positive():
    # Faults of the release: whole numbers only.
    net = DynPMNN(2, 1, n_steps=3, t_end=0.7)
    assert torch.isfinite(net(torch.randn(2, 2))).all()


def test_double_precision_and_copies():
    net = DynPMNN(3, 2, hidden_size=4, dynamics=FitzHughNagumo).eval()
    x = torch.randn(5, 3)
    for other in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert torch.equal(other(x), net(x))
    torch.testing.assert_close(net.double()(x.double()).float(), other(x), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dynamics", NAMES)
def test_autocast_is_close_to_float32(dynamics):
    net = DynPMNN(3, 2, hidden_size=8, dynamics=dynamics, t_end=0.1).eval()
    x = torch.randn(16, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = net(x)
    # bfloat16 keeps 8 bits: about 0.4 % a product, a few of them in a row.
    assert (y.float() - net(x)).abs().max() < 0.1 * net(x).abs().max()
    loss = y.float().square().mean()
    loss.backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_dropout_acts_in_training_only():
    net = DynPMNN(3, 2, dropout=0.5)
    x = torch.randn(4, 3)
    assert not torch.equal(net(x), net(x))
    net.eval()
    assert torch.equal(net(x), net(x))


def test_empty_batch():
    assert DynPMNN(3, 2)(torch.zeros(0, 3)).shape == (0, 2)


def test_hodgkin_huxley_runs_at_its_recommended_step():
    net = DynPMNN(3, 1, hidden_size=4, dynamics=HodgkinHuxley, n_steps=50, t_end=0.5)
    assert all(report.stable for report in net.check_stability(torch.randn(16, 3)))
