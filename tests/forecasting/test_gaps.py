"""Missing values and times: what is learned of them, and what is forecast behind them."""

import copy
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sktime.utils._testing.hierarchical import _make_hierarchical

import sklearn_physrnn
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.forecasting._gaps import learned_reach, since_seen
from sklearn_physrnn.forecasting._history import History
from sklearn_physrnn.forecasting._spreads import deviations_of
from sklearn_physrnn.forecasting._units import Units
from tests.families import FORECASTERS

SMALL = {"hidden_size": 4, "window_length": 12, "horizon": 6, "max_iter": 1, "random_state": 0}
DAYS = pd.date_range("2000-01-03", periods=120, freq="D")


def make_series(n=120):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * np.arange(n)[:, None] / (7, 11))
    return pd.DataFrame(wave + 0.1 * rng.normal(size=(n, 2)), DAYS[:n], ["a", "b"])


def with_holes(y, share=0.3):
    return y.mask(np.random.default_rng(1).random(y.shape) < share)


def make_exogenous(n=126):
    values = np.random.default_rng(2).normal(size=(n, 2))
    return pd.DataFrame(values, pd.date_range(DAYS[0], periods=n), ["u", "v"])


@pytest.fixture(scope="module")
def fitted():
    return PETNNForecaster(**SMALL).fit(make_series(100))


# -- in training -----------------------------------------------------------------------


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"interval": "quantile", "normalization": "standard", "calendar": "auto"},
        {
            "loss": "squared_error",
            "missing": "mask",
            "normalization": "last_standard",
            "early_stopping": True,
        },
    ],
)
def test_values_may_be_missing_wherever_data_are_given(forecaster, parameters):
    y, X = make_series(), make_exogenous()
    holes, X_holes = with_holes(y), with_holes(X[:120])
    model = forecaster(**SMALL, **parameters).fit(holes[:100], X_holes[:100])
    model.update(holes[100:], X_holes[100:])
    results = [
        model.predict(
            [1, 9], pd.concat([X[120:]] * 2).set_axis(pd.date_range("2000-05-02", periods=12))
        ),
        model.predict([-50, -1, 0]),
        model.predict_windows(y, X[:120]),
        model.predict_windows(holes, X_holes),
    ]
    if parameters.get("loss") != "squared_error":
        results.append(model.predict_interval([1, 6], X[120:]))
    for found in results:
        assert np.isfinite(np.asarray(found)).all()
    residuals = model.predict_residuals()
    assert (residuals.isna() == holes.isna()).to_numpy().all()


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_a_network_is_told_of_gaps_only_if_fit_has_seen_some(forecaster):
    y = make_series()
    complete, strict = (forecaster(**SMALL, missing=kind).fit(y) for kind in ("auto", "error"))
    pd.testing.assert_frame_equal(complete.predict([1, 9]), strict.predict([1, 9]))
    pd.testing.assert_frame_equal(complete.predict_interval([9]), strict.predict_interval([9]))
    holes = forecaster(**SMALL).fit(with_holes(y))
    count = [sum(p.numel() for p in m.module_.parameters()) for m in (complete, strict, holes)]
    assert count[0] == count[1] < count[2]
    assert np.isfinite(complete.predict_windows(with_holes(y))).all()


def test_units_are_those_of_the_values_that_are_there():
    values = with_holes(make_series()).to_numpy(copy=True)
    values[:, 0] = 5 + 100 * values[:, 0]
    for robust in (False, True):
        units = Units.of(values, robust=robust, n_steps=12)
        for channel in range(2):
            there = values[~np.isnan(values[:, channel]), channel]
            alone = Units.of(there[:, None], robust=robust, n_steps=12)
            assert units.center[channel] == alone.center[0]
            assert units.scale[channel] == alone.scale[0]


def test_the_spread_of_a_window_is_that_of_the_values_that_are_there():
    rng = np.random.default_rng(0)
    windows = rng.normal(size=(50, 16, 1)) + 3 * (np.arange(16)[:, None] > 9)
    holes = np.where(rng.random(windows.shape) < 0.4, np.nan, windows)
    holes[0] = np.nan
    expected = [
        float(deviations_of(window[~np.isnan(window)].reshape(1, -1, 1))[0, 0])
        for window in holes[1:]
    ]
    found = deviations_of(holes)
    np.testing.assert_allclose(found[1:, 0], expected)
    assert found[0, 0] == 0
    # A window on its own goes the same way as one among windows with gaps.
    mixed = deviations_of(np.concatenate((windows, holes)))
    np.testing.assert_allclose(mixed[:50], deviations_of(windows))


def test_a_channel_that_starts_later_is_forecast_as_if_alone():
    y = make_series()
    late = y.copy()
    late.loc[DAYS[:70], "b"] = np.nan
    model = PETNNForecaster(**SMALL).fit(late)
    there = late["b"].dropna().to_numpy()
    assert (
        model._model.scaler.center[1]
        == Units.of(there[:, None], robust=True, n_steps=12).center[0]
    )
    interval = model.predict_interval([1, 6])
    assert np.isfinite(interval).to_numpy().all()
    residuals = model.predict_residuals()
    assert residuals["b"].notna().sum() == len(there)


