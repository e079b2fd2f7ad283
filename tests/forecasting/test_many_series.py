"""Weights of many series, and new series that nothing is trained on."""

import copy
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn
from sklearn_physrnn.forecasting import PETNNForecaster

SIZES = {"hidden_size": 8, "window_length": 14, "horizon": 7, "random_state": 0}


def make(n, seed):
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=n, freq="D")
    wave = np.sin(2 * np.pi * (np.arange(n) + rng.integers(7)) / 7)
    values = rng.uniform(5, 50) * (3 + wave + 0.3 * rng.normal(size=n))
    return pd.DataFrame({"sold": values}, days)


def make_panel(lengths):
    return pd.concat({k: make(n, k) for k, n in enumerate(lengths)}, names=["shop", "day"])


@pytest.fixture(scope="module")
def pretrained():
    model = PETNNForecaster(**SIZES, max_iter=15)
    return model.pretrain(make_panel([40, 60, 25, 50, 30] * 5))


def test_some_series_are_set_aside_to_see_how_wrong_forecasts_of_new_ones_are(pretrained):
    prior = pretrained.pretrained_.prior
    assert prior.shape[1:] == (7, 1)
    assert 0 < np.nanmean(np.abs(prior)) < 3  # in units of the spread of windows
    few = PETNNForecaster(**SIZES, max_iter=1).pretrain(make_panel([40] * 5))
    assert few.pretrained_.prior is None
    without = PETNNForecaster(**SIZES, max_iter=1, interval=None).pretrain(make_panel([30] * 10))
    assert without.pretrained_.prior is None


def test_intervals_of_new_short_series_cover_in_the_mean(pretrained):
    inside, n_known = [], 18
    for seed in range(100, 125):
        y = make(n_known + 10, seed)["sold"]
        model = copy.deepcopy(pretrained).fit(y[:n_known])
        assert model.n_iter_ == 15  # nothing was trained
        interval = model.predict_interval(range(1, 11), coverage=0.8).to_numpy()
        truth = y[n_known:].to_numpy()
        inside.append(np.mean((interval[:, 0] <= truth) & (truth <= interval[:, 1])))
    assert 0.6 < np.mean(inside) <= 0.95


def test_a_series_shorter_than_a_window_goes_on(pretrained, tmp_path):
    y = make(40, 200)["sold"]
    with pytest.warns(UserWarning, match="y has 3 of the 14 values .* too narrow until update"):
        model = copy.deepcopy(pretrained).fit(y[:3])
    assert model.predict([-2, 0, 1, 20]).notna().all()
    assert len(model.predict_paths([1, 9], n_samples=5)) == 10
    sklearn_physrnn.save(model, tmp_path / "model")
    again = sklearn_physrnn.load(tmp_path / "model")
    for news in (y[3:5], y[5:6], y[6:30]):
        for one in (model, again):
            one.update(news, update_params=False)
        pd.testing.assert_frame_equal(one.predict_interval([1, 9]), model.predict_interval([1, 9]))
    assert len(model._scores) == 27  # each new value, whatever its forecast could see
    model.update(y[30:], update_params=True)
    late = copy.deepcopy(pretrained).fit(y)
    np.testing.assert_allclose(model.predict([1]), late.predict([1]), rtol=0.3)
    pretrained = copy.deepcopy(pretrained)
    pretrained.missing = "error"
    with pytest.raises(ValueError, match="y has 3 time steps; the window_length=14"):
        pretrained.fit(y[:3])


def test_pretraining_does_not_copy_all_windows(monkeypatch):
    """15,000 windows of 500 steps would take 60 MB; the series take 160 kB."""
    panel = make_panel([1900, 2000, 2100] * 3)

    class Enough(Exception):  # noqa: N818
        pass

    def taken(self, module, windows, *args, **kwargs):
        assert windows.nbytes < 3 * panel.to_numpy().nbytes
        raise Enough

    monkeypatch.setattr(PETNNForecaster, "_train", taken)
    model = PETNNForecaster(4, window_length=400, horizon=100, random_state=0)
    tracemalloc.start()
    try:
        with pytest.raises(Enough):
            model.pretrain(panel)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20e6
