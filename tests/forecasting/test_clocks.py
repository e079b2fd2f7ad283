"""Times that are missing from an index, and times that follow no rule."""

import copy

import numpy as np
import pandas as pd
import pytest
from sktime.forecasting.base import ForecastingHorizon

import sklearn_physrnn
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.preparation.clocks import Clock, clock_of, places_of
from sklearn_physrnn.storage.state import State, Store
from tests.families import FORECASTERS

SMALL = {"hidden_size": 4, "window_length": 12, "horizon": 6, "max_iter": 1, "random_state": 0}
N = 90


def series_at(index):
    rng = np.random.default_rng(0)
    return pd.Series(np.sin(np.arange(len(index)) / 2) + 0.1 * rng.normal(size=len(index)), index)


def bare(index):
    """Take its frequency from an index of dates."""
    return pd.DatetimeIndex(index, freq=None) if isinstance(index, pd.DatetimeIndex) else index


def absolute(times):
    return ForecastingHorizon(pd.Index(times), is_relative=False)


# -- missing times ---------------------------------------------------------------------

REGULAR = {
    "days": pd.date_range("2000-01-03", periods=N, freq="D"),
    "working days": pd.date_range("2000-01-03", periods=N, freq="B"),
    "weeks": pd.date_range("2000-01-03", periods=N, freq="W-SUN"),
    "months": pd.date_range("2000-01-01", periods=N, freq="MS"),
    "ends of months": pd.date_range("2000-01-31", periods=N, freq="ME"),
    "quarters": pd.date_range("2000-01-01", periods=N, freq="QS"),
    "hours": pd.date_range("2000-01-03 00:30", periods=N, freq="h"),
    "quarters of an hour": pd.date_range("2000-01-03", periods=N, freq="15min"),
    "days where clocks change": pd.date_range(
        "2024-03-01", periods=N, freq="D", tz="Europe/Berlin"
    ),
    "hours where clocks change": pd.date_range(
        "2024-03-30", periods=N, freq="h", tz="Europe/Berlin"
    ),
    "periods": pd.period_range("2000-01", periods=N, freq="M"),
    "integers": pd.RangeIndex(5, 5 + N),
}


@pytest.mark.parametrize("name", REGULAR)
def test_times_that_an_index_lacks_are_missing_values(name):
    index = REGULAR[name]
    y = series_at(index)
    lacking = np.random.default_rng(3).random(N) < 0.3
    lacking[[0, -1]] = False
    clock = clock_of(bare(index[~lacking]))
    assert not clock.irregular
    places = places_of(bare(index[~lacking]), clock)
    assert list(places.grid) == list(index)
    if name in ("days", "months", "hours where clocks change", "integers"):  # for time
        holes = PETNNForecaster(**SMALL).fit(y.mask(lacking))
        less = PETNNForecaster(**SMALL).fit(y[~lacking].set_axis(bare(index[~lacking])))
        pd.testing.assert_series_equal(
            less.predict([-1, 1, 8]), holes.predict([-1, 1, 8]), check_freq=False
        )
        interval = holes.predict_interval([8])
        pd.testing.assert_frame_equal(less.predict_interval([8]), interval, check_freq=False)


def test_steps_of_two_and_more_are_steps_too():
    even = clock_of(pd.RangeIndex(0, 100, 2))
    assert even.step == 2
    index = pd.date_range("2000-01-03", periods=N, freq="3D")
    clock = clock_of(bare(index.delete([3, 4, 40])))
    assert pd.date_range(index[0], periods=N, freq=clock.step).equals(index)


def test_a_file_s_irregular_steps_are_of_one_length():
    months = State({"step": "ME", "irregular": True}, Store({}, dict), "clock")
    with pytest.raises(ValueError, match="of one length"):
        Clock.from_state(months)


def test_a_clock_that_is_most_of_all_gaps_is_refused():
    times = pd.DatetimeIndex(["1970-01-01", "1970-01-02", "2999-01-01", "2999-01-02"])
    with pytest.raises(ValueError, match=r"gaps are too long.* from 1970-01-02.* to 2999-01-01"):
        places_of(times, Clock(pd.tseries.frequencies.to_offset("h")))


# -- irregular times -------------------------------------------------------------------


def irregular(n=200, seed=0, tz=None):
    gaps = np.random.default_rng(seed).uniform(1800, 5400, size=n).round()
    times = pd.Timestamp("2020-01-01", tz=tz) + pd.to_timedelta(gaps.cumsum(), unit="s")
    return pd.Series(np.sin(np.arange(n) / 3), times.as_unit("ns"), name="v")


@pytest.fixture(scope="module")
def fitted():
    return PETNNForecaster(**SMALL).fit(irregular())


