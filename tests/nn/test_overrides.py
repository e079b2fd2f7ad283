"""What a user changes about a field is what runs: no kernel of ours takes its place."""

import copy
import types

import pytest
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_hook
from torch.nn.utils import parametrize

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.nn import DynPMNN, FitzHughNagumo
from sklearn_physrnn.nn._solvers import SOLVERS, integrate

EULER = pytest.mark.parametrize("solver", ["euler", "semi_implicit_euler"])
STATE = torch.linspace(-1, 1, 60).reshape(5, 6, 2)
DRIVE = torch.linspace(1, -1, 30).reshape(5, 6)


class Slow(FitzHughNagumo):
    """Half as fast."""

    def forward(self, state, drive):
        return super().forward(state, drive) / 2


class SlowToo(Slow):
    """A subclass of a subclass."""


class Halving:
    """A mixin, ahead of the field that it changes."""

    def forward(self, state, drive):
        return super().forward(state, drive) / 2


class Mixed(Halving, FitzHughNagumo):
    pass


class Called(FitzHughNagumo):
    def __call__(self, state, drive):
        return super().__call__(state, drive) / 2


class Elsewhere(FitzHughNagumo):
    """Starts elsewhere."""

    def initial_state(self, raw):
        return torch.sin(raw) / 3


class Shy(FitzHughNagumo):
    """Shows its potential only."""

    n_observed = 1

    def observe(self, state):
        return state[..., :1].exp()


class Paper(FitzHughNagumo):
    """The paper's constants, numbers for all neurons."""

    a, b, g = 0.2, 0.02, 3.0


class OneThreshold(FitzHughNagumo):
    @property
    def a(self):
        return torch.full((), 0.3)


class Other(FitzHughNagumo):
    """Nothing but other constants at the start."""

    def __init__(self, hidden_size):
        super().__init__(hidden_size)
        self._b.raw.data.add_(1.0)


class _Shift(nn.Module):
    def forward(self, x):
        return x + 1.0


def _instance_forward(field):
    own = field.forward
    field.forward = lambda state, drive: own(state, drive) / 2


def _half(self, state, drive):
    return FitzHughNagumo.forward(self, state, drive) / 2


def _bound_forward(field):
    field.forward = types.MethodType(_half, field)


def _halve(module, inputs, derivative):
    return derivative / 2


def _half_the_state(module, inputs):
    return inputs[0] / 2, inputs[1]


def _parametrized(field):
    parametrize.register_parametrization(field, "_a", _Shift())


def _class_forward(field, monkeypatch):
    own = FitzHughNagumo.forward
    monkeypatch.setattr(FitzHughNagumo, "forward", lambda self, s, d: own(self, s, d) / 2)


def _by_hand(field, state, drive, solver, n_steps, dt):
    """The scheme as it is written, on whatever calling the field gives."""
    for _ in range(n_steps):
        if solver == "euler":
            state = state + dt * field(state, drive)
        else:
            v = state[..., 0] + dt * field(state, drive)[..., 0]
            state = torch.stack((v, state[..., 1]), -1)
            w = state[..., 1] + dt * field(state, drive)[..., 1]
            state = torch.stack((v, w), -1)
    return state


CHANGES = {
    "subclass": lambda _: Slow(6),
    "subclass of a subclass": lambda _: SlowToo(6),
    "mixin": lambda _: Mixed(6),
    "call": lambda _: Called(6),
    "numbers for constants": lambda _: Paper(6),
    "a property": lambda _: OneThreshold(6),
    "an attribute": lambda _: _changed(_instance_forward),
    "a bound method": lambda _: _changed(_bound_forward),
    "a hook": lambda _: _changed(lambda field: field.register_forward_hook(_halve)),
    "a pre-hook": lambda _: _changed(lambda f: f.register_forward_pre_hook(_half_the_state)),
    "a parametrization": lambda _: _changed(_parametrized),
    "the class itself": lambda patch: _changed(lambda field: _class_forward(field, patch)),
}


def _changed(change):
    field = FitzHughNagumo(6)
    change(field)
    return field


def _same_constants(field):
    torch.manual_seed(0)
    for parameter in field.parameters():
        nn.init.normal_(parameter)
    return field


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@EULER
@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_equation_is_the_one_integrated(change, solver, monkeypatch):
    plain = _same_constants(FitzHughNagumo(6))
    without = integrate(plain, STATE, DRIVE, solver, 7, 0.1)
    field = _same_constants(CHANGES[change](monkeypatch))
    expected = _by_hand(field, STATE, DRIVE, solver, 7, 0.1)
    assert (expected - without).abs().max() > 1e-2  # it matters
    final = integrate(field, STATE, DRIVE, solver, 7, 0.1)
    torch.testing.assert_close(final, expected, rtol=1e-5, atol=1e-6)


