"""``torch.set_default_device``, a common first line of notebooks, changes nothing."""

import pickle

import numpy as np
import pytest
import torch
from sktime.datasets import load_airline

import sklearn_physrnn
from sklearn_physrnn import DynPMNNRegressor, HSSMRegressor, PETNNRegressor
from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster


@pytest.fixture
def elsewhere():
    """Change the default to a device whose tensors hold no data: any made there would show."""

    def change():
        torch.set_default_device("meta")

    yield change
    torch.set_default_device(None)


@pytest.mark.parametrize("estimator", [DynPMNNRegressor, PETNNRegressor, HSSMRegressor])
def test_estimators(estimator, elsewhere, tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 4) if estimator is DynPMNNRegressor else (40, 7, 2))
    y = X.reshape(40, -1)[:, 0]
    model = estimator(hidden_size=4, max_iter=2, random_state=0, early_stopping=True)
    expected = model.fit(X, y).predict(X)
    elsewhere()
    np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), expected)
    assert np.isfinite(loaded.partial_fit(X, y).predict(X)).all()


@pytest.mark.parametrize("forecaster", [DynPMNNForecaster, PETNNForecaster, HSSMForecaster])
def test_forecasters(forecaster, elsewhere):
    y = load_airline()
    model = forecaster(hidden_size=4, max_iter=2, calendar=["month"], random_state=0)
    expected = model.fit(y[:-2]).predict_quantiles(range(1, 15), alpha=[0.1, 0.9])
    elsewhere()
    found = model.fit(y[:-2]).predict_quantiles(range(1, 15), alpha=[0.1, 0.9])
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(model.update(y[-2:]).predict([1])).all()
