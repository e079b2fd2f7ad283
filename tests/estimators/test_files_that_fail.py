"""Files that change under a fit, and values in the middle of them that are no numbers."""

import os

import numpy as np
import pytest
from skorch.callbacks import Callback

from sklearn_physrnn import HSSMClassifier, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.preparation import recordings
from tests.helpers.recordings import Elsewhere

SMALL = {"hidden_size": 4, "max_iter": 3, "random_state": 0, "chunk_size": 7}


@pytest.fixture(autouse=True)
def small_reads(monkeypatch):
    monkeypatch.setattr(recordings, "_VALUES_AT_A_TIME", 20)


def data():
    X = np.random.default_rng(0).normal(size=(4, 60, 3))
    return X, (X[:, :, 0] > 0).astype(np.int8)


class Then(Callback):
    """Does something after the first epoch."""

    def __init__(self, what):
        self.what = what

    def on_epoch_end(self, net, **kwargs):
        if len(net.history) == 1:
            self.what()


def shrink(path):
    os.truncate(path, 200)


def write(path):
    with open(path, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\1")
    os.utime(path, ns=(0, 0))  # whatever the clock's steps are


CHANGES = [
    (shrink, "has become shorter while it was read"),
    (write, "was written to while it was read"),
    (os.remove, "is gone"),
]


@pytest.mark.parametrize("which", ["X", "y"])
@pytest.mark.parametrize(("change", "message"), CHANGES, ids=["shrinks", "is written", "vanishes"])
@pytest.mark.parametrize("model", [PETNNClassifier, HSSMClassifier])
def test_a_file_that_changes_ends_the_fit_with_its_name(model, which, change, message, mapped):
    X, y = map(mapped, data())
    path = (X if which == "X" else y).filename
    norm = {"norm": "layer"} if model is HSSMClassifier else {}
    model = model(readout="sequence", **SMALL, **norm)
    model.set_params(callbacks=[Then(lambda: change(path))])
    with pytest.raises(ValueError, match=message) as caught:
        model.fit(X, y)
    assert str(path) in str(caught.value)
    assert not hasattr(model, "module_")


@pytest.mark.parametrize(("change", "message"), CHANGES[:2], ids=["shrinks", "is written"])
def test_a_file_that_changed_since_is_not_predicted(change, message, mapped, monkeypatch):
    X, y = data()
    model = PETNNClassifier(readout="sequence", **SMALL).fit(X, y)
    X, first = mapped(X), recordings.Recordings.stretch

    def stretch(self, row, start, stop):
        if row == 1:
            change(X.filename)
        return first(self, row, start, stop)

    monkeypatch.setattr(recordings.Recordings, "stretch", stretch)
    with pytest.raises(ValueError, match=message):
        model.predict(X)


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_what_is_not_finite_in_the_middle_is_named_by_step_and_channel(bad, mapped):
    X, y = data()
    model = PETNNClassifier(readout="sequence", **SMALL).fit(mapped(X), y)
    X[2, 41, 1] = bad
    name = r"X contains infinity: sample 2, time step 41, channel 1\."
    there = mapped(X)
    for answer in (
        lambda: PETNNClassifier(readout="sequence", **SMALL).fit(there, y),
        lambda: model.partial_fit(there, y),
        lambda: model.predict(there),
        lambda: model.score(there, y),
    ):
        with pytest.raises(ValueError, match=name):
            answer()


def test_a_target_that_is_not_finite_is_named_by_its_step(mapped):
    X, _ = data()
    y = X[:, :, 0].copy()
    y[2, 41] = np.inf
    with pytest.raises(ValueError, match=r"y contains infinity.*sample 2, .*step 41"):
        PETNNRegressor(readout="sequence", **SMALL).fit(mapped(X), mapped(y))


def test_a_value_that_ceases_to_be_finite_ends_the_fit(monkeypatch):
    monkeypatch.setattr(recordings, "_WORTH_LEAVING", 1)
    X, y = data()

    def spoil():
        X[2, 41, 1] = np.inf  # in an array of a library that tells no one

    model = PETNNClassifier(readout="sequence", callbacks=[Then(spoil)], **SMALL)
    with pytest.raises(
        ValueError, match=r"X contains infinity: sample 2, time step 41, channel 1\."
    ):
        model.fit(Elsewhere(X), y)
    assert not hasattr(model, "module_")