@EULER
@pytest.mark.parametrize("change", CHANGES)
def test_a_layer_runs_the_changed_equation(change, solver, monkeypatch):
    field = _same_constants(CHANGES[change](monkeypatch))
    net = DynPMNN(3, 2, hidden_size=6, dynamics=field, solver=solver)
    x = torch.randn(5, 3)
    for layer in net.layers:
        state, drive = layer.start(x)
        final = _by_hand(layer.field, state, drive, solver, 8, 1 / 8)
        features = torch.cat(final.unbind(-1), -1)
        torch.testing.assert_close(layer(x), features, rtol=1e-5, atol=1e-6)
        states, _ = layer.path(x)
        torch.testing.assert_close(states[:, -1], final, rtol=1e-5, atol=1e-6)
        x = features


@EULER
def test_a_hook_for_all_modules_is_heard(solver):
    field, seen = FitzHughNagumo(6), []
    net = DynPMNN(3, 2, hidden_size=6, num_layers=1, dynamics=field, solver=solver)
    handle = register_module_forward_hook(lambda module, *_: seen.append(type(module)))
    try:
        net(torch.randn(5, 3))
    finally:
        handle.remove()
    assert FitzHughNagumo in seen


@EULER
def test_a_backward_hook_is_heard(solver):
    net = DynPMNN(3, 2, hidden_size=6, num_layers=1, solver=solver)
    seen = []
    net.layers[0].field.register_full_backward_hook(lambda *_: seen.append(1))
    net(torch.randn(5, 3)).sum().backward()
    assert seen


@EULER
def test_a_changed_start_and_a_changed_output_are_used(solver):
    x = torch.randn(5, 3)
    for kind in (Elsewhere, Shy):
        net = DynPMNN(3, 2, hidden_size=6, num_layers=1, dynamics=kind, solver=solver)
        (layer,) = net.layers
        raw = layer.project(x).unflatten(-1, (3, 6)).transpose(-1, -2)
        field = layer.field
        start, drive = field.initial_state(raw[..., :2]), raw[..., 2].tanh()
        final = field.observe(_by_hand(field, start, drive, solver, 8, 1 / 8))
        features = torch.cat(final.unbind(-1), -1)
        assert features.shape == (5, layer.output_size)
        torch.testing.assert_close(layer(x), features, rtol=1e-5, atol=1e-6)


@EULER
@pytest.mark.parametrize("name", ["initial_state", "observe"])
def test_a_changed_map_of_one_field_is_used(solver, name):
    net = DynPMNN(3, 2, hidden_size=6, num_layers=1, solver=solver)
    (layer,) = net.layers
    x = torch.randn(5, 3)
    before = layer(x)
    setattr(layer.field, name, torch.zeros_like)
    assert not torch.allclose(layer(x), before)
    if name == "observe":
        assert not layer(x).any()


@EULER
@pytest.mark.parametrize("kind", [FitzHughNagumo, Other])
def test_a_field_that_changes_no_equation_keeps_the_kernel(kind, solver):
    net = DynPMNN(3, 2, hidden_size=6, num_layers=1, dynamics=kind, solver=solver)
    last = net.layers[0](torch.randn(5, 3)).grad_fn.next_functions[0][0]
    assert "FitzHughNagumo" in last.name()
    assert kind(6).integrator(SOLVERS["rk4"]) is None


def test_a_scheme_of_the_same_name_is_the_one_in_the_table(monkeypatch):
    field = FitzHughNagumo(6)
    stays = type(SOLVERS["euler"])(lambda field, state, drive, dt: state, 1)
    monkeypatch.setitem(SOLVERS, "euler", stays)
    assert torch.equal(integrate(field, STATE, DRIVE, "euler", 7, 0.1), STATE)
    layer = DynPMNN(3, 2, hidden_size=6, num_layers=1, solver="euler").layers[0]
    x = torch.randn(5, 3)
    state, _ = layer.start(x)
    torch.testing.assert_close(layer(x), torch.cat(state.unbind(-1), -1))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("kind", [DynPMNNRegressor, DynPMNNClassifier], ids=lambda k: k.__name__)
def test_an_estimator_trains_the_user_s_physics(kind, solver):
    class Still(FitzHughNagumo):
        def forward(self, state, drive):
            return torch.zeros_like(state)

    X = torch.randn(40, 3).numpy()
    y = X[:, 0] > 0 if kind is DynPMNNClassifier else X[:, 0]
    options = {"solver": solver, "hidden_size": 5, "max_iter": 3, "random_state": 0}
    model = kind(dynamics=Still, **options).fit(X, y)
    # What stands still does not depend on how long it does, and no constant is learned.
    module = copy.deepcopy(model.module_)
    x = torch.as_tensor(X)
    before = module(x)
    for layer in module.layers:
        layer.t_end = 50.0
    torch.testing.assert_close(module(x), before)
    ours = kind(**options).fit(X, y)
    assert abs(ours.module_(x) - before).max() > 1e-3
