"""Targets at every step that are never read whole in training."""

import numpy as np
import pytest

from sklearn_physrnn import HSSMClassifier, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.preparation import recordings, step_records
from sklearn_physrnn.training import _recorded, _saving
from tests.helpers.recordings import Elsewhere

SMALL = {
    "hidden_size": 4, "max_iter": 2, "batch_size": 4, "dtype": "float64", "random_state": 0,
    "readout": "sequence", "learning_rate_init": 0.01, "chunk_size": 8,
}  # fmt: skip
LENGTHS = [30, 41, 25, 38, 33, 29, 41, 30]


@pytest.fixture(autouse=True)
def small_reads(monkeypatch):
    monkeypatch.setattr(recordings, "_VALUES_AT_A_TIME", 20)
    monkeypatch.setattr(step_records, "_STEPS_AT_A_TIME", 7)


@pytest.fixture
def tensors_made(monkeypatch):
    """How many steps of y were ever read at once in training."""
    made = []
    take = _recorded.RecordedTargets.take

    def counted(self, start, stop):
        made.append(stop - start)
        return take(self, start, stop)

    monkeypatch.setattr(_recorded.RecordedTargets, "take", counted)
    return made


def data(kind, every=1):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n, 2)) for n in LENGTHS]
    sums = [x.cumsum(axis=0)[every - 1 :: every] for x in X]
    y = {
        "numbers": [s[:, 0] for s in sums],
        "pairs": sums,
        "int16": [np.round(9 * s[:, 0]).astype(np.int16) for s in sums],
        "classes": [np.where(s[:, 0] > 1, 7, np.where(s[:, 1] > 0, 3, -2)) for s in sums],
        "text": [np.where(s[:, 0] > 1, "up", "down") for s in sums],
        "truth": [s[:, 0] > 0 for s in sums],
    }[kind]
    return X, y, rng.uniform(0.2, 2, len(X))


def same_fit(a, b):
    for name, x in a.module_.state_dict().items():
        np.testing.assert_allclose(b.module_.state_dict()[name], x, rtol=0, atol=1e-10)
    np.testing.assert_allclose(b.loss_curve_, a.loss_curve_, rtol=1e-10)


