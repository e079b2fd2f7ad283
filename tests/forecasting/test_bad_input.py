import numpy as np
import pandas as pd
import pytest
from sklearn.utils._param_validation import InvalidParameterError
from sktime.exceptions import NotFittedError
from sktime.utils._testing.hierarchical import _make_hierarchical

from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster
from tests.families import FORECASTERS

SMALL = {"hidden_size": 4, "window_length": 12, "horizon": 6, "max_iter": 1, "random_state": 0}

STRICT = {**SMALL, "missing": "error"}


def make_series(n=60, freq="D"):
    return pd.Series(np.sin(np.arange(n)), pd.date_range("2000-01-03", periods=n, freq=freq))


def make_exogenous(n=60, start="2000-01-03"):
    index = pd.date_range(start, periods=n, freq="D")
    return pd.DataFrame({"a": np.cos(np.arange(n)), "b": 1.0}, index)


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("hidden_size", 0),
        ("window_length", "long"),
        ("window_length", 0),
        ("horizon", 2.5),
        ("interval", "bootstrap"),
        ("calendar", "month"),
        ("normalization", "first"),
        ("loss", "quantile"),
        ("refit", "never"),
        ("missing", "drop"),
        ("update_max_iter", 0),
        ("validation_fraction", 1.0),
        ("learning_rate_init", -1),
        ("dtype", "int8"),
        ("random_state", "x"),
    ],
)
def test_parameters(forecaster, name, value):
    with pytest.raises(
        InvalidParameterError, match=f"'{name}' parameter of {forecaster.__name__}"
    ):
        forecaster(**(SMALL | {name: value})).fit(make_series())


def test_family_parameters():
    with pytest.raises(InvalidParameterError, match="'release' parameter"):
        PETNNForecaster(release="slow").fit(make_series())
    with pytest.raises(InvalidParameterError, match="'state_size' parameter"):
        HSSMForecaster(state_size=0).fit(make_series())
    with pytest.raises(InvalidParameterError, match="'solver' parameter"):
        DynPMNNForecaster(solver="exact").fit(make_series())


def test_unknown_device():
    with pytest.raises(ValueError, match="device must be 'auto' or a torch device"):
        PETNNForecaster(**SMALL, device="abacus").fit(make_series())


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_series_shorter_than_a_window(forecaster):
    expected = "y has 17 time steps; window_length=12 and horizon=6 need at least 18"
    with pytest.raises(ValueError, match=expected):
        forecaster(**SMALL).fit(make_series(17))
    forecaster(**SMALL).fit(make_series(18))


def test_too_short_to_stop_early():
    expected = "leaves 18 of 24 time steps for training; .* need at least 18"
    PETNNForecaster(**SMALL, early_stopping=True).fit(make_series(24))
    expected = "leaves 17 of 23 time steps for training; .* need at least 18"
    with pytest.raises(ValueError, match=expected):
        PETNNForecaster(**SMALL, early_stopping=True).fit(make_series(23))


def test_too_short_to_calibrate_says_so():
    model = PETNNForecaster(**SMALL).fit(make_series(20))
    with pytest.warns(UserWarning, match="too short to hold out .* at least 24 time steps"):
        model.predict_interval([1])


def test_missing_values():
    y = make_series()
    y.iloc[5] = np.nan
    with pytest.raises(ValueError, match=r"cannot handle missing data .* Set missing='auto'"):
        PETNNForecaster(**STRICT).fit(y)


def test_doubled_times():
    y = make_series()
    y.index = y.index[:30].append(y.index[29:59])
    with pytest.raises(ValueError, match="must be unique, but 2000-02-01 00:00:00 occurs"):
        PETNNForecaster(**SMALL).fit(y)


def test_unsorted_times():
    y = make_series()
    with pytest.raises(ValueError, match=r"must be sorted, .*: 2000-03-01 .* after 2000-03-02"):
        PETNNForecaster(**SMALL).fit(y.iloc[::-1])
    panel = pd.concat({"a": y, "b": y[::-1], "c": y}).to_frame()
    for method in ("fit", "pretrain"):
        with pytest.raises(ValueError, match=r"in the series 'b' 2000-03-01 .* after 2000-03-02"):
            getattr(PETNNForecaster(**SMALL), method)(panel)


def test_columns_and_times_of_other_types_are_named():
    y = make_series().to_frame("v").assign(kind="a", day=pd.Timestamp("2000-01-01"))
    message = "'kind' is of dtype .* holds 'a'; column 'day' is of dtype datetime64"
    for data in (y, pd.concat({"shop": y})):
        with pytest.raises(TypeError, match=f"numbers in y.*{message}"):
            PETNNForecaster(**SMALL).fit(data)
    with pytest.raises(TypeError, match=f"numbers in X.*{message}"):
        PETNNForecaster(**SMALL).fit(y[["v"]], y)
    for index, expected in (
        (y.index.astype(str), "got string such as '2000-01-03.*pd.to_datetime"),
        (np.arange(60) / 2, r"got floating such as .*0\.0.*whole numbers"),
    ):
        for data in (y[["v"]].set_axis(index), pd.concat({"a": y[["v"]].set_axis(index)})):
            with pytest.raises(TypeError, match=expected):
                PETNNForecaster(**SMALL).fit(data)


