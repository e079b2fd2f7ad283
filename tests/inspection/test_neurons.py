"""DynPMNN's physical constants, and what its step does."""

from typing import ClassVar

import numpy as np
import pytest
import torch

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.inspection import (
    PhasePortraitDisplay,
    PhysicalParametersDisplay,
    StepStabilityDisplay,
    physical_parameters,
    step_stability,
)
from sklearn_physrnn.nn import FitzHughNagumo


def test_constants_and_drives(dynpmnn, table):
    X, _ = table
    result = physical_parameters(dynpmnn, X)
    assert result[["layer", "neuron"]].to_numpy().tolist() == [
        [layer, neuron] for layer in (0, 1) for neuron in range(7)
    ]
    for layer in (0, 1):
        part = result[result["layer"] == layer]
        field = dynpmnn.module_.layers[layer].field
        for name in "abg":
            np.testing.assert_allclose(part[name], getattr(field, name).detach(), rtol=1e-6)
    x = torch.as_tensor(((X - X.mean()) / X.std(ddof=0)).to_numpy(copy=True), dtype=torch.float32)
    with torch.no_grad():
        drive = dynpmnn.module_.layers[0].project(x)[:, 14:].tanh()
    first = result[result["layer"] == 0]
    np.testing.assert_allclose(first["I_mean"], drive.mean(0), atol=1e-6)
    np.testing.assert_allclose(first["I_std"], drive.std(0, correction=0), atol=1e-6)
    assert physical_parameters(dynpmnn).columns.tolist() == ["layer", "neuron", "a", "b", "g"]


class _Decay(torch.nn.Module):
    n_states = 1

    def __init__(self, hidden_size):
        super().__init__()
        self.rate = torch.nn.Parameter(torch.arange(1.0, hidden_size + 1))
        self.mixing = torch.nn.Parameter(torch.eye(hidden_size))

    def forward(self, state, drive):
        return drive.unsqueeze(-1) - self.rate.unsqueeze(-1) * state


@pytest.mark.parametrize(
    ("dynamics", "columns"),
    [
        ("van_der_pol", ["mu"]),
        ("hodgkin_huxley", ["g_Na", "g_K", "g_L"]),
        ("kuramoto", ["omega", "K"]),
        (_Decay, ["rate"]),
    ],
)
def test_other_dynamics(table, dynamics, columns, plt):
    X, y = table
    model = DynPMNNRegressor(
        3, 1, dynamics=dynamics, t_end=0.05, n_steps=5, max_iter=1, random_state=0
    ).fit(X[:64], y[:64])
    result = physical_parameters(model, X[:64])
    assert result.columns.tolist() == ["layer", "neuron", *columns, "I_mean", "I_std"]
    field = model.module_.layers[0].field
    if dynamics == "kuramoto":
        np.testing.assert_allclose(result["K"], [field.coupling.item()] * 3)
    if dynamics is _Decay:
        np.testing.assert_allclose(result["rate"], field.rate.detach())
    display = PhysicalParametersDisplay.from_estimator(model, X[:64])
    assert display.axes_.shape == (1, len(columns) + 1)
    assert set(display.initial) == (set() if dynamics is _Decay else set(columns))


class _Named(_Decay):
    constant_names: ClassVar = {"time": "time $1/r$ (s)"}

    def constants(self):
        return {"time": 1 / self.rate, "share": 0.5}


class _Scaled(FitzHughNagumo):
    """A subclass that asks for more than a size."""

    def __init__(self, hidden_size, factor):
        super().__init__(hidden_size)
        self.factor = factor

    @property
    def a(self):
        return self.factor * super().a


def _fitted(dynamics, X, y):
    return DynPMNNRegressor(3, 1, dynamics=dynamics, max_iter=1, random_state=0).fit(X, y)


def test_a_field_says_what_its_constants_are(table, plt):
    X, y = table
    model = _fitted(_Named, X[:64], y[:64])
    result = physical_parameters(model)
    np.testing.assert_allclose(result["time"], 1 / model.module_.layers[0].field.rate.detach())
    assert result["share"].tolist() == [0.5] * 3
    display = PhysicalParametersDisplay.from_estimator(model)
    assert [ax.get_xlabel() for ax in display.axes_[-1]] == ["time $1/r$ (s)", "share"]


