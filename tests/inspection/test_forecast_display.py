"""Forecasts with their intervals."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.exceptions import NotFittedError
from sktime.forecasting.naive import NaiveForecaster

from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.inspection import ForecastDisplay

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:sktime")


@pytest.fixture(scope="module")
def airline():
    return load_airline()[-60:]


@pytest.fixture(scope="module")
def naive(airline):
    return NaiveForecaster("last", sp=12).fit(airline[:-12])


def _band(artist):
    """Lower and upper edge of a fill, by position along the axis."""
    (path,) = artist.get_paths()
    table = pd.DataFrame(path.vertices, columns=["x", "y"]).groupby("x")["y"]
    return table.min().to_numpy(), table.max().to_numpy()


def test_draws_the_forecaster_s_numbers(airline, naive, plt):
    fh = range(1, 15)
    display = ForecastDisplay.from_estimator(naive, airline, fh, coverage=[0.9, 0.5])
    expected, intervals = naive.predict(fh), naive.predict_interval(fh, coverage=[0.9, 0.5])
    np.testing.assert_array_equal(display.predictions_[0].get_ydata(), expected)
    name = airline.name
    assert set(display.bands_[0]) == {0.5, 0.9}
    for level, band in display.bands_[0].items():
        low, high = _band(band)
        np.testing.assert_allclose(low, intervals[name, level, "lower"])
        np.testing.assert_allclose(high, intervals[name, level, "upper"])
    # The narrow one over the wide one, and neither over the forecast.
    bands = display.bands_[0]
    line = display.predictions_[0]
    assert bands[0.9].get_zorder() < bands[0.5].get_zorder() < line.get_zorder()
    observed, later = (
        next(x for x in display.axes_[0].lines if x.get_label() == label)
        for label in ("observed", "observed later")
    )
    np.testing.assert_array_equal(observed.get_ydata(), airline[:-12])
    np.testing.assert_array_equal(later.get_ydata(), airline[-13:])  # joined to the last before
    assert observed.get_xdata()[-1] == np.datetime64("1959-12-01")
    texts = [t.get_text() for ax in display.figure_.axes if ax.get_legend()
             for t in ax.get_legend().get_texts()]  # fmt: skip
    assert texts == ["observed", "observed later", "forecast", "90 % interval", "50 % interval"]


def test_without_intervals_and_test_data(airline, naive, plt):
    display = ForecastDisplay.from_estimator(
        naive, airline[:-12], [1, 2, 3], coverage=(), n_before=20
    )
    assert display.intervals is None
    assert display.y_test is None
    assert len(display.y_train) == 20
    assert display.bands_ == [{}]

    class NoIntervals(NaiveForecaster):
        _tags = {"capability:pred_int": False}  # noqa: RUF012

    model = NoIntervals().fit(airline)
    assert ForecastDisplay.from_estimator(model, airline, [1]).intervals is None


def test_several_variables(rng, plt):
    index = pd.RangeIndex(40, name="day")
    y = pd.DataFrame(rng.normal(size=(40, 2)), index=index, columns=["u", "v"])
    model = NaiveForecaster("mean").fit(y[:30])
    display = ForecastDisplay.from_estimator(model, y, range(1, 6), coverage=0.8)
    intervals = model.predict_interval(range(1, 6), coverage=0.8)
    for k, name in enumerate("uv"):
        low, _ = _band(display.bands_[k][0.8])
        np.testing.assert_allclose(low, intervals[name, 0.8, "lower"])
        assert display.axes_[k].get_ylabel() == name
    assert display.axes_[-1].get_xlabel() == "day"


def test_from_predictions_of_nameless_series(airline, plt):
    train, test = airline[:-12].rename(None), airline[-12:].rename("other")
    intervals = pd.DataFrame({(0, 0.9, "lower"): test - 1.0, (0, 0.9, "upper"): test + 1.0})
    display = ForecastDisplay.from_predictions(train, test + 0.5, intervals, test)
    low, high = _band(display.bands_[0][0.9])
    np.testing.assert_allclose((low + high) / 2, test)
    np.testing.assert_array_equal(display.predictions_[0].get_ydata(), test + 0.5)


def test_refuses(airline, naive, plt):
    pred = airline[-3:]
    with pytest.raises(TypeError, match="y_train must be a pandas Series or DataFrame"):
        ForecastDisplay.from_predictions(airline.to_numpy(), pred)
    hierarchical = pd.concat({"a": airline, "b": airline})
    with pytest.raises(ValueError, match="several instances"):
        ForecastDisplay.from_predictions(hierarchical, pred)
    with pytest.raises(ValueError, match="1 variables of y_train, got 2"):
        ForecastDisplay.from_predictions(airline, pd.concat([pred, pred], axis=1))
    with pytest.raises(ValueError, match="intervals must be a DataFrame with columns"):
        ForecastDisplay.from_predictions(airline, pred, pred.to_frame())
    with pytest.raises(ValueError, match="n_before must be at least 1"):
        ForecastDisplay.from_predictions(airline, pred, n_before=0)
    with pytest.raises(ValueError, match="no observation before"):
        ForecastDisplay.from_estimator(naive, airline[-12:], [1])
    with pytest.raises(ValueError, match="coverage must hold numbers within"):
        ForecastDisplay.from_estimator(naive, airline, [1], coverage=[90])
    with pytest.raises(NotFittedError):
        ForecastDisplay.from_estimator(NaiveForecaster(), airline, [1])


# -- gaps ------------------------------------------------------------------------------


def shades(axis):
    return [(x.get_x(), x.get_x() + x.get_width()) for x in axis.patches]


def test_gaps_are_shaded_and_no_line_goes_through(airline, naive, plt):
    holes = airline.copy()
    holes.iloc[[5, 6, 20]] = np.nan
    without = holes.dropna()  # the same, by times that are not there
    dates = airline.index.to_timestamp()
    for y in (holes, without, without.set_axis(pd.DatetimeIndex(without.index.to_timestamp()))):
        pred = naive.predict(range(1, 13))
        if isinstance(y.index, pd.DatetimeIndex):
            pred.index = pred.index.to_timestamp()
        display = ForecastDisplay.from_predictions(y[:-12], pred)
        axis = display.axes_[0]
        line = next(x for x in axis.lines if x.get_label() == "observed")
        assert np.isnan(line.get_ydata()).nonzero()[0].tolist() == [5, 6, 20]
        assert display.gaps_[0] == list(axis.patches)
        expected = plt.matplotlib.dates.date2num(dates.to_numpy()[[[4, 7], [19, 21]]])
        np.testing.assert_allclose(shades(axis), expected)


def test_a_value_alone_between_gaps_is_a_point(airline, naive, plt):
    holes = airline.copy()
    holes.iloc[[5, 7]] = np.nan
    display = ForecastDisplay.from_predictions(holes[:-12], naive.predict(range(1, 13)))
    points = next(x for x in display.axes_[0].lines if x.get_marker() == ".")
    assert points.get_ydata().tolist() == [airline.iloc[6]]


def test_a_horizon_may_begin_in_the_gap_that_a_series_ends_in(plt):
    index = pd.date_range("2000-01-03", periods=60, freq="D")
    y = pd.Series(np.sin(np.arange(60.0)), index)
    y.iloc[-4:] = np.nan
    sizes = {"hidden_size": 4, "window_length": 12, "horizon": 6, "max_iter": 1}
    model = PETNNForecaster(**sizes, random_state=0).fit(y)
    model._model = replace(model._model, reach=0)
    display = ForecastDisplay.from_estimator(model, y, range(-3, 4), coverage=[0.8])
    forecast = display.predictions_[0]
    assert forecast.get_xdata()[0] == np.datetime64(index[-4])
    np.testing.assert_array_equal(forecast.get_ydata(), model.predict(range(-3, 4)))
    low, high = _band(display.bands_[0][0.8])
    expected = model.predict_interval(range(-3, 4), coverage=0.8)
    np.testing.assert_allclose((low, high), expected.to_numpy().T)
    assert (np.diff(high - low)[:3] != 0).any()


def test_irregular_times_have_no_gaps(plt):
    minutes = pd.to_timedelta([0, 50, 70, 170, 201, 260, 330], unit="min")
    times = pd.Timestamp("2020-01-01") + minutes
    y = pd.Series(np.arange(7.0), times)
    display = ForecastDisplay.from_predictions(y[:5], y[5:])
    assert display.gaps_ == [[]]


# -- a horizon that is not a run of steps ------------------------------------------------


def test_no_line_nor_interval_where_nothing_was_forecast(airline, naive, plt):
    display = ForecastDisplay.from_estimator(naive, airline, [1, 2, 5, 9], coverage=[0.9])
    line = display.predictions_[0]
    assert np.isnan(line.get_ydata()).nonzero()[0].tolist() == [2, 3, 5, 6, 7]
    assert list(line.get_markevery()) == [4, 8]  # no line goes there
    runs = [path.vertices for path in display.bands_[0][0.9].get_paths()]
    assert len(runs) == 3
    months = plt.matplotlib.dates.date2num(line.get_xdata())
    ends = [(run[:, 0].min(), run[:, 0].max()) for run in runs]
    assert ends[0] == (months[0], months[1])
    for (first, last), month in zip(ends[1:], months[[4, 8]], strict=True):
        assert month - 15 < first < month < last < month + 15


@pytest.mark.parametrize("index", [pd.RangeIndex(60), pd.date_range("2020", periods=60)])
def test_the_interval_of_one_step_can_be_seen(airline, plt, index):
    y = airline.set_axis(index)
    model = NaiveForecaster("last", sp=12).fit(y[:-12])
    display = ForecastDisplay.from_estimator(model, y, [1], coverage=[0.9])
    axis = display.axes_[0]
    (path,) = display.bands_[0][0.9].get_paths()
    lower, upper = path.vertices.min(0), path.vertices.max(0)
    assert upper[0] - lower[0] > 0.005 * np.ptp(axis.get_xlim())
    interval = model.predict_interval([1], coverage=[0.9]).to_numpy()[0]
    np.testing.assert_allclose([lower[1], upper[1]], interval)


def test_the_legend_fits_a_subplot(airline, naive, plt):
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    for ax in axes:
        ForecastDisplay.from_estimator(naive, airline, range(1, 4), ax=ax)
    figure.draw_without_rendering()
    legends = [ax.get_legend() for ax in figure.axes if ax.get_legend()]
    (left, right) = (legend.get_window_extent() for legend in legends)
    assert left.x1 < right.x0
    assert left.x0 >= 0
    assert right.x1 <= figure.bbox.x1
