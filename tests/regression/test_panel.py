"""PETNN and HSSM as regressors of sktime."""

import numpy as np
import pandas as pd
import pytest
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from sklearn_physrnn.regression import HSSMSeriesRegressor, PETNNSeriesRegressor

REGRESSORS = [PETNNSeriesRegressor, HSSMSeriesRegressor]


@parametrize_with_checks(REGRESSORS, obj_varname="kind", check_varname="check")
def test_sktime(kind, check):
    results = check_estimator(kind, tests_to_run=check, raise_exceptions=True, verbose=False)
    assert set(results.values()) <= {"PASSED"}


@pytest.fixture(params=REGRESSORS, ids=lambda kind: kind.__name__)
def model(request):
    sizes = {"hidden_size": 8} | ({"state_size": 8} if "HSSM" in request.param.__name__ else {})
    return request.param(**sizes, max_iter=4, random_state=0, device="cpu")


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 2, 15))
    return X, 50 + 10 * X[:, 0].mean(axis=1)


def test_learns(model, data):
    X, y = data
    model.set_params(max_iter=40, learning_rate_init=0.02, batch_size=16, alpha=0)
    assert model.fit(X[:40], y[:40]).score(X[40:], y[40:]) > 0.3


def test_one_network_predicts_several_targets(model, data):
    X, y = data
    targets = np.column_stack((y, -y, X[:, 1, -1]))
    predicted = model.fit(X, targets).predict(X)
    expected = model._wrapped(**model.get_params(deep=False)).fit(X.transpose(0, 2, 1), targets)
    np.testing.assert_array_equal(predicted, expected.predict(X.transpose(0, 2, 1)))
    assert not hasattr(model, "regressors_")

    frame = pd.DataFrame(targets, columns=["up", "down", "last"])
    named = model.fit(X, frame).predict(X)
    assert list(named.columns) == ["up", "down", "last"]
    np.testing.assert_allclose(named, predicted, rtol=1e-12)


def test_a_column_is_one_target(model, data):
    X, y = data
    expected = model.fit(X, y).predict(X)
    assert expected.shape == (60,)
    np.testing.assert_array_equal(model.fit(X, y[:, None]).predict(X), expected)
    np.testing.assert_array_equal(model.fit(X, pd.Series(y)).predict(X), expected)


def test_a_quantile(model, data):
    X, y = data
    model.set_params(loss="quantile", max_iter=15)
    low = model.set_params(quantile=0.05).fit(X, y).predict(X)
    high = model.set_params(quantile=0.95).fit(X, y).predict(X)
    assert np.mean(y < low) < np.mean(y < high)


def test_several_quantiles_are_refused(model, data):
    model.set_params(loss="quantile", quantile=[0.1, 0.9])
    with pytest.raises(
        ValueError, match=r"'quantile' parameter of \w+SeriesRegressor must be a fl"
    ):
        model.fit(*data)


def test_a_prediction_at_every_step_is_refused(data):
    with pytest.raises(ValueError, match="'readout' parameter of HSSMSeriesRegressor must be"):
        HSSMSeriesRegressor(readout="sequence").fit(*data)


def test_missing_targets(model, data):
    X, y = data
    y[3] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN"):
        model.fit(X, y)
