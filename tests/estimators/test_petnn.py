"""What only PETNN has: timers to look at, and tokens."""

import numpy as np
import pytest
import torch

from sklearn_physrnn import PETNNClassifier, PETNNRegressor
from sklearn_physrnn.nn import PETNN


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 12, 2))
    return X, X[:, :, 0].mean(axis=1)


def small(**params):
    return PETNNRegressor(**{"hidden_size": 8, "max_iter": 2, "random_state": 0, **params})


def test_release_rate(data):
    model = small(num_layers=2).fit(*data)
    assert model.release_rate_.shape == (2, 8)
    assert ((model.release_rate_ > 0) & (model.release_rate_ < 1)).all()


@pytest.mark.parametrize(
    ("rate", "message"), [(1.0, "releases at every step"), (0.0, "never releases")]
)
def test_dead_timers_are_told(data, monkeypatch, rate, message):
    monkeypatch.setattr(PETNN, "release_rate", lambda *_, **__: torch.full((1, 8), rate))
    with pytest.warns(UserWarning, match=f"Every neuron {message}: the timer is dead"):
        small().fit(*data)


@pytest.mark.parametrize("release", ["hard", "surrogate", "soft"])
@pytest.mark.parametrize("readout", ["last", "mean", "max"])
def test_switches(data, release, readout):
    model = small(release=release, readout=readout, time_decay=False, ground_state=False)
    assert np.isfinite(model.fit(*data).predict(data[0])).all()


# -- tokens ----------------------------------------------------------------------------


def sentences(n=60, seed=0):
    """Token 3 somewhere makes a sentence positive."""
    rng = np.random.default_rng(seed)
    X = [rng.integers(4, 20, size=length) for length in rng.integers(3, 15, size=n)]
    y = rng.integers(0, 2, size=n)
    for x, label in zip(X, y, strict=True):
        if label:
            x[rng.integers(len(x))] = 3
    return X, y


def token_classifier(**params):
    defaults = {"hidden_size": 16, "vocabulary_size": 20, "embedding_dim": 8, "random_state": 0}
    return PETNNClassifier(**{**defaults, "max_iter": 2, **params})


def as_array(sentences_, padding):
    X = np.full((len(sentences_), max(map(len, sentences_))), padding)
    for row, x in zip(X, sentences_, strict=True):
        row[: len(x)] = x
    return X


def test_tokens_are_learned():
    X, y = sentences(400)
    X_test, y_test = sentences(200, seed=1)
    model = token_classifier(max_iter=25, learning_rate_init=0.02, batch_size=32, readout="max")
    assert model.fit(X, y).score(X_test, y_test) > 0.9


def test_embeddings_start_small():
    model = token_classifier(max_iter=1, learning_rate_init=1e-9, embedding_dim=64)
    weight = model.fit(*sentences()).module_.embedding.weight
    assert 0.09 < weight.std() < 0.11


@pytest.mark.parametrize("padding", [-1, np.nan])
def test_padded_tokens_are_a_list_of_tokens(padding):
    X, y = sentences()
    model = token_classifier().fit(X, y)
    array = as_array(X, padding)
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(array))
    np.testing.assert_array_equal(
        token_classifier().fit(array, y).predict_proba(X), model.predict_proba(X)
    )


@pytest.mark.parametrize("token", [20, 1000, -2, 2.5])
def test_unknown_token(token):
    X, y = sentences()
    bad = [*X[:-1], np.array([1, token])]
    with pytest.raises(ValueError, match=rf"token id {token:g}, .* \[0, 20\)"):
        token_classifier().fit(bad, y)
    model = token_classifier().fit(X, y)
    with pytest.raises(ValueError, match=rf"token id {token:g}"):
        model.predict(bad)


def test_with_a_longer_memory_the_first_of_many_steps_has_a_gradient():
    X, y = np.random.default_rng(0).normal(size=(4, 2000, 1)), np.arange(4) % 2
    found = []
    for memory in (64, 2000):
        options = {"readout": "last", "dtype": "float64", "max_iter": 1, "random_state": 0}
        model = PETNNClassifier(16, memory=memory, learning_rate_init=1e-9, **options).fit(X, y)
        x = torch.tensor(X, requires_grad=True)
        model.module_(x)[:, 0].sum().backward()
        found.append(float(x.grad[:, 0].abs().max()))
    assert found[1] > 1e3 * found[0]
