"""A training that was killed or interrupted goes on to the same bits."""

import os

import numpy as np
import pytest
from skorch.callbacks import Callback

from sklearn_physrnn import (
    DynPMNNClassifier,
    HSSMClassifier,
    HSSMRegressor,
    PETNNRegressor,
)
from tests.helpers.backends import on_the_gpu

from ._checkpoints import Stop, kill_after
from ._trainings import CASES, assert_same, data, make, stopped

pytestmark = pytest.mark.usefixtures("saved_every_epoch")


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
        (PETNNRegressor, {"chunk_size": 3, "num_layers": 2}),
        (HSSMRegressor, {"chunk_size": 3, "norm": "layer", "way_back": "undone"}),
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
    resumed = estimator.fit(**fit)
    assert_same(resumed, whole, fit["X"])
    assert getattr(resumed, "return_error_", None) == getattr(whole, "return_error_", None)
    assert list(tmp_path.iterdir()) == []


@on_the_gpu
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


def test_what_does_not_matter_may_change(tmp_path, capsys):
    fit = data("petnn")
    whole = make("petnn").fit(**fit)
    (tmp_path / "a").mkdir()
    stopped(make("petnn", checkpoint=tmp_path / "a"), fit)
    file = next((tmp_path / "a").iterdir()).rename(tmp_path / "moved")
    assert_same(make("petnn", checkpoint=file, verbose=1).fit(**fit), whole, fit["X"])
    assert "after epoch 4" in capsys.readouterr().out
