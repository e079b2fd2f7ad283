"""Intervals of fitted forecasters: order, coverage, adaption."""

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn.forecasting import PETNNForecaster
from tests.families import FORECASTERS

SMALL = {
    "hidden_size": 8,
    "window_length": 12,
    "horizon": 6,
    "max_iter": 5,
    "linear": True,
    "random_state": 0,
}
COVERAGES = np.array([0.5, 0.8, 0.95])


def make_series(n=700, seed=0):
    """A wave and noise that is heavy-tailed and lasts."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(4, size=n)
    for t in range(1, n):
        noise[t] += 0.6 * noise[t - 1]
    return pd.Series(np.sin(2 * np.pi * np.arange(n) / 12) + 0.3 * noise, name="y")


def coverage(model, y, start, fh, **update):
    """Share of values inside, over origins from `start` on."""
    steps = np.asarray(fh)
    inside = []
    for t in range(start, len(y) - steps.max() + 1):
        interval = model.predict_interval(fh, coverage=list(COVERAGES))["y"]
        truth = y.to_numpy()[t + steps - 1]
        inside.append(
            [(interval[c]["lower"] <= truth) & (truth <= interval[c]["upper"]) for c in COVERAGES]
        )
        model.update(y[t : t + 1], update_params=False)
    return np.mean(inside, axis=(0, 2))


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("interval", ["conformal", "quantile"])
def test_quantiles_are_in_order(forecaster, interval):
    model = forecaster(**SMALL, interval=interval).fit(make_series(100))
    alphas = [0.001, 0.05, 0.3, 0.5, 0.51, 0.9, 0.999]
    quantiles = model.predict_quantiles(fh=range(1, 15), alpha=alphas)["y"]
    assert (np.diff(quantiles[alphas], axis=1) > 0).all()
    np.testing.assert_allclose(quantiles[0.5], model.predict(fh=range(1, 15)), rtol=1e-10)


def test_past_the_horizon_intervals_widen():
    model = PETNNForecaster(**SMALL).fit(make_series(300))
    interval = model.predict_interval(fh=range(1, 31), coverage=0.9)["y"][0.9]
    width = (interval["upper"] - interval["lower"]).to_numpy().reshape(5, 6)
    assert (np.diff(width, axis=0) > 0).all()


def test_conformal_coverage():
    y = make_series()
    model = PETNNForecaster(**SMALL).fit(y[:400])
    np.testing.assert_allclose(coverage(model, y, 400, [1, 3, 6]), COVERAGES, atol=0.06)


def test_learned_coverage():
    y = make_series()
    model = PETNNForecaster(**(SMALL | {"max_iter": 15}), interval="quantile").fit(y[:400])
    np.testing.assert_allclose(coverage(model, y, 400, [1, 3, 6]), COVERAGES, atol=0.12)


def test_coverage_recovers_when_the_series_grows_wild():
    """Noise trebles at 400 and its errors, not the windows' spread alone, tell."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=700) * np.where(np.arange(700) < 400, 1, 3)
    y = pd.Series(8 * np.sin(2 * np.pi * np.arange(700) / 12) + noise, name="y")
    model = PETNNForecaster(**SMALL, calibration_size=60).fit(y[:400])
    width = model.predict_interval([1], coverage=0.8)
    model.update(y[400:500], update_params=False)
    wider = model.predict_interval([1], coverage=0.8)
    assert np.diff(wider).item() > 2 * np.diff(width).item()
    np.testing.assert_allclose(coverage(model, y, 500, [1, 6]), COVERAGES, atol=0.09)
