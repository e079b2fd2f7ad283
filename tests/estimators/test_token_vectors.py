"""Tokens that begin with given vectors: trained further or left, kept in files and streams."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_physrnn import PETNNClassifier, load

RNG = np.random.default_rng(0)
X = [RNG.integers(0, 12, size=RNG.integers(3, 7)) for _ in range(24)]
Y = np.array([int((x < 6).mean() > 0.5) for x in X])
VECTORS = RNG.normal(size=(12, 5)).astype(np.float16)
VECTORS[[3, 7], 1] = np.nan
SIZES = {"vocabulary_size": 12, "embedding_dim": 5, "hidden_size": 4, "random_state": 0}


def _fit(**options):
    return PETNNClassifier(**{**SIZES, "max_iter": 2, "embedding": VECTORS, **options}).fit(X, Y)


def _weights(model):
    return model.module_.embedding.weight.detach().numpy()


@pytest.fixture(scope="module")
def frozen():
    return _fit(freeze_embedding=True)


def test_frozen_vectors_stay_and_rows_without_are_zero(frozen):
    expected = VECTORS.astype(np.float32)
    expected[[3, 7]] = 0
    np.testing.assert_array_equal(_weights(frozen), expected)


def test_others_are_trained_on_and_rows_without_begin_as_usual():
    slow = {"learning_rate_init": 1e-9, "alpha": 0.0}
    given, plain = _weights(_fit(**slow)), _weights(_fit(embedding=None, **slow))
    known = ~np.isnan(VECTORS).any(axis=1)
    np.testing.assert_allclose(given[known], VECTORS[known], atol=1e-5)
    np.testing.assert_allclose(given[~known], plain[~known], atol=1e-5)
    assert np.abs(_weights(_fit(learning_rate_init=0.05))[known] - VECTORS[known]).max() > 0.01


@pytest.mark.parametrize("freeze", [True, False])
def test_files_pickles_and_clones(tmp_path, freeze, frozen):
    model = frozen if freeze else _fit()
    expected = model.predict_proba(X)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.embedding is None
    for other in (loaded, pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(X), expected)
    loaded.partial_fit(X, Y)
    assert (_weights(loaded) == _weights(model)).all() == freeze
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict_proba(X), expected)


def test_streams_read_them(frozen):
    stream = frozen.stream()
    for token in X[0]:
        y = stream.push_proba(np.array([token]))
    np.testing.assert_allclose(y, frozen.predict_proba(X[:1]), atol=1e-6)


@pytest.mark.parametrize(("options", "message"), [
    ({"embedding": VECTORS[:, :4]}, r"shape \(12, 5\), .*, got \(12, 4\)"),
    ({"vocabulary_size": None}, "set vocabulary_size"),
    ({"embedding": None, "freeze_embedding": True}, "needs an embedding"),
    ({"embedding": np.full((12, 5), np.inf)}, "no infinite value"),
    ({"embedding": [["a"] * 5] * 12}, "embedding"),
])  # fmt: skip
def test_what_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        _fit(**options)
