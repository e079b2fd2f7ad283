"""Sparse tables are taken as the dense ones that they stand for, and never made dense at once."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import is_classifier
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklearn_physrnn import DynPMNNRegressor, load
from sklearn_physrnn.inspection import integrated_gradients
from sklearn_physrnn.training._sparse import SparseRows
from tests.families import ENTRIES, N, each, that_take

TABLES = that_take("table")
RNG = np.random.default_rng(0)
X = np.where(RNG.random((N, 5)) < 0.3, RNG.normal(size=(N, 5)), 0.0)
HOLED = np.where(RNG.random((N, 5)) < 0.1, np.nan, X)


def _outputs(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


@each(TABLES)
@pytest.mark.parametrize("scale_inputs", ["standard", "quantile", "quantile_linear", False])
@pytest.mark.parametrize("dense", [X, HOLED], ids=["whole", "holed"])
@pytest.mark.parametrize("weighted", [False, True])
def test_a_sparse_table_is_the_dense_one(kind, scale_inputs, dense, weighted):
    y = ENTRIES[kind].y
    w = np.arange(N) % 3 + 1.0 if weighted else None
    options = {"scale_inputs": scale_inputs, "dtype": "float64"}
    expected = ENTRIES[kind].make(**options).fit(dense, y, w)
    model = ENTRIES[kind].make(**options).fit(sp.csr_array(dense), y, w)
    np.testing.assert_allclose(_outputs(model, dense), _outputs(expected, dense), atol=1e-10)
    np.testing.assert_array_equal(_outputs(model, sp.csr_array(dense)), _outputs(model, dense))
    assert model.score(sp.csr_array(dense), y) == model.score(dense, y)


@each(TABLES)
@pytest.mark.parametrize(
    "form", [sp.csr_matrix, sp.csc_matrix, sp.csc_array, sp.coo_array, sp.lil_matrix, sp.dok_array]
)
def test_every_sparse_form_is_taken(kind, form):
    y = ENTRIES[kind].y
    model = ENTRIES[kind].make().fit(X, y)
    np.testing.assert_array_equal(_outputs(model, form(X)), _outputs(model, X))
    more = {"classes": np.unique(y)} if is_classifier(model) else {}
    streamed = ENTRIES[kind].make().partial_fit(form(X), y, **more).partial_fit(form(X), y)
    assert streamed.n_iter_ == 2


@each(TABLES)
def test_early_stopping_and_validation_data_may_be_sparse(kind):
    y = ENTRIES[kind].y
    model = ENTRIES[kind].make(early_stopping=True, validation_fraction=0.25)
    assert len(model.fit(sp.csr_array(X), y).validation_scores_) == 2
    given = model.fit(sp.csr_array(X), y, X_val=sp.csr_array(X), y_val=y)
    assert given.validation_scores_[-1] == pytest.approx(given.score(X, y), abs=1e-4)


def test_entries_given_twice_add_up_and_the_caller_s_matrix_stays_as_it_is():
    twice = sp.csr_array((np.ones(3), [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    model = ENTRIES[DynPMNNRegressor].make().fit(X[:, :2], X[:, 0])
    np.testing.assert_array_equal(
        model.predict(twice), model.predict(np.array([[0.0, 2.0], [1.0, 0.0]]))
    )
    assert twice.indices.tolist() == [1, 1, 0]


@pytest.mark.parametrize("n_kinds", [5, 6])
def test_the_readme_s_pipeline_takes_any_number_of_categories(n_kinds):
    frame = pd.DataFrame(
        {"size": RNG.normal(size=60), "kind": RNG.choice(list("abcdef")[:n_kinds], 60)}
    )
    y = frame["size"] + (frame["kind"] == "a")
    columns = make_column_transformer((OneHotEncoder(), ["kind"]), remainder="passthrough")
    model = make_pipeline(columns, DynPMNNRegressor(max_iter=30, random_state=0)).fit(frame, y)
    assert sp.issparse(columns.fit_transform(frame)) == (n_kinds == 6)
    assert model.score(frame, y) > 0.5


def test_a_sparse_table_is_never_made_dense_as_a_whole():
    rng = np.random.default_rng(0)
    wide = sp.random_array((4000, 5000), density=1e-3, format="csr", rng=rng)
    y = np.asarray(wide.sum(axis=1)).ravel()
    model = ENTRIES[DynPMNNRegressor].make(max_iter=1, batch_size=64)
    tracemalloc.start()
    model.fit(wide, y).predict(wide)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4000 * 5000 * 4  # of the dense table in float32
    samples = model._prepared.inputs.tensors(
        model._prepared.inputs.read(wide, model), torch.float32
    )
    assert isinstance(samples["x"], SparseRows)
    assert samples["x"].nbytes < 1_000_000


def test_rows_of_a_sparse_table_are_dense_ones():
    rows = SparseRows(
        torch.tensor([1.0, 2, 3]),
        torch.tensor([5.0, 6, 7]),
        torch.tensor([0, 2, 1]),
        torch.tensor([0, 2, 2, 3]),
    )
    dense = torch.tensor([[5.0, 2, 6], [1, 2, 3], [1, 7, 3]])
    assert torch.equal(rows[slice(0, 3)], dense)
    assert torch.equal(rows[torch.tensor([2, 0, 0, 1])], dense[[2, 0, 0, 1]])
    assert torch.equal(rows[slice(1, 2)], dense[1:2])


@each(TABLES)
def test_a_model_of_a_sparse_table_is_kept_and_explained(kind, tmp_path):
    model = ENTRIES[kind].make().fit(sp.csr_array(HOLED), ENTRIES[kind].y)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(
        _outputs(load(tmp_path / "model"), sp.csr_array(HOLED)), _outputs(model, HOLED)
    )
    np.testing.assert_array_equal(
        integrated_gradients(model, sp.csr_array(X)), integrated_gradients(model, X)
    )


@each(TABLES)
def test_a_sparse_table_of_another_width_is_refused(kind):
    model = ENTRIES[kind].make().fit(sp.csr_array(X), ENTRIES[kind].y)
    with pytest.raises(ValueError, match=r"X has 4 features.*expecting 5 features"):
        model.predict(sp.csr_array(X[:, :4]))
