"""Training and prediction in pieces of time, through the estimators."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMRegressor, PETNNClassifier, PETNNRegressor, load

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


OSCILLATORS = {**SMALL, "state_size": 4, "num_blocks": 2, "norm": "layer", "dropout": 0.2}


@pytest.mark.parametrize("way_back", ["kept", "undone"])
@pytest.mark.parametrize(
    ("options", "ragged"),
    [
        ({"fitter": "rhel", "readout": "mean"}, True),
        ({"fitter": "bptt", "readout": "last", "dynamics": "nonlinear"}, False),
        ({"fitter": "rhel", "dynamics": "nonlinear", "time_channel": 2}, True),
    ],
)
def test_a_fit_of_oscillators_in_pieces_is_the_fit_of_the_whole(options, ragged, way_back):
    X, y, weights = data(ragged=ragged)
    if "time_channel" in options:
        for x in X:
            x[:, 2] = np.abs(x[:, 2]).cumsum()
    options = {**OSCILLATORS, **options, "early_stopping": True, "way_back": way_back}
    a, b = (HSSMRegressor(chunk_size=s, **options).fit(X, y, weights) for s in (None, 7))
    assert_same_fit(a, b)
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-9)
    if way_back == "undone":
        assert a.return_error_ == 0
        assert 0 < b.return_error_ < 1e-12


@pytest.mark.parametrize("ragged", [False, True])
@pytest.mark.parametrize("model", [HSSMRegressor, PETNNRegressor])
def test_targets_of_every_step_are_fitted_in_pieces(model, ragged):
    X, _, weights = data(ragged=ragged)
    y = np.full((len(X), max(map(len, X)) // 3), np.nan)
    for x, row in zip(X, y, strict=True):
        values = x[:, 0].cumsum()[2::3]
        row[: len(values)] = values
    options = OSCILLATORS if model is HSSMRegressor else {**SMALL, "dropout": 0.2}
    options = {**options, "readout": "sequence", "every": 3, "early_stopping": True}
    a, b = (model(chunk_size=s, **options).fit(X, y, weights) for s in (None, 7))
    assert_same_fit(a, b)
    np.testing.assert_allclose(a.predict(X), b.predict(X), rtol=1e-9, atol=1e-12)


def test_batch_normalisation_in_pieces_is_refused_with_a_way_out():
    X, y, _ = data()
    options = {**OSCILLATORS, "norm": "batch"}
    with pytest.raises(ValueError, match=r"chunk_size=7.*norm='batch'.*norm='layer'"):
        HSSMRegressor(chunk_size=7, **options).fit(X, y)
    whole = HSSMRegressor(chunk_size="auto", **options).fit(X, y)
    # What it learned is the same for every step: a prediction may go in pieces.
    expected = whole.predict(X)
    np.testing.assert_allclose(whole.set_params(chunk_size=7).predict(X), expected, rtol=1e-9)


def test_a_piece_must_hold_a_step_that_is_predicted():
    X, _, _ = data()
    options = {**OSCILLATORS, "readout": "sequence", "every": 8}
    with pytest.raises(ValueError, match="chunk_size must be at least every=8"):
        HSSMRegressor(chunk_size=7, **options).fit(X, X[:, 7::8, 0])


def test_the_return_error_is_saved_with_the_model(tmp_path):
    X, y, _ = data()
    model = HSSMRegressor(chunk_size=7, way_back="undone", **OSCILLATORS).fit(X, y)
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").return_error_ == model.return_error_ > 0
    model.set_params(way_back="kept").fit(X, y)
    assert not hasattr(model, "return_error_")
