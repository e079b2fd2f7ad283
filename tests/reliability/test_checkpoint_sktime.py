"""Fits of forecasters and of estimators of panels that are killed or stopped, and go on."""

import os
import signal

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_physrnn.classification import HSSMSeriesClassifier
from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster
from sklearn_physrnn.regression import PETNNSeriesRegressor
from sklearn_physrnn.storage.stages import Stage

from ._checkpoints import kill_after, save_every_epoch

RNG = np.random.default_rng(0)
WALK = pd.Series(np.sin(np.arange(60) / 3) + RNG.normal(0, 0.1, 60))
X = pd.DataFrame({"open": RNG.normal(size=60)})
PANEL = pd.concat({"a": WALK.to_frame("y"), "b": 2 * WALK.to_frame("y")}, names=["shop", "time"])
FH = [1, 2, 5]
CASES = {
    "petnn": (PETNNForecaster, {"interval": "quantile", "optimizer": "sgd"}),
    "hssm": (HSSMForecaster, {"early_stopping": True, "n_iter_no_change": 200, "state_size": 2}),
    "dynpmnn": (DynPMNNForecaster, {"learning_rate": "cosine"}),
}


@pytest.fixture(autouse=True)
def _saved_every_epoch(monkeypatch):
    save_every_epoch(monkeypatch)


def make(case, **parameters):
    cls, own = CASES[case]
    common = {"hidden_size": 4, "window_length": 9, "horizon": 3, "max_iter": 10, "dropout": 0.2}
    return cls(**{**common, "batch_size": 16, "random_state": 3, "calendar": None}
               | own | parameters)  # fmt: skip


def assert_same(a, b, X=None):
    """Bit for bit."""
    ours, theirs = a.module_.state_dict(), b.module_.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for name in ("loss_curve_", "validation_loss_curve_", "best_loss_"):
        assert getattr(a, name) == getattr(b, name)
    for i, state in a._optimizer_state["state"].items():
        for name, x in state.items():
            assert torch.equal(x, b._optimizer_state["state"][i][name])
    frames = [one.predict_interval(FH, X=X) for one in (a, b)]
    pd.testing.assert_frame_equal(*frames, check_exact=True)


class Epochs(Callback):
    """Note the epochs of each training; end the `training`-th one before epoch 5."""

    def __init__(self, training=None, error=None):
        self.seen, self.training, self.error = [], training, error

    def on_train_begin(self, net, **kwargs):
        self.seen.append([])

    def on_epoch_begin(self, net, **kwargs):
        self.seen[-1].append(net.history[-1]["epoch"])
        if len(self.seen) == self.training and self.seen[-1][-1] == 5:
            if self.error is not None:
                raise self.error
            signal.raise_signal(signal.SIGINT)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("method", ["fit", "pretrain"])
def test_killed_again_and_again_it_ends_as_if_nothing_had_been(case, method, tmp_path):
    path = tmp_path / "checkpoint"
    data = {"y": PANEL} if method == "pretrain" else {"y": WALK, "X": X}
    more = {} if method == "pretrain" else {"X": pd.DataFrame({"open": np.ones(5)}, range(60, 65))}
    n = 30 if method == "pretrain" else 15  # epochs of the one training, or of each of two
    whole = getattr(make(case, max_iter=n), method)(**data)
    forecaster = make(case, max_iter=n, checkpoint=path)
    moments = np.random.default_rng()  # others every time
    kills, starts = 0, 0
    while kills < 6 and starts < 20:  # on a slow day a child ends before it is killed
        n_saves, pause = int(moments.integers(2, 5)), moments.uniform(0, 0.01)
        kills += kill_after(path, n_saves, pause, forecaster, data, method)
        starts += 1
    assert kills == 6
    getattr(forecaster, method)(**data)
    if method == "pretrain":
        assert forecaster.pretrained_.loss_curve == whole.pretrained_.loss_curve
        forecaster.fit(WALK), whole.fit(WALK)
    assert_same(forecaster, whole, **more)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("training", [1, 2])
