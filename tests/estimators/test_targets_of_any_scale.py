"""Targets are learned in any unit, to the last digit of it, and constants exactly."""

import numpy as np
import pytest
from sklearn.metrics import r2_score

from sklearn_physrnn import DynPMNNRegressor
from tests.families import ENTRIES, NUMBERS, REGRESSORS, TABLE, N, each

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@each(REGRESSORS)
@pytest.mark.parametrize("size", [1e300, 1e-300, 1e40])
def test_float32_inputs_and_targets_that_float32_cannot_hold(kind, size):
    X = ENTRIES[kind].X.astype(np.float32)
    predicted = ENTRIES[kind].make().fit(X, NUMBERS * size).predict(X)
    plain = ENTRIES[kind].make().fit(X, NUMBERS).predict(X)
    assert plain.dtype == np.float32
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(predicted, plain.astype(float) * size, rtol=1e-3)


@each(REGRESSORS)
def test_float32_inputs_and_targets_that_float32_cannot_tell_apart(kind):
    X = ENTRIES[kind].X.astype(np.float32)
    model = ENTRIES[kind].make(max_iter=20).fit(X, NUMBERS + 1e9)
    assert r2_score(NUMBERS + 1e9, model.predict(X)) > -0.5  # in steps of 64 it is -800


@each(REGRESSORS)
@pytest.mark.parametrize("value", [0.0, -7.3, 1e9 + 1, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_is_predicted_exactly(kind, value, dtype):
    X = ENTRIES[kind].X.astype(dtype)
    model = ENTRIES[kind].make().fit(X, np.full(N, value))
    assert (model.predict(X) == value).all()


@each(REGRESSORS)
def test_a_target_that_is_constant_only_at_first(kind):
    X = ENTRIES[kind].X
    model = ENTRIES[kind].make().partial_fit(X, np.full(N, 5.0))
    for _ in range(3):
        model.partial_fit(X, 1e6 + 1e3 * NUMBERS)
    assert np.ptp(model.predict(X)) > 0
    assert abs(model.predict(X).mean() - 1e6) < 1e4


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_the_score_does_not_depend_on_the_unit(size):
    model = ENTRIES[DynPMNNRegressor].make()
    plain = model.fit(TABLE, NUMBERS).score(TABLE, NUMBERS)
    scaled = model.fit(TABLE, NUMBERS * size).score(TABLE, NUMBERS * size)
    assert scaled == pytest.approx(plain, rel=1e-3)
