"""PETNN and HSSM as classifiers of sktime."""

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold, cross_val_score
from sktime.classification.model_evaluation import evaluate
from sktime.datasets import load_italy_power_demand
from sktime.utils.estimator_checks import check_estimator, parametrize_with_checks

from sklearn_physrnn.classification import HSSMSeriesClassifier, PETNNSeriesClassifier

CLASSIFIERS = [PETNNSeriesClassifier, HSSMSeriesClassifier]


@parametrize_with_checks(CLASSIFIERS, obj_varname="kind", check_varname="check")
def test_sktime(kind, check):
    results = check_estimator(kind, tests_to_run=check, raise_exceptions=True, verbose=False)
    assert set(results.values()) <= {"PASSED"}


@pytest.fixture(params=CLASSIFIERS, ids=lambda kind: kind.__name__)
def model(request):
    sizes = {"hidden_size": 8} | ({"state_size": 8} if "HSSM" in request.param.__name__ else {})
    return request.param(**sizes, max_iter=4, random_state=0, device="cpu")


@pytest.fixture(scope="module")
def power():
    return load_italy_power_demand(split="train", return_type="numpy3D")


def test_probabilities_and_labels(model, power):
    X, y = power
    probabilities = model.fit(X, y).predict_proba(X)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(X), model.classes_[probabilities.argmax(axis=1)])
    assert model.classes_.tolist() == model.classifier_.classes_.tolist() == ["1", "2"]


def test_learns(model, power):
    X, y = power
    model.set_params(max_iter=30, learning_rate_init=0.02, batch_size=16, alpha=0)
    assert model.fit(X[:40], y[:40]).score(X[40:], y[40:]) > 0.8  # the larger class: 0.6


def test_class_weight_is_passed_on(model, power):
    X, y = power
    y = np.where(y == "1", "summer", "winter")
    model.set_params(class_weight={"summer": 1, "winter": 1000}).fit(X, y)
    assert (model.predict_proba(X)[:, 1] > 0.5).all()


def test_several_targets_are_one_model_each(model, power):
    X, y = power
    both = pd.DataFrame({"a": y, "b": y[::-1]})
    predicted = model.fit(X, both).predict(X)
    assert list(predicted.columns) == ["a", "b"]
    alone = model.clone().fit(X, y).predict(X)
    np.testing.assert_array_equal(predicted["a"], alone)


def test_scores_of_probabilities(model, power):
    scores = cross_val_score(model, *power, cv=2, scoring="neg_log_loss")
    assert np.isfinite(scores).all()


def test_evaluate(model, power):
    X, y = power
    results = evaluate(model, KFold(2, shuffle=True, random_state=0), X, y)
    assert len(results) == 2
    assert np.isfinite(results.filter(like="test").to_numpy(dtype=float)).all()
