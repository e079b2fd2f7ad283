"""What belongs to the whole process is as before after every call, also a failing one."""

import contextlib
import os
import pickle
import random
import signal
import warnings

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from skorch.callbacks import Callback

from sklearn_physrnn import DynPMNNRegressor
from tests.families import ENTRIES, SKLEARN, each


def state():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002 - the global one is meant
    return {
        "numpy": (kind, keys.tolist(), *rest),
        "random": random.getstate(),
        "torch": torch.get_rng_state().tolist(),
        "default dtype": torch.get_default_dtype(),
        "default device": torch.get_default_device(),
        "threads": torch.get_num_threads(),
        "gradients": (torch.is_grad_enabled(), torch.is_inference_mode_enabled()),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "autocast": torch.is_autocast_enabled("cpu"),
        "errors": np.geterr(),
        "warnings": list(warnings.filters),
        "interrupt": signal.getsignal(signal.SIGINT),
        "environment": dict(os.environ),
        "folder": (os.getcwd(), sorted(os.listdir())),
    }


@contextlib.contextmanager
def unchanged():
    before = state()
    yield
    after = state()
    for name, value in before.items():
        assert after[name] == value, name


@pytest.fixture(params=[torch.float32, torch.float64], ids=["float32", "float64"])
def _own_settings(request, tmp_path, monkeypatch):
    """Settings that are not the usual ones, to be found again."""
    monkeypatch.chdir(tmp_path)
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(2)
    torch.set_default_dtype(request.param)
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


class Fail(Callback):
    def __init__(self, error=None):
        self.error = error

    def on_epoch_end(self, net, **kwargs):
        if self.error is None:
            signal.raise_signal(signal.SIGINT)
        else:
            raise self.error


@pytest.mark.usefixtures("_own_settings")
@each(SKLEARN)
def test_every_call_leaves_the_process_as_it_was(kind):
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make(dropout=0.2, early_stopping=True, device="auto")
    with unchanged(), pytest.raises(NotFittedError):
        model.predict(X)
    with unchanged():
        model.fit(X, y)
    for method in ("predict", "predict_proba"):
        if hasattr(model, method):
            with unchanged():
                getattr(model, method)(X)
    with unchanged():
        model.score(X, y)
    with unchanged():
        model.partial_fit(X, y)
    with unchanged(), pytest.raises(ValueError, match="infinity"):
        model.predict(np.full_like(X, np.inf))
    with unchanged(), pytest.raises(ValueError, match="X has"):
        model.predict(X[..., :1])
    with unchanged(), pytest.raises(ValueError, match=r"\by\b|inconsistent"):
        model.fit(X, y[:-1])
    with unchanged(), pytest.raises(ZeroDivisionError):
        model.set_params(callbacks=[Fail(ZeroDivisionError())]).fit(X, y)
    with unchanged(), pytest.warns(ConvergenceWarning, match="interrupted"):
        model.set_params(callbacks=[Fail()]).fit(X, y)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_fit_where_gradients_are_switched_off(mode):
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = DynPMNNRegressor(hidden_size=4, max_iter=2, random_state=0)
    expected = model.fit(X, X[:, 0]).predict(X)
    with mode(), unchanged():
        found = model.fit(X, X[:, 0]).predict(X)
        loaded = pickle.loads(pickle.dumps(model))
        again = [loaded.predict(X) for _ in range(2)]
    for values in (found, *again, loaded.predict(X)):
        assert values.tobytes() == expected.tobytes()
    refitted = loaded.set_params(warm_start=True).fit(X, X[:, 0])
    assert refitted.n_iter_ == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda module: module.head.weight.mul_(2),
        lambda module: setattr(module.head, "bias", torch.nn.Parameter(module.head.bias + 1)),
        lambda module: setattr(module.head.bias, "data", module.head.bias + 1),
        lambda module: module.load_state_dict(
            {name: x + 0.1 for name, x in module.state_dict().items()}
        ),
    ],
    ids=["in place", "another parameter", "other data", "other weights"],
)
def test_a_prediction_sees_weights_that_were_changed_by_hand(change):
    X = np.random.default_rng(0).normal(size=(30, 4))
    model = DynPMNNRegressor(hidden_size=4, max_iter=2, random_state=0).fit(X, X[:, 0])
    before = model.predict(X)  # float64: with a copy of the float32 weights
    with torch.no_grad():
        change(model.module_)
    after = model.predict(X)
    assert np.abs(after - before).max() > 1e-3
    np.testing.assert_allclose(after, model.predict(X.astype(np.float32)), rtol=1e-3, atol=1e-4)
    assert model.predict(X).tobytes() == after.tobytes()
