"""Nothing in a training step looks at a value, which would wait for a GPU.

There need not be one: whatever asks for a value passes through torch, which tells.
"""

import numpy as np
import pandas as pd
import pytest
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from sklearn_physrnn import DynPMNNRegressor, PETNNRegressor
from sklearn_physrnn.kernels import _check, _dispatch
from sklearn_physrnn.kernels.oscillators.nonlinear import reference as nonlinear_reference
from sklearn_physrnn.training._net import Net
from tests.families import ENTRIES, FORECASTERS, each, takes_tables, through_each_kernel

# What makes an output of a size that only the device knows, or a Python number of a value.
WAITING = {
    "aten::_local_scalar_dense", "aten::equal", "aten::is_nonzero", "aten::masked_select",
    "aten::nonzero", "aten::_unique2", "aten::unique_dim", "aten::repeat_interleave",
}  # fmt: skip
# On the CPU these read memory behind torch's back; new_tensor writes what a GPU waits for.
READERS = "cpu", "item", "new_tensor", "numpy", "tolist", "__bool__", "__float__", "__int__"
READING = {getattr(torch.Tensor, name) for name in READERS}


class _Operations(TorchDispatchMode):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.name().split(".")[0]
        masks = name in ("aten::index", "aten::index_put_", "aten::_index_put_impl_") and any(
            x is not None and x.dtype in (torch.bool, torch.uint8) for x in args[1]
        )
        if name in WAITING or masks:
            self.found.append(name)
        return func(*args, **(kwargs or {}))


class _Methods(TorchFunctionMode):
    def __init__(self, found):
        super().__init__()
        self.found = found

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in READING:
            self.found.append(func.__name__)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch):
    """What waited in training and validation steps, after each one's first epoch."""
    # As on a GPU, but that the recurrences run in plain torch.
    monkeypatch.setattr(_dispatch, "_COMPILED_DTYPES", ())
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    # The plain loop over a gap's steps must know how many they are; kernels go on till all have
    # come through. There are no gaps in these series.
    monkeypatch.setattr(nonlinear_reference, "gap", lambda z, y, *others: (z, y))
    found, steps = [], []

    def watched(method):
        def watching(net, *args, **kwargs):
            if len(net.history) < 2:
                return method(net, *args, **kwargs)
            steps.append(method.__name__)
            with _Operations(found), _Methods(found):
                return method(net, *args, **kwargs)

        return watching

    for name in ("train_step", "validation_step"):
        monkeypatch.setattr(Net, name, watched(getattr(Net, name)))
    notify = Net.notify

    def of_a_batch(net, name, **kwargs):
        part_of_a_step = name in ("on_batch_begin", "on_batch_end")
        return (watched(notify) if part_of_a_step else notify)(net, name, **kwargs)

    monkeypatch.setattr(Net, "notify", of_a_batch)
    yield found
    assert {"train_step", "validation_step", "notify"} <= {*steps}


def _table(rng):
    X = rng.normal(size=(40, 3))
    return X, X[:, 0] > 0


def _sequences(rng, ragged=True):
    """Unevenly spaced series, the times in channel 0."""
    X = rng.normal(size=(12, 9, 3))
    X[:, :, 0] = np.cumsum(rng.uniform(0.2, 1.0, (12, 9)), axis=1)
    y = X[:, :3, 1].sum(1) > 0
    return ([x[: 4 + i % 6] for i, x in enumerate(X)] if ragged else X), y


OPTIONS = {
    "early_stopping": True, "validation_fraction": 0.4, "max_iter": 3, "batch_size": 6,
    "max_grad_norm": 1.0, "random_state": 0, "hidden_size": 4,
}  # fmt: skip
MODELS = [
    *through_each_kernel(**OPTIONS, dropout=0.1),
    DynPMNNRegressor(**OPTIONS, loss="quantile", quantile=[0.1, 0.9]),
    PETNNRegressor(**OPTIONS, loss="huber"),
]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_no_step_waits(model, dtype, waits, rng):
    X, y = (_table if takes_tables(model) else _sequences)(rng)
    if not takes_tables(model):
        model.set_params(time_channel=0)
    if hasattr(model, "predict_proba"):
        y = y.astype(int)
    model.set_params(dtype=dtype).fit(X, y.astype(float))
    assert waits == []


@each(FORECASTERS)
def test_no_step_of_a_forecaster_waits(kind, waits):
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(120, 2)))
    options = {"max_iter": 3, "early_stopping": True, "interval": "quantile"}
    ENTRIES[kind].make(**options, device="auto").fit(y, fh=[1, 2])
    assert waits == []


def test_a_callback_that_waits_is_found(waits, rng):
    from skorch.callbacks import Callback

    class Looks(Callback):
        def on_batch_end(self, net, loss=None, **kwargs):
            loss.item()

    DynPMNNRegressor(**OPTIONS, callbacks=[Looks()]).fit(*_table(rng))
    assert set(waits) == {"item", "aten::_local_scalar_dense"}
    waits.clear()
