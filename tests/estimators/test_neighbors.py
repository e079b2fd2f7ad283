"""Targets of near rows as inputs: found, free of leakage, kept in files."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import is_classifier
from sklearn.model_selection import PredefinedSplit, cross_val_score

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, load
from sklearn_physrnn.inspection import integrated_gradients
from sklearn_physrnn.preparation.neighbors import NEAREST, Place
from tests.families import each, that_take

TABLES = that_take("table")
RNG = np.random.default_rng(0)
N = 600
X = RNG.normal(size=(N, 4))
# Over columns 1 and 3 a target changes from cell to cell.
CELL = np.floor(2 * X[:, 1]).astype(int) + 100 * np.floor(2 * X[:, 3]).astype(int)
LEVEL = dict(zip(np.unique(CELL), RNG.permutation(10**4), strict=False))
Y = np.array([LEVEL[cell] for cell in CELL]) / 3000 + 0.1 * X[:, 0]
OPTIONS = {"random_state": 0, "max_iter": 10, "hidden_size": 8}


def _make(kind, **options):
    return kind(**{**OPTIONS, **options})


def _targets(kind):
    return (np.median(Y) < Y).astype(int) if kind is DynPMNNClassifier else Y


def _outputs(model, rows):
    return model.predict_proba(rows) if is_classifier(model) else model.predict(rows)


def _near(rows, known, values, k):
    off = np.sqrt(((rows[:, None] - known[None]) ** 2).sum(axis=2))
    order = np.argsort(off, axis=1)[:, :k]
    weights = 1 / np.take_along_axis(off, order, axis=1)
    return (weights * values[order]).sum(axis=1) / weights.sum(axis=1)


def test_columns_are_weighted_means_of_the_nearest():
    values, weights = RNG.normal(size=(100, 1)), np.ones(100)
    place = Place.of((1, 3), X[:100], values, weights)
    found = place.features(X[100:120])
    scale = X[:100, [1, 3]].std(axis=0)
    known, asked = X[:100, [1, 3]] / scale, X[100:120, [1, 3]] / scale
    expected = [_near(asked, known, values[:, 0], k) for k in NEAREST]
    np.testing.assert_allclose(found, np.transpose(expected))


def test_weights_are_as_many_copies():
    values, weights = RNG.normal(size=(40, 1)), RNG.integers(1, 3, size=40)
    rows = np.repeat(np.arange(40), weights)
    weighted = Place.of((0, 1), X[:40], values, weights.astype(float))
    copies = Place((0, 1), weighted.points[rows], values[rows], np.ones(len(rows)), weighted.scale)
    # Of the fewer rows all are among the 50 nearest; of the copies not, if there are more.
    n = len(NEAREST) - 1
    one = Place((0, 1), weighted.points[:20], values[:20], weights[:20] * 1.0, weighted.scale)
    own = rows < 20
    other = Place(
        (0, 1), copies.points[own], copies.values[own], copies.weights[own], copies.scale
    )
    asked = X[100:110]
    np.testing.assert_allclose(one.features(asked)[:, n], other.features(asked)[:, n])


def test_a_row_at_a_known_place_has_its_targets():
    twice = np.r_[X[:50], X[:50]]
    values = RNG.normal(size=(100, 1))
    found = Place.of((0, 1, 2, 3), twice, values, None).features(X[:50])
    np.testing.assert_allclose(found[:, 0], (values[:50, 0] + values[50:, 0]) / 2, rtol=1e-6)


def test_its_own_target_is_in_no_training_row():
    folds = np.arange(N) % 5
    values = RNG.normal(size=(N, 1))
    before = Place.of((1, 3), X, values, None).out_of_fold(X, folds)
    for row in (0, 17, 400):
        changed = values.copy()
        changed[folds == folds[row]] += 1e6
        after = Place.of((1, 3), X, changed, None).out_of_fold(X, folds)
        np.testing.assert_array_equal(after[folds == folds[row]], before[folds == folds[row]])
        assert not np.array_equal(after, before)


@each(TABLES)
def test_the_place_is_found_and_helps(kind):
    y = _targets(kind)
    model = _make(kind, neighbors="auto").fit(X, y)
    assert model._prepared.inputs.place.columns == (1, 3)
    found, plain = (
        cross_val_score(_make(kind, neighbors=option, max_iter=40), X, y, cv=3).mean()
        for option in ("auto", None)
    )
    assert found > plain + 0.05


def test_pure_noise_has_no_place():
    noise = RNG.normal(size=N)
    model = _make(DynPMNNRegressor, neighbors="auto").fit(X, noise)
    assert model._prepared.inputs.place is None
    plain = _make(DynPMNNRegressor).fit(X, noise)
    np.testing.assert_array_equal(model.predict(X), plain.predict(X))


def test_noise_is_not_learned_by_heart_through_neighbours():
    noise = RNG.normal(size=N)
    model = _make(DynPMNNRegressor, neighbors=[1, 3], max_iter=40).fit(X, noise)
    new = RNG.normal(size=(N, 4))
    assert np.std(model.predict(new)) < 0.5


@each(TABLES)
def test_columns_have_names_or_positions(kind):
    frame = pd.DataFrame(X, columns=list("abcd"))
    y = _targets(kind)
    by_name = _make(kind, neighbors=["b", "d"]).fit(frame, y)
    by_place = _make(kind, neighbors=[1, -1]).fit(X, y)
    np.testing.assert_array_equal(_outputs(by_name, frame), _outputs(by_place, X))


@each(TABLES)
def test_a_file_keeps_them(kind, tmp_path):
    model = _make(kind, neighbors=[1, 3]).fit(X, _targets(kind))
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(_outputs(loaded, X), _outputs(model, X))
    nowhere = _make(kind, neighbors="auto").fit(X, RNG.permutation(_targets(kind)))
    nowhere.save(tmp_path / "model")
    np.testing.assert_array_equal(_outputs(load(tmp_path / "model"), X), _outputs(nowhere, X))


def test_several_targets_and_classes():
    both = _make(DynPMNNRegressor, neighbors=[1, 3]).fit(X, np.c_[Y, -Y, X[:, 0]])
    assert both.predict(X).shape == (N, 3)
    assert both._prepared.inputs.place.n_features == 9
    classes = np.array(list("abc"))[np.digitize(Y, np.quantile(Y, [0.3, 0.6]))]
    model = _make(DynPMNNClassifier, neighbors=[1, 3]).fit(X, classes)
    assert model._prepared.inputs.place.n_features == 9


def test_groups_are_kept_apart_by_a_splitter():
    group = np.repeat(np.arange(N // 3), 3)
    rows = X[group] + 1e-6 * RNG.normal(size=(N, 4))  # three of a kind, side by side
    noise = RNG.normal(size=N // 3)[group]
    apart = PredefinedSplit(group % 5)
    honest = _make(DynPMNNRegressor, neighbors=[1, 3], neighbors_cv=apart, max_iter=30)
    fooled = _make(DynPMNNRegressor, neighbors=[1, 3], max_iter=30)
    new = RNG.normal(size=(N, 4))
    spread = [np.std(model.fit(rows, noise).predict(new)) for model in (honest, fooled)]
    assert spread[0] < 0.7 * spread[1]


def test_holes_weights_early_stopping_and_going_on():
    rows = X.copy()
    rows[::7, 1] = np.nan
    weights = np.where(np.arange(N) % 3 == 0, 0.0, 1.0 + np.arange(N) % 2)
    model = _make(
        DynPMNNRegressor, neighbors=[1, 3], early_stopping=True, warm_start=True, max_iter=3
    ).fit(rows, Y, weights)
    assert np.isfinite(model.predict(rows)).all()
    kept = model._prepared.inputs.place
    assert len(kept.points) < (weights > 0).sum()
    model.fit(rows, Y, weights)
    assert model.n_iter_ == 6
    np.testing.assert_array_equal(model._prepared.inputs.place.points, kept.points)


def test_attributions_still_add_up():
    model = _make(DynPMNNRegressor, neighbors=[1, 3]).fit(X, Y)
    shares = integrated_gradients(model, X[:5])
    assert shares.shape == (5, 4)
    assert np.isfinite(shares).all()


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({"neighbors": ["no"]}, X, "names the column 'no'; the columns of X are none"),
        ({"neighbors": [7]}, X, "columns from 0 to 3, got 7"),
        ({"neighbors": [1, 1]}, X, "each once"),
        ({"neighbors": []}, X, "each once"),
        ({"neighbors": [1, 3]}, csr_matrix(X), "needs a dense table"),
        ({"neighbors": [1], "neighbors_cv": 10**6}, X, "cannot be in"),
        (
            {"neighbors": [1], "neighbors_cv": PredefinedSplit([0] * 300 + [-1] * 300)},
            X,
            "every training row in one test fold",
        ),
    ],
)
def test_what_cannot_be_is_refused(options, rows, message):
    with pytest.raises(ValueError, match=message):
        _make(DynPMNNRegressor, **options).fit(rows, Y)


def test_a_stream_has_no_neighbours():
    with pytest.raises(ValueError, match="neighbors needs all rows at once"):
        _make(DynPMNNRegressor, neighbors="auto").partial_fit(X, Y)