def test_a_subclass_of_a_field_shows_its_own_constants(table, plt):
    X, y = table
    model = _fitted(lambda hidden_size: _Scaled(hidden_size, 0.1), X[:64], y[:64])
    result = physical_parameters(model)
    inherited = torch.sigmoid(model.module_.layers[0].field._a).detach()
    np.testing.assert_allclose(result["a"], 0.1 * inherited, rtol=1e-6)
    display = PhysicalParametersDisplay.from_estimator(model)
    assert not display.initial  # nobody knows how to draw another
    assert display.axes_[-1, 0].get_xlabel() == "threshold $a$"
    portrait = PhasePortraitDisplay.from_estimator(model, X[:20])
    assert portrait.variables == ("v", "w")


def test_display_counts_all_neurons(dynpmnn, table, plt):
    state = torch.get_rng_state()
    display = PhysicalParametersDisplay.from_estimator(dynpmnn, table[0])
    assert torch.equal(torch.get_rng_state(), state)  # untrained ones are drawn, to compare
    assert display.axes_.shape == (2, 4)
    np.testing.assert_array_equal(display.counts_.sum(axis=2), 7)
    parameters = display.parameters
    for j, name in enumerate(["a", "b", "g", "I_mean"]):
        for layer in (0, 1):
            values = parameters.loc[parameters["layer"] == layer, name]
            counts, _ = np.histogram(values, display.edges_[j])
            np.testing.assert_array_equal(display.counts_[layer, j], counts)
            heights = [bar.get_height() for bar in display.axes_[layer, j].patches
                       if hasattr(bar, "get_height")]  # fmt: skip
            np.testing.assert_array_equal(heights, counts)
    # As fields are drawn: a in (0, 0.4), b and g in (0.5, 1.5).
    assert 0 < display.initial["a"].min() < 0.03
    assert display.initial["b"].mean() == pytest.approx(1.0, abs=0.02)


def test_stability_of_a_known_decay(table):
    # Euler multiplies a deviation by 1 - rate dt in a step.
    X, y = table
    model = DynPMNNRegressor(
        3, 1, dynamics=_Decay, solver="euler", t_end=2.5, n_steps=10, max_iter=1, random_state=0
    ).fit(X, y)
    result = step_stability(model, X[:20], n_steps=[2, 10, 40])
    rate = model.module_.layers[0].field.rate.detach().numpy()
    for row in result.itertuples():
        factors = np.abs(1 - rate * 2.5 / row.n_steps)
        assert row.dt == 2.5 / row.n_steps
        assert row.worst_growth == pytest.approx(factors.max(), rel=1e-5)
        assert row.unstable_fraction == pytest.approx((factors > 1).mean())
        assert row.chosen == (row.n_steps == 10)
    assert result["unstable_fraction"].tolist() == [pytest.approx(2 / 3), 0, 0]


def test_stability_agrees_with_the_module_s_own_check(dynpmnn, table):
    X, _ = table
    result = step_stability(dynpmnn, X[:32]).set_index(["layer", "n_steps"])
    x = torch.as_tensor(
        ((X - X.mean()) / X.std(ddof=0)).to_numpy(copy=True)[:32], dtype=torch.float32
    )
    for layer, report in enumerate(dynpmnn.module_.check_stability(x)):
        row = result.loc[layer, dynpmnn.n_steps]
        assert row["chosen"]
        assert row["worst_growth"] == pytest.approx(report.worst_growth, rel=1e-5)
        assert row["dt"] == report.dt
    assert result.loc[0, 1]["worst_growth"] > 1 > result.loc[0, 64]["worst_growth"]
    with pytest.raises(ValueError, match="n_steps must hold integers of at least 1"):
        step_stability(dynpmnn, X, n_steps=[8, 0])


def test_stability_display(dynpmnn, table, plt):
    figure, ax = plt.subplots()
    display = StepStabilityDisplay.from_estimator(dynpmnn, table[0][:32], ax=ax)
    assert display.figure_ is figure
    assert display.ax_ is ax
    for layer in (0, 1):
        part = display.stability[display.stability["layer"] == layer].sort_values("dt")
        x, y = display.lines_[layer].get_data()
        np.testing.assert_array_equal(x, part["dt"])
        np.testing.assert_array_equal(y, np.minimum(part["worst_growth"], 2))
        assert display.chosen_[layer].get_xdata() == [dynpmnn.t_end / dynpmnn.n_steps]
