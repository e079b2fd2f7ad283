import numpy as np
import pytest
from scipy.stats import kstest, norm
from sklearn.preprocessing import QuantileTransformer, StandardScaler

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.preparation.scaling import Standard, make_scaler

KINDS = ["standard", "quantile", "quantile_linear"]


def test_standard_is_scikit_learns(rng):
    X, w = rng.normal(3, 5, (80, 3)), rng.random(80)
    expected = StandardScaler().fit(X, sample_weight=w).transform(X)
    np.testing.assert_allclose(make_scaler("standard", X, w).transform(X), expected)


def test_standard_can_be_undone(rng):
    X = rng.normal(3, 5, (80, 3))
    scaler = make_scaler("standard", X, None)
    np.testing.assert_allclose(scaler.inverse(scaler.transform(X)), X)


def test_quantile_gives_a_normal_distribution(rng):
    X = rng.exponential(size=(5000, 2)) ** 3
    Z = make_scaler("quantile", X, None).transform(X)
    assert kstest(Z[:, 0], "norm").statistic < 0.02
    assert (np.diff(Z[np.argsort(X[:, 0]), 0]) >= 0).all()  # the order stays
    expected = QuantileTransformer(output_distribution="normal").fit_transform(X)
    inner = np.abs(expected) < 2
    np.testing.assert_allclose(Z[inner], expected[inner], atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", [5, 50, 5000])
def test_no_jumps(kind, n, rng):
    # A step of a millionth of the values' spread, at the training values and between them.
    X = np.sort(rng.normal(size=(n, 1)), axis=0)
    scaler = make_scaler(kind, X, None)
    for x in (X, (X[1:] + X[:-1]) / 2):
        assert np.abs(scaler.transform(x + 1e-9) - scaler.transform(x)).max() < 1e-2
    far = scaler.transform(X)
    assert (np.diff(far[np.abs(far) < 2]) > 0).all()  # different values stay different


def test_ties_share_the_middle_of_their_ranks():
    Z = make_scaler("quantile", np.array([[0.0]] * 3 + [[1.0]]), None).transform(np.eye(2)[:, :1])
    np.testing.assert_allclose(norm.cdf(Z), [[7 / 8], [3 / 8]])


@pytest.mark.parametrize("kind", KINDS)
def test_a_weight_counts_like_repetition(kind, rng):
    X, counts = rng.normal(size=(40, 2)), rng.integers(1, 5, 40)
    weighted = make_scaler(kind, X, counts.astype(float)).transform(X)
    repeated = make_scaler(kind, X.repeat(counts, axis=0), None).transform(X)
    np.testing.assert_allclose(weighted, repeated, atol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", [*KINDS, False])
def test_type_is_kept(kind, dtype, rng):
    X = rng.normal(size=(20, 2)).astype(dtype)
    assert make_scaler(kind, X, None).transform(X).dtype == dtype


@pytest.mark.parametrize("value", [0.0, 1.0, -7e11, 1e300])
@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_column_becomes_zero(kind, value):
    X = np.full((20, 1), value)
    assert (np.abs(make_scaler(kind, X, None).transform(X)) < 1e-6).all()


@pytest.mark.parametrize("size", [1e-300, 1e-30, 1e30, 1e300])
@pytest.mark.parametrize("kind", KINDS)
def test_units_do_not_matter(kind, size, rng):
    X = rng.normal(size=(50, 2))
    plain = make_scaler(kind, X, None).transform(X)
    np.testing.assert_allclose(make_scaler(kind, X * size, None).transform(X * size), plain)


@pytest.mark.parametrize("kind", KINDS)
def test_wild_values_at_prediction_stay_finite(kind, rng):
    scaler = make_scaler(kind, rng.normal(size=(50, 1)), None)
    Z = scaler.transform(np.array([[-1.7e308], [1e30], [1.7e308]]))
    assert np.isfinite(Z.astype(np.float32)).all()
    assert Z[0] < Z[1] <= Z[2]


def test_without_scaling_what_float32_cannot_hold_is_refused():
    X = np.array([[1.0], [1e39]])
    with pytest.raises(ValueError, match=r"scale_inputs=False .* got 1.0e\+39"):
        make_scaler(False, X, None).transform(X)
    assert make_scaler(False, X[:1], None).transform(X[:1]) is not None


def test_further_targets_leave_a_scale_that_is_known():
    scaler = Standard.fit(np.c_[np.full(9, 5.0), np.arange(9.0)], constant="fixed")
    revised = scaler.revised(np.c_[np.arange(9.0), 100 + np.arange(9.0)])
    np.testing.assert_allclose(revised.center, [4, 4])
    np.testing.assert_allclose(revised.scale, np.arange(9.0).std())
    assert scaler.revised(np.full((4, 2), 5.0)) is scaler


@pytest.mark.parametrize("n", [50, 5000])
def test_a_small_but_real_variation_is_no_constant(n):
    x = 1 + 1e-12 * np.random.default_rng(0).normal(size=(n, 1))
    assert Standard.fit(x, constant="fixed").transform(x).std() == pytest.approx(1, abs=0.01)
    rounding = 1 + 1e-16 * np.random.default_rng(0).normal(size=(n, 1))
    assert np.abs(Standard.fit(rounding).transform(rounding)).max() < 1e-12


@pytest.mark.parametrize("n", [2, 3000])
def test_quantiles_of_the_largest_numbers(n):
    X = 1.7e308 * np.linspace(-1, 1, n)[:, None]
    scaler = make_scaler("quantile", X, None)
    assert (np.diff(scaler.transform(X)[:, 0]) >= 0).all()
    assert scaler.transform(np.zeros((1, 1))).item() == pytest.approx(0, abs=1e-3)


def test_denormals_are_scaled():
    X = np.array([[0.0], [5e-324], [1e-323], [0.0]])
    Z = make_scaler("standard", X, None).transform(X)
    assert np.isfinite(Z).all()
    assert np.ptp(Z) > 0


def test_linear_tails_are_quantiles_inside_and_straight_lines_outside(rng):
    X = rng.normal(size=(2000, 1)) ** 3
    plain, tails = (make_scaler(kind, X, None) for kind in ("quantile", "quantile_linear"))
    low, inner_low, inner_high, high = np.quantile(X, [0.1, 0.2, 0.8, 0.9])
    inside = np.linspace(low + 0.01, high - 0.01, 50)[:, None]
    np.testing.assert_allclose(tails.transform(inside), plain.transform(inside), atol=1e-12)
    for start, inner, end in ((high, inner_high, 5 * X.max()), (low, inner_low, 5 * X.min())):
        line = np.linspace(start, end, 50)[:, None]
        Z = tails.transform(line)[:, 0]
        slope = (Z[-1] - Z[0]) / (end - start)
        np.testing.assert_allclose(Z, Z[0] + slope * (line[:, 0] - start), atol=0.01)
        expected = norm.ppf(0.9) - norm.ppf(0.8)
        assert slope == pytest.approx(expected / abs(start - inner), rel=0.05)


def test_values_beyond_training_are_told_apart_by_linear_tails_alone():
    t = np.arange(200.0)[:, None]
    beyond = np.array([[200.0], [250.0], [300.0]])
    assert np.ptp(make_scaler("quantile", t, None).transform(beyond)) == 0
    Z = make_scaler("quantile_linear", t, None).transform(beyond)[:, 0]
    assert (np.diff(Z) > 0.5).all()


def test_a_trend_goes_on_where_tails_are_linear():
    t = np.arange(300.0)[:, None]
    predicted = {}
    for scale_inputs in ("quantile", "quantile_linear"):
        model = DynPMNNRegressor(scale_inputs=scale_inputs, max_iter=40, random_state=0)
        predicted[scale_inputs] = model.fit(t[:200], 2 * t[:200, 0]).predict(t[[200, 299]])
    assert np.ptp(predicted["quantile"]) == 0
    assert np.diff(predicted["quantile_linear"]) > 30  # of 198: neurons saturate
