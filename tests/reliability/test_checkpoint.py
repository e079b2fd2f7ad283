"""A training that is killed, interrupted or refused, and one that goes on."""

import builtins
import hashlib
import io
import os
import time

import numpy as np
import pytest
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV
from skorch.callbacks import Callback

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from sklearn_physrnn.storage.checkpoint import _HEADER, Checkpoint
from sklearn_physrnn.training import _saving

from ._checkpoints import Stop, kill_after, save_every_epoch

# Every family, optimizer and schedule; dropout, clipping, early stopping, given validation
# data, several members, running statistics, weights.
CASES = {
    "dynpmnn": (
        DynPMNNRegressor,
        {"hidden_size": 6, "n_steps": 4, "n_members": 2, "optimizer": "sgd"},
    ),
    "petnn": (PETNNClassifier, {"hidden_size": 6, "num_layers": 2, "early_stopping": True}),
    "hssm": (
        HSSMRegressor,
        {"hidden_size": 6, "state_size": 4, "optimizer": "adam", "learning_rate": "cosine"},
    ),
}


def make(case, **parameters):
    cls, own = CASES[case]
    common = {"dropout": 0.2, "batch_size": 16, "max_iter": 12, "random_state": 3}
    return cls(**{**common, "n_iter_no_change": 200, "max_grad_norm": 1.0, **own, **parameters})


def data(case, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(40, 8, 2)) if case != "dynpmnn" else rng.normal(size=(40, 3))
    y = X.reshape(40, -1)[:, :4].sum(axis=1)
    fit = {"X": X, "y": y > 0 if case == "petnn" else y, "sample_weight": rng.uniform(size=40)}
    if case == "hssm":
        fit |= {"X_val": X[:10] + 0.1, "y_val": y[:10]}
    if case == "petnn":  # ever worse: the best weights are those of long ago
        fit |= {"X_val": X[:10], "y_val": y[:10] <= 0}
    return fit


def assert_same(a, b, X):
    """Bit for bit."""
    ours, theirs = a.module_.state_dict(), b.module_.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    for name in ("loss_curve_", "validation_loss_curve_", "validation_scores_", "best_loss_"):
        assert getattr(a, name) == getattr(b, name)
    for i, state in a._optimizer_state["state"].items():
        for name, x in state.items():
            assert torch.equal(x, b._optimizer_state["state"][i][name])
    assert a.predict(X).tobytes() == b.predict(X).tobytes()


@pytest.fixture(autouse=True)
def _saved_every_epoch(monkeypatch):
    save_every_epoch(monkeypatch)


def stopped(estimator, fit, **stop):
    """Train up to an interrupt, in a copy of `estimator`."""
    copy = type(estimator)(**estimator.get_params()).set_params(callbacks=[Stop(**stop)])
    with pytest.warns(ConvergenceWarning, match="interrupted in epoch 5.*Fit it again to go on"):
        return copy.fit(**fit)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("case", CASES)
def test_killed_ten_times_training_ends_as_if_nothing_had_been(case, tmp_path):
    path, fit = tmp_path / "checkpoint", data(case)
    whole = make(case, max_iter=50).fit(**fit)
    estimator = make(case, max_iter=50, checkpoint=path)
    moments = np.random.default_rng()  # another ten every time
    kills, starts = 0, 0
    while kills < 10 and starts < 30:  # on a slow day a child ends before it is killed
        n_saves, pause = int(moments.integers(2, 5)), moments.uniform(0, 0.01)
        kills += kill_after(path, n_saves, pause, estimator, fit)
        starts += 1
    assert kills == 10
    seen = []

    class First(Callback):
        def on_epoch_begin(self, net, **kwargs):
            seen.append(net.history[-1]["epoch"])

    assert_same(estimator.set_params(callbacks=[First()]).fit(**fit), whole, fit["X"])
    assert 1 < seen[0] <= seen[-1] == 50
    assert list(tmp_path.iterdir()) == []


class PowerCut(BaseException):
    pass


def cut_power(monkeypatch, stage, save):
    """Stop everything within the `save`-th writing of the file, before or after a step."""
    left = [save]

    def now():
        left[0] -= 1
        return left[0] == 0

    fsync, replace, unlink = os.fsync, os.replace, os.unlink

    def cut_fsync(descriptor):
        if stage == "half written" and now():
            os.truncate(descriptor, 100)
            raise PowerCut
        fsync(descriptor)

    def cut_replace(source, target):
        if stage == "before the name" and now():
            raise PowerCut
        replace(source, target)
        if stage == "after the name" and now():
            raise PowerCut

    monkeypatch.setattr(os, "fsync", cut_fsync)
    monkeypatch.setattr(os, "replace", cut_replace)
    # A power cut tidies nothing up.
    monkeypatch.setattr(os, "unlink", lambda p: None if left[0] == 0 else unlink(p))


