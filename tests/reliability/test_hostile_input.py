"""Estimators and hostile data: a sound result or a clear refusal, and nothing in between.

``HYPOTHESIS_PROFILE=long`` tries 20,000 cases instead of 300.
"""

import copy
import functools
import inspect

import numpy as np
import pytest
from hypothesis import strategies as st
from sklearn.base import is_classifier
from sklearn.exceptions import NotFittedError

from tests.families import ENTRIES, SKLEARN, takes_tables

from ._labels import PARAMETERS, labels, weights
from ._property import RefusedError, attempt, try_all
from ._strategies import SEQUENCES, TABLES, hostile, numbers

N = 6  # rows
CLASSES = np.array([0, 1, 2, 0, 1, 2])

# Settings whose own code sees the data.
COMMON = [
    {}, {}, {"scale_inputs": "standard"}, {"scale_inputs": "quantile"}, {"scale_inputs": False},
    {"dtype": "float64"}, {"dtype": "bfloat16"}, {"early_stopping": True}, {"batch_size": 1},
]  # fmt: skip
REGRESSION = [
    {"loss": "huber"}, {"loss": "absolute_error"}, {"loss": "quantile", "quantile": [0.1, 0.9]},
]  # fmt: skip
CLASSIFICATION = [{"class_weight": "balanced"}, {"class_weight": {0: 1, 1: 0}}]
SERIES = [{"time_channel": 0}, {"time_channel": -1}, {"time_channel": 7}]

# What a refusal may be about.
ABOUT = (
    r"\b(X|y|Y|X_val|[Ss]ample[_ ]?[wW]eights?|class_weight|classes|labels?|targets?|samples?|loss"
    r"|early_stopping|warm_start|scale_inputs|time_channel|vocabulary_size|Time|[Ff]eature)\b"
)


def make(kind, **parameters):
    return ENTRIES[kind].make(**{"hidden_size": 2, "max_iter": 1} | parameters)


def own(kind) -> list[dict]:
    name = "classifier" if is_classifier(kind()) else "regressor"
    settings = [setting.parameters for setting in ENTRIES[kind].family.own if setting.kind == name]
    return settings if takes_tables(kind) else settings + SERIES


def plain_inputs(kind, parameters, shape="3-D") -> np.ndarray:
    if parameters.get("vocabulary_size"):
        return np.abs(np.round(numbers(0, N, 4))) % 4
    if takes_tables(kind):
        return numbers(0, N, 2)
    if parameters.get("time_channel") is not None:
        return np.abs(numbers(0, N, 4, 2)).cumsum(axis=1)
    return numbers(0, N, 4, 2) if shape == "3-D" else numbers(0, N, 4)


def plain_targets(kind, parameters) -> np.ndarray:
    shape = N, 4 // parameters.get("every", 1)
    if is_classifier(kind()):
        every_step = parameters.get("readout") == "sequence"
        return np.resize(CLASSES, shape) if every_step else CLASSES
    if parameters.get("readout") == "sequence":
        return numbers(1, *shape)
    return numbers(1, N)


@functools.cache
def _fitted(kind, shape):
    return make(kind).fit(plain_inputs(kind, {}, shape), plain_targets(kind, {}))


def fitted(kind, shape="3-D"):
    return copy.deepcopy(_fitted(kind, shape))


def reference(model, shape="3-D") -> np.ndarray:
    """Predictions for plain data, under the parameters that `model` was fitted with."""
    X = plain_inputs(type(model), {}, shape)
    model = copy.copy(model).set_params(**make(type(model)).get_params())
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


def assert_sound(model, prediction, n_rows=None) -> None:
    """Finite, in as many rows as X, of a type that was promised."""
    if n_rows is not None:
        assert len(prediction) == n_rows
    past_the_end = getattr(model, "readout", "") == "sequence"  # nothing there, as promised
    if is_classifier(model):
        known = np.isin(prediction, model.classes_) | past_the_end
        assert known.all() or prediction.dtype.kind == "f"
        return
    assert prediction.dtype in (np.float32, np.float64)
    assert (np.isfinite(prediction) | (np.isnan(prediction) & past_the_end)).all(), prediction


def assert_proba(model, proba) -> None:
    assert proba.dtype in (np.float32, np.float64)
    assert proba.shape[-1] == len(model.classes_)
    if getattr(model, "readout", "") == "sequence":
        proba = proba[~np.isnan(proba).any(axis=2)]
    np.testing.assert_allclose(proba.sum(axis=-1), 1, rtol=1e-5)
    assert (proba >= 0).all()


def refit_or_unchanged(model, tally, *args, method="fit", shape="3-D", **kwargs) -> bool:
    """Call `method`; True if it worked, else `model` is asserted to be as it was."""
    state = vars(model).copy()
    known = reference(model, shape) if "module_" in state else None
    try:
        assert attempt(getattr(model, method), *args, about=ABOUT, **kwargs) is model
    except RefusedError:
        assert vars(model).keys() == state.keys()
        assert all(vars(model)[name] is value for name, value in state.items())
        if known is None:
            with pytest.raises(NotFittedError):
                model.predict(np.zeros((N, 4)))
        else:
            np.testing.assert_array_equal(reference(model, shape), known)
        tally["refused"] += 1
        return False
    tally["worked"] += 1
    assert all(np.isfinite(p.detach().numpy()).all() for p in model.module_.parameters())
    return True


kinds = st.sampled_from(SKLEARN)


def shapes(kind):
    """What X may be, and the containers for it."""
    if takes_tables(kind):
        return st.just(("3-D", TABLES))
    return st.sampled_from([("3-D", SEQUENCES), ("2-D", TABLES)])


