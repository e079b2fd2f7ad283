"""Columns of X that are known up to the present only, or say which series it is."""

import pickle

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.forecasting._history import read

SMALL = {"hidden_size": 4, "window_length": 6, "horizon": 2, "max_iter": 2, "random_state": 0}
KNOWN, N = 90, 100


def make(seed=0):
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-01-01", periods=N, freq="D")
    X = pd.DataFrame(rng.normal(size=(N, 3)), index, ["price", "rain", "wind"])
    return pd.Series(X["price"] + X["rain"].shift(1, fill_value=0), name="sold"), X


@pytest.fixture(scope="module")
def fitted():
    y, X = make()
    model = PETNNForecaster(**SMALL, past_covariates=["wind", "rain"])
    return model.fit(y[:KNOWN], X[:KNOWN]), y, X


def test_only_the_others_are_asked_for(fitted):
    model, _, X = fitted
    ahead = X[KNOWN:]
    forecast = model.predict([1, 2, 5], X=ahead[["price"]])
    assert forecast.equals(model.predict([1, 2, 5], X=ahead * [1, 99, -5]))
    assert not forecast.equals(model.predict([1, 2, 5], X=ahead[["price"]] + 1))
    assert model.predict_interval([1, 5], X=ahead[["price"]]).notna().to_numpy().all()
    assert len(model.predict_paths([1, 5], X=ahead[["price"]], n_samples=2)) == 4
    with pytest.raises(ValueError, match=r"columns \['price'\]"):
        model.predict([1], X=ahead[["rain"]])


def test_what_was_known_counts_and_the_future_does_not(fitted):
    """No forecast of a backtest sees the values of its horizon."""
    model, y, X = fitted
    windows = model.predict_windows(y, X)
    later = X.copy()
    later.loc[later.index[50] :, ["rain", "wind"]] += 7
    changed = model.predict_windows(y, later)
    ends = np.arange(len(windows)) + model.window_length_
    np.testing.assert_array_equal(changed[ends <= 50], windows[ends <= 50])
    assert (changed[ends > 50] != windows[ends > 50]).all()


def test_forecasts_rolled_out_do_not_see_their_targets(fitted):
    model, y, X = fitted
    later = X[:KNOWN].copy()
    later.iloc[-8:, 1:] += 7  # of which forecasts from 8 and 10 steps before know nothing
    seen = read(y[:KNOWN].to_frame(), later, list(X))
    errors, changed = (
        [error[-1] for error in model._model.errors_ahead(history, 4)]
        for history in (model._history, seen)
    )
    np.testing.assert_array_equal(errors[3:], changed[3:])
    assert (np.array(errors[:3]) != changed[:3]).all()


def test_goes_on_through_updates_files_and_gaps(fitted, tmp_path):
    model, y, X = fitted
    ahead = X[KNOWN + 4 :][["price"]]
    model = pickle.loads(pickle.dumps(model))
    news = X[KNOWN : KNOWN + 4].copy()
    news.iloc[1, 1] = np.nan
    gone = y[KNOWN : KNOWN + 4].copy()
    gone.iloc[-2:] = np.nan
    model.update(gone, news, update_params=True)
    forecast = model.predict([1, 4], X=ahead)
    sklearn_physrnn.save(model, tmp_path / "model.safetensors")
    again = sklearn_physrnn.load(tmp_path / "model.safetensors")
    assert again.predict([1, 4], X=ahead).equals(forecast)
    assert again.past_covariates == ["wind", "rain"]
    assert model.predict([-5, 0]).notna().all()
    assert np.isfinite(model.predict_residuals()[:-2]).all()


def test_all_of_them(rng):
    y, X = make()
    model = PETNNForecaster(**SMALL, past_covariates=list(X)).fit(y[:KNOWN], X[:KNOWN])
    assert len(model.predict([1, 3])) == 2
    with pytest.raises(ValueError, match=r"past_covariates=\['snow'\] must be columns of X"):
        PETNNForecaster(**SMALL, past_covariates=["snow"]).fit(y, X)
    with pytest.raises(ValueError, match="got no X"):
        PETNNForecaster(**SMALL, past_covariates=["snow"]).fit(y)


@pytest.mark.filterwarnings("ignore:One value makes up")
def test_columns_that_tell_series_apart_are_not_asked_for(rng):
    """Two kinds of series, of which windows alone do not tell which jump at the next step."""
    index = pd.RangeIndex(40)
    y, X = {}, {}
    for key in range(8):
        y[key] = pd.DataFrame({"y": np.where(index % 10 < 5, 0.0, key % 2 + 1.0)}, index)
        X[key] = pd.DataFrame({"kind": float(key % 2), "rain": rng.normal(size=40)}, index)
    panel, tables = (pd.concat(parts, names=["key", "t"]) for parts in (y, X))
    model = PETNNForecaster(**SMALL, past_covariates=["rain"]).pretrain(panel, X=tables)
    assert model.pretrained_.features.static == (0,)
    model.fit(y[1], X=X[1])
    assert len(model.predict([1, 5])) == 2
    other = PETNNForecaster(**SMALL).pretrain(panel, X=tables)
    with pytest.raises(ValueError, match=r"columns \['rain'\]"):
        other.fit(y[1], X=X[1]).predict([1])
    # What changes in a new series is asked for there.
    moved = X[1].assign(kind=index / 40.0)
    with pytest.raises(ValueError, match=r"columns \['kind'\]"):
        model.fit(y[1], X=moved).predict([1])
    model.past_covariates = None
    with pytest.raises(ValueError, match=r"pretrained with \['rain'\]"):
        model.fit(y[1], X=X[1])