def test_times_without_a_rule_lie_on_steps_of_their_median_distance(fitted):
    y = irregular()
    clock = fitted._model.clock
    gaps = np.diff(y.index.asi8)
    assert clock.irregular
    assert pd.Timedelta(clock.step).value == int(np.median(gaps))
    history = fitted._history
    assert history.index[-1] == y.index[-1] == fitted.cutoff[0]
    # Each value is at the nearest step, and where several are, their mean is.
    back = np.rint((y.index[-1] - y.index) / pd.Timedelta(clock.step)).astype(int)
    expected = y.groupby(len(history) - 1 - back).mean()
    found = pd.Series(history.values[:, 0]).dropna()
    assert found.index.tolist() == expected.index.tolist()
    np.testing.assert_allclose(found, expected)
    assert len(found) < len(y) < len(history) * 1.2


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_any_time_to_come_may_be_asked_for(forecaster):
    y = irregular(tz="Europe/Berlin")
    model = forecaster(**SMALL).fit(y)
    step, last = pd.Timedelta(model._model.clock.step), y.index[-1]
    steps = model.predict([1, 2, 9])
    assert list(steps.index) == [last + k * step for k in (1, 2, 9)]
    times = last + step * np.array([0.25, 1, 1.5, 2, 9])
    part = (times[0] - last) / step
    found = model.predict(absolute(times))
    assert list(found.index) == list(times)
    one, two, nine = steps
    expected = [(1 - part) * y.iloc[-1] + part * one, one, (one + two) / 2, two, nine]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    interval = model.predict_interval(absolute(times))
    at_steps = model.predict_interval([1, 2, 9])
    np.testing.assert_allclose(interval.iloc[[1, 3, 4]], at_steps, atol=1e-6)
    width = np.diff(interval, axis=1)[:, 0]
    # Behind the last value an interval is as wide as a step later, between two in between.
    np.testing.assert_allclose(width[0], width[1], atol=1e-6)
    np.testing.assert_allclose(width[2], (width[1] + width[3]) / 2, atol=1e-6)


def test_known_times_between_steps_are_forecast_too(fitted):
    y = irregular()
    found = fitted.predict(absolute(y.index[[50, 120, -1]]))
    assert np.isfinite(found).all()
    with pytest.raises(ValueError, match="known begins at 2020"):
        fitted.predict(absolute([y.index[0] - pd.Timedelta("30D")]))


def test_irregular_integers_count_steps_of_their_median_distance(tmp_path):
    times = np.cumsum(np.random.default_rng(0).integers(20, 40, size=150))
    y = pd.Series(np.sin(np.arange(150) / 3), times)
    model = PETNNForecaster(**SMALL).fit(y)
    clock = model._model.clock
    assert clock == Clock(round(np.median(np.diff(times))), irregular=True)
    assert list(model.predict([1, 2]).index) == [
        times[-1] + clock.step,
        times[-1] + 2 * clock.step,
    ]
    sklearn_physrnn.save(model, tmp_path / "model.safetensors")
    same = sklearn_physrnn.load(tmp_path / "model.safetensors")
    fh = absolute([times[-1] + 7, times[-1] + 100])
    pd.testing.assert_series_equal(same.predict(fh), model.predict(fh))
    assert same._model.clock == clock


def test_updates_of_irregular_times_go_on_from_the_last_step(fitted, tmp_path):
    model = copy.deepcopy(fitted)
    step, last = pd.Timedelta(model._model.clock.step), model._history.index[-1]
    n = len(model._history)
    new = pd.Series([1.0, 2.0, 4.0], last + step * np.array([1.1, 3.6, 4.3]), name="v")
    model.update(new, update_params=False)
    np.testing.assert_array_equal(model._history.values[n:, 0], [1, np.nan, np.nan, 3])
    assert model._history.index[-1] == last + 4 * step
    assert model.predict([1]).index[0] == last + 5 * step
    sklearn_physrnn.save(model, tmp_path / "model.safetensors")
    same = sklearn_physrnn.load(tmp_path / "model.safetensors")
    pd.testing.assert_series_equal(same.predict([1, 2]), model.predict([1, 2]))
    windows = model.predict_windows(irregular(seed=1))
    assert np.isfinite(windows).all()


def test_strict_forecasters_take_no_irregular_times():
    with pytest.raises(ValueError, match="Set missing='auto'"):
        PETNNForecaster(**SMALL, missing="error").fit(irregular())


# -- times that are wrong --------------------------------------------------------------


def test_time_that_stands_still_or_goes_back_is_refused():
    y = irregular()
    for order, message in (([*range(50), 49, *range(50, 200)], "unique"), ([1, 0], "sorted")):
        places = order if len(order) > 2 else [*order, *range(2, 200)]
        with pytest.raises(ValueError, match=message):
            PETNNForecaster(**SMALL).fit(y.iloc[places])


def test_time_zones_are_not_mixed(fitted):
    zoned = irregular(tz="UTC")
    with pytest.raises(ValueError, match="dates without a time zone, got dates in a time zone"):
        fitted.predict(absolute(zoned.index[-1:] + pd.Timedelta("1h")))
    with pytest.raises(ValueError, match=r"y must have .* without a time zone"):
        copy.deepcopy(fitted).update(zoned)
    mixed = pd.Series([1.0, 2.0], pd.Index([zoned.index[0], irregular().index[1]], dtype=object))
    with pytest.raises(TypeError, match=r"index of y.*pd\.to_datetime"):
        PETNNForecaster(**SMALL).fit(mixed)
    days = pd.date_range("2000-01-03", periods=96, freq="D")
    X = pd.DataFrame({"x": np.arange(96.0)}, days)
    model = PETNNForecaster(**SMALL).fit(series_at(days[:N]), X[:N])
    with pytest.raises(ValueError, match=r"X must have .* without a time zone"):
        model.predict([1], X[N:].tz_localize("UTC"))
