"""What attributions start from when nothing is said: the mean, the median, or zero."""

import numpy as np
import pytest
from sklearn.base import is_classifier

import sklearn_physrnn
from sklearn_physrnn import DynPMNNRegressor, PETNNRegressor
from sklearn_physrnn.inspection import AttributionDisplay, integrated_gradients
from tests.families import each, that_take

QUICK = {"hidden_size": 4, "max_iter": 3, "random_state": 0, "scale_inputs": "quantile"}
RNG = np.random.default_rng(0)
N = 60


def tied(*shape, dtype=float):
    """Columns of zeros and ones, with 40 % ones; of counts; of zeros and numbers; of one value."""
    X = [
        RNG.random(shape) < 0.4,
        RNG.poisson(1.0, shape),
        np.where(RNG.random(shape) < 0.7, 0, RNG.gamma(5, size=shape)),
        np.full(shape, 7.5),
    ]
    return np.stack(X, axis=-1).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weighted", [False, True])
@each(that_take("table"))
def test_the_median_of_tied_columns(kind, weighted, dtype):
    X = tied(N, dtype=dtype)
    y = (X[:, 0] + X[:, 1] + X[:, 2] > 2).astype(int)
    w = RNG.integers(1, 6, N) if weighted else None
    model = kind(**QUICK).fit(X, y, w)
    median = np.median(X if w is None else X.repeat(w, axis=0), axis=0)
    target = 1 if is_classifier(model) else None
    a = integrated_gradients(model, X, target=target)
    expected = integrated_gradients(model, X, baseline=median, target=target)
    np.testing.assert_array_equal(a, expected)
    assert (a[median == X] == 0).all()
    assert np.abs(a).max() > 0


@each(that_take("sequence"))
@pytest.mark.parametrize("timed", [False, True])
def test_the_median_of_tied_channels_over_all_steps(kind, timed):
    series = [tied(n) for n in RNG.integers(4, 9, N)]
    y = [int(x[:, 0].sum() > 2) for x in series]
    w = RNG.integers(1, 4, N)
    median = np.median(
        np.concatenate([x for x, k in zip(series, w, strict=True) for _ in range(k)]), 0
    )
    if timed:
        series = [np.c_[RNG.uniform(1, 2, len(x)).cumsum(), x] for x in series]
        median = np.r_[0, median]
    model = kind(**QUICK, time_channel=0 if timed else None).fit(series, y, w)
    target = 1 if is_classifier(model) else None
    found = integrated_gradients(model, series, target=target, n_steps=4)
    expected = integrated_gradients(model, series, baseline=median, target=target, n_steps=4)
    for x, a, b in zip(series, found, expected, strict=True):
        np.testing.assert_array_equal(a, b)
        assert (a[x == median] == 0).all()


def test_more_values_than_knots_do_not_blur_the_median():
    # The scaler keeps a thousand points of a distribution; 55 % are one value, far from all.
    x = np.where(np.arange(6000) < 3300, 0.0, 100 + RNG.gamma(2, size=6000))
    model = DynPMNNRegressor(**{**QUICK, "max_iter": 1}).fit(x[:, None], x)
    assert (integrated_gradients(model, np.zeros((2, 1))) == 0).all()


@pytest.mark.parametrize(("scaling", "start"), [("standard", np.mean), (False, lambda X, axis: 0)])
def test_the_mean_or_zero(scaling, start):
    X = tied(N)[:, :3]
    model = DynPMNNRegressor(**{**QUICK, "scale_inputs": scaling}).fit(X, X.sum(axis=1))
    a, b = (
        integrated_gradients(model, X, baseline=baseline) for baseline in (None, start(X, axis=0))
    )
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_a_saved_model_keeps_its_median(tmp_path):
    X = tied(N)
    model = DynPMNNRegressor(**QUICK).fit(X, X.sum(axis=1), RNG.integers(1, 6, N))
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(integrated_gradients(loaded, X), integrated_gradients(model, X))


def test_the_display_starts_from_the_same():
    X = tied(N, 6)
    model = PETNNRegressor(**QUICK).fit(X, X[:, :, 0].sum(axis=1))
    display = AttributionDisplay.from_estimator(model, X, sample=3)
    median = np.median(X.reshape(-1, 4), axis=0)
    at_median = model.predict(np.tile(median, (1, 6, 1)))
    assert display.baseline_response == pytest.approx(at_median.item(), rel=1e-9)