@pytest.mark.parametrize("case", CASES)
def test_each_of_its_trainings_goes_on(case, training, folder, tmp_path):
    path = tmp_path if folder else tmp_path / "checkpoint"
    whole = make(case).fit(WALK)
    stop = make(case, checkpoint=path, callbacks=[Epochs(training, ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        stop.fit(WALK)
    assert len(list(tmp_path.iterdir())) == 1
    epochs = Epochs()
    forecaster = make(case, checkpoint=path, callbacks=[epochs]).fit(WALK)
    assert_same(forecaster, whole)
    first, refit = epochs.seen
    assert (first[:1], refit[:1]) == (([5], [1]) if training == 1 else ([], [5]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("training", [1, 2])
def test_an_interrupt_keeps_a_model_and_the_file(training, tmp_path):
    path, whole = tmp_path / "checkpoint", make("petnn").fit(WALK)
    stopped = make("petnn", checkpoint=path, callbacks=[Epochs(training)])
    with pytest.warns(ConvergenceWarning, match=r"interrupted in epoch 5.*Fit it again to go on"):
        stopped.fit(WALK)
    assert len(stopped.predict(FH)) == 3
    assert path.exists()
    assert_same(make("petnn", checkpoint=path).fit(WALK), whole)
    assert not path.exists()


def test_pretraining_goes_on_from_what_was_pretrained(tmp_path):
    before = make("hssm").pretrain(PANEL)
    whole = before.clone().pretrain(PANEL)
    path, further = tmp_path / "checkpoint", before.clone()
    further.checkpoint, further.callbacks = path, [Epochs(1, ZeroDivisionError())]
    with pytest.raises(ZeroDivisionError):
        further.pretrain(PANEL)
    with pytest.raises(ValueError, match="pretrained model"):
        make("hssm", checkpoint=path).pretrain(PANEL)
    again = before.clone()
    again.checkpoint = path
    again.pretrain(PANEL)
    assert again.pretrained_.loss_curve == whole.pretrained_.loss_curve
    assert not path.exists()
    assert_same(again.fit(WALK), whole.fit(WALK))


def test_a_seed_that_was_drawn_is_kept(tmp_path):
    sources = [np.random.RandomState(7) for _ in range(2)]
    whole = make("petnn", random_state=sources[0]).fit(WALK)
    stop = make("petnn", checkpoint=tmp_path, random_state=sources[1],
                callbacks=[Epochs(2, ZeroDivisionError())])  # fmt: skip
    with pytest.raises(ZeroDivisionError):
        stop.fit(WALK)
    resumed = make("petnn", checkpoint=tmp_path, random_state=None).fit(WALK)
    assert_same(resumed, whole)


@pytest.mark.parametrize(
    ("parameters", "y", "exogenous", "message"),
    [
        ({"max_iter": 11}, WALK, None, r"max_iter \(10 there, 11 now\)"),
        ({"refit": False}, WALK, None, "refit"),
        ({}, WALK + 1, None, "training data"),
        ({}, WALK.set_axis(range(1, 61)), None, "training data"),
        ({}, WALK, X, "columns of X|training data"),
    ],
)
def test_another_training_is_refused(parameters, y, exogenous, message, tmp_path):
    path = tmp_path / "checkpoint"
    stop = make("petnn", checkpoint=path, callbacks=[Epochs(1, ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        stop.fit(WALK)
    content = path.read_bytes()
    with pytest.raises(ValueError, match=rf"{message}.*Delete it"):
        make("petnn", checkpoint=path, **parameters).fit(y, X=exogenous)
    assert path.read_bytes() == content


def test_a_panel_has_a_file_a_series_in_a_folder(tmp_path, monkeypatch):
    whole = make("dynpmnn").fit(PANEL)
    saves, save = [], Stage.save

    def failing(stage, state):
        saves.append(state)
        if len(saves) == 36:  # epoch 6 of the second training of the second series
            raise ZeroDivisionError
        save(stage, state)

    monkeypatch.setattr(Stage, "save", failing)
    with pytest.raises(ZeroDivisionError):
        make("dynpmnn", checkpoint=tmp_path).fit(PANEL)
    assert len(list(tmp_path.iterdir())) == 1
    resumed = make("dynpmnn", checkpoint=tmp_path).fit(PANEL)
    assert len(saves) == 36 + 20 + 5  # of the second series no epoch but the last five
    for key in ("a", "b"):
        assert_same(*(x.forecasters_.loc[key, "forecasters"] for x in (resumed, whole)))
    assert list(tmp_path.iterdir()) == []


def test_an_update_needs_no_file(tmp_path):
    forecaster = make("petnn", checkpoint=tmp_path / "absent" / "c")
    with pytest.raises(ValueError, match="no folder"):
        forecaster.fit(WALK)
    forecaster = make("petnn").fit(WALK[:50])
    forecaster.checkpoint = tmp_path / "absent" / "c"
    forecaster.update(WALK[50:])


@pytest.mark.parametrize(
    ("cls", "name"), [(HSSMSeriesClassifier, "classifier_"), (PETNNSeriesRegressor, "regressor_")]
)
def test_an_estimator_of_panels_goes_on(cls, name, tmp_path):
    panel = RNG.normal(size=(30, 2, 6))
    y = panel[:, 0].sum(axis=1)
    y = y > 0 if name == "classifier_" else y
    options = {"hidden_size": 3, "max_iter": 9, "dropout": 0.2, "random_state": 0}
    whole = cls(**options).fit(panel, y)
    stop = cls(**options, checkpoint=tmp_path, callbacks=[Epochs(1, ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        stop.fit(panel, y)
    epochs = Epochs()
    resumed = cls(**options, checkpoint=tmp_path, callbacks=[epochs]).fit(panel, y)
    assert epochs.seen[0][0] == 5
    assert getattr(resumed, name).loss_curve_ == getattr(whole, name).loss_curve_
    np.testing.assert_array_equal(resumed.predict(panel), whole.predict(panel))
    assert list(tmp_path.iterdir()) == []
