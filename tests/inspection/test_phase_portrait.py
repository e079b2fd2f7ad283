"""Phase portraits of DynPMNN's neurons."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.inspection import PhasePortraitDisplay


def _vertices(contour):
    return np.concatenate([path.vertices for path in contour.get_paths() if len(path.vertices)])


def _constants(model, layer, neuron):
    field = model.module_.layers[layer].field
    return (x[neuron].item() for x in (field.a, field.b, field.g))


@pytest.mark.parametrize("layer", [0, 1])
def test_trajectories_are_the_layer_s(dynpmnn, table, layer, plt):
    X, _ = table
    samples = [3, 0, 200]
    display = PhasePortraitDisplay.from_estimator(
        dynpmnn, X, layer=layer, neurons=[6, 1], samples=samples
    )
    assert display.states.shape == (3, dynpmnn.n_steps + 1, 2, 2)
    # Its end is what the layer, by its own kernel, gives the next one.
    module = dynpmnn.module_
    x = (X.to_numpy() - X.mean().to_numpy()) / X.std(ddof=0).to_numpy()
    x = torch.as_tensor(x[samples], dtype=torch.float32)
    with torch.no_grad():
        for below in range(layer):
            x = module._advance(below, x)
        end = module.layers[layer](x).unflatten(1, (2, 7))[:, :, [6, 1]]
        raw = module.layers[layer].project(x).unflatten(1, (3, 7))[:, :, [6, 1]].tanh()
    np.testing.assert_allclose(display.states[:, -1].swapaxes(1, 2), end, atol=2e-5)
    np.testing.assert_allclose(display.states[:, 0].swapaxes(1, 2), raw[:, :2], atol=2e-5)
    np.testing.assert_allclose(display.drive, raw[:, 2], atol=2e-5)
    # On the way by the scheme: v first, then w with the new v.
    a, b, g = _constants(dynpmnn, layer, 6)
    dt = dynpmnn.t_end / dynpmnn.n_steps
    v, w = display.states[:, :, 0, 0], display.states[:, :, 0, 1]
    drive = display.drive[:, :1]
    dv = drive - v * (v - a) * (v - 1) - w
    np.testing.assert_allclose(np.diff(v) / dt, dv[:, :-1], atol=1e-5)
    np.testing.assert_allclose(np.diff(w) / dt, b * (v[:, 1:] - g * w[:, :-1]), atol=1e-5)


def test_draws_trajectories_and_nullclines(dynpmnn, table, plt):
    X, _ = table
    display = PhasePortraitDisplay.from_estimator(dynpmnn, X, neurons=[2, 4, 5])
    assert len(display.axes_) == 3
    assert len(display.response) == 60
    assert display.axes_[0].get_ylabel() == "$w$"
    for k, neuron in enumerate([2, 4, 5]):
        segments = display.trajectories_[k].get_segments()
        np.testing.assert_allclose(segments, display.states[:, :, k])
        np.testing.assert_allclose(display.ends_[k].get_offsets(), display.states[:, -1, k])
        a, _, g = _constants(dynpmnn, 0, neuron)
        drive = display.drive[:, k].mean()
        v, w = _vertices(display.nullclines_[k][0]).T
        np.testing.assert_allclose(drive - v * (v - a) * (v - 1) - w, 0, atol=1e-3)
        v, w = _vertices(display.nullclines_[k][1]).T
        np.testing.assert_allclose(v, g * w, atol=1e-5)


def test_colours_follow_the_prediction(dynpmnn, table, plt):
    X, _ = table
    display = PhasePortraitDisplay.from_estimator(dynpmnn, X, neurons=[0])
    chosen = np.linspace(0, len(X) - 1, 60).round().astype(int)
    np.testing.assert_allclose(display.response, dynpmnn.predict(X)[chosen])
    colors = display.ends_[0].get_facecolors()
    low, high = np.percentile(display.response, [2, 98])
    np.testing.assert_allclose(
        colors, plt.get_cmap("viridis")((display.response - low) / (high - low))
    )


def test_classes_and_members(dynpmnn_classifier, plt):
    X, _ = load_iris(return_X_y=True)
    displays = [
        PhasePortraitDisplay.from_estimator(
            dynpmnn_classifier, X, neurons=[0], samples=[1, 70, 140], member=member
        )
        for member in (0, 2)
    ]
    predicted = dynpmnn_classifier.predict(X)[[1, 70, 140]]
    for member, display in zip((0, 2), displays, strict=True):
        np.testing.assert_array_equal(display.classes[display.response], predicted)
        layer = dynpmnn_classifier.module_.layers[0]
        x = (X - X.mean(0)) / X.std(0)
        with torch.no_grad():
            end = layer(torch.as_tensor(x[[1, 70, 140]], dtype=torch.float32))[:, member]
        expected = end.unflatten(1, (2, 7))[:, :, 0]
        np.testing.assert_allclose(display.states[:, -1, 0], expected, atol=1e-5)
        # Van der Pol: x stands still where y is zero.
        np.testing.assert_allclose(_vertices(display.nullclines_[0][0])[:, 1], 0, atol=1e-9)
    assert not np.allclose(displays[0].states, displays[1].states)
    texts = [t.get_text() for ax in displays[0].figure_.axes if ax.get_legend() is not None
             for t in ax.get_legend().get_texts()]  # fmt: skip
    assert {f"predicted {label}" for label in (0, 1, 2)} <= set(texts)


class _Coupled(torch.nn.Module):
    n_states = 2

    def __init__(self, hidden_size):
        super().__init__()
        self.rate = torch.nn.Parameter(torch.ones(hidden_size))

    def forward(self, state, drive):
        x, y = state.unbind(-1)
        return torch.stack((y - x, self.rate * (x.mean(-1, keepdim=True) - y) + drive), -1)


def test_coupled_neurons_have_no_nullclines(table, plt):
    X, y = table
    model = DynPMNNRegressor(4, dynamics=_Coupled, max_iter=1, random_state=0).fit(X, y)
    display = PhasePortraitDisplay.from_estimator(model, X)
    assert display.grids is None
    assert display.nullclines_ == []
    assert len(display.trajectories_[0].get_segments()) == 60


def test_default_neurons_are_the_busiest(dynpmnn, table, plt):
    X, _ = table
    everything = PhasePortraitDisplay.from_estimator(
        dynpmnn, X, neurons=range(7), samples=range(len(X))
    )
    moved = everything.states[:, -1] - everything.states[:, 0]
    share = np.sqrt((moved.std(axis=0) ** 2).sum(axis=1))
    display = PhasePortraitDisplay.from_estimator(dynpmnn, X)
    assert sorted(display.neurons) == sorted(np.argsort(share)[-4:])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 2}, "layer must be between 0 and 1"),
        ({"member": 1}, "member must be between 0 and 0"),
        ({"samples": [442]}, "samples must be between 0 and 441"),
    ],
)
def test_refuses(dynpmnn, table, options, message, plt):
    with pytest.raises(ValueError, match=message):
        PhasePortraitDisplay.from_estimator(dynpmnn, table[0], **options)


def test_needs_two_state_variables(table, plt):
    X, y = table
    model = DynPMNNRegressor(4, dynamics="kuramoto", max_iter=1, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="2 state variables; Kuramoto has 1"):
        PhasePortraitDisplay.from_estimator(model, X)
