"""What device="auto" means to estimators: a GPU where it pays."""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.estimators import _running
from sklearn_physrnn.training import _device, _engine
from tests.families import ENTRIES, FORECASTERS, REGRESSORS, each, takes_tables


class _AskedError(Exception):
    pass


@pytest.mark.parametrize(("device", "expected"), [("auto", True), ("cpu", False)])
def test_only_auto_leaves_small_work_on_the_cpu(device, expected, rng, monkeypatch):
    def stop(module, criterion, samples, options, **kwargs):
        raise _AskedError(options.cpu_if_small)

    monkeypatch.setattr(_engine, "train", stop)
    X = rng.normal(size=(20, 2))
    with pytest.raises(_AskedError, match=str(expected)):
        DynPMNNRegressor(device=device).fit(X, X[:, 0])


@each(REGRESSORS)
def test_predictions_tell_how_much_they_visit(kind, rng, monkeypatch):
    X = rng.normal(size=(20, 2) if takes_tables(kind) else (20, 7, 2))
    model = ENTRIES[kind].make(device="auto").fit(X, X.reshape(20, -1)[:, 0])
    asked = []

    def inference_device(name, module, positions):
        asked.append((name, module, positions))
        return torch.device("cpu")

    monkeypatch.setattr(_running, "inference_device", inference_device)
    model.predict(X)
    assert asked == [("auto", model.module_, 20 if takes_tables(kind) else 140)]


def test_a_small_model_is_fitted_and_predicts_as_if_there_were_no_gpu(rng, monkeypatch):
    monkeypatch.setattr(_device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(_device.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("sklearn_physrnn.training._random._cuda_in_use", lambda: False)
    X = rng.normal(size=(40, 2))
    model = DynPMNNRegressor(max_iter=2, random_state=0).fit(X, X[:, 0])
    assert np.isfinite(model.predict(X)).all()


@each(FORECASTERS)
def test_small_forecasts_likewise(kind, rng, monkeypatch):
    monkeypatch.setattr(_device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(_device.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr("sklearn_physrnn.training._random._cuda_in_use", lambda: False)
    forecaster = ENTRIES[kind].make(device="auto")
    forecast = forecaster.fit(pd.Series(rng.normal(size=60)), fh=[1, 2]).predict()
    assert np.isfinite(forecast).all()
