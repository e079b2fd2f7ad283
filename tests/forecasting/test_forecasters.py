import copy
import pickle
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback
from sktime.base import load
from sktime.datasets import load_airline, load_longley
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import mean_absolute_error

from sklearn_physrnn.forecasting import DynPMNNForecaster, PETNNForecaster
from tests.families import FORECASTERS

SMALL = {"hidden_size": 8, "window_length": 12, "horizon": 6, "max_iter": 3, "random_state": 0}


def make_series(n=120, n_channels=1, start="2000-01-01", freq="D", seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(n)[:, None]
    waves = (
        10
        + np.sin(2 * np.pi * t / 7 + np.arange(n_channels))
        + 0.1 * rng.normal(size=(n, n_channels))
    )
    index = pd.date_range(start, periods=n, freq=freq)
    frame = pd.DataFrame(waves, index, [f"y{k}" for k in range(n_channels)])
    return frame if n_channels > 1 else frame["y0"]


@pytest.fixture(scope="module")
def fitted():
    y = make_series()
    return PETNNForecaster(**SMALL).fit(y), y


# -- learning ------------------------------------------------------------------------


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_learns_a_wave(forecaster):
    y = make_series(140)
    train, test = y[:120], y[120:]
    model = forecaster(hidden_size=16, max_iter=30, random_state=0).fit(train)
    error = mean_absolute_error(test, model.predict(fh=range(1, 21)))
    naive = mean_absolute_error(test, NaiveForecaster().fit(train).predict(fh=range(1, 21)))
    assert error < naive / 3


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_constant_series_forecasts_its_constant(forecaster):
    y = pd.DataFrame({"still": np.full(60, 7.5), "moving": np.sin(np.arange(60.0))})
    model = forecaster(**SMALL).fit(y)
    prediction = model.predict(fh=[1, 6, 7, 20])
    np.testing.assert_allclose(prediction["still"], 7.5, rtol=1e-6)
    interval = model.predict_interval(fh=[1, 20])["still"]
    np.testing.assert_allclose(interval, 7.5, rtol=1e-6)
    assert np.isfinite(prediction["moving"]).all()


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_order_and_values_of_the_window_matter(forecaster):
    y = make_series(60).reset_index(drop=True)
    model = forecaster(**SMALL).fit(y)
    window = y[-12:].to_numpy()

    def forecast(values):
        moved = copy.deepcopy(model).update(
            pd.Series(values, range(60, 72), name=y.name), update_params=False
        )
        return moved.predict(fh=range(1, 7)).to_numpy()

    shuffled = np.concatenate((np.random.default_rng(0).permutation(window[:-1]), window[-1:]))
    assert not np.allclose(forecast(window), forecast(shuffled), atol=1e-3)


def test_scale_and_level_of_a_series_do_not_matter():
    y = make_series(60)
    plain = PETNNForecaster(**SMALL).fit(y).predict(fh=[1, 8])
    moved = PETNNForecaster(**SMALL).fit(1e6 * y - 3e7).predict(fh=[1, 8])
    np.testing.assert_allclose(moved, 1e6 * plain - 3e7, rtol=1e-4)


@pytest.mark.parametrize(
    "setting",
    [
        {"loss": "squared_error"},
        {"loss": "huber", "normalization": "standard"},
        {"normalization": None, "linear": True},
        {"interval": "quantile", "dropout": 0.5},
        {"interval": None, "refit": False, "linear": False},
        {"refit": True, "early_stopping": True},
        {"dtype": "float64", "optimizer": "sgd"},
        {"dtype": "bfloat16", "learning_rate": "cosine"},
    ],
)
def test_settings(setting):
    y = make_series(60, n_channels=2)
    model = DynPMNNForecaster(**SMALL, **setting).fit(y)
    assert np.isfinite(model.predict(fh=[1, 9]).to_numpy()).all()
    assert model.n_iter_ == len(model.loss_curve_) <= 3
    held_out = setting.get("interval", "conformal") is not None
    assert (model.validation_loss_curve_ is not None) == held_out


def test_refit_trains_on_the_held_out_part():
    y = make_series(80)
    once = PETNNForecaster(**SMALL, refit=False).fit(y)
    twice = PETNNForecaster(**SMALL, refit=True).fit(y)
    everything = PETNNForecaster(**SMALL, interval=None).fit(y)
    assert once.validation_loss_curve_ == twice.validation_loss_curve_
    fh = [1, 2]
    assert not np.allclose(once.predict(fh), twice.predict(fh))
    np.testing.assert_allclose(twice.predict(fh), everything.predict(fh), rtol=1e-10)


def test_early_stopping_keeps_the_best_weights():
    y = make_series(100)
    model = PETNNForecaster(
        **(SMALL | {"max_iter": 60}),
        early_stopping=True,
        n_iter_no_change=3,
        learning_rate_init=0.05,
        refit=False,
    ).fit(y)
    assert model.n_iter_ < 60
    assert model.best_loss_ == min(model.validation_loss_curve_)


# -- horizons ------------------------------------------------------------------------


def test_any_horizon_gives_the_same_steps(fitted):
    model, y = fitted
    whole = model.predict(fh=range(1, 21))
    assert whole.index[0] == y.index[-1] + pd.Timedelta(days=1)
    for fh in ([3, 1], [20], [6, 7], whole.index[[2, 11]]):
        part = model.predict(fh=fh)
        pd.testing.assert_series_equal(part, whole[part.index], check_freq=False)


def test_past_the_horizon_forecasts_are_rolled_out(fitted):
    model, _ = fitted
    first = model.predict(fh=range(1, 7))
    moved = copy.deepcopy(model).update(first, update_params=False)
    np.testing.assert_allclose(
        moved.predict(fh=range(1, 7)), model.predict(fh=range(7, 13)), rtol=1e-10
    )


def test_fh_may_come_early_or_late():
    y = make_series(60)
    early = PETNNForecaster(**SMALL).fit(y, fh=[1, 4]).predict()
    late = PETNNForecaster(**SMALL).fit(y).predict(fh=[1, 4])
    pd.testing.assert_series_equal(early, late)


def test_predict_windows_agrees_with_predict(fitted):
    model, _ = fitted
    y = make_series(40, seed=3)
    windows = model.predict_windows(y)
    assert windows.shape == (40 - 12 - 6 + 1, 6, 1)
    for i in (0, 7, 22):
        alone = copy.deepcopy(model).update(y[i : i + 12], update_params=False)
        np.testing.assert_allclose(windows[i, :, 0], alone.predict(fh=range(1, 7)), rtol=1e-10)


# -- exogenous data and the calendar -----------------------------------------------------


def make_exogenous(n=160, seed=0):
    """What comes is known from X alone: each value follows X of the same day."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2000-01-01", periods=n, freq="D")
    X = pd.DataFrame({"push": rng.normal(size=n), "noise": rng.normal(size=n)}, index)
    return 5 + 2 * X["push"].rename("y"), X


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_known_future_helps(forecaster):
    y, X = make_exogenous()
    setting = {"window_length": 4, "horizon": 2, "hidden_size": 16, "normalization": None,
               "interval": None, "learning_rate_init": 0.02, "max_iter": 25,
               "random_state": 0}  # fmt: skip
    train, test = slice(0, 150), slice(150, 160)
    fh = range(1, 11)
    without = forecaster(**setting).fit(y[train]).predict(fh)
    model = forecaster(**setting).fit(y[train], X[train])
    known = model.predict(fh, X[test])
    assert mean_absolute_error(y[test], known) < mean_absolute_error(y[test], without) / 2
    # Rows of X may come in any order of columns, with more columns and more times.
    more = X.assign(other=1.0)[["other", "noise", "push"]]
    pd.testing.assert_series_equal(model.predict(fh, more), known)


def test_past_exogenous_values_matter():
    y, X = make_exogenous(60)
    one = PETNNForecaster(**SMALL).fit(y[:50], X[:50])
    changed = X.copy()
    changed.iloc[42:50] += 3
    other = copy.deepcopy(one).update(y[40:50], changed[40:50], update_params=False)
    assert not np.allclose(one.predict([1], X[50:51]), other.predict([1], X[50:51]), rtol=1e-5)


def test_calendar_tells_the_day():
    """Sundays jump, and no value says that one comes."""
    index = pd.date_range("2000-01-01", periods=300, freq="D")
    rng = np.random.default_rng(0)
    y = pd.Series(rng.normal(size=300) * 0.01 + 3.0 * (index.dayofweek == 6), index)
    setting = {"window_length": 3, "horizon": 3, "hidden_size": 16, "normalization": None,
               "interval": None, "learning_rate_init": 0.02, "max_iter": 25,
               "random_state": 0}  # fmt: skip
    errors = {}
    for calendar in (None, ["day_of_week"]):
        model = PETNNForecaster(**setting, calendar=calendar).fit(y[:280])
        windows = model.predict_windows(y[280:])
        targets = np.lib.stride_tricks.sliding_window_view(y[283:], 3)
        errors[calendar is None] = np.abs(windows[:, :, 0] - targets).mean()
    assert errors[False] < errors[True] / 3


def test_longley_with_exogenous():
    y, X = load_longley()
    model = DynPMNNForecaster(hidden_size=8, max_iter=5, random_state=0).fit(y[:-3], X[:-3])
    prediction = model.predict([1, 2, 3], X[-3:])
    assert list(prediction.index) == list(y.index[-3:])


# -- multivariate ----------------------------------------------------------------------


def test_multivariate_keeps_names_and_order():
    y = make_series(60, n_channels=3)
    model = PETNNForecaster(**SMALL).fit(y)
    prediction = model.predict(fh=[1, 2])
    assert list(prediction.columns) == list(y.columns)
    quantiles = model.predict_quantiles(fh=[1, 2], alpha=[0.1, 0.9])
    assert list(quantiles.columns) == [(name, a) for name in y.columns for a in (0.1, 0.9)]
    for name in y.columns:
        middle = prediction[name]
        assert (quantiles[name, 0.1] < middle).all()
        assert (middle < quantiles[name, 0.9]).all()


# -- states ------------------------------------------------------------------------------


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_same_seed_same_forecast(forecaster):
    y = make_series(60)
    before = torch.random.get_rng_state()
    one, two, other = (
        forecaster(**(SMALL | {"random_state": seed})).fit(y).predict(fh=[1, 9])
        for seed in (0, 0, 1)
    )
    pd.testing.assert_series_equal(one, two)
    assert not np.allclose(one, other)
    torch.testing.assert_close(torch.random.get_rng_state(), before)


def test_trains_whatever_torch_is_set_to():
    y = make_series(60)
    with torch.inference_mode():
        inside = PETNNForecaster(**SMALL).fit(y[:50]).update(y[50:])
    outside = PETNNForecaster(**SMALL).fit(y[:50]).update(y[50:])
    pd.testing.assert_series_equal(inside.predict([1]), outside.predict([1]))


def test_interrupted_training_is_not_followed_by_another():
    class Interrupt(Callback):
        epochs = 0

        def on_epoch_end(self, net, **kwargs):
            Interrupt.epochs += 1
            if Interrupt.epochs == 2:
                signal.raise_signal(signal.SIGINT)

    with pytest.warns(ConvergenceWarning, match="interrupted"):
        PETNNForecaster(**SMALL, refit=True, callbacks=[Interrupt()]).fit(make_series(60))
    assert Interrupt.epochs == 2


def test_predictions_repeat(fitted):
    model, _ = fitted
    pd.testing.assert_series_equal(model.predict([1, 9]), model.predict([1, 9]))
    pd.testing.assert_frame_equal(model.predict_interval([1, 9]), model.predict_interval([1, 9]))


def test_copies_forecast_alike(fitted, tmp_path):
    model, _ = fitted
    expected = model.predict_interval([1, 9])
    model.save(tmp_path / "model")
    loaded = type(model).load_from_path(tmp_path / "model.zip")
    in_memory = load(model.save())
    for copied in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), loaded, in_memory):
        pd.testing.assert_frame_equal(copied.predict_interval([1, 9]), expected)
        copied.update(make_series(130)[120:])


def test_clone_and_set_params_forget(fitted):
    model, _ = fitted
    assert model.clone().get_params() == model.get_params()
    assert not model.clone().is_fitted
    changed = copy.deepcopy(model).set_params(hidden_size=3)
    assert changed.get_params()["hidden_size"] == 3
    assert not changed.is_fitted


def test_the_data_are_kept_once():
    y = make_series(5000)
    model = PETNNForecaster(**(SMALL | {"max_iter": 1}), batch_size=256).fit(y)
    assert len(pickle.dumps(model)) < 200_000
    assert model._y is None


def test_is_quiet(capsys, recwarn):
    PETNNForecaster(**SMALL).fit(make_series(60)).predict_interval([1])
    assert capsys.readouterr().out == ""
    assert not [w for w in recwarn if "remember_data" in str(w.message)]


def test_airline_defaults_beat_the_naive_forecaster():
    y = load_airline()
    train, test = y[:-36], y[-36:]
    fh = range(1, 37)
    error = mean_absolute_error(test, PETNNForecaster(random_state=0).fit(train).predict(fh))
    naive = mean_absolute_error(test, NaiveForecaster(sp=12).fit(train).predict(fh))
    assert error < naive
