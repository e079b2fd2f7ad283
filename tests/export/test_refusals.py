"""What cannot be exported is refused by name, before anything is written."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, PETNNRegressor
from tests.families import ENTRIES, REGRESSORS, SKLEARN, each

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 3))
TINY = {"hidden_size": 3, "num_layers": 1, "n_steps": 4, "max_iter": 1, "random_state": 0}

pytest.importorskip("onnx", reason="to_onnx needs it")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.onnx"


def assert_refused(estimator, path, *words, error=ValueError, **options):
    path.write_bytes(b"as it was")
    with pytest.raises(error) as caught:
        estimator.to_onnx(path, **options)
    for word in words:
        assert word in str(caught.value)
    assert path.read_bytes() == b"as it was"
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@each(SKLEARN)
def test_an_estimator_that_is_not_fitted(kind, path):
    assert_refused(kind(), path, kind.__name__, "not fitted", error=NotFittedError)


def test_arguments_that_are_not_as_described(path):
    estimator = DynPMNNRegressor(**TINY).fit(X, X[:, 0])
    assert_refused(estimator, path, "dtype", "float16", dtype="float16")
    assert_refused(estimator, path, "step", step="yes")
    with pytest.raises(ValueError, match="path"):
        estimator.to_onnx(3)


def test_a_folder_that_is_not_there(tmp_path):
    estimator = DynPMNNRegressor(**TINY).fit(X, X[:, 0])
    with pytest.raises(FileNotFoundError, match="missing"):
        estimator.to_onnx(tmp_path / "missing" / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_steps_of_tables(path):
    estimator = DynPMNNRegressor(**TINY).fit(X, X[:, 0])
    assert_refused(estimator, path, "step=True", "DynPMNNRegressor", "tables", step=True)


def test_categories_of_text(path):
    frame = pd.DataFrame({"a": X[:, 0], "town": pd.Categorical(["Ulm", "Bern"] * 12)})
    estimator = DynPMNNRegressor(**TINY).fit(frame, X[:, 0])
    assert_refused(estimator, path, "Column 1", "Bern", "OrdinalEncoder")


def test_labels_that_are_no_plain_values(path):
    days = np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]")[np.arange(24) % 2]
    estimator = DynPMNNClassifier(**TINY).fit(X, days)
    assert_refused(estimator, path, "datetime64", "numbers, booleans or text")


class Branching(nn.Module):
    """A field that looks at values."""

    n_states = 1

    def forward(self, state, drive):
        return -state if state.sum() > 0 else state


class Exotic(nn.Module):
    """A field of what ONNX has no word for."""

    n_states = 1

    def forward(self, state, drive):
        return torch.special.bessel_j0(state)


@pytest.mark.parametrize(
    ("field", "words"),
    [
        (Branching, ("whatever the values",)),
        (Exotic, ("special_bessel_j0", "other operations")),
    ],
)
def test_a_vector_field_beyond_what_a_graph_can_hold(field, words, path):
    estimator = DynPMNNRegressor(**TINY, dynamics=field())
    assert_refused(estimator.fit(X, X[:, 0]), path, field.__name__, *words)


def test_a_missing_package_is_named(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    entry = ENTRIES[PETNNRegressor]
    words = ("onnx", "pip install 'sklearn-physrnn[onnx]'")
    assert_refused(entry.fitted(), path, *words, error=ImportError)


def test_the_package_is_imported_without_onnx():
    code = "import sys, sklearn_physrnn; assert 'onnx' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@each(REGRESSORS)
def test_a_file_leaves_the_estimator_as_it_was(kind, path):
    entry = ENTRIES[kind]
    estimator = entry.fitted()
    before = {name: x.clone() for name, x in estimator.module_.state_dict().items()}
    predicted, modes = estimator.predict(entry.X), estimator.module_.training
    estimator.to_onnx(path)
    assert estimator.predict(entry.X).tolist() == predicted.tolist()
    assert estimator.module_.training == modes
    assert all(torch.equal(x, before[n]) for n, x in estimator.module_.state_dict().items())
    assert all(parameter.requires_grad for parameter in estimator.module_.parameters())
