"""y as a matrix of 0 and 1: any number of labels a sample."""

import numpy as np
import pytest
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics import accuracy_score
from sklearn.neural_network import MLPClassifier

from sklearn_physrnn import DynPMNNClassifier
from sklearn_physrnn.inspection import integrated_gradients
from sklearn_physrnn.preparation.label_sets import LabelSets
from tests.families import CLASSIFIERS, ENTRIES, N, each, that_take

ROWS = np.arange(N)
Y = np.stack([ROWS % 2, ROWS % 3 == 0, ROWS % 5 == 1], axis=1).astype(int)


@pytest.fixture(scope="module", params=CLASSIFIERS, ids=lambda kind: kind.__name__)
def fitted(request):
    entry = ENTRIES[request.param]
    return entry.make(max_iter=4).fit(entry.X, Y), entry.X


def test_answers_are_those_of_scikit_learn_s_kind(fitted):
    model, X = fitted
    probabilities = model.predict_proba(X)
    like = MLPClassifier(max_iter=1, random_state=0)
    with pytest.warns(UserWarning, match="Maximum iterations"):
        like.fit(X.reshape(N, -1), Y)
    np.testing.assert_array_equal(model.classes_, like.classes_)
    assert probabilities.shape == like.predict_proba(X.reshape(N, -1)).shape
    np.testing.assert_array_equal(model.predict(X), probabilities > 0.5)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), probabilities)
    assert model.score(X, Y) == accuracy_score(Y, model.predict(X))
    assert model.__sklearn_tags__().classifier_tags.multi_label


def test_attributions_are_of_one_label(fitted):
    model, X = fitted
    of_one, of_other = (integrated_gradients(model, X[:2], target=k) for k in (0, 2))
    assert of_one.shape == X[:2].shape
    assert not np.allclose(of_one, of_other)


@each(that_take("sequence", CLASSIFIERS))
def test_streams_say_them(kind):
    entry = ENTRIES[kind]
    model = entry.make(readout="last").fit(entry.X, Y)
    stream = model.stream(n_streams=N)
    for t in range(entry.X.shape[1]):
        answer = stream.push(entry.X[:, t])
    np.testing.assert_array_equal(answer, model.predict(entry.X))


@each(CLASSIFIERS)
def test_a_label_of_no_weight_does_not_count(kind):
    entry, other = ENTRIES[kind], Y.copy()
    other[:, 2] = ROWS % 4 == 0
    parameters = {"class_weight": {2: 0}, "early_stopping": True}
    one, two = (
        entry.make(**parameters).fit(entry.X, y, X_val=entry.X, y_val=y) for y in (Y, other)
    )
    np.testing.assert_array_equal(one.predict_proba(entry.X), two.predict_proba(entry.X))
    assert one.validation_loss_curve_ == two.validation_loss_curve_


def test_balanced_lets_ones_and_zeros_weigh_alike():
    y = Y.astype(bool)
    zeros, ones = LabelSets("balanced", 3).balanced(y).weights
    np.testing.assert_allclose(y.sum(0) * ones, (~y).sum(0) * zeros)
    np.testing.assert_allclose(y.sum(0) * ones + (~y).sum(0) * zeros, N)
    only_zeros = LabelSets("balanced", 3).balanced(y & [True, True, False]).weights
    np.testing.assert_array_equal(only_zeros[:, 2], 1)


def test_they_are_learned():
    X, y = make_multilabel_classification(300, 8, n_classes=4, random_state=0)
    model = DynPMNNClassifier(16, n_members=2, max_iter=30, random_state=0).fit(X[:200], y[:200])
    right = (model.predict(X[200:]) == y[200:]).mean()
    assert right > 1.1 * np.maximum(y[200:].mean(0), 1 - y[200:].mean(0)).mean()


def test_they_come_in_pieces():
    X = ENTRIES[DynPMNNClassifier].X
    model = ENTRIES[DynPMNNClassifier].make()
    model.partial_fit(X[:9], Y[:9], classes=[0, 1, 2]).partial_fit(X[9:], Y[9:])
    assert model.predict(X).shape == Y.shape
    with pytest.raises(ValueError, match="classes must be 0 to 2"):
        ENTRIES[DynPMNNClassifier].make().partial_fit(X, Y, classes=[1, 2, 3])


@each(CLASSIFIERS)
def test_what_is_not_understood_is_refused(kind):
    entry = ENTRIES[kind]
    model = entry.make(warm_start=True).fit(entry.X, Y)
    for bad in (Y[:, 0], Y[:, :2], Y * 2):
        with pytest.raises(ValueError, match=r"matrix of 0 and 1 of shape \(n_samples, 3\)"):
            model.fit(entry.X, bad)
    with pytest.raises(ValueError, match=r"class_weight names \[7\]"):
        entry.make(class_weight={7: 1.0}).fit(entry.X, Y)
    with pytest.raises(ValueError, match="one label a sample, as in the first fit"):
        entry.make(warm_start=True).fit(entry.X, Y[:, 0]).fit(entry.X, Y)
    if entry.takes == "sequence":
        steps = np.repeat(Y[:, None], entry.X.shape[1], axis=1)
        with pytest.raises(ValueError, match="y"):
            entry.make(readout="sequence").fit(entry.X, steps)
