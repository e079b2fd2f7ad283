"""tanh and GELU inside compiled loops."""

import numba
import numpy as np
import pytest
from scipy.special import ndtr

from sklearn_physrnn.kernels._exponentials import gelu_plane, tanh64

VALUES = np.concatenate(
    [
        np.random.default_rng(0).normal(scale=3, size=10_000),
        *(sign * np.logspace(-300, 3, 5000) for sign in (1, -1)),
        [0.0, 1e308, -1e308],
    ]
)


@numba.njit
def _tanh(x):
    return np.array([tanh64(value) for value in x])


def test_tanh_is_right_to_a_last_place_at_every_size():
    np.testing.assert_allclose(_tanh(VALUES), np.tanh(VALUES), rtol=5e-16)


def test_infinity_has_a_tanh_and_a_nan_stays_one():
    np.testing.assert_array_equal(_tanh(np.array([np.inf, -np.inf, np.nan])), [1, -1, np.nan])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gelu_is_right_to_a_last_place(dtype):
    values = VALUES[np.abs(VALUES) < 1e30].astype(dtype)
    expected = values.astype(float) * ndtr(values.astype(float))
    gelu_plane(values)
    tolerance = 4e-15 if dtype == np.float64 else 1e-7
    np.testing.assert_allclose(values, expected, rtol=tolerance, atol=tolerance)


def test_gelu_of_a_nan_is_one():
    plane = np.array([np.nan, 1.0])
    gelu_plane(plane)
    np.testing.assert_array_equal(np.isnan(plane), [True, False])
