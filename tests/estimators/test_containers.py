"""Sequences of unequal length, in whatever container people have them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.model_selection import cross_val_score

import sklearn_physrnn
from sklearn_physrnn import HSSMRegressor, PETNNClassifier

LENGTHS = [5, 9, 7, 6, 5, 8]
LABELS = np.arange(6) % 2
SMALL = {"hidden_size": 4, "max_iter": 1, "random_state": 0, "device": "cpu"}


@pytest.fixture(name="X")
def series(rng):
    return [rng.normal(size=(n, 2)) for n in LENGTHS]


def objects(items):
    array = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def polars_of(items, channels):
    polars = pytest.importorskip("polars")
    if channels == "frames":
        return [polars.DataFrame(x, schema=["a", "b"]) for x in items]
    if channels == "column":
        return polars.DataFrame({"x": [x.tolist() for x in items]})
    return polars.DataFrame({name: [x[:, k] for x in items] for k, name in enumerate("ab")})


TWO_CHANNELS = {
    "tuple": tuple,
    "object array": objects,
    "object column": lambda X: objects(X)[:, None],
    "frames": lambda X: [pd.DataFrame(x) for x in X],
    "nullable frames": lambda X: [pd.DataFrame(x, columns=["a", "b"]).convert_dtypes() for x in X],
    "tensors": lambda X: [torch.tensor(x) for x in X],
    "nested lists": lambda X: [x.tolist() for x in X],
    "lists of rows": lambda X: [list(x) for x in X],
    "Series of arrays": pd.Series,
    "column of arrays": lambda X: pd.DataFrame({"x": X}),
    "columns of channels": lambda X: pd.DataFrame(
        {"a": [x[:, 0] for x in X], "b": [pd.Series(x[:, 1]) for x in X]}
    ),
    "mixed": lambda X: [pd.DataFrame(X[0]), X[1], torch.tensor(X[2]), *X[3:]],
    "polars frames": lambda X: polars_of(X, "frames"),
    "polars column": lambda X: polars_of(X, "column"),
    "polars channels": lambda X: polars_of(X, "channels"),
}


@pytest.mark.parametrize("form", TWO_CHANNELS)
def test_every_container_gives_what_a_list_of_arrays_does(form, X):
    expected = PETNNClassifier(**SMALL).fit(X, LABELS).predict_proba(X)
    given = TWO_CHANNELS[form](X)
    found = PETNNClassifier(**SMALL).fit(given, LABELS).predict_proba(given)
    np.testing.assert_array_equal(found, expected)


ONE_CHANNEL = {
    "arrays": list,
    "Series": lambda X: [pd.Series(x) for x in X],
    "nested lists": lambda X: [x.tolist() for x in X],
    "tensors": lambda X: [torch.tensor(x) for x in X],
    "column of arrays": lambda X: pd.DataFrame({"x": X}),
}


@pytest.mark.parametrize("form", ONE_CHANNEL)
def test_sequences_of_numbers_have_one_channel(form, X):
    deep = [x[:, :1] for x in X]
    expected = HSSMRegressor(**SMALL).fit(deep, LABELS).predict(deep)
    given = ONE_CHANNEL[form]([x[:, 0] for x in X])
    model = HSSMRegressor(**SMALL).fit(given, LABELS)
    np.testing.assert_array_equal(model.predict(given), expected)
    # Of equal length by chance, they are what NumPy takes for a table.
    level = [x[:5, 0].tolist() for x in X]
    np.testing.assert_array_equal(model.predict(level), model.predict([x[:5, :1] for x in X]))


def test_a_table_of_series_and_a_list_of_others_go_together(X):
    table = np.stack([x[:5, 0] for x in X])
    model = HSSMRegressor(**SMALL).fit(table, LABELS)
    np.testing.assert_array_equal(model.predict(table), model.predict(table[:, :, None]))
    assert model.predict([x[:, 0] for x in X]).shape == (6,)
    with pytest.raises(ValueError, match=r"3 dimensions and 2 channels, but .* to one channel"):
        model.predict(X)


@pytest.mark.parametrize(
    "form",
    [
        list,
        lambda words: [torch.tensor(x) for x in words],
        lambda words: [pd.Series(x) for x in words],
        pd.Series,
        lambda words: pd.DataFrame({"text": words}),
    ],
)
def test_tokens_come_in_lists_of_lists(form):
    words, y = [[1, 2, 3], [4, 5], [1, 4, 2, 2], [3, 3]], [0, 1, 0, 1]
    model = PETNNClassifier(**SMALL, vocabulary_size=6, embedding_dim=3)
    arrays = [np.array(x) for x in words]
    expected = model.fit(arrays, y).predict_proba(arrays)
    np.testing.assert_array_equal(model.fit(form(words), y).predict_proba(form(words)), expected)


@pytest.mark.parametrize("form", ["frames", "nullable frames", "columns of channels"])
def test_cross_validation_takes_rows_of_every_container(form, X):
    scores = cross_val_score(PETNNClassifier(**SMALL), TWO_CHANNELS[form](X), LABELS, cv=2)
    assert np.isfinite(scores).all()


def test_channels_with_names_go_by_their_names(X, tmp_path):
    frames = [pd.DataFrame(x, columns=["speed", "heart"]) for x in X]
    model = PETNNClassifier(**SMALL).fit(frames, LABELS)
    assert model.feature_names_in_.tolist() == ["speed", "heart"]
    model.save(tmp_path / "model")
    for one in (model, sklearn_physrnn.load(tmp_path / "model")):
        with pytest.raises(ValueError, match="same order"):
            one.predict([frame[["heart", "speed"]] for frame in frames])
        with pytest.raises(ValueError, match=r"(?s)missing:.*heart"):
            one.predict([frame.rename(columns={"heart": "pulse"}) for frame in frames])
        with pytest.warns(UserWarning, match="does not have valid feature names"):
            one.predict(X)
    assert not hasattr(model.fit(X, LABELS), "feature_names_in_")


@pytest.mark.parametrize("place", [0, -2])
def test_a_missing_value_is_named_in_every_container(place, X):
    X[3][place, 1] = np.nan
    message = rf"X\[3\] contains NaN: time step {place % 6}"
    for form in ("frames", "nested lists", "columns of channels", "tensors"):
        with pytest.raises(ValueError, match=message):
            PETNNClassifier(**SMALL, missing="error").fit(TWO_CHANNELS[form](X), LABELS)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: pd.DataFrame(x).assign(b=pd.Categorical(["x"] * len(x))),
        lambda x: pd.DataFrame(x).assign(b=pd.Period("2020")),
        lambda x: torch.tensor(x, requires_grad=True),
        lambda x: torch.tensor(x).to_sparse(),
        lambda x: np.ma.masked_array(x, x > 0),
        lambda x: [[1, 2], [3]],
        lambda x: 1.0,
        lambda x: None,
    ],
)
def test_the_one_that_is_no_sequence_is_named(spoil, X):
    X[2] = spoil(X[2])
    with pytest.raises((TypeError, ValueError), match=r"X\[2\]"):
        PETNNClassifier(**SMALL).fit(X, LABELS)
