"""Panels whose instances bring their own time."""

import numpy as np
import pandas as pd
import pytest
from sktime.datatypes import convert_to

import sklearn_physrnn


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    found = []
    for i in range(12):
        passed = rng.integers(1, 100, size=9 + i % 2).cumsum()
        values = rng.normal(size=(len(passed), 2))
        found.append(pd.DataFrame(values, columns=["a", "b"], index=passed))
    return found


def _dated(frames):
    start = pd.Timestamp("2024-03-01")
    return [x.set_axis(start + pd.to_timedelta(x.index, unit="s")) for x in frames]


def _multi(frames):
    return pd.concat(dict(enumerate(frames)), names=["instance", "time"])


@pytest.mark.parametrize("dated", [True, False])
def test_the_time_index_is_used_on_request_in_any_container(kind, dated, frames, tmp_path):
    name, y = "classifier_" if "Classifier" in kind.__name__ else "regressor_", np.arange(12) % 2
    if dated:
        frames = _dated(frames)
    X = _multi(frames)
    model = kind(time_channel="index", max_iter=2, random_state=0).fit(X, y)
    inner = getattr(model, name)
    inputs = inner._prepared.inputs
    elapsed = np.concatenate([np.diff((x.index - x.index[0]) / (1 if not dated else
                              pd.Timedelta("1s"))) for x in frames])  # fmt: skip
    assert inputs.time_unit in elapsed
    # What the wrapped estimator makes of arrays with a channel of the same time.
    arrays = [
        np.column_stack([x, (x.index - x.index[0]) / (pd.Timedelta("1s") if dated else 1)])
        for x in frames
    ]
    plain = type(inner)(time_channel=-1, max_iter=2, random_state=0).fit(arrays, y)

    def outputs(estimator, X):
        return getattr(estimator, "predict_proba", estimator.predict)(X)

    truth = outputs(plain, arrays)
    swapped = X[["b", "a"]]
    for container in (X, frames, convert_to(X, "nested_univ"), swapped):
        np.testing.assert_allclose(outputs(model, container), truth, rtol=1e-5)
    sklearn_physrnn.save(model, tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X))


def test_without_request_the_index_is_not_looked_at(kind, frames):
    model = kind(max_iter=2, random_state=0).fit(_multi(frames), np.arange(12) % 2)
    later = [x.set_axis(x.index * 3) for x in frames]
    np.testing.assert_array_equal(model.predict(_multi(later)), model.predict(_multi(frames)))


def test_an_array_has_no_index(kind, frames):
    model = kind(time_channel="index", max_iter=2, random_state=0)
    with pytest.raises(ValueError, match="needs a list of data frames, which have an index"):
        model.fit(np.zeros((4, 2, 7)), np.arange(4) % 2)
    with pytest.raises(ValueError, match="needs a list of data frames, which have an index"):
        model.fit(_multi(frames), np.arange(12) % 2).predict(np.zeros((4, 2, 7)))
