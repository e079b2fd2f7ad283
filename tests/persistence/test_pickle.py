"""The other ways to keep a model: pickle, joblib and skops."""

import copy
import inspect
import io
import pickle

import joblib
import numpy as np
import pytest
import skops.io
import torch
from sklearn.base import clone
from sklearn.datasets import make_regression
from skorch.callbacks import EpochTimer

from sklearn_physrnn import DynPMNNRegressor, HSSMClassifier
from sklearn_physrnn.nn import VanDerPol

from ._models import CASES, SERIES, TABLE, TEXT, small, y

SOME = ["dynpmnn", "members", "labels: text", "petnn, ragged", "tokens", "hssm, time"]


def through_pickle(model):
    return pickle.loads(pickle.dumps(model))


def through_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file, compress=3)
    file.seek(0)
    return joblib.load(file)


def through_skops(model):
    data = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=data)
    assert trusted
    assert all(
        name.startswith(("sklearn_physrnn.estimators.", "sklearn_physrnn.preparation.", __name__))
        for name in trusted
    )
    return skops.io.loads(data, trusted=trusted)


@pytest.mark.parametrize("through", [through_pickle, through_joblib, through_skops])
@pytest.mark.parametrize("case", SOME)
def test_roundtrip(case, through):
    model, X, y = CASES[case]
    model = clone(model).fit(X, y)
    again = through(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(
        again.partial_fit(X, y).predict(X), model.partial_fit(X, y).predict(X)
    )


class Mine(HSSMClassifier):
    """A user's own class; its parameters are those of its parent, as scikit-learn has it."""


class Louder(torch.nn.Linear):
    """A part with something to it that is neither a weight nor a number."""

    gain = torch.full((), 2.0)

    def forward(self, x):
        return self.gain.to(x) * super().forward(x)


class MineWithAPart(DynPMNNRegressor):
    def _make_module(self):
        module = super()._make_module()
        module.head = Louder(module.head.in_features, module.head.out_features)
        return module


@pytest.mark.parametrize("through", [through_pickle, through_joblib, through_skops])
def test_a_class_of_ones_own(through):
    model = Mine(**small(HSSMClassifier).get_params()).fit(SERIES, TEXT)
    again = through(model)
    assert type(again) is Mine
    np.testing.assert_array_equal(again.predict_proba(SERIES), model.predict_proba(SERIES))
    np.testing.assert_array_equal(
        again.partial_fit(SERIES, TEXT).predict_proba(SERIES),
        model.partial_fit(SERIES, TEXT).predict_proba(SERIES),
    )


def test_a_class_of_ones_own_whose_network_is_ones_own_too():
    model = MineWithAPart(**small(DynPMNNRegressor).get_params()).fit(TABLE, y)
    model.module_.head.gain = torch.full((), 3.0)
    for again in (through_pickle(model), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict(TABLE), model.predict(TABLE))


def test_joblib_may_map_the_file_into_memory(tmp_path):
    model, X, y = CASES["dynpmnn"]
    model = clone(model).fit(X, y)
    joblib.dump(model, tmp_path / "model")
    mapped = joblib.load(tmp_path / "model", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict(X), model.predict(X))
    mapped.partial_fit(X, y)


@pytest.mark.parametrize(
    "change",
    [
        {"dynamics": VanDerPol(3)},
        {"dynamics": VanDerPol},
        {"callbacks": [EpochTimer()]},
        {"random_state": np.random.RandomState(0)},
    ],
    ids=lambda change: next(iter(change)),
)
@pytest.mark.parametrize("through", [through_pickle, copy.deepcopy, copy.copy])
def test_what_save_refuses_can_be_pickled(change, through):
    _, X, y = CASES["dynpmnn"]
    model = small(DynPMNNRegressor, **change).fit(X, y)
    np.testing.assert_array_equal(through(model).predict(X), model.predict(X))


def test_parameters_changed_after_fitting():
    _, X, y = CASES["dynpmnn"]
    model = small(DynPMNNRegressor).fit(X, y).set_params(hidden_size=5, solver="rk4")
    again = through_pickle(model)
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.hidden_size == 5


def test_an_unfitted_estimator():
    assert through_pickle(DynPMNNRegressor(hidden_size=5)).hidden_size == 5
    assert not hasattr(through_pickle(DynPMNNRegressor()), "module_")


def test_a_pickle_from_before_arrays_stood_in_for_the_module():
    model, X, y = CASES["hssm"]
    model = clone(model).fit(X, y)
    old = type(model)()
    old.__setstate__(copy.deepcopy(vars(model)))
    np.testing.assert_array_equal(old.predict(X), model.predict(X))


@pytest.mark.parametrize("case", ["dynpmnn", "petnn", "hssm"])
def test_a_pickle_from_before_there_was_a_parameter(case):
    model, X, y = CASES[case]
    model = clone(model).fit(X, y)
    state = model.__getstate__()
    for name in ("dropout", "verbose"):
        model.set_params(**{name: inspect.signature(type(model)).parameters[name].default})
        del state[name]
    old = type(model).__new__(type(model))
    old.__setstate__(state)
    assert old.get_params() == model.get_params()
    np.testing.assert_array_equal(old.predict(X), model.predict(X))


def test_a_fitted_model_of_a_large_table_is_small(tmp_path):
    # As many rows and columns as California Housing has.
    X, y = make_regression(20640, 8, random_state=0)
    model = DynPMNNRegressor(max_iter=1, random_state=0, device="cpu").fit(X, y)
    model.predict(X)
    model.save(tmp_path / "model")
    assert len(pickle.dumps(model)) < 200_000
    assert (tmp_path / "model").stat().st_size < 200_000