@pytest.mark.parametrize(
    ("model", "kind", "options"),
    [
        (PETNNRegressor, "numbers", {"every": 3}),
        (PETNNRegressor, "pairs", {}),
        (PETNNRegressor, "int16", {"loss": "huber"}),
        (PETNNClassifier, "classes", {"class_weight": "balanced", "every": 2}),
        (PETNNClassifier, "text", {"class_weight": {"up": 3.0}}),
        (PETNNClassifier, "truth", {}),
        (HSSMClassifier, "classes", {"norm": "layer", "state_size": 4, "num_blocks": 1}),
    ],
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_targets_in_files_give_what_arrays_give(
    mapped, tensors_made, model, kind, options, early_stopping
):
    X, y, weights = data(kind, options.get("every", 1))
    options = {**SMALL, **options, "early_stopping": early_stopping}
    expected = model(**options).fit(X, y, weights)
    answer = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    answers, score = getattr(expected, answer)(X), expected.score(X, y, weights)
    found = model(**options).fit(mapped(X), mapped(y), weights)
    assert tensors_made
    if not early_stopping:  # what validates is read whole
        assert max(tensors_made) <= 8
    same_fit(expected, found)
    if early_stopping:
        np.testing.assert_allclose(found.validation_scores_, expected.validation_scores_)
    np.testing.assert_allclose(getattr(found, answer)(mapped(X)), answers, atol=1e-10)
    assert found.score(mapped(X), mapped(y), weights) == pytest.approx(score)


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_one_array_of_targets_is_never_read_whole(mapped, tensors_made, kind):
    X, y, _ = data(kind)
    X, y = (np.stack([item[:25] for item in part]) for part in (X, y))
    model = PETNNRegressor if kind == "numbers" else PETNNClassifier
    expected = model(**SMALL).fit(X, y)
    given = Elsewhere(y)
    found = model(**SMALL).fit(mapped(X), given)
    same_fit(expected, found)
    assert given.most <= 8
    assert tensors_made
    np.testing.assert_allclose(found.score(mapped(X), Elsewhere(y)), expected.score(X, y))


@pytest.mark.parametrize("kind", ["numbers", "classes"])
def test_one_long_record_validates_on_what_is_later_in_it(mapped, kind):
    X, y, _ = data(kind)
    X, y = np.concatenate(X)[None], np.concatenate(y)[None]
    model = PETNNRegressor if kind == "numbers" else PETNNClassifier
    options = {**SMALL, "early_stopping": True, "validation_fraction": 0.3}
    expected = model(**options).fit(X, y)
    found = model(**options).fit(mapped(X), mapped(y))
    same_fit(expected, found)
    np.testing.assert_allclose(found.validation_loss_curve_, expected.validation_loss_curve_)


@pytest.mark.parametrize("kind", ["numbers", "classes"])
@pytest.mark.parametrize("chunk_size", [None, "auto"])
def test_training_goes_on_with_targets_in_files(mapped, kind, chunk_size):
    X, y, weights = data(kind)
    model = PETNNRegressor if kind == "numbers" else PETNNClassifier
    options = {**SMALL, "chunk_size": chunk_size, "warm_start": True}
    expected = model(**options).fit(X, y).fit(X, y, weights)
    X, y = mapped(X), mapped(y)
    same_fit(expected, model(**options).fit(X, y).fit(X, y, weights))


def test_a_checkpoint_knows_targets_in_files_again(mapped, tmp_path, monkeypatch):
    monkeypatch.setattr(_saving, "INTERVAL", 0)
    monkeypatch.setattr(_saving, "_SHARE", np.inf)
    X, y, _ = data("numbers")
    X, checkpoint = mapped(X), tmp_path / "training"

    from skorch.callbacks import Callback

    class StoppedError(Exception):
        pass

    class Killer(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:
                raise StoppedError

    options = {**SMALL, "max_iter": 3, "checkpoint": checkpoint}
    with pytest.raises(StoppedError):
        PETNNRegressor(**options, callbacks=[Killer()]).fit(X, mapped(y))
    with pytest.raises(ValueError, match="training data"):
        PETNNRegressor(**options).fit(X, mapped([item + 1 for item in y]))
    PETNNRegressor(**options).fit(X, mapped(y))


@pytest.mark.parametrize(
    ("model", "spoil", "message"),
    [
        (PETNNRegressor, np.nan, "Input y contains NaN: sample 2, step 17"),
        (PETNNRegressor, -np.inf, "Input y contains infinity: sample 2, step 17"),
        (PETNNClassifier, 0.5, r"whole, got 0.5 in sample 2, step 17"),
        (PETNNClassifier, np.nan, r"whole, got nan in sample 2, step 17"),
    ],
)
def test_the_step_of_a_bad_target_is_named(mapped, model, spoil, message):
    X, y, _ = data("classes")
    y = [item.astype(float) for item in y]
    y[2][17] = spoil
    with pytest.raises(ValueError, match=message):
        model(**SMALL, missing="error").fit(mapped(X), mapped(y))


def test_targets_of_another_shape_are_refused(mapped):
    X, y, _ = data("numbers")
    model = PETNNRegressor(**SMALL)
    with pytest.raises(
        ValueError, match=r"y\[3\] must be of shape .* with 38 steps .* got \(37,\)"
    ):
        model.fit(mapped(X), mapped([*y[:3], y[3][1:], *y[4:]]))
    with pytest.raises(ValueError, match=r"X or y: Found input variables with inconsistent"):
        model.fit(mapped(X), mapped(y[:5]))
    X, y = np.stack([x[:25] for x in X]), np.stack([x[:25] for x in y])
    for bad in (y[:, :24], np.pad(y, ((0, 0), (0, 3))), y[:, :, None, None]):
        with pytest.raises(ValueError, match=r"y must be of shape \(n_samples, 25\)"):
            model.fit(mapped(X), mapped(bad))


def test_other_labels_than_in_the_first_fit_are_named(mapped):
    X, y, _ = data("classes")
    model = PETNNClassifier(**SMALL, warm_start=True).fit(mapped(X), mapped(y))
    y[3][5] = 11
    with pytest.raises(ValueError, match=r"labels not seen before: \[11\]"):
        model.fit(mapped(X), mapped(y))
