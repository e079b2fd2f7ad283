"""New values: the context moves, training goes on, intervals follow."""

import copy

import numpy as np
import pandas as pd
import pytest
from skorch.callbacks import Callback

from sklearn_physrnn.forecasting import DynPMNNForecaster, PETNNForecaster

SMALL = {
    "hidden_size": 8,
    "window_length": 12,
    "horizon": 6,
    "max_iter": 3,
    "linear": True,
    "random_state": 0,
}


def make_series(n=120):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(n) / 7) + 0.1 * rng.normal(size=n)
    return pd.Series(wave, pd.period_range("2000-01-01", periods=n, freq="D"), name="y")


@pytest.fixture(scope="module")
def fitted():
    return PETNNForecaster(**SMALL).fit(make_series(100))


def weights(model):
    return [p.detach().clone() for p in model.module_.parameters()]


def test_update_moves_the_context_only(fitted):
    model, y = copy.deepcopy(fitted), make_series()
    before = weights(model)
    model.update(y[100:110], update_params=False)
    assert all((a == b).all() for a, b in zip(weights(model), before, strict=True))
    assert model.cutoff[0] == y.index[109]
    np.testing.assert_allclose(
        model.predict(range(1, 7)), model.predict_windows(y[98:116])[0, :, 0], rtol=1e-10
    )


def test_update_trains_on_from_the_fitted_weights(fitted):
    y = make_series()
    model = copy.deepcopy(fitted).update(y[100:])
    moved = [
        float((a - b).abs().max()) for a, b in zip(weights(model), weights(fitted), strict=True)
    ]
    assert 0 < max(moved) < 0.1
    assert model.n_iter_ == fitted.n_iter_ + model.update_max_iter
    fresh = PETNNForecaster(**SMALL).fit(y)
    assert not np.allclose(fresh.predict([1]), model.predict([1]))


def test_one_by_one_or_at_once(fitted):
    y = make_series()
    one, many = copy.deepcopy(fitted), copy.deepcopy(fitted)
    many.update(y[100:], update_params=False)
    for t in range(100, 120):
        one.update(y[t : t + 1], update_params=False)
    pd.testing.assert_frame_equal(one.predict_interval([1, 9]), many.predict_interval([1, 9]))


def test_an_array_follows_what_is_known():
    """It has no times; where the others have some, they are the next ones."""
    y = make_series()
    X = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 2)), y.index)
    told, model = (PETNNForecaster(**SMALL).fit(y[:100], X[:100]) for _ in range(2))
    bare = PETNNForecaster(**SMALL).fit(y.to_numpy()[:100], X.to_numpy()[:100])
    for start in (100, 105):
        new = slice(start, start + 5)
        told.update(y[new], X[new])
        for one in (model, bare):
            one.update(y.to_numpy()[new], X.to_numpy()[new])
    assert model._history.index[-1] == y.index[109]
    expected = told.predict([1, 3], X[110:])
    for one in (model, bare):
        np.testing.assert_array_equal(np.ravel(one.predict([1, 3], X.to_numpy()[110:])), expected)


def test_revised_values_replace_known_ones(fitted):
    y = make_series()
    straight = copy.deepcopy(fitted).update(y[100:110], update_params=False)
    revised = copy.deepcopy(fitted).update(y[100:110] + 1, update_params=False)
    assert not np.allclose(straight.predict([1]), revised.predict([1]))
    revised.update(y[95:110], update_params=False)
    pd.testing.assert_series_equal(straight.predict([1, 3]), revised.predict([1, 3]))


def test_a_gap_is_refused_and_leaves_the_forecaster_as_it_was():
    y = make_series()
    model = PETNNForecaster(**SMALL, missing="error").fit(y[:100])
    expected = model.predict([1, 2])
    with pytest.raises(
        ValueError, match=r"values that follow those up to 2000-04-09.*at least 12"
    ):
        model.update(y[105:110])
    assert model.cutoff[0] == y.index[99]
    pd.testing.assert_series_equal(model.predict([1, 2]), expected)


def test_intervals_follow_what_is_observed(fitted):
    y = make_series()
    calm = copy.deepcopy(fitted).update(y[100:], update_params=False)
    wild = y[100:] + np.random.default_rng(1).normal(scale=10, size=20)
    wild = copy.deepcopy(fitted).update(wild, update_params=False)
    wild.update(y[100:], update_params=False)  # the same context

    def width(model):
        interval = model.predict_interval([1], coverage=0.8)["y"][0.8]
        return float((interval["upper"] - interval["lower"]).iloc[0])

    assert width(wild) > 1.5 * width(calm)


def test_exogenous_values_come_with_updates():
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {"a": rng.normal(size=80)}, pd.period_range("2000-01-01", periods=80, freq="D")
    )
    y = make_series(80)
    model = DynPMNNForecaster(**SMALL).fit(y[:60], X[:60])
    model.update(y[60:70], X[60:70])
    assert np.isfinite(model.predict_interval(range(1, 11), X[70:])).to_numpy().all()
    with pytest.raises(ValueError, match=r"columns \['a'\] of X.*from 2000-03-11.*got no X"):
        model.update(y[70:])


@pytest.mark.parametrize("method", ["update", "pretrain"])
def test_every_training_has_batches_of_its_own(method):
    y = make_series()
    panel = pd.concat({i: y.to_frame() + i for i in range(2)})

    class Seen(Callback):
        def __init__(self):
            self.targets = []

        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            self.targets.append(batch[1][0].flatten(1).sum(1).tolist())

    seen = []
    model = PETNNForecaster(**{**SMALL, "max_iter": 1, "update_max_iter": 1})
    if method == "update":
        model.fit(y[:118])
    for _ in range(3):
        look = model.callbacks = [Seen()]  # set_params would have sktime forget everything
        model.pretrain(panel) if method == "pretrain" else model.update(y[117:118])
        seen.append(look[0].targets)
    assert len(seen[0]) > 1
    assert seen[0] != seen[1] != seen[2] != seen[0]
