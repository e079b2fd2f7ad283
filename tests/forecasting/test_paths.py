"""Simulated futures, and the sums made of them; bounds of all that is forecast."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.forecasting._horizon import Carry
from sklearn_physrnn.forecasting._intervals import Scores, quantiles_around
from sklearn_physrnn.forecasting._paths import GRID, at_levels, levels_of, trajectories

SMALL = {"hidden_size": 4, "window_length": 6, "horizon": 4, "max_iter": 2, "random_state": 0}
AHEAD = range(1, 11)


@pytest.fixture(scope="module")
def fitted():
    noise = np.random.default_rng(0).normal(size=(200, 2))
    index = pd.period_range("2020-01-01", periods=200, freq="D")
    y = pd.DataFrame({"walk": noise[:, 0].cumsum(), "noise": np.abs(noise[:, 1])}, index)
    bounds = {"bounds": (-1000, 1000)}
    return PETNNForecaster(**SMALL, **bounds).fit(y), y


def scores_of(made):
    """Scores of forecasts whose errors were `made`, (n, horizon, n_channels), one an origin."""
    n, horizon, n_channels = made.shape
    errors = np.full((n + horizon - 1, horizon, n_channels), np.nan)
    for step in range(horizon):
        errors[step : step + n, step] = made[:, step]
    return replace(Scores.empty((horizon, n_channels, 1), 999), errors=errors)


def draw(scores, n_steps, n_samples):
    levels = levels_of(scores, n_steps, n_samples, np.random.RandomState(0))
    forecasts = np.zeros((n_steps, scores.spreads.shape[1], 1))
    quantiles = quantiles_around(forecasts, np.ones(len(scores.spreads[0])), scores, ndtr(GRID))
    return at_levels(quantiles, levels)


def test_trajectories_are_errors_by_origin(rng):
    made = rng.normal(size=(12, 3, 2))
    np.testing.assert_array_equal(trajectories(scores_of(made).errors), made)
    few = trajectories(scores_of(made[:2]).errors[1:])  # the first origin's first step is lost
    np.testing.assert_array_equal(few[0], made[0][[1, 1, 2]])
    np.testing.assert_array_equal(few[1], made[1])


def test_steps_and_channels_go_together_as_errors_did(rng):
    walks = rng.normal(size=(400, 6, 1)).cumsum(axis=1)
    made = np.concatenate((walks, -walks, rng.normal(size=(400, 6, 1))), axis=2)
    paths = draw(scores_of(made), 6, 3000)
    np.testing.assert_allclose(paths[..., 1], -paths[..., 0], atol=0.05)
    correlation = np.corrcoef(paths[:, :, 0].T)[0]
    np.testing.assert_allclose(correlation, 1 / np.sqrt(np.arange(1, 7)), atol=0.12)
    assert np.abs(np.corrcoef(paths[:, :, 2].T) - np.eye(6)).max() < 0.2


@pytest.mark.parametrize("kind", ["walk", "noise"])
def test_intervals_of_a_sum_cover(kind, rng):
    """Of twelve steps, four of them forecast at once, whose errors add up or do not."""
    noise = rng.normal(size=(500, 12))
    future = noise.cumsum(axis=1) if kind == "walk" else noise
    scores = scores_of(future[:200, :4, None])
    through = float(kind == "walk")
    carry = Carry(np.full((1, 4, 1), through), np.array([through]))
    sums = draw(replace(scores, carry=carry), 12, 2000).sum(axis=1)[:, 0]
    for coverage in (0.5, 0.8, 0.95):
        low, high = np.quantile(sums, [(1 - coverage) / 2, (1 + coverage) / 2])
        truth = future[200:].sum(axis=1)
        assert np.mean((low <= truth) & (truth <= high)) == pytest.approx(coverage, abs=0.07)


def test_each_step_is_distributed_as_its_quantiles(fitted):
    model, y = fitted
    alphas = [0.1, 0.5, 0.9]
    paths = model.predict_paths(AHEAD, n_samples=2000, random_state=1)
    assert list(paths.columns) == list(y.columns)
    assert paths.index.names == ["sample", "time"]
    quantiles = model.predict_quantiles(AHEAD, alpha=alphas)
    assert paths.loc[0].index.equals(quantiles.index)
    for name in y:
        below = (
            paths[name].unstack("sample").to_numpy()[..., None]
            <= quantiles[name].to_numpy()[:, None]
        )
        np.testing.assert_allclose(below.mean(axis=1), np.broadcast_to(alphas, (10, 3)), atol=0.05)


def test_paths_are_drawn_by_their_seed_and_refused_where_nothing_says_them(fitted):
    model, y = fitted
    one = model.predict_paths([1, 3], n_samples=3)
    assert one.equals(model.predict_paths([1, 3], n_samples=3, random_state=0))
    assert not one.equals(model.predict_paths([1, 3], n_samples=3, random_state=2))
    with pytest.raises(NotImplementedError, match="in-sample"):
        model.predict_paths([0, 1])
    with pytest.raises(ValueError, match="n_samples"):
        model.predict_paths([1], n_samples=0)
    without = PETNNForecaster(**SMALL, interval=None).fit(y[:30])
    with pytest.raises(NotImplementedError, match="interval=None"):
        without.predict_paths([1])


def test_panels_have_paths_of_each_series(fitted):
    _, y = fitted
    panel = pd.concat({"a": y[:40], "b": y[40:80].set_axis(y.index[:40])}, names=["shop", "day"])
    model = PETNNForecaster(**SMALL, interval="quantile").fit(panel)
    paths = model.predict_paths([1, 2], n_samples=3)
    assert paths.index.names == ["shop", "sample", "time"]
    assert paths.shape == (2 * 3 * 2, 2)


@pytest.mark.parametrize("interval", ["conformal", "quantile"])
def test_nothing_is_forecast_beyond_bounds(interval, rng):
    y = pd.Series(rng.poisson(0.7, size=80).astype(float), name="sold")
    options = {"loss": "squared_error", "interval": interval, "bounds": (0, 3)}
    model = PETNNForecaster(**SMALL, **options).fit(y.clip(0, 3))
    fh = range(-3, 9)
    ahead = model.predict_interval(range(1, 9), coverage=0.99)
    for given in (model.predict(fh), ahead, model.predict_paths([1, 8]), model.predict_windows(y)):
        assert np.min(given) >= 0
        assert np.max(given) <= 3
    assert (ahead == 0).to_numpy().any()  # which it would be below
    with pytest.raises(ValueError, match=r"bounds=\(0, 3\), got -1 at 80"):
        model.update(pd.Series([-1.0], [80], name="sold"))
    for bounds, message in (((3, 0), "low below high"), ((1, None), "y must lie within")):
        with pytest.raises(ValueError, match=message):
            PETNNForecaster(**SMALL, bounds=bounds).fit(y)
