"""Robust centre and scale: what wild values, ties, weights and units do to them."""

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn.preparation.robust import Distribution
from sklearn_physrnn.preparation.scaling import LIMIT, Standard


def robust(y, weights=None):
    scaler = Standard.fit(np.reshape(y, (len(y), -1)), weights, constant="fixed", robust=True)
    return scaler.center, scaler.scale


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.9])
@pytest.mark.parametrize("n", [2, 9, 10, 200])
def test_quantiles_are_numpys(share, n, rng):
    x = rng.normal(size=n).round(1)
    expected = np.quantile(x, share, method="averaged_inverted_cdf")
    assert Distribution(x).quantile(share) == pytest.approx(expected, abs=1e-15)


def test_a_normal_distribution_has_its_mean_and_deviation(rng):
    center, scale = robust(rng.normal(5, 3, size=(100_000, 2)))
    np.testing.assert_allclose(center, 5, atol=0.05)
    np.testing.assert_allclose(scale, 3, rtol=0.02)


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform", "standard_cauchy"])
@pytest.mark.parametrize("share", [0.002, 0.01, 0.05, 0.1])
@pytest.mark.parametrize("wild", [10, 1e3, 1e8, -1e30, 1.7e308])
def test_a_few_wild_values_hardly_move_the_scale(draw, share, wild, rng):
    y = getattr(rng, draw)(size=1000)
    center, scale = robust(y)
    y[: int(share * len(y))] = wild
    spoilt_center, spoilt_scale = robust(y)
    assert abs(spoilt_center - center) < 3 * share * scale
    assert scale / 2 < spoilt_scale < 2.5 * scale


@pytest.mark.parametrize("zeros", [0.4, 0.75, 0.85, 0.899, 0.95, 0.99])
def test_ties_leave_the_scale_of_what_is_not_tied(zeros, rng):
    y = np.where(np.arange(2000) < zeros * 2000, 0.0, rng.gamma(4, 5, size=2000))
    _, scale = robust(y)
    assert y.std() / 3 < scale <= y.std() * (1 + 1e-12)
    y[-2] = 1e9  # among 20 values at least that are not zero
    assert scale / 2 < robust(y)[1] < 2 * scale


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform", "poisson", "lognormal"])
def test_it_is_never_larger_than_the_deviation(draw, rng):
    y, w = getattr(rng, draw)(size=(300, 2)), rng.random(300)
    assert (robust(y, w)[1] <= Standard.fit(y, w).scale).all()


def test_a_part_that_lies_apart_is_no_outlier(rng):
    # A product switched on in the last fifth, idle noise before.
    y = np.where(np.arange(100) < 80, 1e-7 * rng.normal(size=100), 100 + rng.normal(size=100))
    assert 30 < robust(y)[1] < 150


@pytest.mark.parametrize("y", [np.arange(12.0) % 5, np.r_[np.zeros(9), 1, 2, 3], np.eye(12)[0]])
def test_an_integer_weight_counts_like_repetition(y, rng):
    counts = rng.integers(1, 6, len(y))
    for weights in (counts.astype(float), counts / 7):
        np.testing.assert_allclose(robust(y, weights), robust(y.repeat(counts)), rtol=1e-14)


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
def test_the_unit_does_not_matter(size, rng):
    y = rng.normal(size=51)
    (center,), (scale,) = robust(y)
    (scaled_center,), (scaled_scale,) = robust(y * size)
    assert scaled_center == pytest.approx(center * size, rel=1e-12)
    assert scaled_scale == pytest.approx(scale * size, rel=1e-12)


def test_the_largest_and_the_smallest_numbers_have_a_scale():
    for y in (1.7e308 * np.linspace(-1, 1, 20), np.array([0.0, 5e-324, 1e-323, 0.0])):
        scaler = Standard.fit(y[:, None], constant="fixed", robust=True)
        Z = scaler.transform(y[:, None])
        assert np.isfinite(scaler.scale).all()
        assert 0 < np.ptp(Z) < LIMIT


@pytest.mark.parametrize("value", [0.0, -7.3, 1e9 + 1, 1e300])
def test_a_constant_is_fixed(value):
    scaler = Standard.fit(np.full((20, 1), value), constant="fixed", robust=True)
    assert (scaler.inverse(np.array([[-3.0], [7.0]])) == value).all()


def test_rounding_is_no_variation_but_a_small_variation_is(rng):
    for n in (50, 5000):
        assert robust(1 + 1e-16 * rng.normal(size=n))[1] == 0
        assert robust(1 + 1e-12 * rng.normal(size=n))[1] == pytest.approx(1e-12, rel=0.3)


def test_further_targets_wake_a_constant_robustly(rng):
    scaler = Standard.fit(np.full((9, 1), 5.0), constant="fixed", robust=True)
    y = rng.normal(size=(100, 1))
    y[:3] = 1e6
    revised = scaler.revised(y, robust=True)
    assert 0.5 < revised.scale[0] < 2
    assert revised.revised(100 * y, robust=True) is revised


def test_without_robust_it_is_the_mean_and_the_deviation_to_the_bit(rng):
    y, w = rng.normal(3, 5, size=(80, 2)), rng.random(80)
    magnitude = np.abs(y).max(axis=0)
    fitted = StandardScaler().fit(y / magnitude, sample_weight=w)
    scaler = Standard.fit(y, w, constant="fixed")
    np.testing.assert_array_equal(scaler.center, fitted.mean_ * magnitude)
    np.testing.assert_array_equal(scaler.scale, np.sqrt(fitted.var_) * magnitude)
