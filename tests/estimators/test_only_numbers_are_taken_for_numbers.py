"""Dates, text, complex numbers and masks are not read as numbers, and the refusal names them."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from sklearn_physrnn import HSSMRegressor, PETNNRegressor
from tests.families import ENTRIES, NUMBERS, REGRESSORS, SEQUENCES, SKLEARN, N, each, that_take

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@each(that_take("sequence"))
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.astype("M8[D]"), "X must hold real numbers, got datetime64"),
        (lambda X: X.astype("m8[s]"), "X must hold real numbers, got timedelta64"),
        (lambda X: X.round().astype(str), "X must hold real numbers, got text .<U"),
        (lambda X: X.round().astype(str).tolist(), "X must hold real numbers, got text .<U"),
        (lambda X: X + 1j, "X must hold real numbers, got complex128"),
        (lambda X: [*X[:-1], X[-1].astype("M8[D]")], r"X\[23\] must hold real numbers"),
        (
            lambda X: np.ma.MaskedArray(X, np.arange(X.size).reshape(X.shape) < 5),
            "masked array with 5 masked values",
        ),
        (lambda X: [*X[:-1], np.ma.MaskedArray(X[-1], X[-1] > 0)], r"X\[23\] is a masked array"),
    ],
)
def test_sequences_that_are_not_numbers(kind, change, message):
    X, y = ENTRIES[kind].data
    fitted = ENTRIES[kind].make().fit(X, y)
    for call in (lambda bad: ENTRIES[kind].make().fit(bad, y), fitted.predict):
        with pytest.raises(ValueError, match=message):
            call(change(X))


@each(SKLEARN)
def test_masked_values_are_refused_and_masks_that_hide_nothing_are_taken(kind):
    X, y = ENTRIES[kind].data
    with pytest.raises(ValueError, match="X is a masked array with 1 masked value"):
        ENTRIES[kind].make().fit(np.ma.MaskedArray(X, np.arange(X.size).reshape(X.shape) == 7), y)
    with pytest.raises(ValueError, match="y is a masked array with 1 masked value"):
        ENTRIES[kind].make().fit(X, np.ma.MaskedArray(y, np.arange(N) == 7))
    unmasked = np.ma.MaskedArray(X)
    expected = ENTRIES[kind].make().fit(X, y).predict(X)
    np.testing.assert_array_equal(
        ENTRIES[kind].make().fit(unmasked, y).predict(unmasked), expected
    )


@each(REGRESSORS)
@pytest.mark.parametrize("odd", [None, np.nan, pd.NA])
def test_objects_without_a_number_in_y(kind, odd):
    y = NUMBERS.astype(object)[:, None]  # scikit-learn does not look at columns of objects
    y[3] = odd
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        ENTRIES[kind].make().fit(ENTRIES[kind].X, y)


@each(REGRESSORS)
@pytest.mark.parametrize("bad", ["dates", "text", "sparse"])
def test_targets_that_are_not_numbers(kind, bad):
    y = {
        "dates": np.arange(N).astype("M8[D]"),
        "text": NUMBERS.astype(str),
        "sparse": sp.csr_matrix(NUMBERS[:, None]),
    }[bad]
    with pytest.raises((ValueError, TypeError), match=r"^y must"):
        ENTRIES[kind].make().fit(ENTRIES[kind].X, y)


def test_what_x_is_was_decided_in_fit():
    tokens = np.arange(N * 4).reshape(N, 4) % 3
    model = ENTRIES[PETNNRegressor].make().fit(tokens, NUMBERS)
    before = model.predict(tokens)
    np.testing.assert_array_equal(model.set_params(vocabulary_size=3).predict(tokens), before)
    X = np.abs(SEQUENCES).cumsum(axis=1)
    model = ENTRIES[HSSMRegressor].make().fit(X, NUMBERS)
    before = model.predict(X)
    np.testing.assert_array_equal(model.set_params(time_channel=0).predict(X), before)
