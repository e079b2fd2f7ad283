"""Class weights count in training and in every validation loss, and not in scores."""

import numpy as np
import pytest

from sklearn_physrnn import DynPMNNClassifier
from sklearn_physrnn.estimators import _splitting
from tests.families import CLASSIFIERS, each

QUICK = {"hidden_size": 4, "max_iter": 3, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6))
Y = np.where(X[:, 0] > 1.2, "rare", np.where(X[:, 1] > 0, "this", "that"))
X_VAL = RNG.normal(size=(30, 6))
Y_VAL = RNG.choice(["rare", "this", "that"], size=30)
W_VAL = RNG.uniform(0.5, 2, size=30)
WEIGHTS = {"rare": 5.0, "that": 2.0, "this": 0.5}


def by_row(y):
    return np.array([WEIGHTS[label] for label in y])


@each(CLASSIFIERS)
@pytest.mark.parametrize("w_val", [None, W_VAL])
def test_they_count_like_sample_weights_in_either_loss(kind, w_val):
    given = {"X_val": X_VAL, "y_val": Y_VAL}
    by_class = kind(**QUICK, class_weight=WEIGHTS).fit(X, Y, **given, sample_weight_val=w_val)
    both = by_row(Y_VAL) * (1 if w_val is None else w_val)
    by_sample = kind(**QUICK).fit(X, Y, by_row(Y), **given, sample_weight_val=both)
    for curve in ("loss_curve_", "validation_loss_curve_"):
        np.testing.assert_allclose(getattr(by_class, curve), getattr(by_sample, curve), rtol=1e-5)
    score = by_class.score(X_VAL, Y_VAL, w_val)
    assert by_class.validation_scores_[-1] == pytest.approx(score)


@pytest.mark.parametrize("class_weight", [WEIGHTS, "balanced"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_part_held_out_and_the_same_rows_given_are_alike(class_weight, weighted, monkeypatch):
    valid, train = np.arange(25), np.arange(25, 90)
    w = RNG.uniform(0.5, 1, size=90) if weighted else None
    part = [None if w is None else w[rows] for rows in (train, valid)]
    options = {**QUICK, "class_weight": class_weight, "early_stopping": True}
    monkeypatch.setattr(_splitting, "split", lambda *_: (train, valid))
    inside = DynPMNNClassifier(**options).fit(X, Y, w)
    given = DynPMNNClassifier(**options).fit(
        X[train], Y[train], part[0], X_val=X[valid], y_val=Y[valid], sample_weight_val=part[1]
    )
    for curve in ("loss_curve_", "validation_loss_curve_", "validation_scores_"):
        np.testing.assert_allclose(getattr(inside, curve), getattr(given, curve), rtol=1e-6)


def test_balanced_weights_are_those_of_the_training_data():
    model = DynPMNNClassifier(**QUICK, class_weight="balanced")
    model.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    labels, counts = np.unique(Y, return_counts=True)
    weights = dict(zip(labels.tolist(), len(Y) / (3 * counts), strict=True))
    by_hand = DynPMNNClassifier(**QUICK, class_weight=weights)
    by_hand.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)
    np.testing.assert_allclose(
        model.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-6
    )
    some = Y_VAL != "rare"  # a class that the validation data lack
    model.fit(X, Y, X_val=X_VAL[some], y_val=Y_VAL[some])
    by_hand.fit(X, Y, X_val=X_VAL[some], y_val=Y_VAL[some])
    np.testing.assert_allclose(
        model.validation_loss_curve_, by_hand.validation_loss_curve_, rtol=1e-6
    )


def test_a_class_of_weight_zero_has_no_part_in_the_validation_loss():
    ignored, others = {"rare": 0.0}, Y_VAL != "rare"
    losses = [
        DynPMNNClassifier(**QUICK, class_weight=ignored)
        .fit(X, Y, X_val=X_VAL[rows], y_val=Y_VAL[rows])
        .validation_loss_curve_
        for rows in (slice(None), others)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    with pytest.raises(ValueError, match=r"X_val, y_val: class_weight is zero for every class"):
        DynPMNNClassifier(**QUICK, class_weight=ignored).fit(
            X, Y, X_val=X_VAL[~others], y_val=Y_VAL[~others]
        )
