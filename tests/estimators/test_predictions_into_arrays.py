"""Predictions that are written into an array of the user's, piece by piece."""

import numpy as np
import pytest

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)

SMALL = {"hidden_size": 4, "max_iter": 2, "random_state": 0}
STEPS = {**SMALL, "readout": "sequence", "chunk_size": 8}
LENGTHS = [30, 41, 25, 38]


class Written:
    """What zarr's and h5py's arrays have in common, for writing."""

    def __init__(self, shape, dtype):
        self.values, self.most = np.full(shape, 99, dtype), 0
        self.shape, self.dtype = shape, np.dtype(dtype)

    def __setitem__(self, at, part):
        self.values[at] = part
        self.most = max(self.most, np.size(part))


@pytest.fixture(name="X")
def series(rng):
    return [rng.normal(size=(n, 2)) for n in LENGTHS]


def sums(X, every=1):
    return [x.cumsum(axis=0)[every - 1 :: every] for x in X]


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize(
    ("model", "options", "shape"),
    [
        (PETNNRegressor, {"every": 3}, (4, 13)),
        (PETNNRegressor, {"loss": "quantile", "quantile": [0.1, 0.9]}, (4, 41, 2)),
        (HSSMRegressor, {"state_size": 3, "num_blocks": 1, "norm": "layer"}, (4, 41)),
    ],
)
def test_numbers_are_those_of_an_array_and_never_held_whole(
    mapped, X, model, options, shape, where
):
    y = [s[:, 0] for s in sums(X, options.get("every", 1))]
    model = model(**STEPS, **options).fit(X, y)
    expected = model.predict(X)
    out = Written(shape, np.float64)
    assert model.predict(mapped(X) if where == "files" else X, out=out) is out
    np.testing.assert_allclose(out.values, expected, atol=1e-12)
    assert out.most <= 8 * np.prod(shape[2:], dtype=int)


def test_several_targets_a_step_are_written(mapped, X):
    model = PETNNRegressor(**STEPS).fit(X, sums(X))
    out = np.empty((4, 41, 2), np.float32)
    model.predict(mapped(X), out=out)
    np.testing.assert_allclose(out, model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize(
    ("labels", "dtype"), [(["down", "up"], "U4"), ([3, 5], np.int8), ([False, True], object)]
)
def test_labels_and_probabilities_are_those_of_an_array(mapped, X, labels, dtype, where):
    y = [np.array(labels)[(s[:, 0] > 0).astype(int)] for s in sums(X)]
    model = PETNNClassifier(**STEPS).fit(X, y)
    given = mapped(X) if where == "files" else X
    out = Written((4, 41), dtype)
    model.predict(given, out=out)
    np.testing.assert_array_equal(out.values, model.predict(X))
    out = Written((4, 41, 2), np.float64)
    model.predict_proba(given, out=out)
    np.testing.assert_allclose(out.values, model.predict_proba(X), atol=1e-12)
    assert out.most <= 16


def test_tokens_are_predicted_into_an_array(rng):
    X = [rng.integers(0, 5, n) for n in LENGTHS]
    model = PETNNClassifier(**STEPS, vocabulary_size=5, embedding_dim=3).fit(X, [x % 2 for x in X])
    out = np.empty((4, 41), int)
    np.testing.assert_array_equal(model.predict(X, out=out), model.predict(X))


def test_a_record_is_predicted_from_file_to_file(mapped, X, tmp_path):
    X = np.concatenate(X)[None]
    model = PETNNRegressor(**STEPS).fit(X, X[:, :, 0])
    path = tmp_path / "predictions.npy"
    out = np.lib.format.open_memmap(path, mode="w+", dtype=np.float64, shape=X.shape[:2])
    model.predict(mapped(X), out=out).flush()
    np.testing.assert_allclose(np.load(path), model.predict(X), atol=1e-12)


def test_other_models_fill_an_array_too(X, rng):
    y = np.array([0.5, 1.5, -1.0, 2.0])
    model = PETNNRegressor(**SMALL).fit(X, y)
    np.testing.assert_array_equal(model.predict(X, out=np.empty(4)), model.predict(X))
    table, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    model = DynPMNNClassifier(**SMALL).fit(table, y)
    out = np.empty(20, np.int8)
    np.testing.assert_array_equal(model.predict(table, out=out), model.predict(table))
    out = np.empty((20, 2))
    np.testing.assert_array_equal(model.predict_proba(table, out=out), model.predict_proba(table))
    model = DynPMNNRegressor(**SMALL).fit(table, y)
    with pytest.raises(ValueError, match=r"out must be of shape \(20,\), got \(20, 1\)"):
        model.predict(table, out=np.empty((20, 1)))


def test_an_array_that_cannot_hold_the_answer_is_refused_before_it_is_touched(X):
    y = [s[:, 0] for s in sums(X)]
    model = PETNNRegressor(**STEPS).fit(X, y)
    with pytest.raises(ValueError, match=r"out must be of shape \(4, 41\), got \(4, 40\)"):
        model.predict(X, out=np.empty((4, 40)))
    with pytest.raises(
        ValueError, match="out must hold floating-point numbers, got the dtype int64"
    ):
        model.predict(X, out=np.empty((4, 41), int))
    with pytest.raises(TypeError, match="out must be an array"):
        model.predict(X, out=[])
    out = np.empty((4, 41))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        model.predict(X, out=out)
    model = PETNNRegressor(**STEPS).fit(X, [1e6 * values for values in y])
    with pytest.raises(ValueError, match="of the dtype float16, cannot hold"):
        model.predict(X, out=np.empty((4, 41), np.float16))
    model = PETNNClassifier(**STEPS).fit(X, [np.where(v > 0, 300, 5) for v in y])
    with pytest.raises(ValueError, match="out must hold 300, which its dtype int8 cannot"):
        model.predict(X, out=np.empty((4, 41), np.int8))
    with pytest.raises(ValueError, match="out must hold -1, which its dtype uint16 cannot"):
        model.predict(X, out=np.empty((4, 41), np.uint16))
    same = [x[:25] for x in X]  # where nothing is past an end
    assert set(model.predict(same, out=np.empty((4, 25), np.uint16)).flat) <= {5, 300}
    with pytest.raises(ValueError, match="out must hold 5, which its dtype <U9 cannot"):
        model.predict(X, out=np.empty((4, 41), "U9"))


def test_out_is_no_metadata_to_be_routed():
    assert not hasattr(PETNNRegressor, "set_predict_request")
    assert not hasattr(PETNNClassifier, "set_predict_proba_request")
