"""What the sequence estimators of every family take, refuse and promise."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

from tests import families

FAMILIES = {
    family.name: (family.regressor, family.classifier, {**family.tiny, "hidden_size": 8})
    for family in families.FAMILIES
    if family.takes == "sequence"
}


def make(kind, family, **params):
    regressor, classifier, small = FAMILIES[family]
    cls = regressor if kind == "regressor" else classifier
    return cls(**{"max_iter": 3, "random_state": 0, "device": "cpu", **small, **params})


@pytest.fixture(params=FAMILIES)
def family(request):
    return request.param


@pytest.fixture(params=["regressor", "classifier"])
def kind(request):
    return request.param


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 12, 3))
    return X, X[:, :, 0].mean(axis=1), (X[:, -4:, 1].sum(axis=1) > 0).astype(int)


def targets(data, kind):
    return data[1] if kind == "regressor" else data[2]


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def ragged(X, seed=1):
    lengths = np.random.default_rng(seed).integers(2, X.shape[1] + 1, size=len(X))
    return [x[:n] for x, n in zip(X, lengths, strict=True)]


def padded(series):
    longest = max(map(len, series))
    X = np.full((len(series), longest, series[0].shape[1]), np.nan)
    for row, x in zip(X, series, strict=True):
        row[: len(x)] = x
    return X


def test_list_and_padding_are_the_same(family, kind, data):
    series, y = ragged(data[0]), targets(data, kind)
    from_list = make(kind, family).fit(series, y)
    from_padding = make(kind, family).fit(padded(series), y)
    np.testing.assert_array_equal(
        outputs(from_list, series), outputs(from_padding, padded(series))
    )


def test_padding_does_not_touch_a_prediction(family, kind, data):
    series = ragged(data[0])
    model = make(kind, family).fit(series, targets(data, kind))
    alone = np.concatenate([outputs(model, [x]) for x in series])
    np.testing.assert_allclose(outputs(model, series), alone, rtol=1e-9, atol=1e-12)


def test_padding_does_not_touch_scaling(family, data):
    series = [1000 + x for x in ragged(data[0])]
    model = make("regressor", family).fit(series, data[1])
    scaler = model._prepared.inputs.scaler
    np.testing.assert_allclose(scaler.center, np.concatenate(series).mean(axis=0))
    np.testing.assert_allclose(scaler.scale, np.concatenate(series).std(axis=0))


def test_equal_lengths_as_list_or_array(family, kind, data):
    X, y = data[0], targets(data, kind)
    model = make(kind, family).fit(X, y)
    np.testing.assert_array_equal(outputs(model, X), outputs(model, list(X)))
    assert model.n_features_in_ == 3


def test_two_dimensions_are_one_channel(family, kind, data):
    X, y = data[0][:, :, 0], targets(data, kind)
    flat = make(kind, family).fit(X, y)
    deep = make(kind, family).fit(X[:, :, None], y)
    np.testing.assert_array_equal(outputs(flat, X), outputs(deep, X[:, :, None]))
    assert flat.n_features_in_ == 12
    assert deep.n_features_in_ == 1


def test_data_frame_has_its_names_checked(family, data):
    X = pd.DataFrame(data[0][:, :, 0], columns=[f"t{i}" for i in range(12)])
    model = make("regressor", family).fit(X, data[1])
    assert list(model.feature_names_in_) == list(X.columns)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[X.columns[::-1]])


def test_prediction_has_the_precision_of_x(family, kind, data):
    model = make(kind, family).fit(data[0], targets(data, kind))
    assert outputs(model, data[0].astype(np.float32)).dtype == np.float32
    assert outputs(model, data[0]).dtype == np.float64


def test_predictions_repeat_bit_for_bit(family, kind, data):
    model = make(kind, family).fit(data[0], targets(data, kind))
    np.testing.assert_array_equal(outputs(model, data[0]), outputs(model, data[0]))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(outputs(model, data[0]), outputs(again, data[0]))


def test_order_and_values_of_the_input_matter(family, data):
    """Fault 2 of PETNN's release: its model saw neither."""
    X, y = data[0], data[1]
    model = make("regressor", family).fit(X, y)
    before = model.predict(X)
    assert not np.allclose(before, model.predict(X[:, ::-1]))
    nudged = X.copy()
    nudged[:, -1] += 0.1
    assert not np.allclose(before, model.predict(nudged))


