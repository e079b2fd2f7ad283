"""A model is the same wherever it was trained, and in half precision where that is asked for."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from torch import nn

import sklearn_physrnn
from sklearn_physrnn.estimators import _base
from sklearn_physrnn.training import _engine
from sklearn_physrnn.training._engine import train
from sklearn_physrnn.training._losses import SquaredError
from tests.families import takes_tables, through_each_kernel
from tests.helpers.backends import on_the_gpu
from tests.helpers.recorder import LooksAtBatches

from ._kinds import CPU, _options, _ragged, _Sum

META = torch.device("meta")


def test_mixed_precision_is_the_modules_alone():
    module, seen = _Sum(), []

    class Criterion(nn.Module):
        def forward(self, prediction, target):
            kind = "trained" if self.training else "validated"
            seen.append((kind, prediction.dtype, torch.is_autocast_enabled("cpu")))
            return SquaredError()(prediction, target)

    module.map.register_forward_hook(lambda m, x, y: seen.append(("module", y.dtype, None)))
    options = _options(amp_dtype=torch.bfloat16, max_epochs=1)
    train(module, Criterion(), _ragged(), options, validation=_ragged())
    assert set(seen) == {
        ("module", torch.bfloat16, None),
        ("trained", torch.float32, False),
        ("validated", torch.float32, False),
    }


def _table(rng):
    X = rng.normal(size=(200, 4))
    return X, X[:, 0] * X[:, 1] + X[:, 2]


def _sequences(rng):
    X = rng.normal(size=(60, 30, 2))
    return [x[: 15 + i % 16] for i, x in enumerate(X)], X[:, :15, 0].mean(1)


# Without dropout, whose masks each device draws from a generator of its own.
ESTIMATORS = through_each_kernel(
    hidden_size=16, max_iter=4, batch_size=32, dropout=0.0, random_state=0
)


def _data(model, rng):
    X, y = (_table if takes_tables(model) else _sequences)(rng)
    return X, (y > np.median(y)).astype(int) if hasattr(model, "predict_proba") else y


def _predict(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


class _BuiltError(Exception):
    pass


@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_initial_weights_are_drawn_on_the_cpu(model, rng, monkeypatch):
    X, y = _data(model, rng)
    modules = []

    def stop(module, *args, **kwargs):
        modules.append(module)
        raise _BuiltError

    monkeypatch.setattr(_engine, "train", stop)
    for device in (CPU, META):
        monkeypatch.setattr(_base, "training_device", lambda name, it=device: it)
        with pytest.raises(_BuiltError):
            model.fit(X, y)
    first, second = ([*m.parameters(), *m.buffers()] for m in modules)
    assert {x.device for x in first + second} == {CPU}
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


# In float64 nothing but the order of sums differs, and four epochs magnify it little. In
# float32 every step rounds at 6e-8 and Adam divides small gradients by their own size:
# some hundred steps carry that to a few thousandths of a standard deviation. bfloat16
# rounds at 4e-3.
TOLERANCE = {"float64": 1e-6, "float32": 2e-2, "bfloat16": 0.2}


@on_the_gpu
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_cpu_and_gpu_agree(model, dtype, rng):
    X, y = _data(model, rng)
    model.set_params(dtype=dtype)
    on_cpu = _predict(model.set_params(device="cpu").fit(X, y), X)
    on_gpu = _predict(model.set_params(device="cuda").fit(X, y), X)
    assert np.abs(on_gpu - on_cpu).max() < TOLERANCE[dtype] * on_cpu.std()
    again = _predict(model.fit(X, y), X)
    assert np.array_equal(again, on_gpu)


@on_the_gpu
@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_a_fitted_model_moves(model, rng, tmp_path):
    X, y = _data(model, rng)
    model.set_params(dtype="float32", device="cuda").fit(X, y)
    expected = _predict(model, X)
    scale = np.abs(expected).max()
    model.save(tmp_path / "model")
    for other in (
        model.set_params(device="cpu"),
        pickle.loads(pickle.dumps(model)),
        sklearn_physrnn.load(tmp_path / "model"),
    ):
        # Weights are float32, predictions float64.
        np.testing.assert_allclose(_predict(other, X), expected, rtol=0, atol=1e-9 * scale)


@on_the_gpu
@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("model", ESTIMATORS, ids=repr)
def test_no_step_waits_for_the_gpu(model, streamed, rng, monkeypatch):
    from sklearn_physrnn.training._net import Net

    if streamed:
        monkeypatch.setattr(_engine, "has_room", lambda *_: False)
    X, y = _data(model, rng)
    checked = []

    def strictly(method):
        def step(net, batch, *args, **kwargs):
            if len(net.history) < 2:  # compiles
                return method(net, batch, *args, **kwargs)
            checked.append(len(net.history))
            before = torch.cuda.get_sync_debug_mode()
            torch.cuda.set_sync_debug_mode("error")
            try:
                return method(net, batch, *args, **kwargs)
            finally:
                torch.cuda.set_sync_debug_mode(before)

        return step

    for name in ("train_step", "validation_step"):
        monkeypatch.setattr(Net, name, strictly(getattr(Net, name)))
    # Those that are replayed are one launch, which waits for nothing.
    one_by_one = {"callbacks": [LooksAtBatches()]}
    model = clone(model).set_params(device="cuda", dtype="float32", **one_by_one)
    model.fit(X, y, X_val=X, y_val=y)
    assert max(checked) == 4
