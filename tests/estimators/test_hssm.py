"""What only HSSM has: two fitters, and an output at every step."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMClassifier, HSSMRegressor


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


@pytest.mark.parametrize("dynamics", ["linear", "damped", "nonlinear"])
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
    y[4, 3] = np.inf
    with pytest.raises(ValueError, match="Input y contains infinity"):
        model.fit(X, y)


@pytest.mark.parametrize("epsilon", [0, -1.0, "small"])
def test_bad_epsilon(steps, epsilon):
    with pytest.raises(ValueError, match="'epsilon' parameter"):
        regressor(epsilon=epsilon).fit(steps[0], steps[1][:, -1])


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


def even_clock(X):
    """Put stamps before the channels of X."""
    stamps = np.tile(np.arange(X.shape[1])[:, None], (len(X), 1, 1)) * 0.25
    return np.concatenate((stamps, X), axis=2)


@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
def test_one_gap_in_training_leaves_the_unit_of_time_alone(dynamics, steps):
    X, y = even_clock(steps[0]), steps[1]
    for gap in (10, 1000):
        model = regressor(time_channel=0, dynamics=dynamics).fit(with_gap(X, gap * 0.25), y)
        assert model._prepared.inputs.time_unit == 0.25


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_linear_oscillators_are_told_how_long_a_gap_is(offset, steps):
    X, y = even_clock(steps[0]), steps[1]
    X[:, :, 0] = (X[:, :, 0] + offset) * 0.1  # no binary fraction: intervals are rounded
    model, heard = regressor(time_channel=0).fit(X, y), []
    model.module_.blocks[0].hru.register_forward_pre_hook(
        lambda _module, _args, options: heard.append(options["dt"].sum(2)), with_kwargs=True
    )
    model.predict(X)
    model.predict(with_gap(X, 0.25 * 0.1 * 7))
    even, uneven = heard
    assert (even <= 1).all()  # an even clock, however it is rounded, has no gaps
    assert abs(float(uneven[0, -1]) - 7) < 1e-6
    assert (uneven[1:] == even[1:]).all()


@pytest.mark.parametrize(
    ("dynamics", "longest"), [("linear", 1e30), ("damped", 1e30), ("nonlinear", 500)]
)
def test_gaps_at_prediction_and_in_validation_are_borne(dynamics, longest, timed):
    X, y = timed
    far = with_gap(X, 80)
    model = regressor(time_channel=0, dynamics=dynamics).fit(X, y, X_val=far, y_val=y)
    assert np.isfinite(model.validation_loss_curve_).all()
    np.testing.assert_array_equal(model.predict(far)[1:], model.predict(X)[1:])
    assert not np.array_equal(model.predict(far)[0], model.predict(with_gap(X, 1.0))[0])
    assert np.isfinite(model.predict(with_gap(X, longest))).all()
    assert np.isfinite(model.partial_fit(far, y).predict(far)).all()


@pytest.mark.parametrize("recorded", [False, True])
def test_a_gap_that_nonlinear_oscillators_cannot_take_is_named(
    recorded, steps, tmp_path, monkeypatch
):
    monkeypatch.setattr("sklearn_physrnn.preparation.recordings._WORTH_LEAVING", 10)
    X, y = even_clock(steps[0]), steps[1]
    model = regressor(time_channel=0, dynamics="nonlinear").fit(X, y)
    X = with_gap(X, 0.25 * 1_001)[::-1]
    assert np.isfinite(model.predict(X)).all()
    X = with_gap(X[::-1], 0.25 * 1_002)[::-1]
    if recorded:
        np.save(tmp_path / "X.npy", X)
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
    last = X.shape[1] - 1
    message = (
        rf"In X, 250\.5 pass before step {last} of sample {len(X) - 1}, 1,002 times the unit of "
        r"time, 0\.25, .* up to 1,000 units, step by step\. dynamics='linear' takes any"
    )
    with pytest.raises(ValueError, match=message):
        model.predict(X)


def test_time_stamps_tell_more_than_their_absence():
    rng = np.random.default_rng(0)
    times = rng.exponential(size=(160, 40)).cumsum(axis=1)
    y = np.arange(160) % 2
    phase = rng.uniform(0, 2 * np.pi, size=(160, 1))
    X = np.stack((times, np.sin(np.where(y, 0.3, 0.5)[:, None] * times + phase)), axis=2)
    score = {}
    for channel in (0, None):
        model = HSSMClassifier(16, 16, max_iter=30, time_channel=channel, random_state=0)
        columns = slice(None) if channel == 0 else slice(1, None)
        model.fit(X[:80, :, columns], y[:80])
        score[channel] = model.score(X[80:, :, columns], y[80:])
    assert score[0] > max(0.8, score[None] - 0.1)


def test_nonlinear_oscillators_start_as_fast_in_time_as_without_stamps(timed):
    X, y = timed
    start = {"dynamics": "nonlinear", "learning_rate_init": 1e-12, "max_iter": 1}
    elapsed = np.diff(X[:, :, 0], axis=1)
    unit = np.quantile(elapsed, 0.8, method="lower")
    mean = np.insert(np.minimum(elapsed / unit, 1), 0, 1, axis=1).mean()
    even, uneven = (
        regressor(**start, time_channel=channel).fit(x, y).module_.blocks[0].hru.step_raw.exp()
        for channel, x in ((None, X[:, :, 1:]), (0, X))
    )
    # Steps start far below their bound, where the raw ones are nearly logarithms.
    np.testing.assert_allclose((even / uneven).detach(), mean, rtol=0.02)


@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
def test_time_in_another_unit_than_in_training_is_named(dynamics, timed):
    X, y = timed
    model = regressor(time_channel=0, dynamics=dynamics).fit(X, y)
    seconds = X * [60, 1, 1]
    with pytest.warns(UserWarning, match="in channel 0 of X are longer than twice"):
        model.predict(seconds)


def test_what_has_faded_cannot_be_undone_on_the_way_back():
    X, y = np.zeros((6, 8, 1)), np.arange(6.0)
    model = HSSMRegressor(4, 4, dynamics="damped", way_back="undone", chunk_size=4, norm="layer")
    with pytest.raises(ValueError, match=r"way_back='undone' .* set way_back='kept'"):
        model.fit(X, y)
