"""What is saved is what is loaded: predictions to the last bit, parameters, further training."""

import os
import subprocess
import sys
from dataclasses import fields, is_dataclass

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.utils.validation import check_is_fitted

import sklearn_physrnn
from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, PETNNRegressor

from ._models import CASES, SERIES, TABLE, TEXT, small, y


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


def reloaded(model, path, **options):
    model.save(path)
    return sklearn_physrnn.load(path, **options)


def in_single(X):
    return [x.astype(np.float32) for x in X] if isinstance(X, list) else X.astype(np.float32)


def assert_same(a, b):
    assert type(a) is type(b)
    if isinstance(a, np.ndarray):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, torch.nn.Module):
        assert_same(dict(a.state_dict()), dict(b.state_dict()))
        assert a.training is b.training is False
        assert [p.requires_grad for p in a.parameters()] == [
            p.requires_grad for p in b.parameters()
        ]
    elif is_dataclass(a):  # and not what it has cached
        for field in fields(a):
            assert_same(getattr(a, field.name), getattr(b, field.name))
    elif hasattr(a, "__dict__"):  # scalers and the like
        assert_same(vars(a), vars(b))
    else:
        assert a == b or (a != a and b != b)


@pytest.mark.parametrize("case", CASES)
def test_roundtrip(case, path):
    model, X, target = CASES[case]
    model = clone(model).fit(X, target)
    loaded = reloaded(model, path)
    check_is_fitted(loaded)

    for data in (X, in_single(X)):
        assert_same(loaded.predict(data), model.predict(data))
        if is_classifier(model):
            assert_same(loaded.predict_proba(data), model.predict_proba(data))

    before, after = model.get_params(), loaded.get_params()
    assert before.keys() == after.keys()
    for name, value in before.items():
        assert type(value) is type(after[name]) or isinstance(value, np.generic)
        np.testing.assert_equal(after[name], value)
    assert vars(model).keys() == vars(loaded).keys()
    for name, value in vars(model).items():
        if name not in before:
            assert_same(value, getattr(loaded, name))

    again = path.with_name("again")
    loaded.save(again)
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("case", ["dynpmnn", "sgd", "adam without decay", "members", "petnn",
                                  "petnn, two layers", "hssm", "labels: text"])  # fmt: skip
@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
def test_training_goes_on_as_if_nothing_had_been(case, how, path):
    model, X, target = CASES[case]
    model = clone(model).set_params(warm_start=True).fit(X, target)
    loaded = reloaded(model, path)
    for one in (model, loaded):
        one.fit(X, target) if how == "warm_start" else one.partial_fit(X, target)
    assert loaded.n_iter_ == model.n_iter_ > 2
    assert_same(loaded.predict(X), model.predict(X))
    assert_same(loaded._optimizer_state, model._optimizer_state)
    assert_same(reloaded(loaded, path).predict(X), model.predict(X))


def test_a_loaded_model_can_be_fitted_anew_and_cloned(path):
    model = small(DynPMNNRegressor).fit(TABLE, y)
    loaded = reloaded(model, path)
    fresh = loaded.fit(TABLE[:, :2], y).predict(TABLE[:, :2])
    assert_same(fresh, clone(loaded).fit(TABLE[:, :2], y).predict(TABLE[:, :2]))


def test_a_training_that_diverged_is_saved(path):
    model = small(DynPMNNRegressor, learning_rate_init=1e300, optimizer="sgd")
    with pytest.warns(Warning, match="no longer finite"):
        model.fit(TABLE, y)
    assert_same(reloaded(model, path).predict(TABLE), model.predict(TABLE))


def test_a_model_that_was_only_partially_fitted(path):
    model = small(DynPMNNClassifier).partial_fit(TABLE, TEXT, classes=["down", "left", "up"])
    loaded = reloaded(model, path)
    assert_same(loaded.predict_proba(TABLE), model.predict_proba(TABLE))


def test_parameters_of_no_consequence_for_the_module_may_change_after_fitting(path):
    model = small(PETNNRegressor).fit(SERIES, y)
    model.set_params(max_iter=7, learning_rate_init=0.5, warm_start=True, dtype="float64")
    loaded = reloaded(model, path)
    assert loaded.max_iter == 7
    assert_same(loaded.predict(SERIES), model.predict(SERIES))


def test_the_checkpoint_is_not_saved(path, tmp_path):
    model = small(DynPMNNRegressor).fit(TABLE, y).set_params(checkpoint=tmp_path / "training")
    assert reloaded(model, path).checkpoint is None
    assert model.checkpoint is not None


def test_the_device_is_kept_where_it_exists(path):
    model = small(DynPMNNRegressor).fit(TABLE, y)
    assert reloaded(model, path).device == "cpu"
    # As if fitted on a machine with a hundred GPUs.
    model.device = "cuda:99"
    loaded = reloaded(model, path)
    assert loaded.device == "auto"
    assert reloaded(model, path, device="cpu").device == "cpu"
    assert_same(loaded.set_params(device="cpu").predict(TABLE), model.predict(TABLE))
    loaded.partial_fit(TABLE, y)


@pytest.mark.parametrize("device", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_refused(device, path):
    small(DynPMNNRegressor).fit(TABLE, y).save(path)
    with pytest.raises(ValueError, match=device):
        sklearn_physrnn.load(path, device=device)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("case", ["dynpmnn", "petnn", "hssm"])
def test_a_model_fitted_on_a_gpu_loads_for_a_cpu(case, path):
    model, X, target = CASES[case]
    model = clone(model).set_params(device="cuda").fit(X, target)
    model.save(path)
    script = (
        "import sys, numpy as np, sklearn_physrnn as s, torch\n"
        "assert not torch.cuda.is_available()\n"
        "m = s.load(sys.argv[1])\n"
        "assert m.device == 'auto'\n"
        "np.save(sys.argv[3], m.predict(np.load(sys.argv[2])))"
    )
    np.save(path.with_suffix(".X.npy"), X)
    files = [path, path.with_suffix(".X.npy"), path.with_suffix(".y.npy")]
    subprocess.run(
        [sys.executable, "-c", script, *map(str, files)],
        env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, check=True,
    )  # fmt: skip
    assert_same(np.load(files[2]), model.set_params(device="cpu").predict(X))
    assert reloaded(model.set_params(device="cuda"), path).device == "cuda"


def test_loading_leaves_the_generators_alone(path):
    model = small(PETNNRegressor).fit(SERIES, y)
    before = torch.get_rng_state(), np.random.get_state()  # noqa: NPY002
    reloaded(model, path)
    assert_same((torch.get_rng_state(), np.random.get_state()), before)  # noqa: NPY002


def test_loading_imports_no_training(path):
    small(DynPMNNRegressor).fit(TABLE, y).save(path)
    script = (
        "import sys, sklearn_physrnn\n"
        "sklearn_physrnn.load(sys.argv[1])\n"
        "print([m for m in ('skorch', 'sktime', 'numba', 'pickle5') if m in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"
    assert result.stderr == ""
