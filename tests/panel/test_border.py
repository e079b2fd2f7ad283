"""The sktime estimators of panels are the scikit-learn ones behind a border."""

import inspect

import numpy as np
import pandas as pd
import pytest
from skbase.lookup import all_objects
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sktime.datatypes import convert
from sktime.transformations.compose import FitInTransform
from sktime.transformations.series.difference import Differencer

from tests.helpers.panels import SMALL, make, make_wrapped, outputs

# What sktime's interface has no place for: it knows no tokens, its fit always starts anew,
# and its regressors neither predict at every step nor give intervals.
TOKENS = {"vocabulary_size", "embedding_dim", "embedding", "freeze_embedding"}
LEFT_OUT = {"carry_state", "warm_start", "every", "interval", "interval_cv"} | TOKENS


# -- the same model ------------------------------------------------------------------------


def test_predictions_are_the_wrapped_estimators(kind, motions):
    X, y = motions
    model = make(kind).fit(X, y)
    wrapped = make_wrapped(model).fit(X.transpose(0, 2, 1), y)
    expected = outputs(wrapped, X.transpose(0, 2, 1))
    np.testing.assert_array_equal(outputs(model, X), expected)
    np.testing.assert_array_equal(model.predict(X), wrapped.predict(X.transpose(0, 2, 1)))
    assert len(np.unique(expected)) > 1


@pytest.mark.parametrize("mtype", ["nested_univ", "pd-multiindex", "df-list"])
def test_predictions_are_the_wrapped_estimators_at_unequal_length(kind, vowels, mtype):
    nested, sequences, y = vowels
    X = convert(nested, "nested_univ", mtype, as_scitype="Panel")
    model = make(kind).fit(X, y)
    wrapped = make_wrapped(model).fit(sequences, y)
    np.testing.assert_array_equal(outputs(model, X), outputs(wrapped, sequences))


def test_containers_are_interchangeable(kind, motions):
    X, y = motions
    model = make(kind).fit(X, y)
    expected = outputs(model, X)
    for mtype in ["df-list", "pd-multiindex", "nested_univ"]:
        other = convert(X, "numpy3D", mtype, as_scitype="Panel")
        np.testing.assert_array_equal(outputs(model, other), expected)
        np.testing.assert_array_equal(outputs(make(kind).fit(other, y), X), expected)


def test_two_dimensions_are_one_channel(kind, motions):
    X, y = motions
    flat = make(kind).fit(X[:, 0], y)
    np.testing.assert_array_equal(outputs(flat, X[:, 0]), outputs(flat, X[:, :1]))


def test_time_channel_is_one_of_sktimes_channels(kind, motions):
    X, y = motions
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 2, X[:, :1].shape), axis=2)
    timed = np.concatenate((X, times), axis=1)
    model = make(kind, time_channel=6).fit(timed, y)
    shifted = timed + 100 * (np.arange(7) == 6)[:, None]  # another origin, the same series
    np.testing.assert_allclose(outputs(model, shifted), outputs(model, timed), rtol=1e-6)
    assert not np.allclose(outputs(make(kind).fit(timed, y), timed), outputs(model, timed))


def test_precision_follows_x(kind, motions):
    X, y = motions
    model = make(kind).fit(X, y)
    assert outputs(model, X.astype(np.float32)).dtype == np.float32
    assert outputs(model, X).dtype == np.float64


def test_columns_of_a_list_go_by_their_names(kind, vowels):
    nested, _, y = vowels
    frames = convert(nested, "nested_univ", "df-list", as_scitype="Panel")
    model = make(kind).fit(frames, y)
    mixed = [frame[frame.columns[::-1]] if i % 2 else frame for i, frame in enumerate(frames)]
    np.testing.assert_array_equal(outputs(model, mixed), outputs(model, frames))
    odd = [*frames[:-1], frames[-1].iloc[:, 1:]]
    with pytest.raises(ValueError, match=r"X\[29\] has the columns .* but X\[0\] has"):
        make(kind).fit(odd, y)


# -- signatures and docstrings ---------------------------------------------------------------


def test_parameters_are_the_wrapped_estimators(kind):
    ours = inspect.signature(kind).parameters
    theirs = dict(inspect.signature(kind._wrapped).parameters)
    for name in LEFT_OUT & set(theirs):
        del theirs[name]
    assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        assert ours[name].default == parameter.default, name
        assert ours[name].kind == parameter.kind, name


@pytest.mark.parametrize("name", ["warm_start", "hidden_sizes"])
def test_what_is_no_parameter_is_refused_by_name(kind, name):
    with pytest.raises(TypeError, match=f"{kind.__name__}.*'{name}'"):
        kind(**{name: 3})


