"""What files of earlier versions lack of a scaler is found from what they have."""

import numpy as np
import pytest

from sklearn_physrnn.preparation import stored_scalers
from sklearn_physrnn.preparation.scaling import NormalQuantile


@pytest.mark.parametrize("n", [2, 7, 60, 900])
def test_the_median_of_a_file_without_one(n, rng):
    X = np.c_[rng.random(n) < 0.4, rng.poisson(1.0, n), rng.normal(size=n), np.full(n, 7.5)]
    w = rng.integers(1, 5, n)
    scaler = NormalQuantile.fit(X.astype(float), w)
    fields = {**stored_scalers.scaler_fields(scaler), "kind": "quantile"}
    specs = stored_scalers.scaler_specs(fields, 4)
    assert set(specs) == {"values", "normal"}
    arrays = stored_scalers.scaler_arrays(scaler)
    found = stored_scalers.stored_scaler(fields, {name: arrays[name] for name in specs})
    np.testing.assert_allclose(found.median, np.median(X.repeat(w, axis=0), axis=0), rtol=1e-12)


def test_of_more_values_than_knots_it_is_nearly_so(rng):
    scaler = NormalQuantile.fit(rng.normal(size=(5000, 1)))
    fields = {**stored_scalers.scaler_fields(scaler), "kind": "quantile"}
    found = stored_scalers.stored_scaler(fields, stored_scalers.scaler_arrays(scaler))
    np.testing.assert_allclose(found.median, scaler.median, atol=0.01)
