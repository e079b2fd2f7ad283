"""Channels that idle for a time and then live, in y and in X."""

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.forecasting._features import Features
from sklearn_physrnn.forecasting._units import Units
from tests.families import FORECASTERS

SMALL = {"hidden_size": 8, "window_length": 8, "horizon": 4, "max_iter": 4, "random_state": 0}

# A product on sale from the 80th of 100 days on, or a sensor that is switched on.
IDLE = {"zeros": 0.0, "another constant": 5.0, "noise": 1e-7, "less noise": 1e-12}


def make_launch(idle, n_idle=80, n_living=20, seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=n_idle) if "noise" in idle else np.ones(n_idle)
    return pd.Series(np.r_[IDLE[idle] * noise, 100 + rng.normal(size=n_living)], name="y")


def assert_lives(model, lowest_width=0.5, **X):
    prediction = model.predict([1, 2, 6], **X).to_numpy()
    assert ((prediction > 90) & (prediction < 110)).all(), prediction
    low, high = model.predict_interval([1], coverage=0.9, **X).to_numpy()[0]
    assert high - low > lowest_width
    assert low < 103
    assert high > 97
    assert high - low < 60


# -- fit -----------------------------------------------------------------------------


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("idle", IDLE)
def test_a_product_launched_in_the_held_out_part_is_forecast_to_sell(forecaster, idle):
    assert_lives(forecaster(**SMALL).fit(make_launch(idle)))


@pytest.mark.parametrize(
    "setting",
    [
        {"normalization": "standard"},
        {"normalization": "last_standard"},
        {"early_stopping": True},
        {"refit": False},
        {"refit": False, "loss": "squared_error"},
        {"loss": "huber"},
    ],
)
@pytest.mark.parametrize("idle", ["zeros", "noise"])
def test_it_sells_whatever_the_setting(setting, idle):
    assert_lives(PETNNForecaster(**SMALL, **setting).fit(make_launch(idle)))


@pytest.mark.parametrize("options", [{}, {"refit": False}])
def test_one_late_channel_of_several(options):
    y = pd.DataFrame({"late": make_launch("noise"), "other": np.sin(np.arange(100.0))})
    prediction = PETNNForecaster(**SMALL, **options).fit(y).predict([1, 6])
    assert (prediction["late"] > 90).all()
    assert (prediction["other"].abs() < 2).all()


def test_promotions_that_begin_in_the_held_out_part_are_told_from_none():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"promotion": np.zeros(204)})
    X.loc[160:, "promotion"] = (rng.random(44) < 0.4).astype(float)
    X.loc[200:, "promotion"] = [1, 0, 1, 0]
    y = 10 + 0.1 * rng.normal(size=204) + 8 * X["promotion"].rename("y")
    setting = SMALL | {"max_iter": 50, "learning_rate_init": 0.02, "dropout": 0.0}
    model = PETNNForecaster(**setting).fit(y[:200], X[:200])
    prediction = model.predict([1, 2, 3, 4], X[200:]).to_numpy()
    assert (prediction[[0, 2]] - prediction[[1, 3]] > 4).all()


# -- where weights are kept -----------------------------------------------------------------


@pytest.mark.parametrize("idle", IDLE)
@pytest.mark.parametrize("update_params", [True, False])
def test_a_series_idle_when_fitted_wakes_up_with_updates(idle, update_params):
    y = make_launch(idle, 60, 60)
    model = PETNNForecaster(**SMALL).fit(y[:60])
    for t in range(60, 120, 20):
        model.update(y[t : t + 20], update_params=update_params)
    assert_lives(model)


def test_a_series_wakes_up_after_pretraining():
    rng = np.random.default_rng(1)
    panel = pd.concat(
        {i: pd.DataFrame({"y": rng.normal(size=40)}) for i in range(3)}, names=["id", "day"]
    )
    y = make_launch("zeros", 30, 30).to_frame()
    model = PETNNForecaster(**SMALL).pretrain(panel).fit(y[:30])
    assert_lives(model.update(y[30:], update_params=False))
    assert_lives(PETNNForecaster(**SMALL).pretrain(panel).fit(y))


def test_windows_of_another_series_than_the_constant_one_it_was_fitted_to():
    model = PETNNForecaster(**SMALL).fit(make_launch("zeros")[:80])
    windows = model.predict_windows(make_launch("zeros")[80:].reset_index(drop=True))
    assert ((windows > 90) & (windows < 110)).all()


