"""PETNN's energies, remaining times and releases."""

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn import PETNNClassifier, PETNNRegressor
from sklearn_physrnn.inspection import CellEnergyDisplay, integrated_gradients, release_rates
from sklearn_physrnn.preparation import recordings


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _by_hand(model, x):
    """Energy, remaining time and release of the first layer, by the equations, in numpy."""
    layer, H = model.module_.recurrent, model.hidden_size
    W, U, b = (getattr(layer, f"{name}_l0").detach().double().numpy() for name in
               ("weight_ih", "weight_hh", "bias"))  # fmt: skip
    S, C, T = np.zeros(H), np.zeros(H), np.ones(H)
    history = []
    for now in x:
        drive = (W @ now + b).reshape(-1, H)
        back = U.reshape(4, H, H)
        z_t, z_c, z_w = drive[:3] + back[:3] @ S
        slack = _sigmoid(drive[4]) * np.maximum(T + z_t, 0) - 1
        m = (slack <= 0).astype(float)
        E = m * C
        T = (1 - m) * slack
        C = (1 - m) * C + m * _sigmoid(drive[5]) + _sigmoid(z_c)
        S_next = (1 - _sigmoid(z_w)) * S
        S = np.tanh(S_next + _sigmoid(z_w) * np.tanh(drive[3] + back[3] @ (S * E)))
        history.append((C, T, m, E))
    return (np.array(part) for part in zip(*history, strict=True))


def test_numbers_are_the_recurrence_s(petnn, series, plt):
    X, _ = series
    display = CellEnergyDisplay.from_estimator(petnn, X, sample=4, neurons=[5, 0])
    scaled = (X[4] - X.mean((0, 1))) / X.std((0, 1))
    energy, remaining, released, released_energy = _by_hand(petnn, scaled)
    np.testing.assert_allclose(display.energy, energy, rtol=1e-9)
    np.testing.assert_allclose(display.remaining_time, remaining, atol=1e-9)
    np.testing.assert_array_equal(display.released, released)
    np.testing.assert_allclose(display.released_energy, released_energy, rtol=1e-9)
    np.testing.assert_array_equal(display.inputs, X[4])
    assert 0 < released.mean() < 1


def test_draws_its_numbers(petnn, series, plt):
    X, _ = series
    display = CellEnergyDisplay.from_estimator(petnn, X, sample=-1, layer=1, neurons=[5, 0])
    for k, neuron in enumerate([5, 0]):
        np.testing.assert_array_equal(display.energy_[k].get_ydata(), display.energy[:, neuron])
        np.testing.assert_array_equal(
            display.remaining_time_[k].get_ydata(), display.remaining_time[:, neuron]
        )
        # A triangle where a release ends an excitation, as high as what is released.
        released = display.released[:, neuron] == 1
        steps = [t for t in range(1, 24) if released[t] and not released[t - 1]]
        offsets = display.releases_[k].get_offsets()
        np.testing.assert_array_equal(offsets[:, 0], steps)
        np.testing.assert_array_equal(offsets[:, 1], display.released_energy[steps, neuron])
    order = display.order_
    np.testing.assert_array_equal(
        np.asarray(display.raster_.get_array()).reshape(6, 24), display.released[:, order].T
    )
    widths = [bar.get_width() for bar in display.rates_]
    np.testing.assert_array_equal(widths, display.release_rate[order])
    assert widths == sorted(widths)
    top = [line.get_ydata() for line in display.axes_[0].lines]
    np.testing.assert_array_equal(np.transpose(top), X[-1])


def test_release_rates_count_own_steps_only(timed):
    X, y = timed
    model = PETNNRegressor(5, time_channel=1, max_iter=2, random_state=0).fit(X, y)
    alone = [release_rates(model, [x])["release_rate"].to_numpy() for x in X[:6]]
    lengths = [len(x) for x in X[:6]]
    assert len(set(lengths)) > 1
    np.testing.assert_allclose(
        release_rates(model, X[:6])["release_rate"], np.average(alone, axis=0, weights=lengths)
    )


def test_time_stamps_and_names(timed, plt):
    X, y = timed
    model = PETNNRegressor(5, time_channel=-2, max_iter=2, random_state=0).fit(X, y)
    display = CellEnergyDisplay.from_estimator(model, X, sample=2, channel_names=["p", "q"])
    np.testing.assert_array_equal(display.time, X[2][:, 1])
    np.testing.assert_array_equal(display.inputs, X[2][:, [0, 2]])
    np.testing.assert_array_equal(display.energy_[0].get_xdata(), X[2][:, 1])
    legend = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert legend == ["p", "q"]
    with pytest.raises(ValueError, match="channel_names must name 2 channels"):
        CellEnergyDisplay.from_estimator(model, X, channel_names=["p", "t", "q"])


def test_tokens(tokens, plt):
    X, y = tokens
    tokens = {"vocabulary_size": 9, "embedding_dim": 3, "release": "surrogate"}
    model = PETNNClassifier(5, **tokens, max_iter=2, random_state=0).fit(X, y)
    display = CellEnergyDisplay.from_estimator(model, X, sample=7)
    assert display.energy.shape == (len(X[7]), 5)
    np.testing.assert_allclose(
        display.released.mean(axis=0), release_rates(model, [X[7]])["release_rate"]
    )


def test_default_neurons_release_at_different_paces(petnn, series, plt):
    display = CellEnergyDisplay.from_estimator(petnn, series[0])
    rates = display.released[:, display.neurons].mean(axis=0)
    assert len(display.neurons) == 3
    assert (np.diff(rates) >= 0).all()
    assert rates[0] < rates[-1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": 2}, "layer must be between 0 and 1"),
        ({"neurons": [6]}, "neurons must be between 0 and 5"),
        ({"neurons": []}, "neurons must be"),
        ({"sample": 30}, "sample must be one of the 30"),
    ],
)
def test_refuses(petnn, series, options, message, plt):
    with pytest.raises(ValueError, match=message):
        CellEnergyDisplay.from_estimator(petnn, series[0], **options)


def test_sequences_in_a_file_are_looked_at_as_those_in_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "_WORTH_LEAVING", 1)
    X = np.random.default_rng(0).normal(size=(6, 9, 2))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = PETNNClassifier(4, max_iter=2, random_state=0).fit(X, np.arange(6) % 2)
    pd.testing.assert_frame_equal(release_rates(model, mapped), release_rates(model, X))
    shown = [CellEnergyDisplay.from_estimator(model, x, sample=4) for x in (mapped, X)]
    np.testing.assert_array_equal(shown[0].energy, shown[1].energy)
    given = [integrated_gradients(model, x, n_steps=8) for x in (mapped, X)]
    np.testing.assert_array_equal(*given)
