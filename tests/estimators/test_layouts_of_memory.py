"""However numbers lie in memory, and in whichever integer type a size comes."""

import warnings

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn import DynPMNNRegressor, PETNNRegressor
from tests.families import ENTRIES, NUMBERS, SEQUENCES, SKLEARN, TABLE, N, each

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@each(SKLEARN)
@pytest.mark.parametrize(
    "change",
    [
        lambda X: X[::-1, ..., ::-1],
        lambda X: np.asfortranarray(X),
        lambda X: X.astype(">f8"),
        lambda X: _read_only(X),
    ],
    ids=["backwards", "fortran", "big-endian", "read-only"],
)
@pytest.mark.parametrize("scale_inputs", ["standard", False])
def test_layouts_of_memory(kind, change, scale_inputs):
    X, y = ENTRIES[kind].data
    X = change(X)
    model = ENTRIES[kind].make(scale_inputs=scale_inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(neuron|step).*")
        predicted = model.fit(X, y).predict(X)
    plain = np.ascontiguousarray(X, dtype=np.float64)
    expected = model.fit(plain, y).predict(plain)
    np.testing.assert_allclose(predicted, expected, rtol=1e-6, atol=1e-9)


@each(SKLEARN)
@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_data_frames_of_foreign_byte_order(kind, dtype):
    X, y = ENTRIES[kind].data
    X = X.reshape(N, -1)
    frame = pd.DataFrame(X.astype(dtype))
    model = ENTRIES[kind].make().fit(X, y)
    expected = model.predict(X.astype(dtype[1:]))
    np.testing.assert_allclose(model.predict(frame), expected, rtol=1e-5)


def test_integers_of_numpy_are_integers():
    small = np.int8(2)
    model = ENTRIES[PETNNRegressor].make(hidden_size=small, num_layers=small)
    assert np.isfinite(model.fit(SEQUENCES, NUMBERS).predict(SEQUENCES)).all()
    table = ENTRIES[DynPMNNRegressor].make(hidden_size=small, n_steps=np.int8(100))
    assert np.isfinite(table.fit(TABLE, NUMBERS).predict(TABLE)).all()
