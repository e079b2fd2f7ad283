"""Deviances of counts and amounts, and losses of the user's own."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance

from sklearn_physrnn import DynPMNNRegressor, PETNNRegressor
from tests.families import ENTRIES, REGRESSORS, N, each

DEVIANCES = {"poisson": mean_poisson_deviance, "gamma": mean_gamma_deviance}


def targets(kind, loss):
    first = ENTRIES[kind].X.reshape(N, -1)[:, 0]
    counts = np.random.default_rng(0).poisson(np.exp(1 + first)).astype(float)
    return 100 * (counts + (loss == "gamma"))


def square(prediction, target):
    return (prediction - target).square().mean(1)


@pytest.mark.parametrize("loss", DEVIANCES)
@each(REGRESSORS)
def test_the_loss_is_scikit_learn_s_deviance(kind, loss):
    entry, y = ENTRIES[kind], targets(kind, loss)
    w = np.linspace(1, 2, N)
    model = entry.make(loss=loss, dtype="float64", max_iter=3)
    model.fit(entry.X, y, w, X_val=entry.X, y_val=y, sample_weight_val=w)
    predicted = model.predict(entry.X)
    assert (predicted > 0).all()
    unit = np.average(y, weights=w) if loss == "poisson" else 1
    deviance = DEVIANCES[loss](y, predicted, sample_weight=w) / unit
    assert model.validation_loss_curve_[-1] == pytest.approx(deviance)


@pytest.mark.parametrize("loss", DEVIANCES)
def test_the_unit_of_y_does_not_matter(loss):
    entry, y = ENTRIES[DynPMNNRegressor], targets(DynPMNNRegressor, loss)
    one, other = (entry.make(loss=loss).fit(entry.X, k * y).predict(entry.X) for k in (1, 2**40))
    np.testing.assert_allclose(other, one * 2**40, rtol=1e-6)
    start = entry.make(loss=loss, learning_rate_init=1e-9).fit(entry.X, y).predict(entry.X)
    assert 0.3 < start.mean() / y.mean() < 3  # the network begins about the mean


def test_counts_at_every_step():
    entry = ENTRIES[PETNNRegressor]
    steps = np.abs(entry.X[:, :, 0])
    model = entry.make(loss="gamma", readout="sequence", missing="mask").fit(entry.X, steps)
    assert (model.predict(entry.X) > 0).all()
    steps[3, 2] = np.nan  # which weighs nothing, and has no logarithm
    model.fit(entry.X, steps)
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.predict(entry.X)).all()


@pytest.mark.parametrize(("loss", "lowest", "message"), [
    ("poisson", -1.0, "needs every y to be 0 or more, got -1"),
    ("gamma", 0.0, "more than 0, got 0. Zeros are for loss='poisson'"),
])  # fmt: skip
def test_other_signs_are_refused(loss, lowest, message):
    entry = ENTRIES[DynPMNNRegressor]
    good = targets(DynPMNNRegressor, "gamma")
    bad = np.where(np.arange(N) == 4, lowest, good)
    with pytest.raises(ValueError, match=message):
        entry.make(loss=loss).fit(entry.X, bad)
    with pytest.raises(ValueError, match=f"X_val, y_val: .*{message}"):
        entry.make(loss=loss).fit(entry.X, good, X_val=entry.X, y_val=bad)


def test_no_count_at_all_is_refused():
    entry = ENTRIES[DynPMNNRegressor]
    with pytest.raises(ValueError, match="needs a positive y"):
        entry.make(loss="poisson").fit(entry.X, np.zeros(N))


@each(REGRESSORS)
def test_squares_of_one_s_own_are_squared_error(kind):
    entry = ENTRIES[kind]
    y = 1e3 + 1e-2 * np.asarray(entry.y)
    theirs, own = (
        entry.make(loss=loss, dtype="float64").fit(entry.X, y)
        for loss in ("squared_error", square)
    )
    np.testing.assert_allclose(own.loss_curve_, theirs.loss_curve_, rtol=1e-6)
    np.testing.assert_allclose(own.predict(entry.X), theirs.predict(entry.X), rtol=1e-6)
    again = pickle.loads(pickle.dumps(own))
    np.testing.assert_array_equal(again.predict(entry.X), own.predict(entry.X))
    again.partial_fit(entry.X, y)
    assert again.loss is square


def test_torch_s_losses_are_taken_and_not_kept(tmp_path):
    entry = ENTRIES[DynPMNNRegressor]
    y = np.stack([entry.y, -entry.y], axis=1)
    model = entry.make(loss=torch.nn.SmoothL1Loss(reduction="none")).fit(entry.X, y)
    with pytest.raises(ValueError, match=r"SmoothL1Loss.*set loss='squared_error' before saving"):
        model.save(tmp_path / "model")
    model.set_params(loss="squared_error").save(tmp_path / "model")


@pytest.mark.parametrize(("loss", "message"), [
    (torch.nn.MSELoss(), r"'MSELoss' must return a tensor with one value a row.*reduction='none'"),
    (lambda p, t: np.zeros(len(p)), "must return a tensor.*got a ndarray"),
    (lambda p, t: p.detach()[:, 0], "has no gradient"),
    (torch.nn.MSELoss, "must be a function, got the class MSELoss"),
])  # fmt: skip
def test_losses_that_cannot_work_are_refused(loss, message):
    entry = ENTRIES[DynPMNNRegressor]
    with pytest.raises(ValueError, match=message):
        entry.make(loss=loss).fit(*entry.data)


def test_another_link_is_not_gone_on_with():
    entry = ENTRIES[DynPMNNRegressor]
    y = targets(DynPMNNRegressor, "gamma")
    model = entry.make(loss="gamma", warm_start=True).fit(entry.X, y)
    model.set_params(loss="poisson").fit(entry.X, y)
    with pytest.raises(ValueError, match="in another way than loss='poisson'"):
        model.set_params(loss="huber").fit(entry.X, y)
