"""Streams say what predictions of everything pushed so far say."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn as sk
from tests.families import ENTRIES, FAMILIES, each

SEQUENCES = [family for family in FAMILIES if family.takes == "sequence"]
CLASSES = [cls for family in SEQUENCES for cls in (family.regressor, family.classifier)]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 9, 2))
LABELS = np.array(["no", "yes"])[(X[:, :, 0].sum(axis=1) > 0).astype(int)]
STEP_LABELS = np.where(X[:, :, 0].cumsum(axis=1) > 0, "up", "down")
WITH_TIME = np.concatenate([X, RNG.exponential(2.0, size=(24, 9, 1)).cumsum(axis=1)], axis=2)


def _made(cls, **parameters):
    entry = ENTRIES[cls]
    return cls(**entry.parameters | {"hidden_size": 6} | parameters)


def _target(cls, parameters):
    classifies = cls.__name__.endswith("Classifier")
    if parameters.get("readout") == "sequence":
        every = parameters.get("every", 1)
        steps = STEP_LABELS if classifies else np.stack([X[:, :, 0], X.sum(axis=2)], axis=2)
        return steps[:, every - 1 :: every]
    return LABELS if classifies else np.stack([X.sum(axis=(1, 2)), X[:, 0, 0]], axis=1)


def _fitted(cls, data=X, **parameters):
    return _made(cls, **parameters).fit(data, _target(cls, parameters))


def _settings():
    for family in SEQUENCES:
        for cls in (family.regressor, family.classifier):
            for readout in ("last", "mean"):
                yield cls, {"readout": readout}
            yield cls, {"scale_inputs": "quantile"}
            yield cls, {"scale_inputs": False, **family.several}
            for every in (1, 2):
                yield cls, {"readout": "sequence", "every": every}
        quantiles = {"loss": "quantile", "quantile": [0.1, 0.9]}
        yield family.regressor, quantiles
        yield family.regressor, {**quantiles, "readout": "sequence"}
    yield sk.PETNNClassifier, {"readout": "max", "release": "hard"}
    yield sk.HSSMClassifier, {"dynamics": "nonlinear", "norm": "layer"}
    yield sk.HSSMClassifier, {"dynamics": "damped", "norm": "layer"}
    yield sk.HSSMClassifier, {"encoder": "gated", "num_loops": 2, "norm": None}
    for patches in (2, 4):
        yield sk.HSSMClassifier, {"patch_size": patches}
        yield sk.HSSMRegressor, {"patch_size": patches, "readout": "last"}
        yield sk.HSSMRegressor, {"patch_size": patches, "readout": "sequence", "every": patches}


def _named(setting):
    cls, parameters = setting
    return "-".join([cls.__name__, *(f"{k}={v}" for k, v in parameters.items())])


SETTINGS = pytest.mark.parametrize("setting", [*_settings()], ids=_named)


def _same(said, expected):
    if np.asarray(expected).dtype.kind == "f":
        np.testing.assert_allclose(said, expected, rtol=1e-10, atol=1e-12)
    else:
        np.testing.assert_array_equal(said, expected)


def _check(model, data, pushed):
    """Push step by step, and all at once: both say what predict says of as much."""
    stream, whole = model.stream(3), model.stream(3)
    per_step = getattr(model, "readout", None) == "sequence"
    every = model.every if per_step else 1
    for t in range(data.shape[1]):
        said = pushed(stream, data[:3, t])
        if not per_step:
            _same(said, model.predict(data[:3, : t + 1]))
        elif (t + 1) % every == 0:
            _same(said, model.predict(data[:3, : t + 1])[:, -1])
    expected = model.predict(data[:3])
    _same(pushed(whole, data[:3]), expected)
    _same(stream.predict(), expected[:, -1] if per_step else expected)
    np.testing.assert_array_equal(stream.age, [data.shape[1]] * 3)
    return stream, whole


@SETTINGS
def test_every_step_says_what_predict_says_of_all_so_far(setting):
    cls, parameters = setting
    model = _fitted(cls, **parameters)
    stream, whole = _check(model, X, lambda stream, x: stream.push(x))
    _same(stream.transform(), model.transform(X[:3]))
    _same(whole.transform(), model.transform(X[:3]))
    if hasattr(model, "predict_proba"):
        probabilities = model.predict_proba(X[:3])
        if parameters.get("readout") == "sequence":
            probabilities = probabilities[:, -1]
        _same(stream.predict_proba(), probabilities)


@each(CLASSES, "cls")
@pytest.mark.parametrize("readout", ["last", "mean"])
def test_so_it_does_with_time_stamps(cls, readout):
    model = _fitted(cls, WITH_TIME, time_channel=2, readout=readout)
    _check(model, WITH_TIME, lambda stream, x: stream.push(x))


@pytest.mark.parametrize("parameters", [{"dynamics": "nonlinear"}, {"patch_size": 2}])
def test_so_it_does_with_gaps(parameters):
    gaps = WITH_TIME.copy()
    gaps[:, 5:, 2] += 200.0
    model = _fitted(sk.HSSMRegressor, WITH_TIME, time_channel=-1 % 3, **parameters)
    _check(model, gaps, lambda stream, x: stream.push(x))


@each(CLASSES, "cls")
@pytest.mark.parametrize("told", [True, False])  # of holes in training, too
@pytest.mark.parametrize("time", [None, 2])
def test_so_it_does_with_missing_values(cls, told, time):
    whole = WITH_TIME if time else X
    holes = whole.copy()
    lost = np.random.default_rng(1).random((24, 9, 2)) < 0.4
    lost[0] = [False, True]
    lost[..., 0] &= ~lost[..., 1]  # a step without any value might be padding
    holes[..., :2][lost] = np.nan
    parameters = {"missing": "mask", "time_channel": time, "readout": "last"}
    model = _fitted(cls, holes if told else whole, **parameters)
    stream = model.stream(3)
    for t in range(9):
        said = stream.push(holes[:3, t])
        _same(said, model.predict([sample[: t + 1] for sample in holes[:3]]))
    _same(model.stream(3).push(holes[:3]), said)


@pytest.mark.parametrize("nothing", [None, pd.NA])
def test_what_says_that_there_is_no_value_is_a_missing_one(nothing):
    model = _fitted(sk.PETNNClassifier, X, missing="mask")
    holed, said = model.stream(), model.stream()
    for first in (1.0, nothing):
        expected = said.push([np.nan if first is nothing else first, 2.0])
        _same(holed.push([first, 2.0]), expected)
    with pytest.raises((TypeError, ValueError), match=r"\bx\b"):
        holed.push(["much", 2.0])
    strict = _fitted(sk.PETNNClassifier, X, missing="error").stream()
    with pytest.raises((TypeError, ValueError), match=r"\bx\b"):
        strict.push([nothing, 2.0])


@pytest.mark.parametrize("readout", ["max", "sequence"])
def test_so_it_does_with_tokens(readout):
    tokens = RNG.integers(5, size=(24, 9))
    parameters = {"vocabulary_size": 5, "embedding_dim": 3, "readout": readout}
    model = _fitted(sk.PETNNClassifier, tokens, **parameters)
    _check(model, tokens, lambda stream, x: stream.push(x))
    alone = model.stream()
    for token in tokens[0]:
        said = alone.push(token)
    assert said == (model.predict(tokens[:1])[0, -1] if readout == "sequence" else
                    model.predict(tokens[:1])[0])  # fmt: skip


def test_in_float32_it_says_what_predict_says_of_float32():
    model = _fitted(sk.HSSMRegressor)
    stream = model.stream(3, dtype="float32")
    said = stream.push(X[:3].astype(np.float32))
    expected = model.predict(X[:3].astype(np.float32))
    assert said.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(said, expected, rtol=1e-5, atol=1e-6)


def test_a_model_of_one_channel_takes_a_number_a_step():
    model = _made(sk.PETNNRegressor).fit(X[:, :, 0], X[:, :, 0].sum(axis=1))
    stream, several = model.stream(), model.stream(3)
    for t in range(9):
        said = stream.push(X[0, t, 0])
        both = several.push(X[:3, t, 0])
    expected = model.predict(X[:3, :, 0])
    assert np.shape(said) == ()
    np.testing.assert_allclose(said, expected[0], rtol=1e-10)
    np.testing.assert_allclose(both, expected, rtol=1e-10)


def test_the_answer_has_the_axes_of_what_was_pushed():
    model = _fitted(sk.HSSMClassifier, readout="sequence", every=2)
    stream = model.stream()
    assert stream.push(X[0, 0]) == ""  # not a step that is read
    assert stream.push(X[0, 1]) in ("up", "down")
    assert stream.push(X[:1, 2]).shape == (1,)
    assert stream.push(X[:1, 3:8]).shape == (1, 3)
    assert stream.push(X[:1, 8:9]).shape == (1, 0)
    proba = model.stream()
    assert np.isnan(proba.push_proba(X[0, 0])).all()
    assert proba.push_proba(X[:1, 1:5]).shape == (1, 2, 2)
    assert proba.push_features(X[0, 5]).shape == (6,)
    seen = proba.push_features(X[:1, 6])
    assert seen.shape == (1, 6)
    before = seen.copy()
    proba.push(X[0, 7])
    np.testing.assert_array_equal(seen, before)  # the caller's own


def test_streams_of_different_age_run_side_by_side():
    model = _fitted(sk.PETNNClassifier, readout="sequence", every=3)
    stream = model.stream(3)
    stream.push(X[:1, :4], streams=[0])
    stream.push(X[[1, 2], :2], streams=[1, 2])
    np.testing.assert_array_equal(stream.age, [4, 2, 2])
    said = stream.push(np.stack([X[0, 4:9], X[1, 2:7], X[2, 2:7]]))
    whole = [model.predict(X[i : i + 1, :n])[0] for i, n in ((0, 9), (1, 7), (2, 7))]
    assert said.tolist() == [[*whole[0][1:]], [*whole[1]], [*whole[2]]]
    stream.reset([1])
    stream.push(X[:3, 7:8])
    np.testing.assert_array_equal(stream.age, [10, 1, 8])
    with pytest.raises(ValueError, match=r"said of stream 1 yet.*first answer comes with step 3"):
        stream.predict()


@each(CLASSES, "cls")
def test_a_stream_goes_on_as_if_nothing_had_been(cls, tmp_path):
    model = _fitted(cls, WITH_TIME, time_channel=2)
    stream = model.stream(2)
    stream.push(WITH_TIME[:2, :4])
    state = stream.state
    stream.save(tmp_path / "stream.safetensors")
    others = [
        copy.deepcopy(stream),
        pickle.loads(pickle.dumps(stream)),
        model.stream().load(tmp_path / "stream.safetensors"),
        model.stream(),
    ]
    others[-1].state = state
    expected = stream.push(WITH_TIME[:2, 4:])
    for other in others:
        np.testing.assert_array_equal(other.push(WITH_TIME[:2, 4:]), expected)
        for name, part in other.state.items():
            np.testing.assert_array_equal(part, stream.state[name])
    assert (state["age"] == 4).all()  # a value of its own


def test_a_stream_stays_with_the_model_that_it_was_made_of():
    model = _fitted(sk.PETNNRegressor)
    stream, expected = model.stream(2), model.predict(X[:2])
    model.fit(X, -_target(sk.PETNNRegressor, {}))
    np.testing.assert_allclose(stream.push(X[:2]), expected, rtol=1e-10)


def test_a_stream_that_feeds_on_itself_says_what_predictions_of_predictions_say():
    model = _made(sk.HSSMRegressor, readout="sequence").fit(X[:, :-1], X[:, 1:])
    stream = model.stream(2)
    stream.push(X[:2])
    ahead = copy.deepcopy(stream).simulate(4)
    told = copy.deepcopy(stream).simulate(4, feed=lambda said: said)
    series = X[:2]
    for k in range(4):
        series = np.concatenate([series, model.predict(series)[:, -1:]], axis=1)
        expected = model.predict(series)[:, -1]
        np.testing.assert_allclose(ahead[:, k], expected, rtol=1e-9)
    np.testing.assert_array_equal(told, ahead)
    assert (stream.age == 9).all()


@pytest.mark.filterwarnings("error")  # a gap is no reason for a word about all of X
def test_what_is_remembered_does_not_grow():
    stream = _fitted(sk.HSSMClassifier, WITH_TIME, time_channel=2).stream()
    stream.push(WITH_TIME[:1, :1])
    size = len(pickle.dumps(stream))
    later = WITH_TIME[0, -1].copy()
    for _ in range(300):
        later[2] += 10
        stream.push(later)
    assert len(pickle.dumps(stream)) == size
