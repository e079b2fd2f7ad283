"""Every callback that skorch ships: it does its work, or is refused by name."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import skorch.callbacks
import torch
from skorch.callbacks import (
    BatchScoring,
    Callback,
    Checkpoint,
    EarlyStopping,
    EpochScoring,
    EpochTimer,
    Freezer,
    GradientNormClipping,
    Initializer,
    InputShapeSetter,
    LoadInitState,
    LRScheduler,
    MlflowLogger,
    NeptuneLogger,
    ParamMapper,
    PassthroughScoring,
    PrintLog,
    ProgressBar,
    SacredLogger,
    TensorBoard,
    TrainEndCheckpoint,
    Unfreezer,
    WandbLogger,
)

from sklearn_physrnn import DynPMNNClassifier, HSSMRegressor
from sklearn_physrnn.forecasting import PETNNForecaster

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 3))
Y = (X[:, 0] > 0).astype(int)


def model(*callbacks, **parameters):
    options = {"learning_rate": "constant", "max_iter": 4, "batch_size": 32}
    small = {"hidden_size": 4, "num_layers": 1, "random_state": 0, "device": "cpu"}
    return DynPMNNClassifier(**small | options | parameters, callbacks=list(callbacks))


def fitted(*callbacks, validated=True, **parameters):
    held_out = {"X_val": X[:16], "y_val": Y[:16]} if validated else {}
    return model(*callbacks, **parameters).fit(X, Y, **held_out)


class Field:
    """A place in Neptune's tree."""

    def __init__(self, record, path):
        self.record, self.path = record, path

    def __getitem__(self, name):
        return Field(self.record, f"{self.path}/{name}")

    def __setitem__(self, name, value):
        self.record[f"{self.path}/{name}"] = value

    def append(self, value):
        self[""] = value


class Recorder:
    """Stands for the object of a tracking service, and keeps what it is told."""

    def __init__(self, path):
        self.told, self.dir, self.info = {}, path, SimpleNamespace(run_id="run")

    def _tell(self, name, value):
        self.told.setdefault(name, []).append(value)

    def add_scalar(self, tag, scalar_value, global_step):
        self._tell(tag, scalar_value)

    def log_scalar(self, name, value, step=None):
        self._tell(name, value)

    def log_metric(self, run_id, name, value, step):
        self._tell(name, value)

    def log(self, values):
        for name, value in values.items():
            self._tell(name, value)

    def __setitem__(self, name, value):
        self._tell(name, value)

    def __getitem__(self, name):
        return Field(self, name)

    def nothing(self, *args, **kwargs):
        """A call without effect."""

    watch = close = log_artifact = set_terminated = nothing


class Neptune(NeptuneLogger):
    """One that does not ask for the client's package."""

    _model_summary_file = staticmethod(str)


def loggers(record):
    """Each with the name that it gives the training loss."""
    neptune = Neptune(record, close_after_train=False)
    return [
        (TensorBoard(record), "Loss/train_loss"),
        (SacredLogger(record), "train_loss"),
        (WandbLogger(record), "train_loss"),
        (MlflowLogger(run=record, client=record), "train_loss"),
        (neptune, "training/train/epoch/loss/"),
    ]


@pytest.mark.parametrize("which", range(5))
def test_loggers_are_told_every_epoch(which, tmp_path):
    record = Recorder(tmp_path)
    callback, name = loggers(record)[which]
    curve = fitted(callback).loss_curve_
    assert record.told[name] == curve
    assert (tmp_path / "best_model.pth").exists() == isinstance(callback, WandbLogger)


def test_loggers_are_told_every_batch_where_they_want_it(tmp_path):
    record = Recorder(tmp_path)
    fitted(SacredLogger(record, log_on_batch_end=True, log_on_epoch_end=False))
    told = record.told["train_loss"]
    assert len(told) == 8
    plain = fitted().loss_curve_
    np.testing.assert_allclose(np.reshape(told, (4, 2)).mean(axis=1), plain, rtol=1e-6)


REFUSED = [
    (EpochScoring("accuracy"), "validation_scores_"),
    (EpochScoring("accuracy", on_train=True), "validation_scores_"),
    (BatchScoring("accuracy"), "validation_loss_curve_"),
    (PassthroughScoring("train_loss"), "validation_loss_curve_"),
    (InputShapeSetter(), "fit builds a network"),
]


@pytest.mark.parametrize(("callback", "way"), REFUSED)
def test_what_cannot_work_is_refused_by_name_with_another_way(callback, way):
    with pytest.raises(
        ValueError, match=rf"{type(callback).__name__} does not work here: .*{way}"
    ):
        fitted(callback)


WATCHING = [EarlyStopping(), Checkpoint(), LRScheduler("ReduceLROnPlateau", monitor="valid_loss")]


@pytest.mark.parametrize("callback", [*WATCHING, WandbLogger(None)])
def test_what_watches_validation_is_refused_without(callback):
    with pytest.raises(ValueError, match=rf"{type(callback).__name__} watches 'valid_loss"):
        fitted(callback, validated=False)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_forecaster_refuses_at_once_what_its_last_training_lacks(early_stopping):
    trained = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            trained.append(net)

    options = {"max_iter": 2, "window_length": 6, "horizon": 2, "early_stopping": early_stopping}
    y = pd.Series(RNG.normal(size=60))
    for callback, way in (
        (EarlyStopping(), "Set early_stopping"),
        (EpochScoring("r2"), "evaluate"),
    ):
        with pytest.raises(ValueError, match=way):
            PETNNForecaster(4, **options, callbacks=[Look(), callback]).fit(y)
    assert not trained
    PETNNForecaster(4, **options, callbacks=[Look(), EarlyStopping("train_loss")]).fit(y)
    assert trained


