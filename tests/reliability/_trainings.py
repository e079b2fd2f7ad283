"""Trainings that are stopped and go on: small ones, their data, and what stops them."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning

from tests.families import FAMILIES

from ._checkpoints import Stop

# Optimizers and schedules, a classifier among regressors, and validation data, in turn.
_WAYS = [
    ("regressor", {"optimizer": "sgd"}),
    ("classifier", {"early_stopping": True}),
    ("regressor", {"optimizer": "adam", "learning_rate": "cosine"}),
]
# Every family, with more than one of what there may be several; all with dropout, clipping and
# weights.
CASES = {
    family.name: (family, *way)
    for family, way in zip(FAMILIES, itertools.cycle(_WAYS), strict=False)
}


def make(case, **parameters):
    family, kind, own = CASES[case]
    common = {"hidden_size": 6, "dropout": 0.2, "batch_size": 16, "max_iter": 12}
    common |= {"random_state": 3, "n_iter_no_change": 200, "max_grad_norm": 1.0}
    cls = getattr(family, kind)
    return cls(**common | family.tiny | family.several | own | parameters)


def data(case, seed=0):
    family, kind, own = CASES[case]
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 3) if family.takes == "table" else (40, 8, 2))
    y = X.reshape(40, -1)[:, :4].sum(axis=1)
    fit = {"X": X, "y": y, "sample_weight": rng.uniform(size=40)}
    if kind == "classifier":  # ever worse: the best weights are those of long ago
        fit |= {"y": y > 0, "X_val": X[:10], "y_val": y[:10] <= 0}
    elif "learning_rate" in own:
        fit |= {"X_val": X[:10] + 0.1, "y_val": y[:10]}
    return fit


def assert_same(a, b, X):
    """Bit for bit."""
    ours, theirs = a.module_.state_dict(), b.module_.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for name in ("loss_curve_", "validation_loss_curve_", "validation_scores_", "best_loss_"):
        assert getattr(a, name) == getattr(b, name)
    for i, state in a._optimizer_state["state"].items():
        for name, x in state.items():
            assert torch.equal(x, b._optimizer_state["state"][i][name])
    assert a.predict(X).tobytes() == b.predict(X).tobytes()


def stopped(estimator, fit, **stop):
    """Train up to an interrupt, in a copy of `estimator`."""
    copy = type(estimator)(**estimator.get_params()).set_params(callbacks=[Stop(**stop)])
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 5.*Fit it again to go on"):
        return copy.fit(**fit)
