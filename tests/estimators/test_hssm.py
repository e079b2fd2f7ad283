"""What only HSSM has: two fitters, and an output at every step."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMClassifier, HSSMRegressor
from sklearn_physrnn.kernels import _check


def regressor(**params):
    defaults = {"hidden_size": 8, "state_size": 4, "max_iter": 3, "random_state": 0}
    return HSSMRegressor(**{**defaults, **params})


@pytest.fixture
def steps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 20, 2))
    return X, np.cumsum(X[:, :, 0], axis=1)


def test_fitters_are_interchangeable(steps):
    X, y = steps
    losses = [regressor(fitter=f).fit(X, y[:, -1]).loss_curve_ for f in ("rhel", "bptt")]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-3)


@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
@pytest.mark.parametrize("norm", ["batch", "layer", None])
def test_options(steps, dynamics, norm):
    X, y = steps
    model = regressor(dynamics=dynamics, norm=norm, epsilon=0.01, fitter="rhel")
    assert np.isfinite(model.fit(X, y[:, -1]).predict(X)).all()


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("n_targets", [None, 2])
def test_sequence_readout(steps, every, n_targets):
    X, y = steps
    y = y[:, every - 1 :: every]
    if n_targets:
        y = np.stack((y, 100 - y), axis=2)
    model = regressor(readout="sequence", every=every).fit(X, y)
    prediction = model.predict(X)
    assert prediction.shape == y.shape
    shape = (-1,) if n_targets is None else (-1, n_targets)
    residual = ((y - prediction).reshape(shape) ** 2).sum(axis=0)
    total = ((y - y.reshape(shape).mean(axis=0)).reshape(shape) ** 2).sum(axis=0)
    assert model.score(X, y) == pytest.approx(np.mean(1 - residual / total))


def test_sequence_readout_learns_a_running_sum(steps):
    X, y = steps
    model = regressor(readout="sequence", max_iter=40, learning_rate_init=0.02, batch_size=8)
    assert model.fit(X[:30], y[:30]).score(X[30:], y[30:]) > 0.5


def test_sequence_readout_of_ragged_series(steps):
    X, y = steps
    lengths = np.random.default_rng(1).integers(4, 21, size=40)
    series = [x[:n] for x, n in zip(X, lengths, strict=True)]
    y = np.where(np.arange(20) < lengths[:, None], y, np.nan)
    model = regressor(readout="sequence", early_stopping=True).fit(series, y)
    prediction = model.predict(series)
    np.testing.assert_array_equal(np.isnan(prediction), np.isnan(y))
    assert np.isfinite(model.validation_scores_).all()
    np.testing.assert_allclose(
        prediction[0, : lengths[0]], model.predict([series[0]])[0], rtol=1e-9, atol=1e-12
    )
    # What stands past a sample's end is padding, whatever it says.
    other = np.where(np.isnan(y), 1e6, y)
    again = regressor(readout="sequence", early_stopping=True).fit(series, other)
    np.testing.assert_array_equal(again.predict(series), prediction)


def test_quantiles_at_every_step(steps):
    X, y = steps
    model = regressor(readout="sequence", loss="quantile", quantile=[0.1, 0.9]).fit(X, y)
    prediction = model.predict(X)
    assert prediction.shape == (40, 20, 2)
    assert (np.diff(prediction, axis=-1) >= 0).all()


def test_bad_sequence_targets(steps):
    X, y = steps
    model = regressor(readout="sequence", every=2)
    with pytest.raises(ValueError, match=r"y must be of shape \(n_samples, 10\)"):
        model.fit(X, y)
    y = y[:, 1::2].copy()
    y[4, 3] = np.nan
    with pytest.raises(ValueError, match="Input y contains NaN: sample 4, step 3"):
        model.fit(X, y)


@pytest.mark.parametrize("epsilon", [0, -1.0, "small"])
def test_bad_epsilon(steps, epsilon):
    with pytest.raises(ValueError, match="'epsilon' parameter"):
        regressor(epsilon=epsilon).fit(steps[0], steps[1][:, -1])


def test_classifier_has_no_sequence_readout(steps):
    with pytest.raises(ValueError, match="'readout' parameter"):
        HSSMClassifier(readout="sequence").fit(steps[0], steps[1][:, -1] > 0)


@pytest.fixture
def timed(steps):
    X, y = steps
    rng = np.random.default_rng(0)
    stamps = rng.uniform(0.5, 1, size=(*X.shape[:2], 1)).cumsum(axis=1)
    return np.concatenate((stamps, X), axis=2), y


def with_gap(X, gap):
    """Insert a gap before the last step of the first sample."""
    X = X.copy()
    X[0, -1, 0] = X[0, -2, 0] + gap
    return X


def test_a_little_longer_gap_is_followed(timed):
    X, y = timed
    model = regressor(time_channel=0).fit(X, y)
    assert np.isfinite(model.predict(with_gap(X, 1.05))).all()


@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
def test_a_gap_too_long_for_the_oscillators_is_named(timed, dynamics):
    X, y = timed
    far = with_gap(X, 80)
    model = regressor(time_channel=0, dynamics=dynamics).fit(X, y)
    longest = f"{np.diff(X[:, :, 0]).max():.4g}"
    expected = f"Channel 0 of X, .* interval of 80, .* longest in training was {longest}"
    with pytest.raises(ValueError, match=expected):
        model.predict(far)
    with pytest.raises(ValueError, match=expected):
        regressor(time_channel=0, dynamics=dynamics).fit(X, y, X_val=far, y_val=y)
    assert np.isfinite(model.fit(far, y).predict(far)).all()


@pytest.mark.parametrize("where", ["X_val", "partial_fit", "warm_start"])
def test_such_a_gap_does_not_stop_a_gpu(timed, where, monkeypatch):
    """There values are not looked at within an epoch, and a failed assertion ends CUDA."""
    monkeypatch.setattr(_check, "_looks_at", lambda x: False)
    X, y = timed
    far = with_gap(X, 80)
    model = regressor(time_channel=0, warm_start=where == "warm_start")
    if where == "X_val":
        with pytest.raises(ValueError, match="holds an interval of 80"):
            model.fit(X, y, X_val=far, y_val=y)
        return
    goes_on = model.partial_fit if where == "partial_fit" else model.fit
    before = goes_on(X, y).predict(X)
    with pytest.raises(ValueError, match="holds an interval of 80"):
        goes_on(far, y)
    np.testing.assert_array_equal(model.predict(X), before)
