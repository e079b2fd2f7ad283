"""Forecasts with their intervals."""

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline
from sktime.exceptions import NotFittedError
from sktime.forecasting.naive import NaiveForecaster

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