def test_what_was_learned_survives_wild_values_and_new_levels():
    """Units are for life: a glitch, or a shift of level, is none."""
    values = np.random.default_rng(0).normal(size=(200, 1))
    units = Units.of(values, robust=True, n_steps=12)
    wild, shifted = values.copy(), values.copy()
    wild[[150, 170], 0] = 1e9, -99999
    shifted[150:] += 1e7
    for other in (wild, shifted):
        assert units.following(other, robust=True, n_steps=12) is units
    np.testing.assert_allclose(units.inverse(units.transform(shifted)), shifted)


def test_robust_units_are_not_those_of_wild_values_and_else_the_same():
    values = np.random.default_rng(0).standard_t(4, size=(500, 1))
    plain = Units.of(values, robust=False, n_steps=12)
    np.testing.assert_array_equal(Units.of(values, robust=True, n_steps=12).scale, plain.scale)
    values[::100] = 1e6
    robust = Units.of(values, robust=True, n_steps=12)
    assert plain.scale / 2 < robust.scale < 4 * plain.scale
    assert abs(robust.center - plain.center) < plain.scale
    assert Units.of(values, robust=False, n_steps=12).scale > 1e4


def test_robust_units_of_mostly_zeros_are_those_of_the_others():
    rng = np.random.default_rng(0)
    sold = (rng.random((400, 1)) < 0.2) * rng.poisson(5, size=(400, 1)) * 1.0
    units = Units.of(sold, robust=True, n_steps=12)
    np.testing.assert_allclose(units.scale, sold.std(axis=0))


def test_units_follow_the_channel_that_lives_alone():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(200, 3)) * [1, 1e-9, 0]
    units = Units.of(values, robust=True, n_steps=12)
    later = values.copy()
    later[185:, 1] = 70 + 3 * rng.normal(size=15)
    later[199, 2] = 4
    new = units.following(later, robust=True, n_steps=12)
    np.testing.assert_array_equal(new.scale[0], units.scale[0])
    np.testing.assert_array_equal(new.center[0], units.center[0])
    assert 1 < new.scale[1] < 100
    assert new.scale[2] > 0


def test_features_follow_idle_columns_and_saturate_beyond_all_experience():
    rng = np.random.default_rng(0)
    columns = np.c_[rng.normal(size=100), 1e-9 * rng.normal(size=100), np.zeros(100)]
    features = Features(columns, ["a", "b", "c"], ())
    assert features.following(columns) is features
    later = columns + [0, 5, 300] * (np.arange(100) % 3 == 0)[:, None]
    index = pd.RangeIndex(100)
    before, after = features.of(index, later), features.following(later).of(index, later)
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert np.abs(before).max() < 100
    np.testing.assert_allclose(after[:, 1:].std(axis=0), 1, rtol=1e-6)


# -- windows that stand still ---------------------------------------------------------------


@pytest.mark.parametrize("forecaster", FORECASTERS)
@pytest.mark.parametrize("normalization", ["last", "standard", "last_standard", None])
def test_a_shop_closed_for_a_whole_window_opens_when_x_says_so(forecaster, normalization):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"open": (rng.random(114) < 0.6).astype(float)})
    X.loc[100:109] = 0
    X.loc[110:] = 1
    y = X["open"].rename("y") * (50 + rng.normal(size=114))
    setting = SMALL | {"max_iter": 20, "learning_rate_init": 0.02, "interval": None}
    model = forecaster(**setting, normalization=normalization).fit(y[:110], X[:110])
    opens = model.predict([1, 2, 3, 4], X[110:]).mean()
    stays = model.predict([1, 2, 3, 4], 0 * X[110:]).mean()
    assert opens > 15
    assert opens - stays > 15


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_x_counts_where_a_window_is_one_step(forecaster):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"push": rng.normal(size=124)})
    y = 5 + 2 * X["push"].rename("y")
    setting = SMALL | {
        "window_length": 1,
        "max_iter": 25,
        "learning_rate_init": 0.02,
        "interval": None,
    }
    model = forecaster(**setting).fit(y[:120], X[:120])
    error = np.abs(model.predict([1, 2, 3, 4], X[120:]) - y[120:]).mean()
    assert error < np.abs(y[120:] - y[119]).mean() / 2
