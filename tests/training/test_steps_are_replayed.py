"""Steps that are recorded and replayed do what steps do that are launched one by one.

Without a GPU they are recorded by :class:`DryRecorder`, and the recurrences are torch's.
"""

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_physrnn import HSSMClassifier, PETNNRegressor
from sklearn_physrnn.kernels import _check
from tests.families import ENTRIES, FORECASTERS, each, takes_tables, through_each_kernel
from tests.helpers.recorder import LooksAtBatches
from tests.training._small import _samples, _train


def _equal(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


OPTIONS = {
    "plain": {},
    "even batches": {"batch_size": 67, "max_epochs": 20},
    "schedule": {"schedule": "one_cycle"},
    "decay": {"weight_decay": 2.0, "noise_decay": 30.0, "schedule": "cosine"},
    "clipped": {"max_grad_norm": 0.1},
    "adam": {"optimizer": "adam"},
    "sgd": {"optimizer": "sgd", "schedule": "cosine"},
    "half": {"amp_dtype": torch.bfloat16},
    "early stopping": {"patience": 2, "schedule": "cosine", "max_epochs": 30},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_to_the_same_weights_and_curves(options, recorders):
    def trained(*callbacks):
        module, record = _train(
            samples=_samples(67), validation=_samples(20, seed=1), callbacks=callbacks,
            scorer=lambda outputs: float(outputs.mean()),
            **{"max_epochs": 9, "batch_size": 16, **options},
        )  # fmt: skip
        return [*module.parameters()], record

    weights, record = trained()
    expected, one_by_one = trained(LooksAtBatches())
    replayed, eager = recorders
    assert replayed.n_replayed > 12
    assert eager.n_recorded == 0
    assert _equal(weights, expected)
    for curve in ("loss_curve", "validation_loss_curve", "validation_scores"):
        assert getattr(record, curve) == getattr(one_by_one, curve)
    assert record.learning_rate_curve == one_by_one.learning_rate_curve
    assert _equal(*(
        [v for state in r.optimizer_state["state"].values() for v in state.values()]
        for r in (record, one_by_one)
    ))  # fmt: skip


def _fitted(model, X, y, **changes):
    model = model.set_params(**changes).fit(X, y)
    return [*model.module_.state_dict().values()], model.loss_curve_


MODELS = [
    *through_each_kernel(dropout=0.2, max_grad_norm=1.0),
    HSSMClassifier(fitter="rhel", num_blocks=1, hidden_size=4, state_size=4),
    PETNNRegressor(loss="quantile", quantile=[0.1, 0.9], hidden_size=4),
    PETNNRegressor(chunk_size=4, num_layers=2, hidden_size=4, dropout=0.2),
    HSSMClassifier(
        chunk_size=4, norm="layer", num_blocks=1, hidden_size=4, state_size=4, dropout=0.2
    ),
]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_of_every_family(model, recorders, rng, monkeypatch):
    # On a GPU, where nobody looks, what oscillators that forget keep follows from the shapes.
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    X = rng.normal(size=(30, 3) if takes_tables(model) else (30, 6, 3))
    y = (X[(slice(None), *[0] * (X.ndim - 1))] > 0).astype(int)
    options = {"max_iter": 5, "batch_size": 7, "random_state": 0, "early_stopping": True}
    weights, losses = _fitted(model, X, y, **options)
    expected, one_by_one = _fitted(model, X, y, **options, callbacks=[LooksAtBatches()])
    model.set_params(callbacks=None)
    assert recorders[0].n_replayed > 8
    assert recorders[1].n_recorded == 0
    assert _equal(weights, expected)
    assert losses == one_by_one


@each(FORECASTERS)
def test_of_forecasters(kind, recorders):
    y = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 2)).cumsum(0))

    def forecast(callbacks):
        model = ENTRIES[kind].make(max_iter=4, random_state=0, batch_size=8, callbacks=callbacks)
        return model.fit(y, fh=[1, 2]).predict()

    replayed = forecast(None)
    n_replayed = sum(recorder.n_replayed for recorder in recorders)
    assert n_replayed > 8
    pd.testing.assert_frame_equal(replayed, forecast([LooksAtBatches()]), check_exact=True)
    assert sum(recorder.n_replayed for recorder in recorders) == n_replayed
