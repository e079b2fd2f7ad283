"""Sequences and targets in files of zarr and h5py themselves, integers of a recorder included."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.preparation import recordings

SMALL = {
    "hidden_size": 5, "max_iter": 2, "batch_size": 2, "dtype": "float64", "random_state": 0,
    "chunk_size": 40,
}  # fmt: skip


def chunks_of(values):
    return tuple(min(64, n) for n in values.shape)


class InZarr:
    """A folder of zarr arrays."""

    def __init__(self, folder):
        self._zarr = pytest.importorskip("zarr")
        self._group = self._zarr.open_group(folder / "data.zarr", mode="w")

    def __call__(self, name, values):
        chunks = (1, 64, *values.shape[2:])[: values.ndim]
        kept = self._group.create_array(
            name, shape=values.shape, chunks=chunks, dtype=values.dtype
        )
        kept[:] = values
        return kept

    def shrink(self, kept, shape):
        kept.resize(shape)


class InH5py:
    """A file of h5py datasets."""

    def __init__(self, folder):
        self.file = pytest.importorskip("h5py").File(folder / "data.h5", "w")

    def __call__(self, name, values):
        options = {"chunks": chunks_of(values), "maxshape": values.shape}
        return self.file.create_dataset(name, data=values, **options)

    def shrink(self, kept, shape):
        kept.resize(shape)


@pytest.fixture(params=[InZarr, InH5py], ids=["zarr", "h5py"])
def kept(request, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "_WORTH_LEAVING", 0)
    monkeypatch.setattr(recordings, "_VALUES_AT_A_TIME", 100)
    return request.param(tmp_path)


def data(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 200, 3)).cumsum(axis=1)
    return (100 * X).astype(dtype), X[:, :, 0] > 0


@pytest.mark.parametrize("dtype", ["int16", "float32", "float64"])
def test_they_are_fitted_and_predicted_as_arrays_are(kept, dtype):
    X, _ = data(dtype)
    y = X[:, :, 1].mean(axis=1, dtype=float)
    expected = PETNNRegressor(**SMALL).fit(X, y)
    there = kept("X", X)
    model = PETNNRegressor(**SMALL).fit(there, y)
    rounding = 1e-5 if dtype == "float32" else 1e-10
    for name, x in expected.module_.state_dict().items():
        np.testing.assert_allclose(model.module_.state_dict()[name], x, rtol=0, atol=rounding)
    np.testing.assert_allclose(
        model.predict(there), expected.predict(X), rtol=1e-3 * rounding**0.5
    )


def test_a_label_at_every_step_is_read_from_them_and_written_to_them(kept):
    X, up = data("int16")
    labels = np.where(up, 7, 2).astype(np.int8)
    expected = PETNNClassifier(readout="sequence", **SMALL).fit(X, labels)
    there = kept("X", X)
    model = PETNNClassifier(readout="sequence", **SMALL).fit(there, kept("y", labels))
    out = kept("out", np.zeros_like(labels))
    assert model.predict(there, out=out) is out
    np.testing.assert_array_equal(out[:], expected.predict(X))
    probabilities = kept("probabilities", np.zeros((*labels.shape, 2)))
    model.predict_proba(there, out=probabilities)
    np.testing.assert_allclose(probabilities[:], expected.predict_proba(X), atol=1e-9)


def test_a_list_of_them_may_have_unequal_lengths(kept):
    X, _ = data("int16")
    X = [x[: 200 - 30 * i] for i, x in enumerate(X)]
    y = np.arange(5.0)
    options = {**SMALL, "state_size": 3, "norm": "layer"}
    expected = HSSMRegressor(**options).fit(X, y).predict(X)
    there = [kept(f"X{i}", x) for i, x in enumerate(X)]
    model = HSSMRegressor(**options).fit(there, y)
    np.testing.assert_allclose(model.predict(there), expected, rtol=0, atol=1e-9)


def test_values_that_are_not_finite_are_named_by_sample_step_and_channel(kept):
    X, _ = data("float32")
    X[3, 151, 1] = np.inf
    with pytest.raises(ValueError, match="infinity: sample 3, time step 151, channel 1"):
        PETNNRegressor(**SMALL).fit(kept("X", X), np.arange(5.0))


def test_one_that_shrinks_while_it_is_read_ends_the_fit(kept):
    from skorch.callbacks import Callback

    class Shrink(Callback):
        def on_epoch_begin(self, net, **kwargs):
            kept.shrink(there, (5, 90, 3))

    X, _ = data("int16")
    there = kept("X", X)
    model = PETNNRegressor(callbacks=[Shrink()], **SMALL)
    with pytest.raises(ValueError, match="has become shorter since it was first looked at"):
        model.fit(there, np.arange(5.0))
    assert not hasattr(model, "module_")


def test_a_closed_file_is_told_by_its_own_message(tmp_path):
    kept = InH5py(tmp_path)
    there = kept("X", data("int16")[0])
    kept.file.close()
    with pytest.raises(ValueError, match=r"X could not be read as an array: .*Unable to"):
        PETNNRegressor(**SMALL).fit(there, np.arange(5.0))