@pytest.mark.parametrize("stage", ["half written", "before the name", "after the name"])
@pytest.mark.parametrize("case", CASES)
def test_a_power_cut_in_the_write(case, stage, tmp_path, monkeypatch):
    fit, estimator = data(case), make(case, checkpoint=tmp_path / "checkpoint")
    with monkeypatch.context() as patch:
        cut_power(patch, stage, save=9 if stage == "half written" else 4)
        with pytest.raises(PowerCut):
            estimator.fit(**fit)
    names = {p.name for p in tmp_path.iterdir()}
    assert len(names) == (1 if stage == "after the name" else 2)
    assert_same(estimator.fit(**fit), make(case).fit(**fit), fit["X"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("cls", "parameters"),
    [
        (DynPMNNClassifier, {"early_stopping": True, "n_iter_no_change": 8, "tol": 1e9}),
        (PETNNRegressor, {"dtype": "float64", "loss": "huber"}),
        (PETNNRegressor, {"dtype": "bfloat16", "learning_rate": "constant"}),
        (HSSMClassifier, {"class_weight": "balanced", "dynamics": "nonlinear"}),
    ],
)
def test_an_interrupted_training_goes_on(cls, parameters, tmp_path):
    fit = data("dynpmnn" if cls is DynPMNNClassifier else "hssm")
    if "class_weight" in parameters or cls is DynPMNNClassifier:
        fit |= {"y": fit["y"] > 0}
        fit.pop("X_val", None)
        fit.pop("y_val", None)
    estimator = cls(
        hidden_size=4, dropout=0.1, batch_size=16, random_state=0, **{"max_iter": 11, **parameters}
    )
    whole = cls(**estimator.get_params()).fit(**fit)
    estimator.set_params(checkpoint=tmp_path)
    half = stopped(estimator, fit)
    assert half.n_iter_ == 4 < whole.n_iter_
    assert len(list(tmp_path.iterdir())) == 1
    assert_same(estimator.fit(**fit), whole, fit["X"])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("case", CASES)
def test_a_training_on_the_gpu_goes_on(case, tmp_path):
    fit, path = data(case), tmp_path / "c"
    whole = make(case, device="cuda").fit(**fit)
    stopped(make(case, device="cuda", checkpoint=path), fit)
    with pytest.raises(ValueError, match=r"device \(cuda there, cpu now\)"):
        make(case, device="cpu", checkpoint=path).fit(**fit)
    resumed = make(case, device="cuda", checkpoint=path).fit(**fit)
    np.testing.assert_allclose(resumed.loss_curve_, whole.loss_curve_, rtol=1e-3)
    assert list(tmp_path.iterdir()) == []


def test_a_fit_after_the_end_starts_anew(tmp_path):
    fit = data("petnn")
    estimator = make("petnn", checkpoint=str(tmp_path / "c"), random_state=None)
    first, second = estimator.fit(**fit).loss_curve_, estimator.fit(**fit).loss_curve_
    assert first != second


def test_seeds_that_were_drawn_are_kept(tmp_path):
    fit = {name: data("petnn")[name] for name in ("X", "y")}  # split by a seed
    sources = [np.random.RandomState(7) for _ in range(2)]
    whole = make("petnn", random_state=sources[0]).fit(**fit)
    stopped(make("petnn", checkpoint=tmp_path, random_state=sources[1]), fit)
    resumed = make("petnn", checkpoint=tmp_path, random_state=None).fit(**fit)
    assert_same(resumed, whole, fit["X"])


def test_a_fitted_model_that_goes_on_is_part_of_the_training(tmp_path):
    fit = data("hssm")
    fitted = make("hssm", warm_start=True).fit(**fit)
    whole = make("hssm", warm_start=True).fit(**fit).fit(**fit)
    path = tmp_path / "c"
    fitted.set_params(checkpoint=path, callbacks=[Stop(error=OSError("no more"))])
    with pytest.raises(OSError, match="no more"):
        fitted.fit(**fit)
    assert len(fitted.loss_curve_) == 12
    with pytest.raises(ValueError, match="fitted model"):
        make("hssm", checkpoint=path).fit(**fit)
    assert_same(fitted.set_params(callbacks=None).fit(**fit), whole, fit["X"])


@pytest.mark.parametrize(
    ("parameters", "change", "message"),
    [
        ({"max_iter": 13}, {}, r"max_iter \(12 there, 13 now\)"),
        ({"random_state": 4}, {}, "random_state"),
        ({"hidden_size": 7, "alpha": 0.5}, {}, r"alpha .*hidden_size \(6 there, 7 now\)"),
        ({}, {"X": data("petnn", 1)["X"]}, "training data"),
        ({}, {"sample_weight": None}, "training data"),
        ({}, {"X_val": data("petnn")["X"], "y_val": data("petnn")["y"]}, "validation data"),
        ({}, {"y": data("petnn")["y"] + 1, "y_val": data("petnn")["y_val"] + 1}, "classes"),
    ],
)
def test_another_training_is_refused(parameters, change, message, tmp_path):
    path, fit = tmp_path / "c", data("petnn")
    stopped(make("petnn", checkpoint=path), fit)
    before = path.read_bytes()
    other = make("petnn", checkpoint=path, **parameters)
    with pytest.raises(ValueError, match=rf"{message}.*Delete it"):
        other.fit(**{**fit, **change})
    assert path.read_bytes() == before
    assert not hasattr(other, "module_")


def test_what_does_not_matter_may_change(tmp_path, capsys):
    fit = data("petnn")
    whole = make("petnn").fit(**fit)
    (tmp_path / "a").mkdir()
    stopped(make("petnn", checkpoint=tmp_path / "a"), fit)
    file = next((tmp_path / "a").iterdir()).rename(tmp_path / "moved")
    assert_same(make("petnn", checkpoint=file, verbose=1).fit(**fit), whole, fit["X"])
    assert "after epoch 4" in capsys.readouterr().out


def _sealed(content) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    payload = buffer.getvalue()
    return _HEADER + hashlib.sha256(payload).digest() + payload


class Malice:
    def __reduce__(self):
        return builtins.print, ("executed",)


def _spoil(kind, good):
    content = torch.load(io.BytesIO(good[len(_HEADER) + 32 :]), weights_only=True)
    state = content["state"]
    if kind == "code":
        return _sealed({**content, "state": Malice()})
    if kind == "shape":
        state["weights"][0] = state["weights"][0][:1]
    elif kind == "dtype":
        state["weights"][0] = state["weights"][0].double()
    elif kind == "moments":
        state["optimizer"][0]["exp_avg"] = torch.zeros(1)
    elif kind == "parameter":
        state["optimizer"][99] = state["optimizer"][0]
    elif kind == "generator":
        state["generators"]["batches"] = torch.zeros(3, dtype=torch.uint8)
    elif kind == "missing":
        del state["keeper"]
    elif kind == "description":
        content["description"] = 3
    return _sealed(content)


@pytest.mark.parametrize(
    "kind",
    ["code", "shape", "dtype", "moments", "parameter", "generator", "missing", "description"],
)
def test_a_forged_file_is_refused(kind, tmp_path, capsys):
    path, fit = tmp_path / "c", data("petnn")
    stopped(make("petnn", checkpoint=path), fit)
    path.write_bytes(_spoil(kind, path.read_bytes()))
    with pytest.raises(ValueError, match="does not hold what a checkpoint"):
        make("petnn", checkpoint=path).fit(**fit)
    assert "executed" not in capsys.readouterr().out


def test_a_damaged_file_is_refused(tmp_path):
    path, fit = tmp_path / "c", data("petnn")
    stopped(make("petnn", checkpoint=path), fit)
    good = path.read_bytes()
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    cases = [(good[:n], "truncated") for n in (len(_HEADER), 50, len(good) // 2, len(good) - 1)]
    cases += [(bytes(flipped), "damaged"), (good + b"x", "damaged")]
    cases += [(b"", "is no checkpoint"), (b"something else", "is no checkpoint")]
    cases += [(good.replace(_HEADER, _HEADER[:-2] + b"9\n", 1), "another version's")]
    for content, message in cases:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            make("petnn", checkpoint=path).fit(**fit)
        assert path.read_bytes() == content


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
    from joblib import parallel_backend

    with parallel_backend("threading"):
        with_threads.fit(**fit)
    for other in (one, with_threads):
        expected, found = (s.cv_results_["mean_test_score"] for s in (alone, other))
        assert found.tolist() == expected.tolist()
    assert list(tmp_path.iterdir()) == []


def test_two_trainings_never_share_a_file(tmp_path):
    first, second = (
        Checkpoint(tmp_path / "c", {"estimator": "E", "max_iter": n}, (1, 2)) for n in "12"
    )
    twin = Checkpoint(tmp_path / "c", {"estimator": "E", "max_iter": "1"}, (3, 4))
    first.begin()
    first.save({"a": 1})
    twin.begin()
    with pytest.raises(ValueError, match="another training"):
        second.begin()
    second.remove_unless_saved()  # it has nothing there to remove
    assert Checkpoint(tmp_path / "c", first.description, (3, 4)).seeds == (1, 2)


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
