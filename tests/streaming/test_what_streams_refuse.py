"""Steps, states and models that streams refuse, and what they say then."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

import sklearn_physrnn as sk

RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 6, 2))
TIMES = np.concatenate([X, np.tile(np.arange(6.0)[:, None], (20, 1, 1))], axis=2)
Y = X[:, :, 0].sum(axis=1)
SMALL = {"hidden_size": 4, "max_iter": 1, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return sk.PETNNRegressor(**SMALL).fit(X, Y)


def _unmoved(stream, push, error, match):
    before = stream.state
    with pytest.raises(error, match=match):
        push()
    for name, part in stream.state.items():
        np.testing.assert_array_equal(part, before[name])


@pytest.mark.parametrize("shape", [(3,), (2, 3), (3, 2), (2, 2, 3), (2, 0, 2), (), (1, 2, 2, 2)])
def test_steps_of_another_shape(model, shape):
    stream = model.stream(2)
    _unmoved(
        stream, lambda: stream.push(np.zeros(shape)), ValueError, r"x must be of shape \(2, 2"
    )


@pytest.mark.parametrize(
    ("x", "error", "match"),
    [
        (np.array([0.0, np.nan]), ValueError, "contains NaN: stream 0, step 0 .* channel 1"),
        ([[0.0, np.inf]], ValueError, "contains infinity"),
        ([["a", "b"]], (TypeError, ValueError), "x"),
        (np.array([1j, 2]), (TypeError, ValueError), "x"),
        (np.array([None, 1.0], dtype=object), (TypeError, ValueError), "x"),
    ],
)
def test_steps_that_are_no_finite_numbers(model, x, error, match):
    stream = model.stream()
    _unmoved(stream, lambda: stream.push(x), error, match)


def test_missing_values_that_later_ones_would_stand_for(model):
    for missing, match in (("linear", "fit with missing='mask'"), ("error", "channel 0.$")):
        known = sk.PETNNRegressor(missing=missing, **SMALL).fit(X, Y)
        stream = known.stream()
        lost = np.array([np.nan, 1.0])
        _unmoved(stream, lambda push=stream.push, x=lost: push(x), ValueError, match)
        stream.push(X[0, 0])


def test_a_time_stamp_that_is_missing():
    model = sk.HSSMRegressor(4, 4, max_iter=1, time_channel=2, missing="mask", random_state=0)
    stream = model.fit(TIMES, Y).stream()
    lost = np.array([0.0, 1.0, np.nan])
    _unmoved(stream, lambda: stream.push(lost), ValueError, "NaN: .* channel 2")


def test_time_that_runs_backwards():
    model = sk.HSSMRegressor(4, 4, max_iter=1, time_channel=2, random_state=0).fit(TIMES, Y)
    stream = model.stream(2)
    stream.push(TIMES[:2, :3])
    late = TIMES[:2, 3].copy()
    late[1, 2] = 1.5
    _unmoved(
        stream, lambda: stream.push(late), ValueError,
        "Time runs backwards in channel 2 of x: stream 1 was at 2, .* is at 1.5",
    )  # fmt: skip
    again = TIMES[:2, 2]
    _unmoved(stream, lambda: stream.push(again), ValueError, "Time stands still in channel 2")
    stream.push(TIMES[:2, 3])


def test_columns_in_another_order():
    frames = [pd.DataFrame(x, columns=["a", "b"]) for x in X]
    stream = sk.PETNNRegressor(**SMALL).fit(frames, Y).stream()
    row = frames[0].iloc[:1]
    stream.push(row.astype(object))  # numbers are numbers, as in predict
    for wrong in (row[["b", "a"]], row.iloc[0][["b", "a"]]):
        _unmoved(stream, lambda x=wrong: stream.push(x), ValueError, r"columns .*\['a', 'b'\]")


def test_tokens_that_are_not_in_the_vocabulary():
    tokens = RNG.integers(4, size=(20, 6))
    model = sk.PETNNRegressor(vocabulary_size=4, **SMALL).fit(tokens, Y)
    stream = model.stream()
    for wrong in (4, -1, 0.5):
        _unmoved(stream, lambda x=wrong: stream.push(x), ValueError, "token id")


@pytest.mark.parametrize("streams", [[0, 0], [2], [-1], [], [0.5], "all", [[0]]])
def test_streams_that_there_are_not(model, streams):
    stream = model.stream(2)
    with pytest.raises(ValueError, match="streams must be numbers of streams, from 0 to 1"):
        stream.push(X[: np.size(streams), 0], streams=streams)


def test_probabilities_of_a_regressor(model):
    with pytest.raises(AttributeError, match="no probabilities"):
        model.stream().push_proba(X[0, 0])


def test_answers_before_the_first_step(model):
    stream = model.stream(2)
    for method in (stream.predict, stream.transform):
        with pytest.raises(ValueError, match="nothing to be said of stream 0 yet"):
            method()


def test_predictions_that_are_no_steps(model):
    stream = model.stream()
    stream.push(X[0, 0])
    with pytest.raises(ValueError, match="no steps of 2 channels: give `feed`"):
        stream.simulate(2)
    with pytest.raises(ValueError, match="n_steps must be at least 1"):
        stream.simulate(0)


def test_the_state_of_another_model(model, tmp_path):
    other = sk.PETNNRegressor(**SMALL | {"random_state": 1}).fit(X, Y)
    stream, foreign = model.stream(), other.stream()
    foreign.save(tmp_path / "state")
    for take in (lambda: setattr(stream, "state", foreign.state),
                 lambda: stream.load(tmp_path / "state")):  # fmt: skip
        _unmoved(stream, take, ValueError, "state of another model")


def test_states_that_are_none(model, tmp_path):
    stream = model.stream(2)
    wrong = [
        None,
        {},
        {**stream.state, "more": np.zeros(2)},
        {**stream.state, "age": np.zeros(2)},
        {**stream.state, "network": np.zeros((2, 3))},
        {name: part[:0] if name != "model" else part for name, part in stream.state.items()},
        {name: part for name, part in stream.state.items() if name != "outputs"},
        model.stream(2, dtype="float32").state,
    ]
    for value in wrong:
        with pytest.raises(ValueError, match="state"):
            stream.state = value


@pytest.mark.parametrize("damage", ["truncated", "flipped", "a model", "text"])
def test_files_that_hold_no_state(model, damage, tmp_path):
    path, stream = tmp_path / "state", model.stream()
    stream.save(path)
    data = path.read_bytes()
    if damage == "a model":
        model.save(path)
    else:
        changed = {"truncated": data[:-8], "flipped": data[:-1] + b"x", "text": b"no"}
        path.write_bytes(changed[damage])
    with pytest.raises(ValueError, match="holds no stream's state"):
        stream.load(path)


def test_a_file_of_a_stream_is_no_model(model, tmp_path):
    model.stream().save(tmp_path / "state")
    with pytest.raises(ValueError, match="cannot be loaded"):
        sk.load(tmp_path / "state")


def test_arguments_of_stream(model):
    for n_streams in (0, 1.5, "2"):
        with pytest.raises(ValueError, match="n_streams must be an integer"):
            model.stream(n_streams)
    with pytest.raises(ValueError, match="dtype must be"):
        model.stream(dtype="float16")
    with pytest.raises(NotFittedError):
        sk.PETNNRegressor().stream()


def test_models_that_read_from_the_end():
    model = sk.HSSMRegressor(4, 4, bidirectional=True, max_iter=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="bidirectional=False"):
        model.stream()
