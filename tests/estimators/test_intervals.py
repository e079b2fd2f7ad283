"""Intervals of regressors: quantiles by count, no cost where unasked, files, refusals."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import PredefinedSplit, ShuffleSplit

from sklearn_physrnn import DynPMNNRegressor, HSSMRegressor, PETNNRegressor, load
from sklearn_physrnn.preparation.calibration import Calibration, Middle, Spread

RNG = np.random.default_rng(0)
X = RNG.uniform(-1, 1, size=(240, 3))
Y = X[:, 0] + (0.05 + 2 * X[:, 1] ** 2) * RNG.normal(size=len(X))
SMALL = {"hidden_size": 6, "max_iter": 4, "random_state": 0, "batch_size": 64}


def _make(cls=DynPMNNRegressor, **options):
    return cls(**{**SMALL, **options})


@pytest.fixture(scope="module")
def fitted():
    return _make(interval="conformal", interval_cv=3).fit(X, Y)


@pytest.mark.parametrize(("n", "level", "rank"), [
    (9, 0.9, 9), (9, 0.1, 1), (8, 0.9, None), (8, 0.1, None), (99, 0.95, 95), (99, 0.5, 50),
    (99, 0.05, 5), (100, 0.05, 5), (100, 0.95, 96),
])  # fmt: skip
def test_quantiles_are_the_finite_sample_ranks(n, level, rank):
    errors = RNG.permutation(np.arange(1.0, n + 1))[:, None]
    [[found]] = Calibration.of(errors, None, None).quantiles(np.array([level]))
    assert found == (np.sign(level - 0.5) * np.inf if rank is None else rank)


def test_a_bound_covers_as_often_as_it_says_however_few_rows():
    draws = RNG.normal(size=(1000, 12))
    inside = []
    for row in draws:
        low, high = Calibration.of(row[:-1, None], None, None).quantiles(np.array([0.1, 0.9]))[0]
        inside.append(low <= row[-1] <= high)
    # Of 11 rows the bounds are the first and the last: 10 / 12, within four standard errors.
    assert abs(np.mean(inside) - 10 / 12) < 4 * np.sqrt(10 / 12 * 2 / 12 / len(draws))


def test_weights_are_as_many_rows_but_for_the_new_one():
    errors, weights = RNG.normal(size=(300, 1)), RNG.integers(1, 4, size=300)
    levels = np.array([0.1, 0.5, 0.8])
    weighted = Calibration.of(errors, weights.astype(float), None).quantiles(levels)
    copies = Calibration.of(np.repeat(errors, weights, axis=0), None, None)
    around = copies.quantiles(levels - 0.01), copies.quantiles(levels + 0.01)
    assert (around[0] <= weighted).all()
    assert (weighted <= around[1]).all()


def test_learned_quantiles_say_how_wide_each_side_is():
    said = Middle.of_quantiles(np.array([[[0.0, 1.0, 5.0]], [[2.0, 2.0, 2.0]]]), (0.1, 0.5, 0.9))
    np.testing.assert_allclose(said.errors(np.array([[-1.0], [2.0]]))[:, 0], [-2.0, 0.0])
    np.testing.assert_allclose(said.at(np.array([[-2.0, 1.0]]))[0, 0], [-1.0, 5.0])
    assert (said.below > 0).all()
    assert (said.above > 0).all()


def test_a_spread_finds_where_errors_are_large():
    features = RNG.normal(size=(2000, 5))
    size = np.exp(features[:, :1] - 0.5 * features[:, 1:2] ** 2)
    spread = Spread.learned(features, size * RNG.normal(size=size.shape), None)
    found = np.log(spread.of(features))
    assert np.corrcoef(found[:, 0], np.log(size[:, 0]))[0, 1] > 0.9


def test_fit_is_as_without_and_widths_follow_the_noise(fitted):
    plain = _make().fit(X, Y)
    np.testing.assert_array_equal(plain.predict(X), fitted.predict(X))
    assert not hasattr(plain, "calibration_")
    bounds = fitted.predict_interval(X, coverage=0.8)
    assert bounds.shape == (len(X), 2)
    assert 0.7 < np.mean((bounds[:, 0] <= Y) & (bounds[:, 1] >= Y)) < 0.9
    width = bounds[:, 1] - bounds[:, 0]
    assert width[np.abs(X[:, 1]) > 0.7].mean() > 1.3 * width[np.abs(X[:, 1]) < 0.3].mean()


def test_quantiles_never_cross_and_intervals_are_two_of_them(fitted):
    levels = np.linspace(0.02, 0.98, 25)
    values = fitted.predict_quantiles(X, levels)
    assert (np.diff(values, axis=1) >= 0).all()
    bounds = fitted.predict_interval(X, coverage=[0.5, 0.8])
    np.testing.assert_array_equal(bounds[:, 1], fitted.predict_quantiles(X, [0.1, 0.9]))
    np.testing.assert_array_equal(bounds[:, 0, 0], fitted.predict_quantiles(X, 0.25))


def test_files_keep_intervals(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict_interval(X), fitted.predict_interval(X))
    given = _make(loss="quantile", quantile=[0.2, 0.8]).fit(X, Y).calibrate(X[:50], Y[:50])
    given.save(tmp_path / "model")
    expected = given.predict_interval(X, 0.5)
    np.testing.assert_array_equal(load(tmp_path / "model").predict_interval(X, 0.5), expected)


def test_too_few_rows_are_told_and_bounds_infinite():
    model = _make().fit(X, Y).calibrate(X[:30], Y[:30])
    with pytest.warns(UserWarning, match="30 calibration rows are too few .* needs 99"):
        bounds = model.predict_interval(X[:2], coverage=0.98)
    assert np.isinf(bounds).all()
    assert np.isfinite(model.predict_interval(X[:2], coverage=0.9)).all()


@pytest.mark.parametrize("cls", [PETNNRegressor, HSSMRegressor])
def test_sequences_and_several_targets(cls):
    series = [RNG.normal(size=(RNG.integers(4, 8), 2)) for _ in range(30)]
    targets = np.array([[x[:, 0].sum(), x[0, 1]] for x in series])
    options = {"interval": "conformal", "interval_cv": ShuffleSplit(1, test_size=0.5)}
    model = _make(cls, max_iter=2, **options).fit(series, targets)
    assert len(model.calibration_) == 15
    assert model.predict_interval(series[:3], 0.8).shape == (3, 2, 2)
    assert model.predict_quantiles(series[:3], [0.3, 0.5, 0.6]).shape == (3, 2, 3)


def test_rows_without_weight_take_no_part_and_groups_stay_together():
    weights = np.ones(len(X))
    weights[::3] = 0
    wild = Y.copy()
    wild[::3] = 1e6
    groups = np.arange(len(X)) // 80
    options = {
        "interval": "conformal",
        "interval_cv": PredefinedSplit(groups),
        "neighbors": [0, 1],
    }
    model = _make(neighbors_cv=PredefinedSplit(groups), **options)
    model.fit(X, wild, sample_weight=weights)
    assert len(model.calibration_) == 160
    assert np.abs(model.predict_interval(X, 0.8)).max() < 100


def test_a_later_training_forgets_them():
    model = _make().fit(X, Y).calibrate(X[:40], Y[:40])
    model.partial_fit(X, Y)
    with pytest.raises(NotFittedError, match="has not seen how wrong it is"):
        model.predict_interval(X)


def test_what_it_does_not_go_with():
    model = _make(interval="conformal")
    with pytest.raises(ValueError, match="partial_fit does not"):
        model.partial_fit(X, Y)
    with pytest.raises(ValueError, match="warm_start=True does not"):
        model.set_params(warm_start=True).fit(X, Y).fit(X, Y)
    steps = _make(PETNNRegressor, readout="sequence", interval="conformal")
    with pytest.raises(ValueError, match="readout='sequence'"):
        steps.fit(X, X)
    with pytest.raises(ValueError, match="interval_cv"):
        _make(interval="conformal", interval_cv=1000).fit(X, Y)


@pytest.mark.parametrize("coverage", [0, 1.0, [0.5, 2]])
def test_coverage_is_a_share(coverage, fitted):
    with pytest.raises(ValueError, match="coverage must be a number, or a list"):
        fitted.predict_interval(X, coverage)
