"""Values that are missing inside sequences, and steps without a target."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score
from sklearn.model_selection import cross_val_score
from sklearn.utils import get_tags

import sklearn_physrnn
from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.inspection import integrated_gradients
from sklearn_physrnn.preparation import recordings
from tests.families import CLASSIFIERS, ENTRIES, each, that_take
from tests.helpers.recordings import mapped_in

SEQUENCES = that_take("sequence")
NAN = np.nan


def holed(X, share=0.4, seed=0):
    return np.where(np.random.default_rng(seed).random(X.shape) < share, NAN, X)


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


def entry_of(kind):
    entry = ENTRIES[kind]
    return entry, entry.X, entry.y


@each(SEQUENCES)
def test_without_holes_the_model_is_the_one_that_refuses_them(kind):
    entry, X, y = entry_of(kind)
    strict = entry.make(missing="error").fit(X, y)
    for missing in ("auto", "linear", "mask"):
        model = entry.make(missing=missing).fit(X, y)
        for name, weight in strict.module_.state_dict().items():
            np.testing.assert_array_equal(model.module_.state_dict()[name], weight)
        np.testing.assert_array_equal(outputs(model, X), outputs(strict, X))


@each(SEQUENCES)
@pytest.mark.parametrize("scale_inputs", ["standard", "quantile", False])
def test_a_model_with_holes_goes_through_files_and_pickles(kind, scale_inputs, tmp_path):
    entry, X, y = entry_of(kind)
    X = holed(X)
    model = entry.make(scale_inputs=scale_inputs, missing="mask").fit(X, y)
    assert np.isfinite(outputs(model, X)).all()
    model.save(tmp_path / "model")
    for again in (sklearn_physrnn.load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(outputs(again, X), outputs(model, X))


@each(SEQUENCES)
def test_a_model_that_saw_no_hole_sees_a_straight_line_in_one(kind):
    entry, X, y = entry_of(kind)
    model = entry.make().fit(X, y)
    X, line = X.copy(), X.copy()
    X[:, 1:3, 0] = NAN
    for k in (1, 2):
        line[:, k, 0] = line[:, 0, 0] + k / 3 * (line[:, 3, 0] - line[:, 0, 0])
    np.testing.assert_allclose(outputs(model, X), outputs(model, line), rtol=1e-5, atol=1e-7)


def polars_frames(X):
    polars = pytest.importorskip("polars")
    rows = [[[None if np.isnan(v) else float(v) for v in row] for row in x] for x in X]
    return [polars.DataFrame(one, schema=["a", "b"], orient="row") for one in rows]


FORMS = {
    "list": list,
    "frames": lambda X: [pd.DataFrame(x, columns=["a", "b"]) for x in X],
    "nullable frames": lambda X: [
        pd.DataFrame(x, columns=["a", "b"]).convert_dtypes().astype("Float64") for x in X
    ],
    "objects with None": lambda X: [
        pd.DataFrame(x, columns=["a", "b"]).astype(object).where(~np.isnan(x), None) for x in X
    ],
    "objects with NA": lambda X: [
        np.where(np.isnan(x), pd.NA, x.astype(object)) for x in X
    ],
    "polars with null": lambda X: polars_frames(X),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_a_missing_value_is_one_in_every_container(form):
    entry, X, y = entry_of(PETNNClassifier)
    X = holed(X)
    X[2, -2:] = NAN  # which is no padding in a list
    expected = outputs(entry.make().fit(list(X), y), list(X))
    given = FORMS[form](X)
    found = outputs(entry.make().fit(given, y), given)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["Int64", "boolean"])
def test_pandas_integers_and_truth_values_may_be_missing(dtype):
    entry, X, y = entry_of(PETNNRegressor)
    numbers = holed((X > 0).astype(float))
    frames = [pd.DataFrame(x).astype("Float64").astype(dtype) for x in numbers]
    expected = outputs(entry.make().fit(list(numbers), y), list(numbers))
    np.testing.assert_array_equal(outputs(entry.make().fit(frames, y), frames), expected)


def test_nan_at_the_end_is_padding_in_an_array_and_missing_in_a_list():
    entry, X, y = entry_of(PETNNRegressor)
    X = X.copy()
    X[::2, 3:] = NAN
    short = [x[~np.isnan(x).all(axis=1)] for x in X]
    model = entry.make().fit(X, y)
    assert model._prepared.inputs.holes.told == ()
    np.testing.assert_array_equal(model.predict(X), entry.make().fit(short, y).predict(short))
    told = entry.make(missing="linear").fit(list(X), y)
    assert told._prepared.inputs.holes.told == (0, 1)


def test_a_table_of_one_channel_has_holes_and_padding_as_an_array_of_channels_has():
    entry, X, y = entry_of(HSSMRegressor)
    X = holed(X)[:, :, 0]
    X[:, 0], X[3, 3:] = 1.0, NAN
    expected = entry.make().fit(X[:, :, None], y).predict(X[:, :, None])
    np.testing.assert_array_equal(entry.make().fit(X, y).predict(X), expected)


@each(SEQUENCES)
def test_folds_with_holes_and_folds_without_are_both_learned_from(kind):
    entry, X, y = entry_of(kind)
    X = X.copy()
    X[:8, 1:3, 1] = NAN
    scores = cross_val_score(entry.make(), X, y, cv=3, error_score="raise")
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda X: [*X[:5], np.full((4, 2), NAN), *X[6:]], {}, r"X\[5\] contains NaN only"),
        (lambda X: spoiled(X, NAN, 5), {}, "NaN only in sample 5"),
        (lambda X: spoiled(X, NAN, (5, slice(None), 0)), {"time_channel": 1}, "only in sample 5"),
        (lambda X: spoiled(X, NAN, (5, 2, 1)), {"time_channel": 1},
         "sample 5, time step 2, channel 1, which time_channel names"),
        (lambda X: spoiled(X, np.inf, (5, 2, 1)), {},
         "infinity: sample 5, time step 2, channel 1"),
        (lambda X: list(spoiled(X, -np.inf, (5, 2, 1))), {},
         r"X\[5\] contains infinity: time step 2, channel 1"),
        (lambda X: spoiled(X, np.inf, (5, 2, 1))[:, :, 1], {},
         "2 dimensions|infinity: sample 5, time step 2"),
    ],
)  # fmt: skip
def test_what_is_no_sequence_with_holes_is_named(spoil, options, message):
    entry, X, y = entry_of(HSSMRegressor)
    X = np.stack([X[:, :, 0], np.tile(np.arange(5.0), (len(X), 1))], axis=2)
    with pytest.raises(ValueError, match=message):
        entry.make(**options).fit(spoil(X), y)
    model = entry.make(**options).fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.predict(spoil(X))


def spoiled(X, value, where):
    X = np.array(X)
    X[where] = value
    return X


@each(SEQUENCES)
@pytest.mark.parametrize("missing", ["linear", "mask"])
def test_pieces_of_time_do_not_change_what_is_learned(kind, missing):
    entry, X, y = entry_of(kind)
    X = holed(np.concatenate([X, X[:, ::-1]], axis=1))
    options = {"missing": missing, "dtype": "float64"}
    if "norm" in entry.make().get_params():
        options["norm"] = "layer"
    whole = entry.make(**options, chunk_size=None).fit(X, y)
    cut = entry.make(**options, chunk_size=3).fit(X, y)
    np.testing.assert_allclose(outputs(cut, X), outputs(whole, X), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("missing", ["linear", "mask"])
def test_files_may_have_holes(missing, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "_WORTH_LEAVING", 1)
    monkeypatch.setattr(recordings, "_VALUES_AT_A_TIME", 8)
    entry, X, y = entry_of(PETNNRegressor)
    X = holed(np.concatenate([X, X[:, ::-1]], axis=1))
    options = {"missing": missing, "dtype": "float64", "chunk_size": 3}
    expected = entry.make(**options).fit(X, y)
    model = entry.make(**options).fit(mapped_in(tmp_path, X), y)
    found = model.predict(mapped_in(tmp_path, X))
    np.testing.assert_allclose(found, expected.predict(X), rtol=1e-6)


@each(SEQUENCES)
def test_training_goes_on_with_holes(kind, tmp_path):
    entry, X, y = entry_of(kind)
    X = holed(X)
    classes = {"classes": [0, 1]} if hasattr(kind, "predict_proba") else {}
    model = entry.make().partial_fit(X[:12], y[:12], **classes)
    model.partial_fit(ENTRIES[kind].X[12:], y[12:]).partial_fit(X[12:], y[12:])
    assert np.isfinite(outputs(model, X)).all()
    options = {"early_stopping": True, "checkpoint": tmp_path / "checkpoint"}
    model = entry.make(**options).fit(X, y, X_val=X[:6], y_val=y[:6])
    assert np.isfinite(model.validation_loss_curve_).all()


# -- steps without a target -------------------------------------------------------------------


def at_steps(kind, X):
    numbers = X[:, :, 0].cumsum(axis=1)
    return (numbers > 0).astype(int) if hasattr(kind, "predict_proba") else numbers


@each(SEQUENCES)
def test_a_step_without_a_target_weighs_nothing(kind):
    entry, X, _ = entry_of(kind)
    options = {"readout": "sequence", "dtype": "float64", "scale_inputs": False, "dropout": 0}
    if "norm" in entry.make().get_params():
        options["norm"] = "layer"
    y = at_steps(kind, X)
    lost = y.astype(float)
    lost[:, 3:] = NAN  # which nothing before it hears of
    expected = outputs(entry.make(**options).fit(X[:, :3], y[:, :3]), X[:, :3])
    found = outputs(entry.make(**options).fit(X, lost), X)[:, :3]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("form", [np.asarray, list])
def test_steps_without_a_target_are_left_out_of_scores(form):
    entry, X, _ = entry_of(HSSMRegressor)
    y = holed(at_steps(HSSMRegressor, X), 0.3)
    y[0] = NAN  # a sample without any
    model = entry.make(readout="sequence", early_stopping=True).fit(X, form(y))
    there = ~np.isnan(y)
    expected = r2_score(y[there], model.predict(X)[there])
    np.testing.assert_allclose(model.score(X, form(y)), expected)


def test_labels_of_any_kind_may_be_missing():
    entry, X, _ = entry_of(PETNNClassifier)
    y = at_steps(PETNNClassifier, X)
    lost = np.random.default_rng(1).random(y.shape) < 0.3
    forms = {
        "numbers": (np.where(lost, NAN, y), [0, 1]),
        "texts": (np.where(lost, None, np.array(["no", "yes"], object)[y]), ["no", "yes"]),
        "pandas": (np.where(lost, pd.NA, y.astype(object)), [0, 1]),
    }
    expected = None
    for labels, classes in forms.values():
        model = entry.make(readout="sequence", class_weight="balanced").fit(X, labels)
        assert model.classes_.tolist() == classes
        expected = model.predict_proba(X) if expected is None else expected
        np.testing.assert_array_equal(model.predict_proba(X), expected)
        hit = (model.predict(X) == np.array(classes)[y])[~lost]
        assert model.score(X, labels) == pytest.approx(hit.mean())
    with pytest.raises(ValueError, match="that of every step is missing"):
        entry.make(readout="sequence").fit(X, np.full(y.shape, NAN))


@pytest.mark.parametrize("kind", [PETNNRegressor, HSSMClassifier])
def test_targets_in_files_may_be_missing(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings, "_WORTH_LEAVING", 1)
    entry, X, _ = entry_of(kind)
    y = holed(at_steps(kind, X).astype(float), 0.3)
    options = {"readout": "sequence", "dtype": "float64", "chunk_size": 2}
    if "norm" in entry.make().get_params():
        options["norm"] = "layer"
    expected = entry.make(**options).fit(X, y)
    model = entry.make(**options).fit(mapped_in(tmp_path, X), mapped_in(tmp_path, y))
    np.testing.assert_allclose(outputs(model, X), outputs(expected, X), rtol=1e-6)
    files = mapped_in(tmp_path, X), mapped_in(tmp_path, y)
    np.testing.assert_allclose(model.score(*files), expected.score(X, y))


def test_an_answer_at_a_step_hangs_on_nothing_later():
    entry, X, _ = entry_of(PETNNRegressor)
    X = holed(X)
    model = entry.make(readout="sequence").fit(
        X, at_steps(PETNNRegressor, ENTRIES[PETNNRegressor].X)
    )
    later = X.copy()
    later[:, 3:] = 9.0
    np.testing.assert_array_equal(model.predict(later)[:, :3], model.predict(X)[:, :3])


# -- around it --------------------------------------------------------------------------------


@each(SEQUENCES)
def test_scikit_learn_is_told_whether_nan_may_be(kind):
    for missing in ("auto", "linear", "mask", "error"):
        tags = get_tags(kind(missing=missing)).input_tags
        assert tags.allow_nan == (missing != "error")


def test_a_missing_token_is_refused_and_named():
    model = PETNNClassifier(4, vocabulary_size=5, max_iter=1)
    assert not get_tags(model).input_tags.allow_nan
    words = [[1, 2, pd.NA, 3], [3, 1], [2, 2]]
    with pytest.raises(ValueError, match=r"X\[0\] contains NaN: time step 2\. .* id of their own"):
        model.fit([np.array(x, dtype=object) for x in words], [0, 1, 0])


@each(SEQUENCES)
def test_attributions_of_holes_are_those_of_their_channel(kind):
    entry, X, y = entry_of(kind)
    X = holed(X)
    model = entry.make(missing="linear").fit(X, y)
    found = integrated_gradients(model, X[:3])
    assert found.shape == X[:3].shape
    assert np.isfinite(found).all()


@each(SEQUENCES)
def test_a_network_starts_as_one_that_is_not_told(kind):
    entry, X, y = entry_of(kind)
    X = holed(X)
    X[:, -1] = 1.0  # no padding
    model = entry.make(
        max_iter=1, learning_rate_init=1e-9, dropout=0, missing="linear"
    ).fit(X, y)  # fmt: skip
    told = model._prepared.inputs.arrays(model._read_inputs(X))["x"]
    module = model.module_.double()
    untold = told.copy()
    untold[:, :, 2:] = 0
    with torch.no_grad():
        found, expected = (module.eval()(torch.as_tensor(x)) for x in (told, untold))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@each(that_take("sequence", CLASSIFIERS))
def test_where_a_value_is_missing_may_be_all_there_is_to_learn_from(kind):
    rng = np.random.default_rng(0)
    X, y = np.ones((80, 20, 2)), np.arange(80) % 2
    for x, label in zip(X, y, strict=True):
        x[rng.random(20) < 0.4, label] = NAN
    model = ENTRIES[kind].make(max_iter=30, learning_rate_init=0.03).fit(X[:40], y[:40])
    assert model.score(X[40:], y[40:]) > 0.8


@each(that_take("sequence", CLASSIFIERS))
def test_a_network_is_told_of_holes_that_go_with_targets_and_of_no_others(kind, tmp_path):
    rng = np.random.default_rng(0)
    y = np.arange(40) % 2
    X = rng.normal(size=(40, 20, 3))
    stray = holed(X, 0.3)
    meant = np.where(rng.random(X.shape) < 0.4 * y[:, None, None], NAN, X)
    meant[:, :, 1] = X[:, :, 1]
    for holes, told in ((stray, ()), (meant, (0, 2))):
        model = ENTRIES[kind].make(max_iter=1).fit(list(holes), y)
        assert model._prepared.inputs.holes.told == told
        model.save(tmp_path / "model")
        again = sklearn_physrnn.load(tmp_path / "model")
        # What was decided stays so, whatever comes.
        for one in (model, again):
            one.partial_fit(list(meant), y).partial_fit(list(stray), y)
            assert one._prepared.inputs.holes.told == told
        np.testing.assert_array_equal(outputs(model, list(stray)), outputs(again, list(stray)))
