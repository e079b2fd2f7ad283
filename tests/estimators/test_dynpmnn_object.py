"""DynPMNNRegressor and DynPMNNClassifier as objects: copied, searched, saved, kept quiet."""

import copy
import pickle
import random

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.estimators import _running

from ._dynpmnn import BOTH, QUICK, TARGET, Recorder, X, _outputs, _y


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fitted", [np.float32, np.float64])
def test_predictions_take_the_type_of_x(kind, dtype, fitted):
    model = kind(**QUICK).fit(X.astype(fitted), _y(kind))
    assert _outputs(model, X.astype(dtype)).dtype == dtype
    np.testing.assert_allclose(_outputs(model, X.astype(np.float32)), _outputs(model), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_whole_numbers_are_predicted_in_float64(dtype):
    model = DynPMNNRegressor(**QUICK).fit(X > 0, TARGET)
    assert model.predict((X > 0).astype(dtype)).dtype == np.float64


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_precision(kind, dtype):
    model = kind(**{**QUICK, "max_iter": 20}, dtype=dtype).fit(X, _y(kind))
    expected = torch.float64 if dtype == "float64" else torch.float32
    assert {p.dtype for p in model.module_.parameters()} == {expected}
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@BOTH
def test_feature_names(kind):
    frame = pd.DataFrame(X, columns=["u", "v", "w"])
    model = kind(**QUICK).fit(frame, pd.Series(_y(kind)))
    assert list(model.feature_names_in_) == ["u", "v", "w"]
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["v", "u", "w"]])


@BOTH
def test_copies_predict_alike(kind, tmp_path):
    model = kind(**QUICK).fit(X, _y(kind))
    joblib.dump(model, tmp_path / "model")
    copies = [
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        joblib.load(tmp_path / "model"),
    ]
    for other in copies:
        np.testing.assert_array_equal(_outputs(other), _outputs(model))
    with pytest.raises(NotFittedError):
        _outputs(clone(model))


@BOTH
def test_predicting_leaves_no_trace(kind):
    model = kind(**QUICK).fit(X, _y(kind))
    before = pickle.dumps(model)
    _outputs(model)
    _outputs(model, X.astype(np.float32))
    assert pickle.dumps(model) == before


@BOTH
def test_a_model_for_a_gpu_predicts_without_one(kind, monkeypatch):
    model = kind(**QUICK).fit(X, _y(kind))
    expected = _outputs(model)
    model.set_params(device="cuda")  # as fitted elsewhere
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(_outputs(loaded), expected)
    assert {p.device.type for p in loaded.module_.parameters()} == {"cpu"}
    with pytest.raises(ValueError, match="device='cuda' is not available"):
        loaded.fit(X, _y(kind))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@BOTH
def test_a_model_fitted_on_a_gpu_pickles_for_a_cpu(kind):
    model = kind(**QUICK, device="cuda").fit(X, _y(kind))
    data = pickle.dumps(model)
    assert b"cuda:0" not in data
    cpu = pickle.loads(data).set_params(device="cpu")
    np.testing.assert_allclose(_outputs(cpu), _outputs(model), rtol=1e-4, atol=1e-5)


@BOTH
def test_parameters_round_trip(kind):
    model = kind(**QUICK, callbacks=[Recorder()])
    parameters = model.get_params()
    other = kind().set_params(**parameters)
    assert other.get_params() == parameters
    model.fit(X, _y(kind))
    assert model.get_params() == parameters


@BOTH
def test_grid_search_in_a_pipeline_in_two_processes(kind):
    pipeline = make_pipeline(StandardScaler(), kind(**QUICK))
    name = kind.__name__.lower()
    grid = {f"{name}__hidden_size": [4, 8], f"{name}__solver": ["euler", "heun"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, _y(kind))
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    alone = GridSearchCV(pipeline, grid, cv=2, n_jobs=1).fit(X, _y(kind))
    # Workers may have other numbers of threads, and with them other roundings.
    np.testing.assert_allclose(alone.cv_results_["mean_test_score"], scores, rtol=1e-5, atol=1e-6)


@BOTH
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_same_seed_same_result_in_parallel(kind, backend):
    model = kind(**QUICK, dropout=0.3, batch_size=16)
    expected = cross_val_score(model, X, _y(kind), cv=4)
    with joblib.parallel_backend(backend, n_jobs=2):
        found = cross_val_score(model, X, _y(kind), cv=4)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    other = cross_val_score(clone(model).set_params(random_state=1), X, _y(kind), cv=4)
    assert not np.allclose(other, expected, rtol=1e-3)


@BOTH
def test_fitting_leaves_the_global_state_alone(kind, tmp_path, monkeypatch):
    def state():
        return (
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - what is looked at
            random.getstate(),
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            np.geterr(),
        )

    monkeypatch.chdir(tmp_path)
    before = state()
    model = kind(**{**QUICK, "random_state": None}, dropout=0.2).fit(X, _y(kind))
    after = state()
    # random_state=None draws from numpy's generator, as everywhere in scikit-learn.
    assert before[1:] == after[1:]
    before = state()
    kind(**QUICK, dropout=0.2, early_stopping=True).fit(X, _y(kind))
    _outputs(model)
    assert state() == before
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_silent_unless_verbose(kind, capfd):
    kind(**QUICK).fit(X, _y(kind))
    assert capfd.readouterr() == ("", "")
    kind(**QUICK, verbose=2).fit(X, _y(kind))
    out = capfd.readouterr().out.splitlines()
    assert len(out) == 3
    assert out[-1].startswith("Epoch 3/3: training loss")


@BOTH
def test_large_predictions_run_in_batches(kind, monkeypatch):
    model = kind(**QUICK).fit(X, _y(kind))
    expected = _outputs(model)
    monkeypatch.setattr(_running, "rows_at_a_time", lambda x, hidden_size: 7)
    np.testing.assert_allclose(_outputs(model), expected, rtol=1e-12)
