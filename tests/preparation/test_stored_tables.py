"""Tables that are read from where they are: what arrays in memory give, in bounded memory."""

import numpy as np
import pytest
import torch

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.preparation import stored_tables
from sklearn_physrnn.training._stored import StoredRows

SMALL = {"hidden_size": 4, "max_iter": 2, "dtype": "float64", "random_state": 0, "batch_size": 16}


def as_memmap(X, folder):
    np.save(folder / "X.npy", X)
    return np.load(folder / "X.npy", mmap_mode="r")


def as_zarr(X, folder):
    zarr = pytest.importorskip("zarr")
    kept = zarr.create_array(folder / "X.zarr", shape=X.shape, chunks=(13, 2), dtype=X.dtype)
    kept[:] = X
    return kept


def as_h5py(X, folder):
    file = pytest.importorskip("h5py").File(folder / "X.h5", "w")
    return file.create_dataset("X", data=X, chunks=(13, 2))


def as_h5py_in_one_piece(X, folder):
    return pytest.importorskip("h5py").File(folder / "X.h5", "w").create_dataset("X", data=X)


def as_dask(X, folder):
    return pytest.importorskip("dask.array").from_array(X, chunks=(13, 2))


def as_parquet(X, folder):
    arrow = pytest.importorskip("pyarrow")
    parquet, dataset = (pytest.importorskip(f"pyarrow.{name}") for name in ("parquet", "dataset"))
    for number, part in enumerate(np.array_split(X, 2)):
        table = arrow.table({f"c{i}": column for i, column in enumerate(part.T)})
        parquet.write_table(table, folder / f"{number}.parquet", row_group_size=13)
    return dataset.dataset(folder, format="parquet")


KINDS = [as_memmap, as_zarr, as_h5py, as_h5py_in_one_piece, as_dask, as_parquet]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def keep(request, tmp_path, monkeypatch):
    """Puts a table somewhere, in a way in which even a small one stays there."""

    def kept(X):
        stored = request.param(X, tmp_path)
        monkeypatch.setattr(stored_tables, "_WORTH_LEAVING", 0)
        monkeypatch.setattr(stored_tables, "_VALUES_AT_A_TIME", 50)
        monkeypatch.setattr(stored_tables, "_KEPT", 26 * X.shape[1] * 8)
        return stored

    return kept


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4))
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, np.nansum(X, axis=1)


def test_a_batch_of_all_gives_what_an_array_gives(keep):
    X, y = data()
    stored = keep(X)
    model = DynPMNNRegressor(**SMALL | {"batch_size": 80})
    here, there = (model.fit(table, y).predict(table) for table in (X, stored))
    np.testing.assert_allclose(there, here, rtol=1e-9)
    np.testing.assert_allclose(model.predict(X), here, rtol=1e-9)


def test_rows_that_are_held_out_and_weighed(keep):
    X, y = data()
    stored = keep(X)
    weights = np.arange(80) % 3
    model = DynPMNNClassifier(**SMALL | {"batch_size": 80}, early_stopping=True)
    here, there = (model.fit(t, y > 0, weights).predict_proba(X) for t in (X, stored))
    np.testing.assert_allclose(there, here, rtol=1e-9)


def test_batches_go_through_every_row(keep):
    X, y = data()
    stored = keep(X)
    model = DynPMNNRegressor(**SMALL).fit(stored, y)
    assert len(model.loss_curve_) == 2
    out = np.empty(80)
    assert model.predict(stored, out=out) is out
    np.testing.assert_allclose(out, model.predict(X), rtol=1e-9)


def test_every_order_is_a_permutation_and_of_chunks():
    bounds = np.array([0, 13, 26, 39, 45])
    rows = StoredRows(lambda rows: rows, (45, 1), torch.float64, (bounds, 2))
    order = rows.shuffled(torch.Generator().manual_seed(0)).numpy()
    assert sorted(order) == list(range(45))
    chunks = np.searchsorted(bounds, order, side="right") - 1
    assert len(set(chunks[:19])) == 2  # two at a time, and the rows of both mixed
    assert (np.diff(chunks[:19]) != 0).sum() > 2


def test_what_cannot_be_is_refused_by_name(tmp_path, monkeypatch):
    X = as_memmap(np.array([[1.0, 2.0], [np.inf, 4.0]]), tmp_path)
    monkeypatch.setattr(stored_tables, "_WORTH_LEAVING", 0)
    with pytest.raises(ValueError, match="contains inf, in row 1, column 0"):
        DynPMNNRegressor(**SMALL).fit(X, [0, 1])
    with pytest.raises(ValueError, match="categorical_features needs one in memory"):
        DynPMNNRegressor(**SMALL, categorical_features=[0]).fit(X, [0, 1])
    with pytest.raises(ValueError, match="neighbors needs a table in memory"):
        DynPMNNRegressor(**SMALL, neighbors=[0, 1]).fit(X, [0, 1])


def test_names_of_a_data_set_are_those_of_its_columns(tmp_path, monkeypatch):
    X, y = data()
    stored = as_parquet(X, tmp_path)
    names = [f"c{i}" for i in range(4)]
    small = DynPMNNRegressor(**SMALL).fit(stored, y)  # read whole
    monkeypatch.setattr(stored_tables, "_WORTH_LEAVING", 0)
    large = DynPMNNRegressor(**SMALL).fit(stored, y)
    assert list(small.feature_names_in_) == list(large.feature_names_in_) == names
