"""Time stamps as dates, durations or numbers, in a channel or an index."""

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn
from sklearn_physrnn import HSSMRegressor, PETNNRegressor

both = pytest.mark.parametrize("kind", [HSSMRegressor, PETNNRegressor])
TINY = {"max_iter": 2, "random_state": 0}


def _frames(start="2024-03-29 12:00", n_samples=14, unit="min"):
    """Frames of two channels with dates as their index; a clock is put forward in some."""
    rng = np.random.default_rng(0)
    frames = []
    for i in range(n_samples):
        passed = rng.integers(1, 400, size=9 + i % 3).cumsum()
        index = pd.Timestamp(start) + pd.to_timedelta(passed, unit=unit)
        values = rng.normal(size=(len(index), 2))
        frames.append(pd.DataFrame(values, columns=["a", "b"], index=index))
    return frames


@pytest.fixture
def frames():
    return _frames()


def _targets(frames):
    return np.array([frame["a"].mean() for frame in frames])


def _seconds(frame):
    return (frame.index - frame.index[0]).total_seconds().to_numpy()


def _arrays(frames):
    """Seconds as the first channel."""
    return [np.column_stack([_seconds(x), x.to_numpy()]) for x in frames]


def _with_column(frames, name="when"):
    return [frame.reset_index(names=name)[[name, "a", "b"]] for frame in frames]


def _of_python(frame):
    """The same as objects."""
    when = [x.to_pydatetime() for x in frame["when"]]
    return frame.assign(when=pd.Series(when, dtype=object)).to_numpy()


@both
def test_dates_say_what_seconds_say(kind, frames):
    y = _targets(frames)
    truth = kind(4, time_channel=0, **TINY).fit(_arrays(frames), y).predict(_arrays(frames))
    columns = _with_column(frames)
    for X, channel in (
        (frames, "index"),
        (columns, "when"),
        (columns, 0),
        (columns, -3),
        ([_of_python(x) for x in columns], 0),
        ([frame[["a", "b", "when"]] for frame in columns], 2),
        ([frame.set_index(_seconds(frame)) for frame in frames], "index"),
    ):
        model = kind(4, time_channel=channel, **TINY).fit(X, y)
        assert model.n_features_in_ == (2 if channel == "index" else 3)
        np.testing.assert_allclose(model.predict(X), truth, rtol=1e-6, atol=1e-9)
    # A millisecond more or less is not the same.
    assert not np.array_equal(model.predict([frames[0].set_index(_seconds(frames[0]) * 2)]), truth)


@pytest.mark.parametrize(
    "other",
    [
        lambda index: index.tz_localize("UTC"),
        lambda index: index.tz_localize("UTC").tz_convert("Europe/Berlin"),  # over its change
        lambda index: index.as_unit("s"),
        lambda index: index.tz_localize("UTC").as_unit("ms"),
        lambda index: index + pd.Timedelta(days=9_000),
        lambda index: index - index[0],
        lambda index: index.to_period("min"),
    ],
    ids=["zone", "summer time", "unit", "zone and unit", "later", "durations", "periods"],
)
@both
def test_neither_zone_nor_unit_nor_epoch_matters(kind, other, frames):
    model = kind(4, time_channel="index", **TINY).fit(frames, _targets(frames))
    truth = model.predict(frames)
    others = [frame.set_axis(other(frame.index)) for frame in frames]
    np.testing.assert_array_equal(model.predict(others), truth)
    columns = _with_column(frames)
    model = kind(4, time_channel="when", **TINY).fit(columns, _targets(frames))
    np.testing.assert_array_equal(model.predict(_with_column(others)), model.predict(columns))


def test_nanoseconds_of_today_are_told_apart_whatever_the_channels_are():
    # As float64 since 1970 they would be rounded to 256, as float32 to minutes.
    frames = [frame.astype(np.float32) for frame in _frames(unit="ns")]
    model = HSSMRegressor(4, time_channel="index", **TINY).fit(frames, _targets(frames))
    elapsed = np.concatenate([np.diff(frame.index.to_numpy()) for frame in frames])
    unit = np.quantile(elapsed.astype(float), 0.8, method="lower")
    assert abs(model._prepared.inputs.time_unit / (unit * 1e-9) - 1) < 1e-12
    numbers = [frame.set_axis(frame.index.astype(np.int64)) for frame in frames]
    model = HSSMRegressor(4, time_channel="index", **TINY).fit(numbers, _targets(frames))
    assert model._prepared.inputs.time_unit == unit


def test_series_have_an_index_too(frames):
    series, y = [frame["a"] for frame in frames], _targets(frames)
    model = PETNNRegressor(4, time_channel="index", **TINY).fit(series, y)
    assert model.n_features_in_ == 1
    arrays = [array[:, :2] for array in _arrays(frames)]
    truth = PETNNRegressor(4, time_channel=0, **TINY).fit(arrays, y).predict(arrays)
    np.testing.assert_allclose(model.predict(series), truth, rtol=1e-6)


