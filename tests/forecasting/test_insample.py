"""Forecasts of known times, each one step ahead, and what is left of them."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.reconcile import ReconcilerForecaster
from sktime.transformations.hierarchical.aggregate import Aggregator

from sklearn_physrnn import load, save
from sklearn_physrnn.forecasting import HSSMForecaster, PETNNForecaster
from tests.families import FORECASTERS

SMALL = {"hidden_size": 4, "window_length": 8, "horizon": 4, "max_iter": 2, "random_state": 0}


def make_table(n=60, n_channels=2):
    rng = np.random.default_rng(0)
    values = 10 + np.sin(np.arange(n)[:, None]) + rng.normal(0, 0.1, (n, n_channels))
    index = pd.date_range("2024-01-01", periods=n, freq="D")
    return pd.DataFrame(values, index, [f"y{k}" for k in range(n_channels)])


@pytest.fixture(scope="module")
def fitted():
    y = make_table()
    return PETNNForecaster(**SMALL).fit(y), y


def test_each_known_time_is_forecast_from_the_window_before_it(fitted):
    model, y = fitted
    known = model.predict(fh=range(-51, 1))
    windows = copy.deepcopy(model).predict_windows(y)
    np.testing.assert_allclose(known[: len(windows)], windows[:, 0], rtol=1e-10)
    pd.testing.assert_index_equal(known.index, y.index[8:], check_names=False)
    # As one that was told no more than the values before would have it.
    for t in (20, 59):
        told = copy.deepcopy(model).update(y[:t], update_params=False)
        np.testing.assert_allclose(told.predict(fh=[1]), known.iloc[[t - 8]], rtol=1e-10)


def test_the_first_times_are_forecast_from_the_first_level(fitted):
    model, y = fitted
    level = y[:8].mean().to_frame().T
    made_up = pd.concat([level] * 8).set_axis(pd.date_range(end="2023-12-31", periods=8))
    windows = model.predict_windows(pd.concat([made_up, y]))
    np.testing.assert_allclose(model.predict(fh=range(-59, -51)), windows[:8, 0], rtol=1e-10)


def test_known_and_coming_times_may_be_asked_for_at_once(fitted):
    model, _ = fitted
    fh = [3, -2, 0, 1]
    mixed = model.predict(fh=fh)
    alone = pd.concat([model.predict(fh=[step]) for step in sorted(fh)])
    pd.testing.assert_frame_equal(mixed, alone, check_freq=False)
    absolute = model.predict(fh=ForecastingHorizon(mixed.index, is_relative=False))
    pd.testing.assert_frame_equal(absolute, mixed)


@pytest.mark.parametrize(
    "index",
    [
        pd.RangeIndex(5, 65),
        pd.period_range("2020-01", periods=60, freq="M"),
        pd.date_range("2020-01-31", periods=60, freq="ME"),
        pd.date_range("2024-03-29", periods=60, freq="h", tz="Europe/Berlin"),
        pd.DatetimeIndex(pd.bdate_range("2024-01-01", periods=60).to_numpy()),
    ],
    ids=["integers", "periods", "month ends", "a clock that changes", "business days"],
)
def test_every_kind_of_time_is_known_by_step_and_by_itself(index):
    y = make_table(n_channels=1)["y0"].set_axis(index)
    calendar = None if isinstance(index, pd.RangeIndex) else ["month", "hour"]
    model = HSSMForecaster(**SMALL, calendar=calendar, interval=None).fit(y)
    by_step = model.predict(fh=range(-59, 1))
    pd.testing.assert_index_equal(by_step.index, index, exact="equiv")
    by_time = model.predict(fh=ForecastingHorizon(index, is_relative=False))
    np.testing.assert_array_equal(by_step, by_time)


def test_times_that_no_step_leads_to_are_refused(fitted):
    model, _ = fitted
    for times, message in (
        (pd.DatetimeIndex(["2023-12-31"]), "fh asks for 2023-12-31 .* begins at 2024-01-01"),
        (pd.DatetimeIndex(["2024-03-02 12:00"]), "steps of 'D' from 2024-02-29 .*2024-03-02 00:"),
        (pd.PeriodIndex(["2024-03"], freq="M"), "dates without a time zone, got periods"),
        (pd.Index([61]), "dates without a time zone, got integers"),
    ):
        with pytest.raises(ValueError, match=message):
            model.predict(fh=ForecastingHorizon(times, is_relative=False))


def test_dates_may_have_a_frequency_of_their_own(fitted):
    model, _ = fitted
    weeks = pd.date_range("2024-02-15", periods=4, freq="7D")
    days = model.predict(fh=range(-20, 10))
    pd.testing.assert_frame_equal(model.predict(fh=weeks), days.loc[weeks], check_freq=False)
    interval = model.predict_interval(fh=weeks[3:])
    pd.testing.assert_frame_equal(
        interval, model.predict_interval(fh=range(1, 10)).loc[weeks[3:]], check_freq=False
    )


def test_values_of_an_update_are_known(fitted):
    model, y = fitted
    whole = model.predict(fh=range(-51, 1))
    told = PETNNForecaster(**SMALL)
    told = copy.deepcopy(model).update(y[:40], update_params=False)
    for t in range(40, 60, 5):
        told.update(y[t : t + 5], update_params=False)
    pd.testing.assert_frame_equal(told.predict(fh=range(-51, 1)), whole)


def test_exogenous_values_of_known_times_are_known_too():
    y = make_table(n_channels=1)
    X = make_table().add_prefix("x")
    model = PETNNForecaster(**SMALL).fit(y[:50], X[:50])
    known = model.predict(fh=range(-30, 1))
    np.testing.assert_allclose(model.predict(range(-30, 3), X[50:])[:31], known)
    # The horizon's X counts too, as it does for a forecast of what comes.
    told = copy.deepcopy(model).update(y[:30], X[:30], update_params=False)
    np.testing.assert_allclose(
        told.predict(range(1, 5), X[30:]).iloc[:1], known.loc[["2024-01-31"]], rtol=1e-10
    )


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_residuals_are_values_less_forecasts(forecaster):
    y = load_airline()
    model = forecaster(**SMALL).fit(y)
    expected = y - model.predict(fh=range(-143, 1))
    for residuals in (model.predict_residuals(y), model.predict_residuals()):
        pd.testing.assert_series_equal(residuals, expected, check_names=False)
    assert model.predict_residuals(y).name == y.name
    assert model.fh.is_relative  # the horizon asked for last is not lost
    ahead = y[:3].set_axis(pd.period_range("1961-01", periods=3, freq="M"))
    np.testing.assert_allclose(model.predict_residuals(ahead), ahead - model.predict([1, 2, 3]))


def test_residuals_go_by_the_names_of_columns(fitted):
    model, y = fitted
    pd.testing.assert_frame_equal(
        model.predict_residuals(y[["y1", "y0"]]), model.predict_residuals(y)
    )


def test_intervals_are_of_what_comes(fitted):
    with pytest.raises(NotImplementedError, match="in-sample"):
        copy.deepcopy(fitted[0]).predict_interval(fh=[-1, 1])


def test_a_loaded_forecaster_knows_the_past(fitted, tmp_path):
    model, _ = fitted
    save(model, tmp_path / "model")
    loaded = load(tmp_path / "model")
    pd.testing.assert_frame_equal(loaded.predict_residuals(), model.predict_residuals())


# -- hierarchies -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hierarchy():
    days = pd.date_range("2023-01-01", periods=40)
    index = pd.MultiIndex.from_product(
        [["A", "B"], ["x", "y"], days], names=["region", "shop", "day"]
    )
    values = np.random.default_rng(0).normal(size=160) * np.repeat([1, 2, 3, 4], 40) + 5
    return Aggregator().fit_transform(pd.DataFrame({"v": values}, index=index))


def test_residuals_of_each_series_of_a_hierarchy(hierarchy):
    model = PETNNForecaster(**SMALL).fit(hierarchy)
    residuals = model.predict_residuals(hierarchy)
    pd.testing.assert_frame_equal(model.predict_residuals(), residuals)
    pd.testing.assert_index_equal(residuals.index, hierarchy.index)
    key = ("B", "x")
    alone = PETNNForecaster(**SMALL).fit(hierarchy.loc[key]).predict_residuals()
    np.testing.assert_array_equal(residuals.loc[key], alone)


@pytest.mark.parametrize("method", ["mint_shrink", "wls_var"])
def test_reconciliation_by_the_errors_of_forecasts(hierarchy, method):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model = ReconcilerForecaster(PETNNForecaster(**SMALL), method=method).fit(hierarchy)
        forecast = model.predict([1, 2]).unstack(-1)["v"]
    residuals = model.residuals_["v"].unstack(-1)
    assert residuals.notna().all(axis=None)
    spread = residuals.loc[("B", "y")].std() / residuals.loc[("A", "x")].std()
    assert 2 < spread < 8  # their values spread 4 times as far
    total = forecast.loc[("__total", "__total")]
    np.testing.assert_allclose(total, forecast.drop(index="__total").drop(
        index="__total", level=1).sum())  # fmt: skip