def test_several_targets(family, data):
    y = np.column_stack((data[1], data[0][:, -1, 2]))
    model = make("regressor", family).fit(data[0], y)
    assert model.predict(data[0]).shape == (40, 2)


def test_early_stopping_on_ragged_series(family, data):
    model = make("classifier", family, early_stopping=True, max_iter=4)
    model.fit(ragged(data[0]), data[2])
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_loss_ == min(model.validation_loss_curve_)


def test_grid_search_and_cross_validation_slice_lists(family, data):
    series = ragged(data[0])
    search = GridSearchCV(make("classifier", family), {"max_iter": [1, 2]}, cv=2)
    assert search.fit(series, data[2]).best_estimator_.predict(series).shape == (40,)
    assert len(cross_val_score(clone(search.estimator), series, data[2], cv=2)) == 2


def test_warm_start_and_partial_fit(family, data):
    X, y = data[0], data[1]
    model = make("regressor", family, warm_start=True).fit(X, y)
    model.fit(X, y)
    assert model.n_iter_ == 6
    streamed = make("regressor", family)
    for rows in (slice(0, 20), slice(20, 40)):
        streamed.partial_fit(X[rows], y[rows])
    assert streamed.n_iter_ == 2


def test_better_than_a_dummy(family):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 15, 1))
    y = np.where(X[:, :, 0].mean(axis=1) > 0, "up", "down")
    # A batch size and a rate that let a few epochs do.
    model = make("classifier", family, max_iter=15, learning_rate_init=0.02, batch_size=32)
    model.fit(X[:200], y[:200])
    dummy = DummyClassifier().fit(X[:200, 0], y[:200]).score(X[200:, 0], y[200:])
    assert model.score(X[200:], y[200:]) > dummy + 0.2


# -- uneven time -----------------------------------------------------------------------


@pytest.fixture
def timed(data):
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.uniform(0.5, 3.0, size=(40, 12)), axis=1)
    return np.concatenate((times[:, :, None], data[0]), axis=2), data[1]


def test_time_stamps_count_as_time_not_as_values(family, timed):
    X, y = timed
    model = make("regressor", family, time_channel=0).fit(X, y)
    before = model.predict(X)
    shifted = X.copy()
    shifted[:, :, 0] += 100  # another origin is the same series
    np.testing.assert_allclose(model.predict(shifted), before, rtol=1e-8)
    slower = X.copy()
    slower[:, 6:, 0] -= 0.9 * (X[:, 6:7, 0] - X[:, 5:6, 0])  # a shorter interval is not
    assert not np.allclose(model.predict(slower), before)


def test_unit_of_time_does_not_matter(family, timed):
    X, y = timed
    hours = X.copy()
    hours[:, :, 0] /= 3600
    seconds = make("regressor", family, time_channel=0).fit(X, y)
    other = make("regressor", family, time_channel=0).fit(hours, y)
    np.testing.assert_allclose(seconds.predict(X), other.predict(hours), rtol=1e-4)


def test_ragged_series_with_time_stamps(family, timed):
    series = ragged(timed[0])
    model = make("regressor", family, time_channel=0).fit(series, timed[1])
    alone = np.concatenate([model.predict([x]) for x in series])
    np.testing.assert_allclose(model.predict(series), alone, rtol=1e-9, atol=1e-12)


def test_negative_time_channel(family, timed):
    X, y = timed
    first = make("regressor", family, time_channel=0).fit(X, y).predict(X)
    last = make("regressor", family, time_channel=-1).fit(np.roll(X, -1, axis=2), y)
    np.testing.assert_allclose(last.predict(np.roll(X, -1, axis=2)), first)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X[:, :, :1], "at least two channels"),
        (lambda X: X[:, :, 1], "needs X with channels"),
        (lambda X: X[:, ::-1], r"Time stamps must increase: in sample 0, channel 0 falls from"),
        (lambda X: X * [0, 1, 1, 1], r"in sample 0, channel 0 is 0 again at time step 1"),
    ],
)
def test_bad_time_stamps(family, timed, spoil, message):
    with pytest.raises(ValueError, match=message):
        make("regressor", family, time_channel=0).fit(spoil(timed[0]), timed[1])


