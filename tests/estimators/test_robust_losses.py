"""Fits whose targets are spoilt: robust losses go on learning, whatever the wild values are."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from sklearn_physrnn import DynPMNNRegressor, HSSMRegressor, PETNNRegressor

LOSSES = pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 6))
Y = X[:, 0] + 0.5 * X[:, 1]
TABLE = {"hidden_size": 16, "max_iter": 25, "random_state": 0}


def spoilt(y, share, wild):
    y = y.copy()
    rows = np.random.default_rng(1).choice(len(y), int(share * len(y)), replace=False)
    y[rows] = wild
    return y


@pytest.mark.parametrize(
    ("loss", "share", "wild"),
    [
        ("huber", 0.005, 10),
        ("huber", 0.05, 1e6),
        ("huber", 0.1, 1e30),
        ("absolute_error", 0.01, 1e3),
        ("absolute_error", 0.05, -1e8),
        ("quantile", 0.05, 1e6),
        ("quantile", 0.1, 1e30),
    ],
)
def test_wild_targets_are_shrugged_off(loss, share, wild):
    model = DynPMNNRegressor(**TABLE, loss=loss).fit(X[:200], spoilt(Y[:200], share, wild))
    assert r2_score(Y[200:], model.predict(X[200:])) > 0.7


@pytest.mark.parametrize(
    ("kind", "loss"),
    [
        (PETNNRegressor, "absolute_error"),
        (HSSMRegressor, "huber"),
        (PETNNRegressor, "quantile"),
    ],
)
def test_of_sequences_too(kind, loss):
    model = kind(16, max_iter=20, random_state=0, loss=loss)
    model.fit(X[:200], spoilt(Y[:200], 0.02, 1e6))
    assert r2_score(Y[200:], model.predict(X[200:])) > 0.5


@LOSSES
def test_at_every_step_and_with_padding(loss):
    series = [x[: 3 + i % 4, None] for i, x in enumerate(X)]
    y = np.full((300, 6), np.nan)
    for row, x in zip(y, series, strict=True):
        row[: len(x)] = x[:, 0].cumsum()
    wild = np.where(np.random.default_rng(1).random(y.shape) < 0.02, 1e6 + 0 * y, y)
    model = HSSMRegressor(16, 16, readout="sequence", max_iter=20, random_state=0, loss=loss)
    found = model.fit(series[:200], wild[:200]).predict(series[200:])
    inside = ~np.isnan(y[200:])
    assert r2_score(y[200:][inside], found[inside]) > 0.5


@LOSSES
def test_each_of_several_targets_has_its_own_scale(loss):
    both = np.c_[spoilt(Y[:200], 0.02, 1e6), 1e-3 * Y[:200]]
    found = DynPMNNRegressor(**TABLE, loss=loss).fit(X[:200], both).predict(X[200:])
    assert r2_score(np.c_[Y, 1e-3 * Y][200:], found, multioutput="raw_values").min() > 0.7


@LOSSES
def test_a_weight_counts_like_repetition(loss):
    # With one batch an epoch both see the same data.
    counts = RNG.integers(1, 4, 60)
    options = {**TABLE, "max_iter": 5, "dtype": "float64", "batch_size": 1000, "loss": loss}
    y = spoilt(Y[:60], 0.05, 1e6)
    weighted = DynPMNNRegressor(**options).fit(X[:60], y, counts)
    repeated = DynPMNNRegressor(**options).fit(X[:60].repeat(counts, axis=0), y.repeat(counts))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-8)


@LOSSES
def test_a_stream_whose_first_batch_is_spoilt(loss):
    model = DynPMNNRegressor(**TABLE, loss=loss)
    for _ in range(25):
        model.partial_fit(X[:200], spoilt(Y[:200], 0.02, 1e6))
    assert r2_score(Y[200:], model.predict(X[200:])) > 0.7


@LOSSES
@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e290])
def test_the_unit_of_the_targets_does_not_matter(loss, size):
    options = {**TABLE, "max_iter": 5, "dtype": "float64", "loss": loss}
    y = spoilt(Y[:200], 0.02, 1e6)
    plain, scaled = (DynPMNNRegressor(**options).fit(X[:200], y * unit) for unit in (1, size))
    np.testing.assert_allclose(scaled.predict(X) / size, plain.predict(X), rtol=1e-6, atol=1e-9)


@LOSSES
def test_many_zeros_are_not_scaled_by_nothing(loss):
    y = np.maximum(Y - 0.75, 0)  # three in four are zero
    assert np.mean(y == 0) > 0.7
    model = DynPMNNRegressor(**TABLE, loss=loss, quantile=0.8)
    found = model.fit(X[:200], y[:200]).predict(X[200:])
    assert np.corrcoef(found, y[200:])[0, 1] > 0.5


@pytest.mark.parametrize("loss", ["huber", "absolute_error", "quantile"])
def test_wild_targets_are_not_taken_for_noise_by_the_weight_decay(loss):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(500, 4))
    signal = np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2]
    y = signal[:300].copy()
    y[:3] += 1e4
    model = DynPMNNRegressor(loss=loss, max_iter=40, random_state=0).fit(X[:300], y)
    assert model.score(X[300:], signal[300:]) > 0.75
