"""Training and prediction in pieces of time, through the estimators."""

import numpy as np
import pytest

from sklearn_physrnn import PETNNClassifier, PETNNRegressor

SMALL = {"hidden_size": 5, "max_iter": 3, "batch_size": 7, "dtype": "float64", "random_state": 0}


def data(*, ragged=False, n=20):
    rng = np.random.default_rng(0)
    lengths = rng.integers(5, 60, n) if ragged else [40] * n
    X = [rng.normal(size=(length, 3)) for length in lengths]
    y = np.array([x[:, 0].mean() + x[-1, 1] for x in X])
    return X if ragged else np.stack(X), y, rng.uniform(0.2, 2, n)


def assert_same_fit(a, b):
    for name, x in a.module_.state_dict().items():
        np.testing.assert_allclose(b.module_.state_dict()[name], x, rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=1e-10)
    if a.validation_loss_curve_ is not None:
        np.testing.assert_allclose(a.validation_loss_curve_, b.validation_loss_curve_, rtol=1e-10)
        np.testing.assert_allclose(a.validation_scores_, b.validation_scores_, rtol=1e-9)


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize(
    ("model", "options"),
    [
        (PETNNRegressor, {"readout": "last", "num_layers": 2, "dropout": 0.2}),
        (PETNNRegressor, {"readout": "mean", "loss": "quantile", "quantile": [0.1, 0.5]}),
        (PETNNClassifier, {"readout": "max", "dropout": 0.2, "class_weight": "balanced"}),
        (PETNNRegressor, {"time_channel": 2}),
    ],
)
def test_a_fit_in_pieces_is_the_fit_of_the_whole(model, options, ragged):
    X, y, weights = data(ragged=ragged)
    if "time_channel" in options:
        for x in X:
            x[:, 2] = np.abs(x[:, 2]).cumsum()
    if model is PETNNClassifier:
        y = y > 0
    a, b = (
        model(chunk_size=size, early_stopping=True, **SMALL, **options).fit(X, y, weights)
        for size in (None, 7)
    )
    assert_same_fit(a, b)
    answer = "predict_proba" if model is PETNNClassifier else "predict"
    np.testing.assert_allclose(getattr(a, answer)(X), getattr(b, answer)(X), rtol=1e-9)


def test_a_fit_of_tokens_in_pieces_is_the_fit_of_the_whole():
    rng = np.random.default_rng(0)
    X = [rng.integers(0, 6, n) for n in rng.integers(5, 60, 20)]
    y = np.array([x.mean() for x in X])
    options = {"vocabulary_size": 6, "embedding_dim": 4, "dropout": 0.3, **SMALL}
    assert_same_fit(*(PETNNRegressor(chunk_size=s, **options).fit(X, y) for s in (None, 7)))


def test_the_pieces_may_change_where_a_fit_goes_on():
    X, y, _ = data()
    whole = PETNNRegressor(chunk_size=None, warm_start=True, **SMALL).fit(X, y).fit(X, y)
    pieces = PETNNRegressor(chunk_size=9, warm_start=True, **SMALL).fit(X, y)
    assert_same_fit(whole, pieces.set_params(chunk_size=7).fit(X, y))


def test_mixed_precision_goes_in_pieces():
    X, y, _ = data()
    options = {**SMALL, "dtype": "bfloat16"}
    a, b = (PETNNRegressor(chunk_size=size, **options).fit(X, y) for size in (None, 7))
    np.testing.assert_allclose(a.loss_curve_, b.loss_curve_, rtol=0.02)


@pytest.mark.parametrize("size", [0, -1, 2.5, "whole"])
def test_a_piece_that_is_none_is_refused(size):
    X, y, _ = data()
    with pytest.raises(ValueError, match="chunk_size"):
        PETNNRegressor(chunk_size=size, **SMALL).fit(X, y)
