"""Intervals of fitted forecasters: order, coverage, adaption."""

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.forecasting._intervals import _each_event_once
from sklearn_physrnn.forecasting._spreads import power_of
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


def widths_past_the_horizon(y, **options):
    """Of five horizons of six steps."""
    model = PETNNForecaster(**SMALL, **options).fit(y)
    interval = model.predict_interval(fh=range(1, 31), coverage=0.9)[y.name][0.9]
    return (interval["upper"] - interval["lower"]).to_numpy().reshape(5, 6)


@pytest.mark.parametrize("interval", ["conformal", "quantile"])
def test_past_the_horizon_intervals_widen_as_a_walk_does(interval):
    walk = pd.Series(np.random.default_rng(0).normal(size=400).cumsum(), name="y")
    widths = widths_past_the_horizon(walk, interval=interval)
    assert (np.diff(widths, axis=0) > 0).all()
    # A walk's errors after 30 steps are sqrt(5) times those after 6.
    assert 1.7 < widths[4, 5] / widths[0, 5] < 2.8


@pytest.mark.parametrize("interval", ["conformal", "quantile"])
def test_past_the_horizon_intervals_of_white_noise_stay_as_wide(interval):
    noise = pd.Series(np.random.default_rng(0).normal(size=400), name="y")
    widths = widths_past_the_horizon(noise, interval=interval)
    means = widths.mean(axis=1)
    # The first horizon has its own learned quantiles, as no other window holds values only.
    np.testing.assert_allclose(means[1:], means[0 if interval == "conformal" else 1], rtol=0.15)


def test_conformal_coverage():
    y = make_series()
    model = PETNNForecaster(**SMALL).fit(y[:400])
    np.testing.assert_allclose(coverage(model, y, 400, [1, 3, 6]), COVERAGES, atol=0.06)


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_quantiles_learned_from_few_values_cover(forecaster):
    """A network of many weights learns a short series by heart, and with it false certainty."""
    setting = {"max_iter": 60, "dropout": 0.0, "alpha": 0.0, "learning_rate_init": 0.01}
    inside = []
    for seed in range(2):
        y = pd.Series(np.random.default_rng(seed).normal(size=160), name="y")
        model = forecaster(**SMALL | {"hidden_size": 32} | setting, interval="quantile")
        inside.append(coverage(model.fit(y[:100]), y, 100, [1, 3, 6]))
    assert (np.mean(inside, axis=0)[1:] > COVERAGES[1:] - 0.12).all()


@pytest.mark.parametrize("kind", ["noise", "walk"])
@pytest.mark.parametrize("shift", [50, -50])
def test_a_level_shift_in_the_window_leaves_intervals_as_wide(kind, shift):
    values = np.random.default_rng(0).normal(size=220)
    values = values.cumsum() if kind == "walk" else values
    values[190:] += shift
    y = pd.Series(values, name="y")
    model = PETNNForecaster(**SMALL).fit(y[:180])

    def width():
        return float(np.diff(model.predict_interval([1], coverage=0.8)).item())

    usual = width()
    for t in range(180, 218, 2):
        model.update(y[t : t + 2], update_params=False)
        assert width() < 3 * usual, t


def test_learned_coverage():
    y = make_series()
    model = PETNNForecaster(**(SMALL | {"max_iter": 15}), interval="quantile").fit(y[:400])
    np.testing.assert_allclose(coverage(model, y, 400, [1, 3, 6]), COVERAGES, atol=0.12)


def test_coverage_recovers_when_the_series_grows_wild():
    """Noise trebles at 400 and its errors, not the windows' spread alone, tell."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=700) * np.where(np.arange(700) < 400, 1, 3)
    y = pd.Series(8 * np.sin(2 * np.pi * np.arange(700) / 12) + noise, name="y")
    model = PETNNForecaster(**SMALL | {"max_iter": 20}, calibration_size=60).fit(y[:400])
    width = model.predict_interval([1], coverage=0.8)
    model.update(y[400:500], update_params=False)
    wider = model.predict_interval([1], coverage=0.8)
    assert np.diff(wider).item() > 2 * np.diff(width).item()
    np.testing.assert_allclose(coverage(model, y, 500, [1, 6]), COVERAGES, atol=0.09)


def test_a_launch_or_a_new_level_widens_no_step_of_the_horizon():
    noise = np.random.default_rng(0).normal(size=240)
    launch = np.r_[np.zeros(80), 100 + noise[:20]]
    shift = noise + 50 * (np.arange(240) >= 200)
    for values, cut in ((launch, 100), (shift, 215)):
        y = pd.Series(values[:cut], pd.date_range("2024-01-01", periods=cut))
        model = PETNNForecaster(max_iter=5, random_state=0).fit(y)
        interval = model.predict_interval(range(1, 8), coverage=0.9).to_numpy()
        assert (interval[:, 1] - interval[:, 0]).max() < 30  # noise has 3.3, the event 100 and 50


def test_an_event_is_counted_once_whatever_the_horizon():
    errors = np.random.default_rng(0).uniform(0.5, 1.5, size=(40, 4, 1))
    ordinary = errors.copy()
    for row in (10, 25):  # seen from one to four steps before
        for step in range(4):
            errors[row : row + step + 1, step] = 100.0
    kept = _each_event_once(errors)
    assert ((kept == 100).sum(axis=0) == 2).all()
    assert np.isnan(kept[11, 1:]).all()
    assert not np.isnan(kept[11, 0])
    assert np.isnan(kept[13, 3])
    np.testing.assert_array_equal(_each_event_once(ordinary), ordinary)
    once = ordinary.copy()
    for step in range(4):
        once[10 : 10 + step + 1, step] = 100.0
    assert not (_each_event_once(once) == 100).any()  # how often is not known


def test_errors_go_by_the_spread_of_windows_as_far_as_they_did(rng):
    deviations = np.exp(rng.normal(size=(300, 3)))
    noise = np.abs(rng.laplace(size=(300, 4, 3)))
    noise[5, 1, 0] = np.nan
    # In proportion to the deviation, to its root, and alike.
    errors = noise * deviations[:, None] ** (np.array([1, 0.5, 0]) - 1)
    np.testing.assert_allclose(power_of(errors, deviations), [1, 0.5, 0], atol=0.1)
    np.testing.assert_array_equal(power_of(np.zeros((5, 2, 1)), np.ones((5, 1))), 1)
    few = power_of(noise[:2], deviations[:2])
    assert ((few > 0.2) & (few < 0.8)).all()  # two windows tell little
