"""Columns of categories are taken as they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, load
from sklearn_physrnn.inspection import AttributionDisplay, integrated_gradients
from sklearn_physrnn.preparation.categories import MAX_LEVELS, MIN_ROWS
from tests.families import ENTRIES, N, each, that_take

TABLES = that_take("table")
RNG = np.random.default_rng(0)
KIND = np.array(list("abcd") * (N // 4))
FRAME = pd.DataFrame({"size": RNG.normal(size=N), "kind": pd.Categorical(KIND)})


def _outputs(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


def _inputs(model, X):
    return model._prepared.inputs.arrays(model._prepared.inputs.read(X, model))["x"]


@each(TABLES)
def test_a_category_becomes_an_indicator(kind):
    model = ENTRIES[kind].make().fit(FRAME, ENTRIES[kind].y)
    np.testing.assert_array_equal(_inputs(model, FRAME)[:, 1:], KIND[:, None] == list("abcd"))
    assert model.n_features_in_ == 2
    assert list(model.feature_names_in_) == ["size", "kind"]


@each(TABLES)
@pytest.mark.parametrize(
    "values",
    [
        pd.Categorical(KIND),
        pd.Categorical(KIND, categories=["d", "c", "x", "a", "b"], ordered=True),
        pd.Categorical.from_codes(np.arange(N) % 4, [10, 20, 30, 40]),
        pd.Categorical.from_codes(np.arange(N) % 2, [True, False]),
        pd.cut(np.arange(N), 4),
        pd.Categorical(pd.date_range("2020", periods=4).repeat(N // 4)),
        pd.Categorical(np.where(KIND == "b", None, KIND)),
    ],
    ids=["texts", "ordered", "numbers", "booleans", "intervals", "dates", "missing"],
)
def test_categories_of_any_kind_are_taken_and_kept_in_a_file(kind, values, tmp_path):
    frame = FRAME.assign(kind=values)
    model = ENTRIES[kind].make().fit(frame, ENTRIES[kind].y)
    assert (_inputs(model, frame)[:, 1:].sum(axis=1) == 1).all()
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(_outputs(loaded, frame), _outputs(model, frame))
    strange = frame.assign(kind=pd.Categorical(["never seen"] * N))
    np.testing.assert_array_equal(_outputs(loaded, strange), _outputs(model, strange))


@each(TABLES)
def test_a_category_that_training_has_not_seen_has_no_indicator(kind):
    model = ENTRIES[kind].make().fit(FRAME, ENTRIES[kind].y)
    strange = FRAME.assign(kind=pd.Categorical(["e"] * N))
    assert not _inputs(model, strange)[:, 1:].any()
    assert np.isfinite(_outputs(model, strange)).all()


def test_rows_that_are_not_trained_on_teach_no_category():
    weights = (KIND != "d").astype(float)
    entry = ENTRIES[DynPMNNRegressor]
    model = entry.make().fit(FRAME, entry.y, weights)
    assert model._prepared.inputs.n_columns == 4


@each(TABLES)
def test_only_values_matter_once_it_is_fitted(kind):
    model = ENTRIES[kind].make().fit(FRAME, ENTRIES[kind].y)
    expected = _outputs(model, FRAME)
    other_order = pd.Categorical(KIND, categories=list("dcba"))
    for values in (other_order, KIND, pd.Series(KIND, dtype=object), pd.Series(KIND, dtype="str")):
        np.testing.assert_array_equal(_outputs(model, FRAME.assign(kind=values)), expected)
    one = FRAME.iloc[[5]].assign(kind=pd.Categorical([KIND[5]]))
    np.testing.assert_allclose(_outputs(model, one), expected[[5]], rtol=1e-5)


@each(TABLES)
@pytest.mark.parametrize("option", [["kind"], [1], [False, True], np.array([1])])
def test_columns_of_categories_can_be_named(kind, option, tmp_path):
    texts = FRAME.assign(kind=pd.Series(KIND, dtype="str"))
    expected = ENTRIES[kind].make().fit(FRAME, ENTRIES[kind].y)
    model = ENTRIES[kind].make(categorical_features=option, warm_start=True)
    model.fit(texts, ENTRIES[kind].y)
    np.testing.assert_array_equal(_outputs(model, texts), _outputs(expected, FRAME))
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(
        _outputs(load(tmp_path / "model"), texts), _outputs(model, texts)
    )
    assert model.fit(texts, ENTRIES[kind].y).n_iter_ == 4


@pytest.mark.parametrize("form", [np.asarray, np.ndarray.tolist], ids=["array", "list"])
def test_arrays_and_lists_may_hold_categories_too(form):
    rows = FRAME.assign(kind=KIND).to_numpy(dtype=object)
    entry = ENTRIES[DynPMNNRegressor]
    expected = entry.make().fit(FRAME, entry.y).predict(FRAME)
    model = entry.make(categorical_features=[1]).fit(form(rows), entry.y)
    np.testing.assert_array_equal(model.predict(form(rows)), expected)


def test_numbers_can_be_categories():
    X = np.c_[RNG.normal(size=N), np.arange(N) % 3]
    model = ENTRIES[DynPMNNRegressor].make(categorical_features=[1]).fit(X, X[:, 0])
    np.testing.assert_array_equal(_inputs(model, X)[:, 1:], X[:, [1]] == [0, 1, 2])


def test_a_table_may_hold_nothing_but_categories():
    model = ENTRIES[DynPMNNClassifier].make(max_iter=40)
    X, y = FRAME[["kind"]], KIND == "b"
    assert model.fit(X, y).score(X, y) == 1.0


def test_rare_ones_of_too_many_categories_are_unknown():
    values = pd.Categorical([*np.arange(300).repeat(MIN_ROWS), *range(10, 265)])
    X, y = pd.DataFrame({"id": values}), np.arange(len(values))
    model = ENTRIES[DynPMNNRegressor].make(max_iter=1).fit(X, y)
    x = _inputs(model, X)
    assert x.shape[1] == MAX_LEVELS
    np.testing.assert_array_equal(x.any(axis=1), (values.codes >= 10) & (values.codes < 265))


def test_categories_of_few_rows_are_unknown_unless_all_are():
    X = pd.DataFrame({"k": pd.Categorical(list("a" * 9 + "b" * 9 + "c" * 2 + "d" * 4))})
    entry = ENTRIES[DynPMNNRegressor]
    np.testing.assert_array_equal(
        _inputs(entry.make().fit(X, entry.y), X), X[["k"]].to_numpy() == list("ab")
    )
    few = pd.DataFrame({"k": pd.Categorical(list("aabb"))})
    assert _inputs(entry.make().fit(few, np.arange(4.0)), few).sum() == 4


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["colour"], r"names \['colour'\]; the columns of X are \['size', 'kind'\]"),
        ([2], "column numbers from 0 to 1, got .2."),
        ([True], "each of the 2 columns of X, got 1"),
        ([0.5], "list of column names, of column numbers, or of booleans"),
        ("kind", "'categorical_features' parameter"),
    ],
)
def test_columns_that_there_are_not_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        ENTRIES[DynPMNNRegressor].make(categorical_features=option).fit(FRAME, np.arange(N))


@each(TABLES)
def test_without_the_option_a_category_is_refused_by_name(kind):
    with pytest.raises(ValueError, match=r"got category in column 'kind'. Give categories"):
        ENTRIES[kind].make(categorical_features=None).fit(FRAME, ENTRIES[kind].y)
    numbers = FRAME.assign(kind=pd.Categorical.from_codes(np.arange(N) % 4, [1, 2, 3, 4]))
    as_numbers = FRAME.assign(kind=np.arange(N) % 4 + 1)
    model = ENTRIES[kind].make(categorical_features=None).fit(numbers, ENTRIES[kind].y)
    np.testing.assert_array_equal(_outputs(model, numbers), _outputs(model, as_numbers))


def test_missing_categories_are_refused_where_holes_are():
    lost = FRAME.assign(kind=pd.Categorical(np.where(KIND == "b", None, KIND)))
    with pytest.raises(ValueError, match="X has missing values in column 'kind'"):
        ENTRIES[DynPMNNRegressor].make(missing="error").fit(lost, np.arange(N))


@pytest.mark.parametrize(("fitted", "asked"), [(int, str), (str, float)])
def test_numbers_and_texts_are_not_the_same_categories(fitted, asked):
    numbers = pd.Series(np.arange(N) % 4)
    known, other = (
        FRAME.assign(kind=numbers.astype(t).astype("category")) for t in (fitted, asked)
    )
    model = ENTRIES[DynPMNNRegressor].make().fit(known, np.arange(N))
    with pytest.raises(ValueError, match="of X in column 'kind' are of another type"):
        model.predict(other)
    strange = known.assign(kind=pd.Categorical(["no such kind"] * N))
    assert np.isfinite(model.predict(strange)).all()
    assert np.isfinite(model.predict(known.assign(kind=pd.Categorical([None] * N)))).all()


def test_attributions_are_one_a_column_of_the_frame():
    entry = ENTRIES[DynPMNNRegressor]
    model = entry.make(max_iter=20).fit(FRAME, FRAME["size"] + 3 * (KIND == "a"))
    a = integrated_gradients(model, FRAME, baseline=FRAME.iloc[[1]])
    assert a.shape == (N, 2)
    change = model.predict(FRAME) - model.predict(FRAME.iloc[[1]])
    np.testing.assert_allclose(a.sum(axis=1), change, atol=1e-4)
    assert (a[KIND[1] == KIND, 1] == 0).all()
    unknown = FRAME.assign(size=FRAME["size"].median(), kind=pd.Categorical(["?"] * N))
    a = integrated_gradients(model, FRAME)
    change = model.predict(FRAME) - model.predict(unknown)
    np.testing.assert_allclose(a.sum(axis=1), change, atol=1e-4)
    with pytest.raises(ValueError, match="baseline must be a table like X"):
        integrated_gradients(model, FRAME, baseline=0.0)


def test_a_category_is_drawn_by_its_name():
    entry = ENTRIES[DynPMNNRegressor]
    display = AttributionDisplay.from_estimator(entry.make().fit(FRAME, entry.y), FRAME, sample=2)
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert "kind = c" in labels