def test_early_stopping_works_with_validation_and_on_the_training_loss():
    assert fitted(EarlyStopping(patience=1, threshold=0.99), max_iter=9).n_iter_ == 2
    watch = EarlyStopping("train_loss", patience=1, threshold=0.99)
    assert fitted(watch, validated=False, max_iter=9).n_iter_ == 2


def test_checkpoints_keep_the_best_epoch(tmp_path):
    wild = {"learning_rate_init": 3.0, "max_iter": 8}
    best = fitted(Checkpoint(dirname=tmp_path, load_best=True), **wild)
    curve = fitted(**wild).validation_loss_curve_
    assert best.n_iter_ == 1 + int(np.argmin(curve)) < 8
    kept = torch.load(tmp_path / "params.pt")
    for name, value in best.module_.state_dict().items():
        torch.testing.assert_close(value, kept[name])


def test_a_checkpoint_of_the_end_is_gone_on_from(tmp_path):
    end = TrainEndCheckpoint(dirname=tmp_path)
    first = fitted(end)
    again = fitted(LoadInitState(end), max_iter=5)
    assert again.loss_curve_[:4] == first.loss_curve_


@pytest.mark.parametrize(
    ("scheduler", "rates"),
    [
        (LRScheduler("StepLR", step_size=1, gamma=0.1), [1, 0.1, 0.01, 0.001]),
        (
            LRScheduler("StepLR", step_size=1, gamma=0.5, step_every="batch"),
            0.5 ** np.array([2, 4, 6, 8]),
        ),
        (
            LRScheduler("ReduceLROnPlateau", monitor="valid_loss", patience=0, threshold=0.99),
            [1, 1, 0.1, 0.01],
        ),
    ],
)  # fmt: skip
def test_a_scheduler_sets_a_rate_that_is_constant_otherwise(scheduler, rates):
    found = fitted(scheduler, learning_rate_init=0.01).learning_rate_curve_
    np.testing.assert_allclose(found, np.array(rates) * 0.01)
    with pytest.raises(ValueError, match=r"LRScheduler .* Set learning_rate='constant'"):
        fitted(scheduler, learning_rate="cosine")


def test_what_is_frozen_stands_still_for_this_training_alone():
    start = fitted(max_iter=1, learning_rate_init=1e-30).module_.state_dict()
    frozen = fitted(Freezer("head*"), alpha=100.0)
    for name, value in frozen.module_.state_dict().items():
        still = torch.allclose(value, start[name], rtol=0, atol=1e-20)
        assert still == name.startswith("head")
    assert all(p.requires_grad for p in frozen.module_.parameters())
    thawed = fitted(Freezer("head*"), Unfreezer("head*", at=2)).module_
    assert not torch.equal(thawed.head.weight, start["head.weight"])


@pytest.mark.parametrize(
    "callback",
    [
        Initializer("head.bias", fn=lambda p: p.data.fill_(7.0)),
        ParamMapper("head.bias", fn=lambda p: p.data.fill_(7.0), at=2),
    ],
)
def test_parameters_are_mapped(callback):
    mapped = fitted(callback, learning_rate_init=1e-30)
    assert (mapped.module_.head.bias == 7).all()


def test_gradients_are_clipped():
    none = fitted(GradientNormClipping(0.0), alpha=0.0, max_grad_norm=None)
    start = fitted(max_iter=1, learning_rate_init=1e-30, alpha=0.0)
    for value, before in zip(none.module_.parameters(), start.module_.parameters(), strict=True):
        torch.testing.assert_close(value, before)


def test_progress_is_printed(capsys):
    fitted(EpochTimer(), PrintLog(), ProgressBar(detect_notebook=False))
    out, err = capsys.readouterr()
    assert "train_loss" in out
    assert "dur" in out
    assert "0/3" in err  # two batches of training, one of validation


def test_callbacks_come_as_skorch_takes_them():
    seen = []

    class Look(Callback):
        def on_epoch_end(self, net, **kwargs):
            seen.append(net.history[-1]["epoch"])

    fitted(("look", Look()), Look, max_iter=2)
    assert seen == [1, 1, 2, 2]
    with pytest.raises(TypeError, match="must hold skorch callbacks, got 'accuracy'"):
        fitted("accuracy")


def test_sequences_have_the_same_callbacks():
    S = RNG.normal(size=(16, 5, 2))
    small = {"hidden_size": 4, "state_size": 4, "max_iter": 2, "learning_rate": "constant"}
    scheduler = LRScheduler("StepLR", step_size=1, gamma=0.1)
    found = HSSMRegressor(**small, callbacks=[scheduler]).fit(S, S[:, 0, 0])
    np.testing.assert_allclose(found.learning_rate_curve_, [0.003, 0.0003])


def test_no_callback_of_skorch_is_forgotten_here():
    with open(__file__) as file:
        text = file.read()
    elsewhere = {"Callback", "NeptuneLogger", "WarmRestartLR"}  # the last is a torch scheduler
    forgotten = [name for name in skorch.callbacks.__all__ if f"{name}(" not in text]
    assert [name for name in forgotten if name not in elsewhere] == []