def test_a_column_without_any_value_is_named():
    y = make_series().assign(b=np.nan)
    with pytest.raises(ValueError, match="no value in the column 'b': all 120 are missing"):
        PETNNForecaster(**SMALL).fit(y)
    panel = pd.concat({"p": make_series(), "q": y}, names=["id", "day"])
    for method in ("fit", "pretrain"):
        with pytest.raises(ValueError, match=r"1 of 2 series failed\.\n'q': y has no value"):
            getattr(PETNNForecaster(**SMALL), method)(panel)


def test_too_few_values_to_learn_from_are_refused():
    y = make_series()[["a"]]
    y.iloc[1:-1] = np.nan
    with pytest.raises(ValueError, match=r"too few values: in none of \d+ windows"):
        PETNNForecaster(**SMALL).fit(y)


def test_pretraining_takes_series_of_any_length_and_with_gaps():
    panel = _make_hierarchical((4,), min_timepoints=30, max_timepoints=60, random_state=0)
    rng = np.random.default_rng(0)
    holes = panel.mask(rng.random(panel.shape) < 0.3)
    holes = holes[rng.random(len(holes)) < 0.9]  # and times
    model = PETNNForecaster(**SMALL).pretrain(holes)
    assert model.pretrained_.sizes.told
    y = make_series()[["a"]]
    assert np.isfinite(copy.deepcopy(model).fit(y).predict([1, 9])).to_numpy().all()
    assert np.isfinite(model.fit(with_holes(y)).predict_interval([1, 9])).to_numpy().all()


def test_only_gaps_that_were_seen_often_count_as_known():
    values = np.zeros((2000, 1))
    values[:7] = np.nan  # a beginning, and no gap
    for start in range(20, 1000, 40):  # 25 gaps of three
        values[start : start + 3] = np.nan
    for start in range(1000, 1900, 90):  # ten of thirty
        values[start : start + 30] = np.nan
    assert learned_reach(values, 12) == 3
    assert learned_reach(values[:500], 12) == 0
    assert since_seen(values)[[6, 7, 20, 22, 23], 0].tolist() == [7, 0, 1, 3, 0]


# -- behind a gap ----------------------------------------------------------------------


def test_behind_a_gap_it_is_forecast_as_from_before_it(fitted):
    early, late = copy.deepcopy(fitted), copy.deepcopy(fitted)
    late.update(make_series(104)[100:] * np.nan, update_params=False)
    assert late.cutoff[0] == DAYS[103]
    pd.testing.assert_frame_equal(late.predict(range(1, 9)), early.predict(range(5, 13)))
    pd.testing.assert_frame_equal(
        late.predict_interval(range(1, 9)), early.predict_interval(range(5, 13))
    )


def test_intervals_are_asked_for_in_the_gap_too_but_not_of_what_is_known(fitted):
    late = copy.deepcopy(fitted).update(make_series(104)[100:] * np.nan, update_params=False)
    pd.testing.assert_frame_equal(
        late.predict_interval(range(-3, 3)), fitted.predict_interval(range(1, 7))
    )
    with pytest.raises(NotImplementedError, match=r"asks for 2000-04-11.* up to 2000-04-11"):
        late.predict_interval([-4])


def test_each_channel_is_forecast_from_where_it_ends(fitted):
    y = make_series(104)
    y.loc[DAYS[100:104], "a"] = np.nan
    late = copy.deepcopy(fitted).update(y[100:], update_params=False)
    whole = copy.deepcopy(fitted).update(make_series(104)[100:], update_params=False)
    found, steps = late.predict(range(1, 9)), range(1, 9)
    np.testing.assert_allclose(found["a"], fitted.predict(range(5, 13))["a"])
    np.testing.assert_allclose(found["b"], whole.predict(steps)["b"])
    interval = late.predict_interval([6])["b"]
    np.testing.assert_allclose(interval, whole.predict_interval([6])["b"])


def test_windows_in_a_gap_and_known_times_in_it_are_forecast_across_it(fitted):
    y = make_series()
    y.iloc[40:60] = np.nan  # longer than a window
    windows = fitted.predict_windows(y)
    for end in (38, 42, 55):  # the last step of a window
        one = copy.deepcopy(fitted).update(y[: end + 1], update_params=False)
        expected = one.predict(range(1, 7))
        np.testing.assert_allclose(windows[end - 11], expected, rtol=1e-9)
    model = copy.deepcopy(fitted).update(y, update_params=False)
    inside = model.predict([day - 119 for day in (40, 45, 59)])
    expected = copy.deepcopy(fitted).update(y[:40], update_params=False).predict([1, 6, 20])
    np.testing.assert_allclose(inside, expected, rtol=1e-9)


