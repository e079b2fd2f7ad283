"""What a label may be, and what is said where it is none."""

import numpy as np
import pandas as pd
import pytest

from tests.families import CLASSIFIERS, ENTRIES, LABELS, each, that_take


@each(CLASSIFIERS)
@pytest.mark.parametrize("dtype", [int, bool])
def test_numbers_that_come_as_objects_are_numbers(kind, dtype):
    y = LABELS.astype(dtype)
    expected = ENTRIES[kind].make().fit(ENTRIES[kind].X, y)
    for boxed in (y.astype(object), pd.Series(y, dtype=object), y.tolist()):
        model = ENTRIES[kind].make().fit(ENTRIES[kind].X, boxed)
        assert model.classes_.dtype == expected.classes_.dtype
        np.testing.assert_array_equal(
            model.predict(ENTRIES[kind].X), expected.predict(ENTRIES[kind].X)
        )
        assert model.score(ENTRIES[kind].X, boxed) == expected.score(ENTRIES[kind].X, y)


@each(that_take("sequence", CLASSIFIERS))
def test_objects_are_numbers_at_every_step(kind):
    X = ENTRIES[kind].X
    y = (X[:, :, 0] > 0).astype(int)
    expected = ENTRIES[kind].make(readout="sequence").fit(X, y)
    model = ENTRIES[kind].make(readout="sequence").fit(X, y.astype(object))
    assert model.classes_.dtype == np.int64
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.score(X, y.astype(object)) == expected.score(X, y)


@each(CLASSIFIERS)
def test_one_hot_rows_are_told_what_becomes_of_them(kind):
    with pytest.warns(UserWarning, match=r"has one label.* give y.argmax\(axis=1\)"):
        ENTRIES[kind].make().fit(ENTRIES[kind].X, np.eye(2)[LABELS])


@each(CLASSIFIERS)
def test_logarithms_of_probabilities_are_finite_where_these_vanish(kind):
    entry = ENTRIES[kind]
    model = entry.make().fit(entry.X, entry.y)
    logs = model.predict_log_proba(entry.X)
    np.testing.assert_allclose(np.exp(logs), model.predict_proba(entry.X), rtol=1e-6)
    assert logs.dtype == model.predict_proba(entry.X).dtype
    outputs = model._outputs
    model._outputs = lambda X: 1e5 * outputs(X)
    assert (model.predict_proba(entry.X) == 0).any()
    assert np.isfinite(model.predict_log_proba(entry.X)).all()