def test_a_gap_in_another_frequency_than_days_is_named():
    for freq, missing in (("B", "2000-01-31"), ("MS", "2001-10-01"), ("W-SUN", "2000-05-28")):
        y = make_series(freq=freq)
        y = y.drop(y.index[20])
        with pytest.raises(ValueError, match=f"frequency '{freq}', but {missing} .*is missing"):
            PETNNForecaster(**STRICT).fit(y.set_axis(pd.DatetimeIndex(y.index.to_numpy())))


def test_gaps():
    y = make_series()
    with pytest.raises(
        ValueError,
        match=r"none can be inferred .* frequency 'D', but 2000-01-23 00:00:00 is missing",
    ):
        PETNNForecaster(**STRICT).fit(y.drop(y.index[20]))
    for index, expected in (
        (pd.period_range("2000-01", periods=60, freq="M"), "after 2001-08 comes 2001-10"),
        (pd.RangeIndex(60), "after 19 comes 21, expected 20"),
    ):
        with pytest.raises(ValueError, match=expected):
            PETNNForecaster(**STRICT).fit(y.set_axis(index).drop(index[20]))


def test_calendar_without_dates():
    y = make_series().reset_index(drop=True)
    with pytest.raises(ValueError, match=r"needs dates: .* got RangeIndex"):
        PETNNForecaster(**SMALL, calendar=["month"]).fit(y)
    PETNNForecaster(**SMALL, calendar="auto").fit(y)


def test_unknown_calendar_features():
    with pytest.raises(ValueError, match=r"calendar holds \['moon'\], .* 'day_of_week'"):
        PETNNForecaster(**SMALL, calendar=["month", "moon"]).fit(make_series())


@pytest.fixture(scope="module")
def fitted_with_x():
    return PETNNForecaster(**SMALL).fit(make_series(), make_exogenous())


def test_exogenous_does_not_cover_the_horizon(fitted_with_x):
    ahead = make_exogenous(3, start="2000-03-03")
    fitted_with_x.predict([1, 3], ahead)
    for method in (fitted_with_x.predict, fitted_with_x.predict_interval):
        with pytest.raises(
            ValueError,
            match=r"every time from 2000-03-03 .* to 2000-03-07 .*, 5 steps; it has no row at "
            r"2000-03-06 .*, and covers 2000-03-03 .* to 2000-03-05",
        ):
            method([5], X=ahead)


def test_exogenous_leaves_times_out(fitted_with_x):
    ahead = make_exogenous(3, start="2000-03-03")
    with pytest.raises(ValueError, match="no row at 2000-03-04"):
        fitted_with_x.predict([1, 3], ahead.iloc[[0, 2]])


def test_exogenous_is_missing(fitted_with_x):
    with pytest.raises(ValueError, match=r"fitted with the columns \['a', 'b'\] of X.*got no X"):
        fitted_with_x.predict([1])


def test_exogenous_lacks_columns(fitted_with_x):
    ahead = make_exogenous(3, start="2000-03-03")
    with pytest.raises(ValueError, match=r"got \['b'\]: \['a'\] are missing"):
        fitted_with_x.predict([1], ahead[["b"]])


def test_exogenous_comes_as_a_surprise():
    model = PETNNForecaster(**SMALL).fit(make_series())
    with pytest.raises(ValueError, match="fitted without X"):
        model.predict([1], make_exogenous(3, start="2000-03-03"))


def test_intervals_switched_off():
    model = PETNNForecaster(**SMALL, interval=None).fit(make_series())
    with pytest.raises(NotImplementedError, match="prediction intervals"):
        model.predict_interval([1])


def test_predict_windows():
    model = PETNNForecaster(**SMALL)
    with pytest.raises(NotFittedError):
        model.predict_windows(make_series())
    model.fit(make_series())
    with pytest.raises(ValueError, match=r"17 time steps; .* at least 18"):
        model.predict_windows(make_series(17))
    with pytest.raises(ValueError, match=r"must have the 1 column that .* got 2"):
        model.predict_windows(make_exogenous())
    with pytest.raises(ValueError, match="finite"):
        model.predict_windows(make_series() / 0)
    panel = _make_hierarchical((2,), min_timepoints=30, max_timepoints=30)
    with pytest.raises(NotImplementedError, match="forecasters_"):
        PETNNForecaster(**SMALL).fit(panel).predict_windows(make_series())


def test_pretrain():
    y = _make_hierarchical((3,), min_timepoints=30, max_timepoints=30)
    model = PETNNForecaster(**SMALL)
    with pytest.raises(TypeError, match="requires Panel or Hierarchical data"):
        model.pretrain(make_series())
    with pytest.raises(ValueError, match=r"No series of y is long enough.*the longest has 15"):
        model.pretrain(_make_hierarchical((3,), min_timepoints=15, max_timepoints=15))
    model.pretrain(y)
    with pytest.raises(NotFittedError):
        model.predict([1])
    model.missing = "error"
    with pytest.raises(ValueError, match=r"11 time steps; .* window_length=12 .* at least 12"):
        model.fit(make_series(11))
    model.missing = "auto"
    with pytest.raises(ValueError, match="must have 1 columns, as in pretrain, got 2"):
        model.fit(make_exogenous())