def test_docstring_describes_every_parameter_once(kind):
    text = inspect.getdoc(kind)  # Python 3.13 cuts the indentation off by itself
    for name, parameter in inspect.signature(kind).parameters.items():
        assert text.count(f"\n{name} : ") == 1, name
        line = text.partition(f"\n{name} : ")[2].partition("\n")[0]
        assert line.endswith(f", default={parameter.default!r}"), name
        assert line.count("default=") == 1, name
    assert not any(f"\n{name} : " in text for name in LEFT_OUT)
    # What a wrapped estimator's fit takes and sktime's does not; what was not filled in.
    assert not any(word in text for word in ("X_val", "list of float", "{p"))


def test_parameters_survive_cloning(kind):
    model = make(kind, learning_rate_init=0.1, verbose=False)
    assert clone(model).get_params() == model.get_params()
    assert model.clone().get_params() == model.get_params()
    assert model.set_params(hidden_size=3).hidden_size == 3


def test_skbase_finds_them():
    found = {
        name
        for package in ("classification", "regression")
        for name, _ in all_objects(package_name=f"sklearn_physrnn.{package}")
    }
    assert found == {kind.__name__ for kind in SMALL}


def test_no_check_of_sktime_is_skipped(kind):
    assert not kind.get_class_tag("tests:skip_by_name", None)
    assert not kind.get_class_tag("tests:skip_all", False)
    assert len(kind.get_test_params()) == 2


# -- in other people's machinery --------------------------------------------------------------


def test_in_a_pipeline_of_sktime(kind, motions):
    X, y = motions
    pipeline = FitInTransform(Differencer()) * make(kind)
    assert type(pipeline).__name__.endswith("Pipeline")
    differences = np.diff(X, axis=2, prepend=X[:, :, :1])
    expected = make(kind).fit(differences, y).predict(differences)
    np.testing.assert_allclose(pipeline.fit(X, y).predict(X), expected, rtol=1e-6)


def test_in_scikit_learns_searches(kind, motions):
    X, y = motions
    cv = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(make(kind), {"max_iter": [1, 4]}, cv=cv).fit(X, y)
    assert search.best_estimator_.predict(X).shape == (40,)
    model = make(kind)
    wrapped = cross_val_score(make_wrapped(model), X.transpose(0, 2, 1), y, cv=cv)
    np.testing.assert_allclose(cross_val_score(model, X, y, cv=cv), wrapped)
    assert is_classifier(model) == hasattr(model, "predict_proba") != is_regressor(model)


def test_fitted_parameters_reach_the_wrapped_estimator(kind, motions):
    model = make(kind).fit(*motions)
    name = "classifier" if is_classifier(model) else "regressor"
    fitted = model.get_fitted_params()
    assert type(fitted[name]) is kind._wrapped
    assert len(fitted[f"{name}__loss_curve"]) == 3
    assert fitted[f"{name}__n_features_in"] == 6


# -- bad input --------------------------------------------------------------------------------


def spoiled(X, value):
    X = X.copy()
    X[3, 1, 2] = value
    return X


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: spoiled(X, np.nan), "contains NaN: sample 3, time step 2"),
        (lambda X: spoiled(X, np.inf), "infinity"),
        (lambda X: X[:, :, :1], "at least 2 time steps"),
        (lambda X: X[:5], "[Mm]ismatch"),
        (lambda X: X[:, :, :, None], "3D|mtype"),
        (lambda X: [list(x) for x in X], "list of pd.DataFrame|mtype"),
    ],
)
def test_bad_panels(kind, motions, spoil, message):
    X, y = motions
    with pytest.raises((ValueError, TypeError), match=message):
        make(kind, missing="error").fit(spoil(X), y)


def test_text_is_refused(kind, vowels):
    frames = convert(vowels[0], "nested_univ", "df-list", as_scitype="Panel")
    frames = [pd.DataFrame(np.full(f.shape, "word"), f.index, f.columns) for f in frames]
    with pytest.raises(TypeError, match="categorical"):
        make(kind).fit(frames, vowels[2])


def test_wrong_channels_at_predict(kind, motions):
    X, y = motions
    model = make(kind, missing="error").fit(X, y)
    with pytest.raises(ValueError, match=r"X has 2 channels, but .* is expecting 6 channels"):
        model.predict(X[:, :2])
    with pytest.raises(ValueError, match="contains NaN: sample 3, time step 2"):
        model.predict(spoiled(X, np.nan))


@pytest.mark.parametrize(
    ("name", "value"), [("hidden_size", 0), ("optimizer", "best"), ("time_channel", 0.5)]
)
def test_bad_parameters_are_named_with_the_class(kind, motions, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of {kind.__name__} must be"):
        make(kind, **{name: value}).fit(*motions)