@pytest.mark.parametrize("channel", ["index", "when", 0])
@both
def test_files_keep_what_time_was(kind, channel, frames, tmp_path):
    X = frames if channel == "index" else _with_column(frames)
    model = kind(4, time_channel=channel, **TINY).fit(X, _targets(frames))
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    numbers = [x.set_axis(_seconds(x)) for x in frames]
    if channel != "index":
        numbers = [x.assign(when=_seconds(f)) for x, f in zip(X, frames, strict=True)]
    with pytest.raises(ValueError, match=r"stamps of X are numbers, but .* fitted to dates"):
        loaded.predict(numbers)


def _changed(frames, change):
    index = change(frames[3].index)
    return [*frames[:3], frames[3].set_axis(index), *frames[4:]]


def _put(place, value):
    def change(index):
        return pd.DatetimeIndex([*index[:place], value(index), *index[place + 1 :]])

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_put(4, lambda i: i[3]), r"sample 3, the index, .* again at time step 4\. Make one of"),
        (_put(4, lambda i: i[2]), r"sample 3, the index, .* falls .* at time step 4\. Sort the"),
        (
            _put(4, lambda i: pd.NaT),
            r"A time stamp is missing: time step 4, in the index of X\[3\]",
        ),
        (
            lambda i: i.tz_localize("UTC"),
            r"X\[3\] are dates with a time zone, and those of X\[0\]",
        ),
        (lambda i: i - i[0], r"X\[3\] are durations, and those of X\[0\] dates"),
        (lambda i: range(len(i)), r"X\[3\] are numbers, and those of X\[0\] dates"),
        (lambda i: i.astype(str), r"the index of X\[3\] holds .*to_datetime"),
        (
            lambda i: pd.Index([i[0].tz_localize("UTC"), *i[1:]], dtype=object),
            r"Some dates in the index of X\[3\] have a time zone, and others have none",
        ),
    ],
)
def test_what_is_wrong_with_dates_is_said_where_it_is(change, message, frames):
    wrong, y = _changed(frames, change), _targets(frames)
    model = PETNNRegressor(4, time_channel="index", **TINY)
    with pytest.raises(ValueError, match=message):
        model.fit(wrong, y)
    with pytest.raises(ValueError, match=message):
        model.fit(frames, y).predict(wrong)


@pytest.mark.parametrize(
    ("channel", "X", "message"),
    [
        ("index", np.zeros((3, 4, 2)), "needs a list of data frames, which have an index of time"),
        ("index", [np.zeros((4, 2))] * 3, r"X\[0\] is of type ndarray"),
        ("when", np.zeros((3, 4, 2)), "needs a list of data frames, which have columns with"),
        ("when", [np.zeros((4, 2))] * 3, "needs a list of data frames, which have columns with"),
        ("when", [pd.DataFrame(np.zeros((4, 2)), columns=["a", "b"])] * 3, r"are \['a', 'b'\]"),
    ],
)
def test_stamps_that_are_not_there(channel, X, message):
    model = PETNNRegressor(4, time_channel=channel, **TINY)
    with pytest.raises(ValueError, match=message):
        model.fit(X, np.zeros(3))
    frames = _frames()
    fitted = frames if channel == "index" else _with_column(frames)
    if isinstance(X, list) and isinstance(X[0], pd.DataFrame):
        message = "now missing:\n- when"  # as scikit-learn says it
    with pytest.raises(ValueError, match=message):
        model.fit(fitted, _targets(frames)).predict(X)


@pytest.mark.parametrize("again", [False, True])
def test_in_files_time_must_increase_too(again, monkeypatch, tmp_path):
    monkeypatch.setattr("sklearn_physrnn.preparation.recordings._WORTH_LEAVING", 10)
    X = np.stack([np.tile(np.arange(8.0), (5, 1)), np.ones((5, 8))], axis=2)
    X[3, 6, 0] = X[3, 5 if again else 4, 0]
    np.save(tmp_path / "X.npy", X)
    message = "is 5 again" if again else "falls from 5 to 4"
    with pytest.raises(ValueError, match=f"sample 3, channel 0 {message} at time step 6"):
        PETNNRegressor(4, time_channel=0, **TINY).fit(
            np.load(tmp_path / "X.npy", mmap_mode="r"), np.zeros(5)
        )


def test_stamps_that_float32_rounds_to_one_are_said_to_be():
    X = np.ones((3, 4, 2), dtype=np.float32)
    X[:, :, 0] = 1.7e9 + np.arange(4)
    with pytest.raises(ValueError, match="float32 may round two times to one"):
        PETNNRegressor(4, time_channel=0, **TINY).fit(X, np.zeros(3))
