"""A scheme that is added to the one table is one everywhere."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

import sklearn_physrnn
from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.forecasting import DynPMNNForecaster
from sklearn_physrnn.inspection import (
    PhasePortraitDisplay,
    StepStabilityDisplay,
    physical_parameters,
    step_stability,
)
from sklearn_physrnn.nn import DynPMNN, StabilityWarning, VanDerPol
from sklearn_physrnn.nn._solvers import SOLVERS, Solver, integrate
from sklearn_physrnn.nn._stability import step_stability as stability_of
from sklearn_physrnn.nn.vector_fields import VECTOR_FIELDS


def _midpoint(field, state, drive, dt):
    return state + dt * field(state + dt / 2 * field(state, drive), drive)


def _last_variable_first(field, state, drive, dt):
    variables = list(state.unbind(-1))
    for k in reversed(range(len(variables))):
        derivative = field(torch.stack(variables, -1), drive)
        variables[k] = variables[k] + dt * derivative[..., k]
    return torch.stack(variables, -1)


@pytest.fixture
def midpoint(monkeypatch):
    monkeypatch.setitem(SOLVERS, "midpoint", Solver(_midpoint, 2))


def _decay(state, drive):
    return -state


@pytest.mark.usefixtures("midpoint")
def test_its_stability_is_that_of_its_step():
    state, drive = torch.ones(1, 1, 1).double(), torch.zeros(1, 1).double()
    for dt in (0.5, 1.9, 2.1, 3.0):
        report = stability_of(_decay, state, drive, "midpoint", 1, dt)
        assert report.worst_growth == pytest.approx(abs(1 - dt + dt**2 / 2))
        assert report.stable == (dt < 2)


def test_a_scheme_that_takes_variables_in_turn_has_the_stability_of_its_steps(monkeypatch):
    monkeypatch.setitem(SOLVERS, "backwards", Solver(_last_variable_first, 1, by_variable=True))
    matrix = torch.tensor([[-1.0, 0.3], [-2.0, -3.0]]).double()
    state, drive = torch.ones(1, 1, 2).double(), torch.zeros(1, 1).double()
    for dt in (0.3, 0.9):
        report = stability_of(lambda s, d: s @ matrix.T, state, drive, "backwards", 1, dt)
        # The second variable's row first, then the first with the new second.
        second = torch.eye(2).double() + dt * torch.stack((torch.zeros(2).double(), matrix[1]))
        first = torch.eye(2).double() + dt * torch.stack((matrix[0], torch.zeros(2).double()))
        modes = torch.linalg.eigvals(first @ second).abs().max()
        assert report.worst_growth == pytest.approx(modes.item())


@pytest.mark.parametrize(("solver", "terms"), [("euler", 2), ("heun", 3), ("rk4", 5)])
def test_stability_functions_are_the_textbook_s(solver, terms):
    z = torch.complex(
        *torch.randn(2, 4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )
    power, expected = torch.ones_like(z), torch.zeros_like(z)
    for k in range(terms):
        expected = expected + power
        power = power * z / (k + 1)
    torch.testing.assert_close(SOLVERS[solver].amplification(z), expected)


@pytest.mark.usefixtures("midpoint")
def test_modules_estimators_and_displays_take_it(tmp_path):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    X = np.random.default_rng(0).normal(size=(40, 3))
    settings = {"hidden_size": 4, "max_iter": 2, "random_state": 0}
    model = DynPMNNRegressor(solver="midpoint", **settings).fit(X, X[:, 0])
    (layer, _) = model.module_.layers
    x = torch.as_tensor(X, dtype=torch.float32)
    state, drive = layer.start(x)
    final = state
    for _ in range(8):
        final = _midpoint(layer.field, final, drive, 1 / 8)
    torch.testing.assert_close(layer(x), torch.cat(final.unbind(-1), -1))

    table = step_stability(model, X, n_steps=[1, 8])
    assert (table["worst_growth"] > 0).all()
    assert len(physical_parameters(model)) == 8
    assert PhasePortraitDisplay.from_estimator(model, X).states.shape[1] == 9
    StepStabilityDisplay.from_estimator(model, X)
    pyplot.close("all")
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_allclose(loaded.predict(X), model.predict(X))

    net = DynPMNN(3, 1, solver="midpoint", n_steps=1, t_end=20.0)
    with pytest.warns(StabilityWarning, match="solver='midpoint' is unstable"):
        net.check_stability(x)


@pytest.mark.usefixtures("midpoint")
def test_forecasters_take_it():
    y = pd.Series(np.sin(np.arange(40.0)))
    model = DynPMNNForecaster(
        4, 1, solver="midpoint", window_length=6, horizon=2, interval=None, max_iter=1
    )
    assert np.isfinite(model.fit(y).predict([1, 2])).all()


def test_a_name_that_is_in_no_table_is_refused_by_those_that_are(monkeypatch):
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = DynPMNNRegressor(solver="midpoint", max_iter=1)
    with pytest.raises(ValueError, match=r"'rk4'.*'midpoint'"):
        model.fit(X, X[:, 0])
    with pytest.raises(NotFittedError):
        model.predict(X)
    with pytest.raises(ValueError, match=r"solver must be one of \['euler', .* got 'midpoint'"):
        DynPMNN(3, 1, solver="midpoint")
    monkeypatch.setitem(SOLVERS, "midpoint", Solver(_midpoint, 2))
    model.fit(X, X[:, 0])


def test_a_field_that_is_added_is_one_too(monkeypatch):
    monkeypatch.setitem(VECTOR_FIELDS, "pol", VanDerPol)
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = DynPMNNRegressor(4, 1, dynamics="pol", max_iter=1, random_state=0).fit(X, X[:, 0])
    assert isinstance(model.module_.layers[0].field, VanDerPol)


def test_no_steps_are_the_start_and_one_is_the_step():
    state, drive = torch.ones(2, 3, 1), torch.zeros(2, 3)
    assert torch.equal(integrate(_decay, state, drive, "heun", 0, 0.1), state)
    once = integrate(_decay, state, drive, "heun", 1, 0.1)
    torch.testing.assert_close(once, state * (1 - 0.1 + 0.005))
