"""Fits and predictions of sequences that are never read whole."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.preparation import recordings
from sklearn_physrnn.training import _saving

SMALL = {
    "hidden_size": 5, "max_iter": 3, "batch_size": 5, "dtype": "float64", "random_state": 0,
    "chunk_size": 7,
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_reads(monkeypatch):
    monkeypatch.setattr(recordings, "_VALUES_AT_A_TIME", 20)


def data(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 60, 3))
    X[:, :, 2] = np.abs(X[:, :, 2]).cumsum(axis=1)
    y = X[:, :, 0].mean(axis=1)
    if kind == "int16":
        X[:, :, 2] += np.arange(60) / 9  # which rounding leaves apart
        X = np.round(X * 9).astype(np.int16)
    if kind == "padded":
        X[3, 40:] = X[5, 9:] = np.nan
    if kind == "list":
        X = [x[: 60 - 4 * i] for i, x in enumerate(X)]
    return X, y, rng.uniform(0.2, 2, 12)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        *((kind, {}) for kind in ("float", "int16", "padded", "list")),
        *((kind, {"time_channel": 2}) for kind in ("int16", "list")),
        ("float", {"scale_inputs": False}),
        ("list", {"scale_inputs": "quantile"}),
        ("padded", {"scale_inputs": "quantile"}),
        ("int16", {"scale_inputs": "quantile_linear"}),
    ],
)
def test_recordings_give_what_arrays_give(mapped, kind, options):
    X, y, weights = data(kind)
    options = {**SMALL, "dropout": 0.2, "early_stopping": True, **options}
    expected = PETNNRegressor(**options).fit(X, y, weights)
    answers = expected.predict(X)
    model = PETNNRegressor(**options).fit(mapped(X), y, weights)
    for name, x in expected.module_.state_dict().items():
        np.testing.assert_allclose(model.module_.state_dict()[name], x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(model.predict(mapped(X)), answers, rtol=0, atol=1e-10)


@pytest.mark.parametrize("chunk_size", [None, "auto"])
def test_recordings_may_be_read_a_sample_at_a_time(mapped, chunk_size):
    X, y, _ = data("padded")
    options = {**SMALL, "chunk_size": chunk_size}
    expected = PETNNClassifier(**options).fit(X, y > 0)
    probabilities = expected.predict_proba(X)
    model = PETNNClassifier(**options).fit(mapped(X), y > 0)
    np.testing.assert_allclose(model.predict_proba(mapped(X)), probabilities, atol=1e-10)
    assert model.score(mapped(X), y > 0) == expected.score(mapped(X), y > 0)


def test_a_killed_fit_of_recordings_goes_on_where_it_was(mapped, tmp_path, monkeypatch):
    monkeypatch.setattr(_saving, "INTERVAL", 0)
    monkeypatch.setattr(_saving, "_SHARE", np.inf)
    X, y, _ = data("float")
    X = mapped(X)
    expected = PETNNRegressor(**SMALL).fit(X, y)

    class StoppedError(Exception):
        pass

    def stop(net, **_):
        if len(net.history) == 2:
            raise StoppedError

    from skorch.callbacks import Callback

    killer = type("Killer", (Callback,), {"on_epoch_end": lambda self, net, **k: stop(net)})()
    checkpoint = tmp_path / "training"
    with pytest.raises(StoppedError):
        PETNNRegressor(checkpoint=checkpoint, callbacks=[killer], **SMALL).fit(X, y)
    assert checkpoint.exists()
    model = PETNNRegressor(checkpoint=checkpoint, **SMALL).fit(X, y)
    for name, x in expected.module_.state_dict().items():
        np.testing.assert_array_equal(model.module_.state_dict()[name], x)


def test_another_number_of_channels_is_refused(mapped):
    X, y, _ = data("float")
    model = PETNNRegressor(**SMALL).fit(mapped(X), y)
    with pytest.raises(ValueError, match="X has 2 channels, but PETNNRegressor is expecting 3"):
        model.predict(mapped(X[:, :, :2].copy()))


def test_an_infinity_in_validation_data_is_found_before_training(mapped):
    X, y, _ = data("float")
    bad = X.copy()
    bad[2, 33, 1] = np.inf
    with pytest.raises(ValueError, match=r"X_val.*sample 2, time step 33, channel 1"):
        PETNNRegressor(**SMALL).fit(mapped(X), y, X_val=mapped(bad), y_val=y)


def test_what_is_no_set_of_recordings_is_refused_with_what_would_be_one(mapped):
    X, y, _ = data("float")
    model = PETNNRegressor(**SMALL).fit(mapped(X), y)
    for answer in (lambda bad: PETNNRegressor(**SMALL).fit(bad, y), model.predict):
        with pytest.raises(ValueError, match=r"One record of one channel is X\[None, :, None\]"):
            answer(mapped(X[0, :, 0]))
        with pytest.raises(ValueError, match=r"got shape \(12, 1, 60, 3\)"):
            answer(mapped(X[:, None]))
        with pytest.raises(ValueError, match="X is an empty list"):
            answer([])
        with pytest.raises(ValueError, match=r"must hold real numbers, got text .<U9"):
            answer(mapped(X.astype("U9")))
        with pytest.raises(ValueError, match=r"X\[1\] must hold real numbers, got complex128"):
            answer([mapped(X[0]), mapped(X[1] + 1j)])
    with pytest.raises(ValueError, match=r"shape \(n_timesteps, n_channels\) is X\[None\]"):
        model.predict(mapped(X[0]))


def test_targets_farther_apart_than_series_are_long_are_refused(mapped):
    X, _, _ = data("float")
    model = PETNNRegressor(**{**SMALL, "chunk_size": None}, readout="sequence", every=61)
    with pytest.raises(ValueError, match="every=61 exceeds the 60 steps of the longest series"):
        model.fit(mapped(X), X[:, :, 0])


def test_a_unit_of_time_is_learned_alike_of_recordings(mapped):
    X, y, _ = data("list")
    for x in X:
        x[5:9, 2] = x[5, 2] + 1e-6 * np.arange(4)  # time hardly advances
    options = {"time_channel": 2, "dynamics": "nonlinear", "norm": "layer", "hidden_size": 3}
    options |= {"max_iter": 2, "dtype": "float64", "random_state": 0}
    expected = HSSMRegressor(**options).fit(X, y).predict(X)
    model = HSSMRegressor(**options).fit(mapped(X), y)
    np.testing.assert_allclose(model.predict(X), expected, rtol=0, atol=1e-10)
