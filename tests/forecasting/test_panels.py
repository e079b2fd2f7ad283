"""Panels and hierarchies: each series goes by its key, and an error says of which it is."""

import copy

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn.forecasting import HSSMForecaster, PETNNForecaster

SMALL = {"hidden_size": 4, "window_length": 8, "horizon": 4, "max_iter": 1, "random_state": 0}
DAYS = pd.date_range("2024-01-01", periods=60)
LEVELS = {"a": 10.0, "b": 1000.0, "c": -50.0}


def make_series(level, days=DAYS):
    return pd.DataFrame({"v": level + np.sin(np.arange(len(days)))}, days)


def make_panel(keys="abc", days=DAYS):
    return pd.concat({k: make_series(LEVELS[k], days) for k in keys}, names=["id", "day"])


def one_row(keys, day="2024-03-01"):
    """What a database gives: a row a series, without a frequency."""
    index = pd.MultiIndex.from_product([list(keys), pd.DatetimeIndex([day])], names=["id", "day"])
    return pd.DataFrame({"v": [LEVELS[key] for key in keys]}, index)


@pytest.fixture(scope="module")
def fitted():
    return PETNNForecaster(**SMALL).fit(make_panel())


def level_of(forecast):
    return forecast["v"].groupby(level=0).mean().to_dict()


@pytest.mark.parametrize("update_params", [False, True])
def test_series_in_another_order_are_put_right(fitted, update_params):
    model = copy.deepcopy(fitted).update(one_row("cab"), update_params=update_params)
    assert level_of(model.predict([1, 2])) == pytest.approx(LEVELS, abs=3)
    assert list(model.forecasters_.index) == ["a", "b", "c"]
    told = copy.deepcopy(fitted).update(one_row("abc"), update_params=update_params)
    pd.testing.assert_frame_equal(model.predict([1]), told.predict([1]))
    one = copy.deepcopy(fitted).update_predict_single(one_row("cab"), [1], update_params=False)
    assert level_of(one) == pytest.approx(LEVELS, abs=3)


def test_exogenous_values_go_to_their_series():
    X, y = make_panel(), make_panel()
    X_turned = pd.concat([X.loc[[key]] for key in "cab"])
    one, other = (
        PETNNForecaster(**SMALL).fit(y[y.index.get_level_values(1) < DAYS[50]], data)
        for data in (X, X_turned)
    )
    expected = one.predict([1, 2], X)
    pd.testing.assert_frame_equal(other.predict([1, 2], X), expected)
    pd.testing.assert_frame_equal(one.predict([1, 2], X_turned), expected)
    with pytest.raises(ValueError, match="X must have every series that y has; it lacks 'b'"):
        one.predict([1, 2], X.drop(index="b"))


def test_some_of_the_series_may_have_news(fitted):
    model = copy.deepcopy(fitted).update(one_row("b"), update_params=False)
    forecast = model.predict([1])
    assert level_of(forecast) == pytest.approx(LEVELS, abs=3)
    days = forecast.index.get_level_values(1)
    assert list(days) == list(pd.DatetimeIndex(["2024-03-01", "2024-03-02", "2024-03-01"]))


def test_a_new_series_is_named(fitted):
    new = one_row("b").rename(index={"b": "shop 4"})
    with pytest.raises(ValueError, match=r"y has the series 'shop 4', which .* not fitted to"):
        copy.deepcopy(fitted).update(new)


@pytest.mark.parametrize("forecaster", [PETNNForecaster, HSSMForecaster])
def test_a_row_without_a_frequency_is_the_next_step(forecaster):
    y = make_series(10.0)["v"]
    model = forecaster(**SMALL).fit(y)
    new = pd.Series([10.0], pd.DatetimeIndex(["2024-03-01"]), name="v")
    model.update(new, update_params=False)
    relative = model.predict([1, 2])
    assert list(relative.index) == list(pd.DatetimeIndex(["2024-03-02", "2024-03-03"]))
    bare = pd.DatetimeIndex(["2024-03-02", "2024-03-03"])
    for fh in (bare, bare[1:]):
        absolute = model.predict(fh)
        pd.testing.assert_series_equal(absolute, relative[fh], check_freq=False)
        assert len(model.predict_interval(fh)) == len(fh)
    two = new.reindex(bare).fillna(10.0)
    assert model.update(two).predict([1]).index[0] == pd.Timestamp("2024-03-04")


def test_a_row_a_series_without_a_frequency_is_the_next_step(fitted):
    model = copy.deepcopy(fitted).update(one_row("abc"), update_params=False)
    relative = model.predict([1, 2])
    fh = pd.DatetimeIndex(["2024-03-02", "2024-03-03"])
    pd.testing.assert_frame_equal(model.predict(fh), relative)
    assert model.predict_interval(fh).shape == (6, 2)