@st.composite
def problems(draw):
    """An estimator, its settings, and data of which one part or several are hostile."""
    kind = draw(kinds)
    extra = CLASSIFICATION if is_classifier(kind()) else REGRESSION
    parameters = draw(st.sampled_from([*COMMON, *extra, *own(kind)]))
    shape, containers = draw(shapes(kind))
    X, y = plain_inputs(kind, parameters, shape), plain_targets(kind, parameters)
    if X.ndim == 2:
        containers = TABLES
    names, parts = ["plain"] * 3, [X, y, None]
    which = draw(st.sampled_from(["X", "X", "X", "y", "w", "Xy", "Xw", "Xyw", ""]))
    if "X" in which:
        names[0], parts[0] = draw(hostile(X, containers))
    if "y" in which and is_classifier(kind()):
        names[1], parts[1] = draw(labels(y))
    elif "y" in which:
        names[1], parts[1] = draw(hostile(y.reshape(N, -1), TABLES))
        if names[1] == "plain":
            parts[1] = y
    if "w" in which:
        names[2], parts[2] = draw(weights(N))
    return kind, parameters, shape, names, parts


def n_rows(X) -> int | None:
    return X.shape[0] if hasattr(X, "shape") else len(X) if hasattr(X, "__len__") else None


def check_fit(tally, problem, state):
    kind, parameters, shape, _, (X, y, w) = problem
    model = make(kind) if state == "fresh" else fitted(kind, shape)
    model.set_params(**parameters, warm_start=state == "warm")
    if not refit_or_unchanged(model, tally, X, y, w, shape=shape):
        return
    # What fit takes, so do the others.
    assert_sound(model, attempt(model.predict, X, about=ABOUT), n_rows(X))
    if is_classifier(model):
        assert_proba(model, attempt(model.predict_proba, X, about=ABOUT))


def test_fit(record_property):
    states = st.sampled_from(["fresh", "fitted", "warm"])
    try_all(0.45, check_fit, record_property, problems(), states)


@st.composite
def questions(draw):
    """A kind of estimator, the kind of data it was fitted to, and a hostile X."""
    kind = draw(kinds)
    shape, containers = draw(shapes(kind))
    return kind, shape, *draw(hostile(plain_inputs(kind, {}, shape), containers))


def check_predict(tally, question):
    kind, shape, _, X = question
    model = fitted(kind, shape)
    known = reference(model, shape)
    try:
        assert_sound(model, attempt(model.predict, X, about=ABOUT), n_rows(X))
        if is_classifier(model):
            assert_proba(model, attempt(model.predict_proba, X, about=ABOUT))
        tally["worked"] += 1
    except RefusedError:
        tally["refused"] += 1
    np.testing.assert_array_equal(reference(model, shape), known)


def test_predict(record_property):
    try_all(0.15, check_predict, record_property, questions())


def check_score(tally, problem):
    kind, _, shape, _, (X, y, w) = problem
    try:
        score = attempt(fitted(kind, shape).score, X, y, w, about=ABOUT)
        assert not np.isnan(score) or n_rows(X) == 1
        tally["worked"] += 1
    except RefusedError:
        tally["refused"] += 1


def test_score(record_property):
    try_all(0.05, check_score, record_property, problems())


def check_partial_fit(tally, problem, is_fitted):
    kind, parameters, shape, _, (X, y, w) = problem
    model = fitted(kind, shape) if is_fitted else make(kind)
    model.set_params(**parameters)
    classes = {"classes": y} if is_classifier(model) else {}
    if refit_or_unchanged(
        model, tally, X, y, sample_weight=w, method="partial_fit", shape=shape, **classes
    ):
        assert_sound(model, attempt(model.predict, X, about=ABOUT), n_rows(X))


def test_partial_fit(record_property):
    try_all(0.05, check_partial_fit, record_property, problems(), st.booleans())


def check_validation_data(tally, problem, is_fitted):
    kind, parameters, shape, _, (X, y, w) = problem
    model = fitted(kind, shape) if is_fitted else make(kind)
    model.set_params(**parameters)
    good = plain_inputs(kind, parameters, shape), plain_targets(kind, parameters)
    if refit_or_unchanged(model, tally, *good, X_val=X, y_val=y, sample_weight_val=w, shape=shape):
        assert_sound(model, attempt(model.predict, good[0], about=ABOUT), N)


def test_validation_data(record_property):
    try_all(0.05, check_validation_data, record_property, problems(), st.booleans())


# A request for more loops than there is time is not refused, so it is not made.
LOOPS = {"max_iter", "num_layers", "num_blocks", "num_loops", "n_steps", "n_iter_no_change"}


@st.composite
def settings(draw):
    """A kind of estimator, one of its parameters, and a value that it may not take."""
    kind = draw(kinds)
    name = draw(st.sampled_from(sorted(inspect.signature(kind).parameters)))
    value = draw(st.sampled_from(PARAMETERS))
    if name in LOOPS and isinstance(value, int) and value > 100:
        value = -value
    return kind, name, value


def check_parameters(tally, setting, is_fitted):
    kind, name, value = setting
    X, y = plain_inputs(kind, {}), plain_targets(kind, {})
    model = fitted(kind) if is_fitted else make(kind)
    state = vars(model.set_params(**{name: value})).copy()
    about = rf"{name}\b|{ABOUT}"
    try:
        attempt(model.fit, X, y, about=about)
        assert_sound(model, attempt(model.predict, X, about=about), N)
        tally["worked"] += 1
    except RefusedError:
        if "module_" not in vars(model):
            assert all(vars(model)[name] is value for name, value in state.items())
        tally["refused"] += 1


def test_parameters(record_property):
    try_all(0.1, check_parameters, record_property, settings(), st.booleans())