def test_time_channel_out_of_range(family, timed):
    with pytest.raises(ValueError, match="time_channel=9"):
        make("regressor", family, time_channel=9).fit(*timed)


# -- bad input -------------------------------------------------------------------------


def with_value(X, value, where=(3, 2, 1)):
    X = X.copy()
    X[where] = value
    return X


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: with_value(X, np.nan), "NaN: sample 3, time step 2"),
        (lambda X: with_value(X, np.nan, (3, 11, 1)), "NaN: sample 3, time step 11"),
        (lambda X: with_value(X, np.nan, 5), "NaN only in sample 5"),
        (lambda X: with_value(X, np.inf), "infinity"),
        (lambda X: X[:, :0], "at least one time step"),
        (lambda X: X[:, :, :0], "at least one time step and one channel"),
        (lambda X: X[:, :1], r"at least 2 time steps.* X.transpose\(0, 2, 1\)"),
        (lambda X: with_value(X[:, :, 0], np.nan, (3, 2)), "NaN: sample 3, time step 2"),
        (lambda X: X[:, :, :, None], r"got shape \(40, 12, 3, 1\)"),
        (lambda X: X[0, :, 0], r"Reshape your data: .* X\[None, :, None\]"),
        (lambda X: np.full(X.shape, "word"), "X must hold real numbers, got text .<U4"),
        (lambda X: X.astype(complex), "Complex data not supported"),
        (lambda X: [*X[:-1], X[-1][:0]], r"X\[39\] has no time steps"),
        (lambda X: [*X[:-1], X[-1][:, :2]], r"X\[39\] has 2 channels"),
        (lambda X: [*X[:-1], X[-1][:, 0]], r"X\[39\] must be of shape"),
        (lambda X: [*X[:-1], with_value(X[-1], np.nan, (1, 1))], r"Input X\[39\] contains NaN"),
        (lambda X: [*X[:-1], np.full((2, 3), np.nan)], r"X\[39\] contains NaN only"),
        (lambda X: [pd.DataFrame(X[0]), pd.DataFrame(X[1])[[0, 2, 1]]], r"X\[1\] has the columns"),
        (lambda X: pd.DataFrame({"a": list(X[:, :, 0]), "b": list(X[:, 1:, 1])}), "equal length"),
        (lambda X: X[:1], "n_samples=1|inconsistent"),
    ],
)
def test_bad_series(family, kind, data, spoil, message):
    X = spoil(data[0])
    y = targets(data, kind)
    model = make(kind, family, missing="error")
    before = dict(vars(model))
    with pytest.raises((ValueError, TypeError), match=message):
        model.fit(X, y[: len(X)])
    assert vars(model) == before


def test_wrong_channels_at_predict(family, kind, data):
    model = make(kind, family).fit(data[0], targets(data, kind))
    with pytest.raises(ValueError, match=r"X has 2 channels, but .* is expecting 3 channels"):
        model.predict(data[0][:, :, :2])
    with pytest.raises(ValueError, match=r"is expecting 3 channels .* X\.transpose\(0, 2, 1\)"):
        model.predict(data[0].transpose(0, 2, 1))
    with pytest.raises(ValueError, match=r"X has 2 dimensions, but .* was fitted with 3"):
        model.predict(data[0][:, :, 0])
    with pytest.raises(ValueError, match=r"One series .* is X\[None\]"):
        model.predict(data[0][0])


def test_failed_refit_keeps_the_fitted_model(family, data):
    model = make("regressor", family, missing="error").fit(data[0], data[1])
    before = model.predict(data[0])
    with pytest.raises(ValueError, match="NaN"):
        model.fit(with_value(data[0][:, :, :2], np.nan, (0, 0, 0)), data[1])
    np.testing.assert_array_equal(model.predict(data[0]), before)


def test_constant_and_huge_channels(family, kind, data):
    X = data[0].copy()
    X[:, :, 1] = 7.0
    X[:, :, 2] *= 1e30
    model = make(kind, family).fit(X, targets(data, kind))
    assert np.isfinite(outputs(model, X)).all()
    assert np.isfinite(outputs(model, X * 1e200)).all()
