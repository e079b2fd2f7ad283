"""Numbers or labels at every step of a sequence, for every family of them."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score

import sklearn_physrnn
from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.preparation import recordings

LENGTHS = [10, 12, 11, 15, 12, 10, 11, 12, 10]  # one longest series
SMALL = {"hidden_size": 4, "max_iter": 2, "random_state": 0, "device": "cpu"}
SIZES = {"hssm": {"state_size": 4, "num_blocks": 1, "norm": "layer"}, "petnn": {}}
CLASSES = {
    ("hssm", "numbers"): HSSMRegressor,
    ("hssm", "labels"): HSSMClassifier,
    ("petnn", "numbers"): PETNNRegressor,
    ("petnn", "labels"): PETNNClassifier,
}


@pytest.fixture(params=SIZES)
def family(request):
    return request.param


@pytest.fixture(params=["numbers", "labels"])
def kind(request):
    return request.param


def make(family, kind, **options):
    return CLASSES[family, kind](**{**SMALL, **SIZES[family], "readout": "sequence", **options})


@pytest.fixture(name="X")
def series(rng):
    return [rng.normal(size=(n, 2)) for n in LENGTHS]


def targets(X, kind):
    """Of every step, a list: the running sum, or the name of its sign."""
    sums = [x[:, 0].cumsum() for x in X]
    return sums if kind == "numbers" else [np.where(s > 0, "up", "down") for s in sums]


def padded(items, fill, width=None):
    dtype = object if isinstance(fill, str) or fill is None else float
    array = np.full((len(items), width or max(map(len, items))), fill, dtype=dtype)
    for row, item in zip(array, items, strict=True):
        row[: len(item)] = item
    return array


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def test_predictions_are_of_every_step_and_their_score_is_over_all(family, kind, X):
    y = targets(X, kind)
    model = make(family, kind).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (9, 15)
    pairs = [(p[: len(t)], t) for p, t in zip(predicted, y, strict=True)]
    given, wanted = (np.concatenate(x) for x in zip(*pairs, strict=True))
    weights = np.arange(9.0)
    shares = np.repeat(weights, LENGTHS)
    if kind == "labels":
        assert model.classes_.tolist() == ["down", "up"]
        assert predicted[0, 10:].tolist() == [""] * 5
        score, weighted = np.mean(given == wanted), np.average(given == wanted, weights=shares)
        probabilities = model.predict_proba(X)
        assert probabilities.shape == (9, 15, 2)
        assert np.isnan(probabilities[0, 10:]).all()
        np.testing.assert_allclose(probabilities[3].sum(axis=1), 1)
        np.testing.assert_array_equal(model.classes_[probabilities[3].argmax(1)], predicted[3])
    else:
        assert np.isnan(predicted[0, 10:]).all()
        mean = np.average(wanted, weights=shares)
        score = 1 - np.mean((given - wanted) ** 2) / wanted.var()
        left = np.average((given - wanted) ** 2, weights=shares)
        weighted = 1 - left / np.average((wanted - mean) ** 2, weights=shares)
    assert model.score(X, y) == pytest.approx(score)
    assert model.score(X, y, sample_weight=weights) == pytest.approx(weighted)


@pytest.mark.parametrize("every", [1, 3])
def test_every_container_of_targets_is_the_same(every, family, kind, X):
    lists = [item[every - 1 :: every] for item in targets(X, kind)]
    expected = outputs(make(family, kind, every=every).fit(X, lists), X)
    assert expected.shape[1] == 15 // every
    forms = {
        "zeros": padded(lists, 0 if kind == "numbers" else "down"),
        "wider": padded(lists, np.nan if kind == "numbers" else None, width=20),
        "nested": [item.tolist() for item in lists],
        "series": [pd.Series(item) for item in lists],
        "column": pd.DataFrame({"y": lists}),
    }
    if kind == "numbers":
        forms["tensors"] = [torch.tensor(item) for item in lists]
        forms["frame"] = pd.DataFrame(padded(lists, np.nan))
    for name, form in forms.items():
        model = make(family, kind, every=every).fit(X, form)
        np.testing.assert_array_equal(outputs(model, X), expected, err_msg=name)
        assert model.score(X, form) == model.score(X, lists), name


@pytest.mark.parametrize("fill", [np.nan, 0])
def test_a_fold_without_the_longest_series_is_fitted_and_scored(fill, family, X):
    y = padded(targets(X, "numbers"), fill)
    lists = cross_val_score(make(family, "numbers"), X, targets(X, "numbers"), cv=KFold(3))
    np.testing.assert_array_equal(cross_val_score(make(family, "numbers"), X, y, cv=3), lists)
    assert np.isfinite(lists).all()


def test_padded_series_are_predicted_as_wide_as_they_came(family, kind, X):
    wide = np.full((9, 20, 2), np.nan)
    for row, x in zip(wide, X, strict=True):
        row[: len(x)] = x
    y = targets(X, kind)
    model = make(family, kind).fit(wide, padded(y, np.nan if kind == "numbers" else "", 20))
    predicted = model.predict(wide)
    assert predicted.shape == (9, 20)
    assert model.score(wide, predicted if kind == "labels" else y) == pytest.approx(
        1 if kind == "labels" else model.score(X, y)
    )


@pytest.mark.parametrize(
    ("labels", "past"), [([3, 5], -1), ([-1, 1], None), ([0.5, 1], np.nan), ([False, True], None)]
)
def test_what_is_past_an_end_is_no_label(labels, past, X):
    y = [np.array(labels)[(x[:, 0] > 0).astype(int)] for x in X]
    model = PETNNClassifier(**SMALL, readout="sequence")
    # Floats must be whole to be labels.
    y = [item * 2 for item in y] if labels[0] == 0.5 else y
    found = model.fit(X, y).predict(X)[0, 10]
    assert found is None if past is None else np.array_equal(found, past, equal_nan=True)


def test_both_families_learn_labels_of_every_step(family, rng):
    X = rng.normal(size=(60, 20, 1))
    y = (X[:, :, 0].cumsum(axis=1) > 0).astype(int)
    options = {"hidden_size": 16, "max_iter": 15, "learning_rate_init": 0.02, "batch_size": 8}
    model = make(family, "labels", **options).fit(X[:40], y[:40])
    dummy = DummyClassifier().fit(X[:40].reshape(-1, 1), y[:40].ravel())
    assert model.score(X[40:], y[40:]) > dummy.score(None, y[40:].ravel()) + 0.2


def losses(model, X, y, weights):
    """Cross-entropy of each sample, its steps weighed by their classes."""
    found = []
    for p, labels in zip(model.predict_proba(X), y, strict=True):
        at = np.searchsorted(model.classes_, labels)
        found.append(-np.sum(weights[at] * np.log(p[np.arange(len(at)), at])) / len(at))
    return np.array(found)


@pytest.mark.parametrize("class_weight", [None, {"up": 3.0, "down": 0.5}, "balanced"])
def test_classes_weigh_by_the_step(class_weight, family, X):
    y = targets(X, "labels")
    weights = {"up": 1.0, "down": 1.0}
    if class_weight == "balanced":
        values, counts = np.unique(np.concatenate(y), return_counts=True)
        weights = dict(zip(values, counts.sum() / (2 * counts), strict=True))
    elif class_weight is not None:
        weights = class_weight
    # So small a rate leaves the weights as they were drawn.
    model = make(
        family, "labels", class_weight=class_weight, learning_rate_init=1e-30, dropout=0.0,
        dtype="float64", max_iter=1, batch_size=9,
    ).fit(X, y)  # fmt: skip
    w = np.array([weights["down"], weights["up"]])
    of_samples = np.array([w[np.searchsorted(model.classes_, t)].mean() for t in y])
    expected = losses(model, X, y, w).mean() / of_samples.mean()
    assert model.loss_curve_[0] == pytest.approx(expected, rel=1e-6)


def test_a_weight_counts_as_copies_do(family, kind, X):
    y, w = targets(X, kind), np.array([1, 0, 2, 1, 3, 1, 1, 2, 1])
    options = {"dtype": "float64", "dropout": 0.0, "batch_size": 100, "class_weight": None}
    if kind == "numbers":
        del options["class_weight"]
    weighted = make(family, kind, **options).fit(X, y, sample_weight=w)
    rows = np.repeat(np.arange(9), w)
    copied = make(family, kind, **options).fit([X[i] for i in rows], [y[i] for i in rows])
    np.testing.assert_allclose(outputs(weighted, X), outputs(copied, X), atol=1e-9)


def test_a_file_a_search_a_stream_and_a_warm_start(family, kind, X, tmp_path):
    y = targets(X, kind)
    search = GridSearchCV(make(family, kind), {"max_iter": [1, 2]}, cv=KFold(2)).fit(X, y)
    model = search.best_estimator_
    model.save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(outputs(loaded, X), outputs(model, X))
    assert loaded.score(X, y) == model.score(X, y)
    loaded.set_params(warm_start=True, max_iter=1).fit(X, y)
    assert loaded.n_iter_ == model.n_iter_ + 1
    stream = make(family, kind)
    classes = {"classes": ["down", "sideways", "up"]} if kind == "labels" else {}
    stream.partial_fit(X[:4], y[:4], **classes).partial_fit(X[4:], y[4:])
    assert outputs(stream, X).shape == ((9, 15, 3) if classes else (9, 15))
    with pytest.raises(ValueError, match="not what the fitted model"):
        loaded.set_params(readout="mean").fit(X, y)


def test_tokens_have_tags(rng):
    words = [rng.integers(5, size=n) for n in LENGTHS]
    tags = [np.where(w > 2, "noun", "verb").tolist() for w in words]
    model = PETNNClassifier(
        hidden_size=8, vocabulary_size=5, embedding_dim=4, readout="sequence", max_iter=30,
        learning_rate_init=0.05, random_state=0,
    ).fit([w.tolist() for w in words], tags)  # fmt: skip
    assert model.score(words, tags) > 0.95


# -- one long record -------------------------------------------------------------------


def record(kind, rng, n_steps=400):
    X = rng.normal(size=(n_steps, 2))
    level = np.convolve(X[:, 0], np.ones(3))[:n_steps]
    return X, level if kind == "numbers" else (level > 0).astype(int)


def test_one_long_record_is_learned_from(family, kind, rng):
    X, y = record(kind, rng)
    options = {"hidden_size": 16, "max_iter": 60, "learning_rate_init": 0.03}
    if family == "hssm":
        options["state_size"] = 16
    model = make(family, kind, **options).fit(X[None], y[None])
    assert model.predict(X[None]).shape == (1, 400)
    dummy = (DummyRegressor() if kind == "numbers" else DummyClassifier()).fit(X, y)
    assert model.score(X[None], [y]) > dummy.score(X, y) + 0.2


@pytest.mark.parametrize("n_records", [1, 2])
def test_early_stopping_holds_out_what_is_later_in_few_records(n_records, family, kind, rng):
    records = [record(kind, rng, n) for n in (101, 80)[:n_records]]
    X, y = (list(x) for x in zip(*records, strict=True))
    options = {"early_stopping": True, "every": 2, "scale_inputs": "standard"}
    y = [item[1::2] for item in y]
    cut = make(family, kind, **options).fit(X, y)
    earlier = [round(0.9 * len(item)) for item in y]
    given = make(family, kind, **options).fit(
        [x[: 2 * n] for x, n in zip(X, earlier, strict=True)],
        [item[:n] for item, n in zip(y, earlier, strict=True)],
        X_val=[x[2 * n :] for x, n in zip(X, earlier, strict=True)],
        y_val=[item[n:] for item, n in zip(y, earlier, strict=True)],
    )
    assert cut.validation_loss_curve_ == given.validation_loss_curve_
    np.testing.assert_array_equal(outputs(cut, X), outputs(given, X))


def test_a_record_in_a_file_is_cut_there(family, kind, rng, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "_WORTH_LEAVING", 0)
    X, y = record(kind, rng)
    np.save(tmp_path / "X.npy", X[None])
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    options = {"early_stopping": True, "scale_inputs": "standard", "dtype": "float64"}
    inside = make(family, kind, **options).fit(X[None], y[None])
    outside = make(family, kind, **options).fit(mapped, y[None])
    assert outside.validation_loss_curve_ == pytest.approx(inside.validation_loss_curve_)
    np.testing.assert_allclose(outputs(outside, mapped), outputs(inside, X[None]), rtol=1e-6)
    assert outside.score(mapped, y[None]) == pytest.approx(inside.score(X[None], y[None]))
    with pytest.raises(ValueError, match="with readout='sequence'"):
        make(family, kind, readout="mean").fit(mapped, y[:1])


def test_a_record_too_short_to_be_cut_is_refused(family, rng):
    X, y = record("numbers", rng, 4)
    with pytest.raises(ValueError, match=r"cuts series of 4 targets in 4 .* and 0 for validation"):
        make(family, "numbers", early_stopping=True).fit([X], [y])


def test_one_sample_with_one_target_is_refused_with_the_way_out(rng):
    X = rng.normal(size=(1, 50, 2))
    with pytest.raises(ValueError, match=r"n_samples=1 .* with readout='sequence'"):
        HSSMRegressor().fit(X, [1.0])


# -- bad targets -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda y: y[:-1], "inconsistent numbers of samples"),
        (lambda y: [*y[:-1], y[-1][:-1]], r"y\[8\] has values at 9 steps, but X\[8\] has 10"),
        (lambda y: np.concatenate(y), "inconsistent|must be of shape"),
        (
            lambda y: [item[:, None, None] for item in y],
            r"y\[0\] must be of shape \(n_steps,\)( or .*\))?, got \(\d+, 1, 1(, 1)?\)",
        ),
        (lambda y: padded(y, y[0][0])[:, :14], r"y must be of shape \(n_samples, 15\)"),
        (lambda y: np.c_[padded(y, y[0][0]), [*y[0][:8], "z"]], r"must be of shape|number"),
        (lambda y: None, "requires y to be passed"),
    ],
)
def test_targets_that_do_not_fit_are_refused(spoil, message, kind, X):
    with pytest.raises((ValueError, TypeError), match=message):
        make("petnn", kind).fit(X, spoil(targets(X, kind)))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_number_that_is_missing_is_named(value, family, X):
    y = targets(X, "numbers")
    y[4][3] = value
    for form in (y, padded(y, 0)):
        with pytest.raises(ValueError, match=r"Input y contains (NaN|infinity): sample 4, step 3"):
            make(family, "numbers", missing="error").fit(X, form)


def test_labels_that_were_not_seen_are_refused(X):
    y = targets(X, "labels")
    model = make("petnn", "labels", warm_start=True).fit(X, y)
    y[4] = [*y[4][:-1], "sideways"]
    with pytest.raises(ValueError, match=r"labels not seen before: .'sideways'"):
        model.fit(X, y)
