"""``torch.set_default_device``, a common first line of notebooks, changes nothing."""

import pickle

import numpy as np
import pytest
import torch
from sktime.datasets import load_airline

import sklearn_physrnn
from tests.families import ENTRIES, FORECASTERS, REGRESSORS, each


@pytest.fixture
def elsewhere():
    """Change the default to a device whose tensors hold no data: any made there would show."""

    def change():
        torch.set_default_device("meta")

    yield change
    torch.set_default_device(None)


@each(REGRESSORS)
def test_estimators(kind, elsewhere, tmp_path):
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make(early_stopping=True, device="auto")
    expected = model.fit(X, y).predict(X)
    elsewhere()
    np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(X), expected)
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), expected)
    assert np.isfinite(loaded.partial_fit(X, y).predict(X)).all()


@each(FORECASTERS)
def test_forecasters(kind, elsewhere):
    y = load_airline()
    model = ENTRIES[kind].make(calendar=["month"], device="auto")
    expected = model.fit(y[:-2]).predict_quantiles(range(1, 15), alpha=[0.1, 0.9])
    elsewhere()
    found = model.fit(y[:-2]).predict_quantiles(range(1, 15), alpha=[0.1, 0.9])
    np.testing.assert_array_equal(found, expected)
    assert np.isfinite(model.update(y[-2:]).predict([1])).all()