def test_a_row_off_the_grid_of_times_is_refused():
    model = PETNNForecaster(**SMALL, missing="error").fit(make_series(10.0)["v"])
    for time, message in (
        (
            "2024-03-01 07:00",
            "up to 2024-02-29 00:00:00, .* by steps of 'D'; got 1, from 2024-03-01 07",
        ),
        ("2024-03-05", "values that follow those up to 2024-02-29"),
    ):
        with pytest.raises(ValueError, match=message):
            model.update(pd.Series([1.0], pd.DatetimeIndex([time]), name="v"))
    with pytest.raises(ValueError, match="dates without a time zone, got dates in a time zone"):
        model.update(pd.Series([1.0], pd.DatetimeIndex(["2024-03-01"], tz="UTC"), name="v"))


def test_dates_of_another_time_zone_are_the_same_dates():
    y = make_series(10.0)["v"].tz_localize("UTC")
    model, other = (PETNNForecaster(**SMALL).fit(y[:50]) for _ in range(2))
    model.update(y[50:], update_params=False)
    other.update(y[50:].tz_convert("Asia/Tokyo"), update_params=False)
    pd.testing.assert_series_equal(other.predict([1]), model.predict([1]))


# -- errors -------------------------------------------------------------------------------


def broken_panel():
    parts = {key: make_series(10.0) for key in ("good", "gap", "also a gap", "short", "wild")}
    parts["gap"] = parts["gap"].drop(DAYS[20])
    parts["also a gap"] = parts["also a gap"].drop(DAYS[[30, 31]])
    parts["short"] = parts["short"][:5]
    parts["wild"].iloc[7] = np.inf
    return pd.concat(parts, names=["id", "day"])


def test_all_series_that_fit_refuses_are_named_before_any_training(monkeypatch):
    monkeypatch.setattr(PETNNForecaster, "_train", None)  # would fail
    with pytest.raises(ValueError, match="4 of 5 series failed") as error:
        PETNNForecaster(**SMALL, missing="error").fit(broken_panel())
    message = str(error.value)
    for part in (
        "'gap': A frequency is needed",
        "but 2024-01-21 00:00:00 is missing",
        "but 2024-01-31 00:00:00 and 1 more are missing",
        "'also a gap': A frequency is needed",
        "'short': y has 5 time steps",
        "'wild': y must hold finite numbers only, got inf at 2024-01-08",
    ):
        assert part in message
    assert "'good'" not in message


def test_one_message_names_all_series_it_is_of():
    short = pd.concat({key: make_series(1.0)[:5] for key in "pqr"}, names=["id", "day"])
    with pytest.raises(ValueError, match="\n'p', 'q', 'r': y has 5 time steps"):
        PETNNForecaster(**SMALL).fit(short)


def test_all_series_that_pretrain_refuses_are_named():
    with pytest.raises(ValueError, match="3 of 5 series failed") as error:
        PETNNForecaster(**SMALL, missing="error").pretrain(broken_panel())
    for key in ("'gap': A freq", "'also a gap': A freq", "'wild': y must hold finite"):
        assert key in str(error.value)


def test_series_too_short_to_learn_from_are_left_out_with_a_warning():
    y = pd.concat({"one row": make_series(1.0)[:1], "a": make_series(10.0)}, names=["id", "day"])
    with pytest.warns(UserWarning, match="1 of 2 series of y are too short .*: 'one row'"):
        PETNNForecaster(**SMALL).pretrain(y)


def test_missing_values_are_said_to_be_in_which_series():
    y = make_panel()
    y.iloc[[70, 71, 130]] = np.nan
    for method in ("fit", "pretrain"):
        with pytest.raises(
            ValueError,
            match=r"missing data .* 'b' at 2024-01-11.*, in the series 'c' at 2024-01-11",
        ):
            getattr(PETNNForecaster(**SMALL, missing="error"), method)(y)


def test_an_update_that_fails_for_one_series_changes_none(fitted):
    model = copy.deepcopy(fitted)
    expected = model.predict([1, 2])
    new = pd.concat([one_row("ab"), one_row("c", "2024-03-01 07:00")])
    with pytest.raises(ValueError, match=r"1 of 3 series failed\.\n'c': update needs values"):
        model.update(new)
    pd.testing.assert_frame_equal(model.predict([1, 2]), expected)


def test_hierarchies_name_all_levels_of_a_key():
    index = pd.MultiIndex.from_product([["north"], ["x", "y"], DAYS[:5]], names=["r", "s", "t"])
    with pytest.raises(ValueError, match=r"\('north', 'x'\), \('north', 'y'\): y has 5 time"):
        PETNNForecaster(**SMALL).fit(pd.DataFrame({"v": 1.0 * np.arange(10)}, index))
