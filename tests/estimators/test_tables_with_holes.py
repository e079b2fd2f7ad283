"""NaN in a table stands for a number that is missing."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import is_classifier
from sklearn.utils import get_tags

from sklearn_physrnn import DynPMNNRegressor, PETNNRegressor, load
from sklearn_physrnn.inspection import AttributionDisplay, integrated_gradients
from sklearn_physrnn.preparation.tables import INDICATOR
from tests.families import ENTRIES, N, each, that_take

TABLES = that_take("table")
RNG = np.random.default_rng(0)
WHOLE = RNG.normal(size=(N, 3))
X = WHOLE.copy()
X[RNG.random(X.shape) < 0.25] = np.nan
X[:, 2] = WHOLE[:, 2]  # one column without a hole


def _outputs(model, X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


@each(TABLES)
@pytest.mark.parametrize("scale_inputs", ["standard", "quantile", "quantile_linear", False])
@pytest.mark.parametrize("missing", ["indicator", "middle"])
def test_nan_is_taken_and_kept_in_a_file(kind, scale_inputs, missing, tmp_path):
    model = ENTRIES[kind].make(scale_inputs=scale_inputs, missing=missing)
    model.fit(X, ENTRIES[kind].y)
    outputs = _outputs(model, X)
    assert np.isfinite(outputs).all()
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(_outputs(load(tmp_path / "model"), X), outputs)


@each(TABLES)
def test_the_first_layer_sees_an_indicator_a_column_with_holes(kind):
    widths = {
        option: ENTRIES[kind].make(missing=option).fit(X, ENTRIES[kind].y)._prepared
        for option in ("indicator", "middle")
    }
    assert widths["indicator"].inputs.n_columns == 5
    assert widths["middle"].inputs.n_columns == 3
    x = widths["indicator"].inputs.arrays(X)["x"]
    np.testing.assert_array_equal(x[:, 3:], INDICATOR * np.isnan(X[:, :2]))
    assert (x[:, :3][np.isnan(X)] == 0).all()


@pytest.mark.parametrize("scale_inputs", ["standard", "quantile"])
def test_scales_are_those_of_the_numbers_that_are_there(scale_inputs):
    entry = ENTRIES[DynPMNNRegressor]
    weights = np.arange(N) % 3 + 1.0
    model = entry.make(scale_inputs=scale_inputs).fit(X, entry.y, weights)
    scaled = model._prepared.inputs.arrays(X)["x"]
    for j in range(3):
        there = ~np.isnan(X[:, j])
        alone = entry.make(scale_inputs=scale_inputs)
        alone.fit(X[there][:, [j]], entry.y[there], weights[there])
        expected = alone._prepared.inputs.arrays(X[there][:, [j]])["x"][:, 0]
        np.testing.assert_allclose(scaled[there, j], expected, atol=1e-12)


@each(TABLES)
def test_nan_in_prediction_alone_counts_as_the_column_s_middle(kind):
    model = ENTRIES[kind].make(scale_inputs="standard").fit(WHOLE, ENTRIES[kind].y)
    filled = np.where(np.isnan(X), WHOLE.mean(axis=0), X)
    np.testing.assert_allclose(_outputs(model, X), _outputs(model, filled), atol=1e-6)


@each(TABLES)
def test_a_column_of_nan_alone_changes_nothing(kind, tmp_path):
    y = ENTRIES[kind].y
    with_empty = np.c_[WHOLE[:, :1], np.full(N, np.nan), WHOLE[:, 1:]]
    model = ENTRIES[kind].make().fit(with_empty, y)
    expected = _outputs(ENTRIES[kind].make().fit(WHOLE, y), WHOLE)
    np.testing.assert_array_equal(_outputs(model, with_empty), expected)
    model.save(tmp_path / "model")
    filled = np.where(np.isnan(with_empty), 1e9, with_empty)  # of which nothing was learned
    np.testing.assert_array_equal(_outputs(load(tmp_path / "model"), filled), expected)
    with pytest.raises(ValueError, match="X has no column with a value"):
        ENTRIES[kind].make().fit(with_empty[:, [1]], y)


@each(TABLES)
def test_nan_can_be_refused(kind):
    model = ENTRIES[kind].make(missing="error")
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.fit(X, ENTRIES[kind].y)
    model.fit(WHOLE, ENTRIES[kind].y)
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.set_params(missing="middle").predict(X)  # fit decided


def test_a_missing_number_that_means_something_is_learned():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2))
    lost = rng.random(300) < 0.3
    y = 3.0 * lost + 0.1 * x[:, 1]
    x[lost, 0] = np.nan
    model = DynPMNNRegressor(max_iter=30, random_state=0)
    assert model.fit(x, y).score(x, y) > 0.9
    assert model.set_params(missing="middle").fit(x, y).score(x, y) < 0.8


@each(TABLES)
def test_a_stream_may_have_holes_in_any_piece(kind):
    y = ENTRIES[kind].y
    more = {"classes": np.unique(y)} if is_classifier(kind()) else {}
    model = ENTRIES[kind].make().partial_fit(WHOLE, y, **more).partial_fit(X, y)
    assert np.isfinite(_outputs(model, X)).all()
    warm = ENTRIES[kind].make(warm_start=True).fit(X, y).fit(WHOLE, y)
    assert warm.n_iter_ == 4


@pytest.mark.parametrize("lost", [np.nan, None, pd.NA], ids=["nan", "None", "NA"])
@pytest.mark.parametrize("dtype", ["float64", "Float64", object])
def test_every_way_to_say_missing_is_nan(lost, dtype):
    entry = ENTRIES[DynPMNNRegressor]
    if dtype == "float64" and lost is pd.NA:
        lost = np.nan
    frame = pd.DataFrame({k: pd.Series(WHOLE[:, k], dtype=dtype) for k in range(3)})
    frame.columns = ["a", "b", "c"]
    frame.loc[3, "b"] = lost
    holed = WHOLE.copy()
    holed[3, 1] = np.nan
    expected = entry.make().fit(holed, entry.y).predict(holed)
    np.testing.assert_array_equal(entry.make().fit(frame, entry.y).predict(frame), expected)


def test_what_tags_say_is_what_is_taken():
    for option, takes in (("indicator", True), ("middle", True), ("error", False)):
        tags = get_tags(DynPMNNRegressor(missing=option)).input_tags
        assert tags.allow_nan == takes
        assert tags.sparse
        assert tags.categorical
    for option, takes in (("auto", True), ("error", False)):
        tags = get_tags(PETNNRegressor(missing=option)).input_tags
        assert tags.allow_nan == takes
        assert not any((tags.sparse, tags.categorical))


@each(TABLES)
def test_attributions_of_holes_add_up(kind):
    model = ENTRIES[kind].make().fit(X, ENTRIES[kind].y)
    target = 1 if is_classifier(model) else None
    attributions = integrated_gradients(model, X, target=target)
    assert attributions.shape == X.shape
    middle = np.full((1, 3), np.nan)
    assert np.abs(attributions[np.isnan(X)]).max() > 0
    if not is_classifier(model):
        baseline = integrated_gradients(model, X, baseline=np.zeros(3))
        change = model.predict(X) - model.predict(np.zeros((1, 3)))
        np.testing.assert_allclose(baseline.sum(axis=1), change, atol=1e-5)
        assert np.isfinite(model.predict(middle)).all()


def test_a_hole_is_drawn_as_missing():
    entry = ENTRIES[DynPMNNRegressor]
    model = entry.make().fit(X, entry.y)
    row = int(np.isnan(X[:, 0]).argmax())
    display = AttributionDisplay.from_estimator(model, X, sample=row)
    labels = [text.get_text() for text in display.axes_[0].get_yticklabels()]
    assert "x0 = missing" in labels
