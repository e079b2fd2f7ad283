"""The course of a training of DynPMNN: when it stops, goes on, and what looks on."""

import copy
import signal

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_physrnn import DynPMNNClassifier
from sklearn_physrnn.estimators._splitting import split

from ._dynpmnn import BOTH, QUICK, Recorder, X, _outputs, _y


class RaiseAt(Callback):
    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1]["epoch"] == self.epoch:
            raise self.error


# -- validation and stopping ---------------------------------------------------------


@BOTH
def test_validation_data_are_recorded(kind):
    y = _y(kind)
    model = kind(**QUICK).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 3
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[60:], y[60:]), rel=1e-4)
    alone = kind(**QUICK).fit(X[:60], y[:60])
    np.testing.assert_array_equal(_outputs(alone), _outputs(model))  # only looked at
    assert alone.validation_scores_ is None


@BOTH
@pytest.mark.parametrize("given", [False, True])
def test_early_stopping_restores_the_best_epoch(kind, given):
    y = _y(kind).copy()
    y[::3] = np.random.default_rng(1).permutation(y[::3])  # noise to overfit
    parameters = {
        "hidden_size": 32,
        "random_state": 0,
        "max_iter": 400,
        "learning_rate": "constant",
        "learning_rate_init": 0.03,
        "early_stopping": True,
        "n_iter_no_change": 7,
        "validation_fraction": 0.3,
    }
    validation = {"X_val": X[60:], "y_val": y[60:]} if given else {}
    rows = slice(60) if given else slice(None)
    model = kind(**parameters).fit(X[rows], y[rows], **validation)
    curve = model.validation_loss_curve_
    best = int(np.argmin(curve))
    assert model.n_iter_ == len(curve) == best + 8 < 400
    assert model.best_loss_ == curve[best]
    if given:
        assert model.score(X[60:], y[60:]) == pytest.approx(
            model.validation_scores_[best], rel=1e-4
        )


def test_split_is_stratified_where_it_can_be():
    y = np.repeat([0, 1], [80, 10])
    for seed in range(5):
        train, valid = split(90, 0.1, seed, strata=y)
        assert (y[valid] == 1).sum() == 1
        assert sorted([*train, *valid]) == list(range(90))
    # A class of one sample cannot be on both sides.
    y[1] = 2
    assert len(split(90, 0.1, 0, strata=y)[1]) == 9


def test_early_stopping_with_a_class_of_one_sample():
    y = np.r_[np.zeros(50, int), np.ones(39, int), 2]
    model = DynPMNNClassifier(**QUICK, early_stopping=True).fit(X, y)
    assert list(model.classes_) == [0, 1, 2]


@BOTH
def test_weights_of_validation_data(kind):
    y = _y(kind)
    weights = np.r_[np.ones(15), np.zeros(15)]
    model = kind(**QUICK)
    first = model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:], sample_weight_val=weights)
    first = first.validation_loss_curve_
    second = model.fit(X[:60], y[:60], X_val=X[60:75], y_val=y[60:75]).validation_loss_curve_
    assert first == pytest.approx(second, rel=1e-4)


# -- going on ------------------------------------------------------------------------


@BOTH
def test_warm_start_goes_on(kind):
    model = kind(**{**QUICK, "max_iter": 10}, warm_start=True, learning_rate="constant")
    model.fit(X, _y(kind))
    first, before = list(model.loss_curve_), model.module_
    model.fit(X, _y(kind))
    assert model.n_iter_ == 20
    assert model.loss_curve_[:10] == first
    assert model.loss_curve_[10] < first[0]
    assert model.loss_curve_[-1] < first[-1]
    assert model.module_ is not before
    model.set_params(optimizer="sgd", alpha=0.5, learning_rate_init=1e-3, dtype="float64")
    assert np.isfinite(model.fit(X, _y(kind)).loss_curve_).all()


@BOTH
def test_without_warm_start_fit_begins_anew(kind):
    model = kind(**QUICK).fit(X, _y(kind))
    first = _outputs(model)
    assert model.fit(X, _y(kind)).n_iter_ == 3
    np.testing.assert_array_equal(_outputs(model), first)


@BOTH
def test_an_error_in_a_warm_fit_changes_nothing(kind):
    model = kind(**QUICK, warm_start=True).fit(X, _y(kind))
    twin = copy.deepcopy(model)
    before = _outputs(model)
    with pytest.raises(ZeroDivisionError):
        model.set_params(callbacks=[RaiseAt(2, ZeroDivisionError())]).fit(X, _y(kind))
    np.testing.assert_array_equal(_outputs(model), before)
    # Nor has the optimizer moved on: both go the same way from here.
    model.set_params(callbacks=None).fit(X, _y(kind))
    np.testing.assert_array_equal(_outputs(model), _outputs(twin.fit(X, _y(kind))))


@BOTH
def test_partial_fit_learns(kind):
    model, y = kind(**QUICK, learning_rate_init=0.03), _y(kind)
    first = {"classes": [0, 1, 2]} if kind is DynPMNNClassifier else {}
    for _ in range(30):
        for rows in (slice(0, 45), slice(45, 90)):
            model.partial_fit(X[rows], y[rows], **first)
            first = {}
    assert model.n_iter_ == 60
    assert np.mean(model.loss_curve_[-2:]) < 0.9 * np.mean(model.loss_curve_[:2])


def test_partial_fit_knows_classes_to_come():
    y = _y(DynPMNNClassifier)
    few = y < 2
    model = DynPMNNClassifier(**QUICK).partial_fit(X[few], y[few], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (90, 3)
    model.partial_fit(X[:1], y[:1])  # one row will do, once the scaling is known


def test_warm_start_with_another_decay():
    # The optimizer's state belongs to the same weights, whichever of them decay.
    X, y = load_iris(return_X_y=True)
    model = DynPMNNClassifier(**QUICK, alpha=0.0, warm_start=True).fit(X, y)
    model.set_params(alpha=8.0).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    shapes = [w.shape for w in model.module_.parameters()]
    moments = [state["exp_avg"].shape for state in model._optimizer_state["state"].values()]
    assert sorted(shapes) == sorted(moments)


# -- epoch by epoch ------------------------------------------------------------------


def test_learning_rate_curve():
    X, y = load_iris(return_X_y=True)
    model = DynPMNNClassifier(**{**QUICK, "max_iter": 4}, learning_rate="cosine").fit(X, y)
    assert len(model.learning_rate_curve_) == 4
    assert (np.diff(model.learning_rate_curve_) < 0).all()


@BOTH
def test_callbacks(kind):
    recorder = Recorder()
    model = kind(**QUICK, callbacks=[recorder]).fit(X, _y(kind))
    assert recorder.epochs == model.loss_curve_
    assert model.callbacks == [recorder]


@BOTH
def test_an_interrupt_keeps_the_model(kind):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1]["epoch"] == 2:
                signal.raise_signal(signal.SIGINT)

    model = kind(**{**QUICK, "max_iter": 50}, callbacks=[Interrupt()])
    with pytest.warns(ConvergenceWarning, match="interrupted") as caught:
        model.fit(X, _y(kind))
    assert caught[0].filename == __file__
    assert model.n_iter_ == 2
    assert np.isfinite(_outputs(model)).all()