def test_errors_of_forecasts_across_a_gap_make_no_intervals(fitted):
    """They are of steps further ahead than they would count for."""
    y = make_series()
    y.iloc[100:110] = np.nan
    model = copy.deepcopy(fitted).update(y[100:], update_params=False)
    new = model._scores.errors[-20:]
    assert np.isnan(new[:10]).all()
    # The first value behind the gap has errors of none, the second of one step ahead.
    assert np.isnan(new[10]).all()
    assert (~np.isnan(new[11:16, :, 0])).sum(axis=1).tolist() == [1, 2, 3, 4, 5]


def test_one_by_one_or_at_once_over_gaps(fitted):
    y = with_holes(make_series(), 0.5)
    y.iloc[104:108] = np.nan
    one, many = copy.deepcopy(fitted), copy.deepcopy(fitted)
    many.update(y[100:], update_params=False)
    for t in range(100, 120):
        one.update(y[t : t + 1], update_params=False)
    pd.testing.assert_frame_equal(one.predict_interval([1, 9]), many.predict_interval([1, 9]))


def test_an_update_behind_a_gap_is_one_with_missing_values(fitted):
    y = make_series()
    there, behind = copy.deepcopy(fitted), copy.deepcopy(fitted)
    y.iloc[100:105] = np.nan
    there.update(y[100:])
    behind.update(y[105:])
    pd.testing.assert_frame_equal(behind.predict([1, 9]), there.predict([1, 9]))
    pd.testing.assert_frame_equal(behind.predict_interval([9]), there.predict_interval([9]))


def test_a_file_keeps_what_is_missing(tmp_path):
    X = with_holes(make_exogenous(120))
    model = PETNNForecaster(**SMALL).fit(with_holes(make_series()), X)
    sklearn_physrnn.save(model, tmp_path / "model.safetensors")
    same = sklearn_physrnn.load(tmp_path / "model.safetensors")
    future = make_exogenous()[120:]
    pd.testing.assert_frame_equal(same.predict([1, 2], future), model.predict([1, 2], future))
    assert same._model.reach == model._model.reach > 0
    np.testing.assert_array_equal(same._history.values, model._history.values)
    new = with_holes(make_series())[:3].set_axis(pd.date_range("2000-05-02", periods=3))
    for one in (model, same):
        one.update(new, X[:3].set_axis(new.index), update_params=True)
    assert (same.predict([-1]) == model.predict([-1])).to_numpy().all()


# -- exogenous columns -----------------------------------------------------------------


def test_of_columns_that_lacked_values_one_more_says_where():
    X = make_exogenous(120)
    X.loc[DAYS[10:20], "u"] = np.nan
    model = PETNNForecaster(**SMALL).fit(make_series(), X)
    features = model._model.features
    assert features.lacking == (0,)
    table = features.of(DAYS, X.to_numpy())
    assert table[:, 2].tolist() == X["u"].isna().astype(float).tolist()
    assert (table[10:20, 0] == 0).all()
    there = X["u"].dropna()
    np.testing.assert_allclose(table[:10, 0], (X["u"][:10] - there.mean()) / there.std(ddof=0))


def test_of_the_future_no_value_of_x_may_be_missing():
    X = make_exogenous()
    model = PETNNForecaster(**SMALL).fit(make_series(), with_holes(X[:120]))
    future = X[120:].copy()
    future.loc["2000-05-04", "v"] = np.nan
    model.predict([2], future)
    with pytest.raises(
        ValueError, match=r"X must hold finite numbers only, got nan at 2000-05-04.* 'v'"
    ):
        model.predict([3], future)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_infinity_is_refused_with_its_place(bad):
    y, X = with_holes(make_series()), make_exogenous(120)
    y.loc[DAYS[30], "b"] = bad
    with pytest.raises(ValueError, match=r"or NaN, got -?inf at 2000-02-02 .* in the column 'b'"):
        PETNNForecaster(**SMALL).fit(y)
    X.loc[DAYS[30], "u"] = bad
    with pytest.raises(ValueError, match=r"X must hold .*inf at 2000-02-02 .* in the column 'u'"):
        PETNNForecaster(**SMALL).fit(make_series(), X)


def test_a_forecast_depends_on_x_and_not_on_how_many_steps_are_asked_for():
    X = make_exogenous()
    model = PETNNForecaster(**SMALL | {"max_iter": 3}).fit(make_series(), X[:120])
    alone, among = model.predict([1], X[120:]), model.predict([1, 2, 6], X[120:])
    assert (alone.iloc[0] == among.iloc[0]).all()
    assert (model.predict([1], X[120:121]).iloc[0] != alone.iloc[0]).all()  # it does see X


def test_a_history_padded_with_a_gap_goes_on_from_its_end():
    history = History(np.ones((3, 1)), pd.RangeIndex(3), np.ones((3, 2)))
    padded = replace(history).after_gap(2, 1)
    assert list(padded.index) == list(range(5))
    assert np.isnan(padded.values[3:]).all()
    assert np.isnan(padded.exogenous[3:]).all()
