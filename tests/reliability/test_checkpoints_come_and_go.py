"""When and where checkpoints are written, and that none is left behind."""

import os
import time

import pytest
from joblib import parallel_backend
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sklearn_physrnn.storage.checkpoint import Checkpoint
from sklearn_physrnn.training import _saving

from ._checkpoints import Stop
from ._trainings import assert_same, data, make

pytestmark = pytest.mark.usefixtures("saved_every_epoch")


def test_a_search_keeps_its_trainings_apart(tmp_path):
    fit = {name: data("petnn")[name] for name in ("X", "y")}
    grid = {"hidden_size": [3, 4], "dropout": [0.0, 0.3]}

    def search(n_jobs, **parameters):
        model = make("petnn", early_stopping=False, max_iter=3, **parameters)
        return GridSearchCV(model, grid, cv=2, n_jobs=n_jobs, error_score="raise")

    alone = search(None).fit(**fit)
    # One file serves trainings one after the other, a folder also those side by side.
    one = search(None, checkpoint=tmp_path / "c").fit(**fit)
    with_threads = search(2, checkpoint=tmp_path)
    with parallel_backend("threading"):
        with_threads.fit(**fit)
    for other in (one, with_threads):
        expected, found = (s.cv_results_["mean_test_score"] for s in (alone, other))
        assert found.tolist() == expected.tolist()
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    fit = data("petnn")
    with pytest.raises(ValueError, match="no folder"):
        make("petnn", checkpoint=tmp_path / "absent" / "c").fit(**fit)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    whole = make("petnn").fit(**fit)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ValueError, match=r"cannot be written.*No space left"):
            make("petnn", checkpoint=tmp_path / "c").fit(**fit)

    class Fill(Callback):
        def on_epoch_begin(self, net, **kwargs):
            monkeypatch.setattr(os, "fsync", full)

    model = make("petnn", checkpoint=tmp_path / "c", callbacks=[Fill()])
    with pytest.warns(UserWarning, match=r"No space left.*Training goes on") as caught:
        model.fit(**fit)
    assert len(caught) == 1
    assert_same(model, whole, fit["X"])
    assert list(tmp_path.iterdir()) == []


def test_what_fails_at_once_leaves_no_file(tmp_path):
    fit = data("petnn")
    model = make("petnn", checkpoint=tmp_path / "c", callbacks=[Stop(1, ZeroDivisionError())])
    with pytest.raises(ZeroDivisionError):
        model.fit(**fit)
    assert list(tmp_path.iterdir()) == []


def test_one_pass_of_partial_fit_needs_no_file(tmp_path):
    fit = data("dynpmnn")
    make("dynpmnn", checkpoint=tmp_path / "absent" / "c").partial_fit(**fit)


def test_saving_takes_its_time_and_no_more(tmp_path, monkeypatch):
    saves = []
    save = Checkpoint.save

    def slow(self, state):
        saves.append(len(state["history"]))
        time.sleep(0.05)
        save(self, state)

    monkeypatch.setattr(Checkpoint, "save", slow)
    monkeypatch.setattr(_saving, "_SHARE", 1 / 20)
    fit = data("dynpmnn")
    make("dynpmnn", checkpoint=tmp_path / "c", max_iter=40).fit(**fit)
    assert 1 <= len(saves) <= 3  # 50 ms in every second or more
    saves.clear()
    monkeypatch.setattr(_saving, "INTERVAL", 60.0)
    make("dynpmnn", checkpoint=tmp_path / "c").fit(**fit)
    assert saves == []
