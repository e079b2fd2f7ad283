"""Features of sequence estimators, in scikit-learn's compositions and from streams."""

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline

from tests.families import ENTRIES, FAMILIES

CLASSES = [f.classifier for f in FAMILIES if f.takes == "sequence"]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 7, 2))
Y = np.where(X[:, :, 0].sum(axis=1) > 0, "up", "down")
CELLS = pd.DataFrame(
    {"a": list(X[:, :, 0]), "b": list(X[:, :, 1]), "age": np.arange(24.0)},
    index=pd.Index(range(100, 124)),
)


def _made(cls, **parameters):
    return cls(**ENTRIES[cls].parameters | {"hidden_size": 3} | parameters)


@pytest.fixture(scope="module", params=CLASSES, ids=lambda cls: cls.__name__)
def model(request):
    return _made(request.param).fit(X, Y)


def _names(model, prefix=""):
    return [f"{prefix}{type(model).__name__.lower()}{k}" for k in range(3)]


def test_another_estimator_reads_them_in_a_pipeline_and_in_a_search(model):
    last = LogisticRegression()
    pipe = Pipeline([("series", _made(type(model))), ("last", last)]).fit(X, Y)
    alone = LogisticRegression().fit(model.transform(X), Y)
    np.testing.assert_array_equal(pipe.predict_proba(X), alone.predict_proba(model.transform(X)))
    assert list(pipe[:-1].get_feature_names_out()) == _names(model)
    search = GridSearchCV(pipe, {"series__hidden_size": [2], "last__C": [0.1, 1.0]}, cv=2)
    search.fit(X, Y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_estimator_[-1].n_features_in_ == 2


def test_frames_have_their_names_and_the_index_of_x(model):
    expected = model.transform(X)
    framed = _made(type(model)).set_output(transform="pandas").fit(CELLS[["a", "b"]], Y)
    features = framed.transform(CELLS[["a", "b"]])
    assert list(features.columns) == list(framed.get_feature_names_out()) == _names(model)
    pd.testing.assert_index_equal(features.index, CELLS.index)
    np.testing.assert_array_equal(features, expected)
    stream = framed.stream(24)
    np.testing.assert_allclose(stream.push_features(X), expected, rtol=1e-10, atol=1e-12)


def test_they_stand_beside_others(model):
    union = FeatureUnion(
        [("one", _made(type(model))), ("two", _made(type(model), readout="last"))]
    )
    both = union.set_output(transform="pandas").fit(X, Y).transform(X)
    assert list(both.columns) == _names(model, "one__") + _names(model, "two__")
    np.testing.assert_array_equal(both[_names(model, "one__")], model.transform(X))
    columns = ColumnTransformer(
        [("series", _made(type(model)), ["a", "b"])], remainder="passthrough"
    )
    table = columns.set_output(transform="pandas").fit(CELLS, Y).transform(CELLS)
    assert list(table.columns) == [*_names(model, "series__"), "remainder__age"]
    np.testing.assert_array_equal(table.iloc[:, :3], model.transform(X))


def test_columns_of_a_block_cannot_be_chosen(model):
    columns = ColumnTransformer([("series", _made(type(model)), [0])])
    with pytest.raises(ValueError, match=r"2D .* with 3 dimension"):
        columns.fit(X, Y)


@pytest.mark.parametrize("readout", ["last", "mean", "sequence"])
def test_a_stream_gives_them_at_every_step(model, readout):
    targets = np.repeat(Y[:, None], 7, axis=1) if readout == "sequence" else Y
    read = _made(type(model), readout=readout).fit(X, targets)
    stream = read.stream(2)
    for t in range(7):
        features = stream.push_features(X[:2, t])
        expected = read.transform(X[:2, : t + 1])
        np.testing.assert_allclose(features, expected, rtol=1e-10, atol=1e-12)
