"""A warning names the user's line, whatever lies between it and the fit."""

import signal
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from skorch.callbacks import Callback
from sktime.forecasting.compose import TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.split import SingleWindowSplitter
from sktime.transformations.series.detrend import Detrender

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, PETNNRegressor, nn
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.kernels import _dispatch
from sklearn_physrnn.nn import StabilityWarning
from sklearn_physrnn.storage.checkpoint import Checkpoint
from sklearn_physrnn.training import _saving
from tests.families import ENTRIES, FORECASTERS, PANELS, REGRESSORS, SKLEARN, TABLE, WALK, each


class Interrupt(Callback):
    def on_epoch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


class OnAGpu:
    device, dtype = torch.device("cuda"), torch.float32


PANEL = pd.DataFrame(
    {"y": np.tile(WALK.to_numpy(), 2)},
    pd.MultiIndex.from_product([["a", "b"], pd.RangeIndex(len(WALK))], names=["series", "time"]),
)

PETNN = ENTRIES[PETNNRegressor].family
STOPPED = {"callbacks": [Interrupt()]}
UNSTABLE = {"solver": "euler", "n_steps": 1, "t_end": 30.0}


def warned(call, category, match):
    """Warnings of `call`, a lambda of one line, which must all be at that line."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    ours = [w for w in caught if issubclass(w.category, category) and match in str(w.message)]
    assert ours
    for w in ours:
        assert (w.filename, w.lineno) == (__file__, call.__code__.co_firstlineno)
    return ours


def interrupted(call):
    return warned(call, ConvergenceWarning, "interrupted")


@each(SKLEARN + PANELS)
def test_an_interrupted_fit(kind):
    X, y = ENTRIES[kind].data
    interrupted(lambda: ENTRIES[kind].make(**STOPPED).fit(X, y))


@each(SKLEARN)
def test_an_interrupted_fit_that_goes_on(kind):
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].fitted(warm_start=True).set_params(**STOPPED)
    interrupted(lambda: model.fit(X, y))
    model.set_params(early_stopping=True, warm_start=False)
    interrupted(lambda: model.fit(X, y, X_val=X, y_val=y))


@each(SKLEARN)
def test_a_diverging_fit(kind):
    class Poison(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and net.history[-1]["epoch"] == 2:
                with torch.no_grad():
                    next(net.module_.parameters()).fill_(np.nan)

    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make(callbacks=[Poison()])
    warned(lambda: model.fit(X, y), ConvergenceWarning, "no longer finite")


@each(SKLEARN)
def test_inside_of_sklearns_tools(kind):
    X, y = ENTRIES[kind].data
    model, plain = ENTRIES[kind].make(**STOPPED), FunctionTransformer()
    interrupted(lambda: make_pipeline(plain, model).fit(X, y))
    assert len(interrupted(lambda: cross_val_score(model, X, y, cv=2))) == 2
    search = GridSearchCV(model, {"hidden_size": [3, 4]}, cv=KFold(2))
    assert len(interrupted(lambda: search.fit(X, y))) == 5
    if kind.__name__.endswith("Regressor"):
        outer = make_pipeline(plain, TransformedTargetRegressor(model))
        interrupted(lambda: outer.fit(X, y))


@each(FORECASTERS)
def test_an_interrupted_forecaster(kind):
    model = ENTRIES[kind].make(**STOPPED, interval=None)
    interrupted(lambda: model.clone().fit(WALK))
    interrupted(lambda: model.clone().fit(WALK, fh=[1, 2]))
    assert len(interrupted(lambda: model.clone().fit(PANEL))) == 2
    interrupted(lambda: model.clone().fit_predict(WALK, fh=[1]))


def test_forecasters_inside_of_sktimes_tools():
    model = ENTRIES[PETNNForecaster].make(**STOPPED, interval=None)
    detrended = TransformedTargetForecaster([Detrender(), model])
    interrupted(lambda: detrended.fit(WALK))
    cv = SingleWindowSplitter(fh=[1, 2])
    interrupted(lambda: evaluate(model, cv, WALK))
    search = ForecastingGridSearchCV(model, cv, {"hidden_size": [3, 4]}, backend="None")
    assert len(interrupted(lambda: search.fit(WALK))) >= 3


@each([DynPMNNRegressor, DynPMNNClassifier])
def test_an_unstable_step(kind):
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make(**UNSTABLE, num_layers=2)
    found = warned(lambda: model.fit(X, y), StabilityWarning, "is unstable")
    assert len(found) == 2  # one a layer
    warned(lambda: cross_val_score(model, X, y, cv=2), StabilityWarning, "is unstable")
    module = model.module_
    few = torch.as_tensor(X[:5], dtype=torch.float32)
    warned(lambda: module.check_stability(few), StabilityWarning, "is unstable")


@each([PETNN.regressor, PETNN.classifier, *PETNN.panel])
def test_a_dead_timer(kind, monkeypatch):
    monkeypatch.setattr(nn.PETNN, "release_rate", lambda self, x, **options: torch.ones(1, 4))
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make()
    warned(lambda: model.fit(X, y), UserWarning, "the timer is dead")
    pipeline = make_pipeline(FunctionTransformer(), model)
    warned(lambda: pipeline.fit(X, y), UserWarning, "the timer is dead")


def test_intervals_of_a_series_too_short():
    model = ENTRIES[PETNNForecaster].make().fit(WALK[:9])
    warned(lambda: model.predict_interval([1]), UserWarning, "too short to hold out")


def test_a_checkpoint_that_cannot_be_written(tmp_path, monkeypatch):
    def full(self, state):
        raise OSError("No space left")

    monkeypatch.setattr(_saving, "INTERVAL", 0.0)
    monkeypatch.setattr(Checkpoint, "save", full)
    X, y = ENTRIES[PETNNRegressor].data
    model = ENTRIES[PETNNRegressor].make(checkpoint=tmp_path / "checkpoint")
    warned(lambda: model.fit(X, y), UserWarning, "cannot be written")


def test_a_gpu_without_a_working_triton(monkeypatch):
    monkeypatch.setattr(_dispatch, "has_triton", lambda: True)
    monkeypatch.setitem(sys.modules, "triton.runtime", None)
    _dispatch.triton_works.cache_clear()
    try:
        warned(lambda: _dispatch.choose_backend(OnAGpu, None), RuntimeWarning, "Triton cannot")
    finally:
        _dispatch.triton_works.cache_clear()


@each(REGRESSORS)
def test_a_second_fit_on_another_line_is_no_repetition(kind):
    X, y = ENTRIES[kind].data
    model = ENTRIES[kind].make(**STOPPED)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, y)
        model.fit(X, y)
    assert len(caught) == 2
    assert caught[0].lineno == caught[1].lineno - 1


def test_a_users_own_function_is_the_users_line():
    def fit(model):
        return model.fit(TABLE, TABLE[:, 0])

    with pytest.warns(ConvergenceWarning, match="interrupted") as caught:
        fit(ENTRIES[DynPMNNRegressor].make(**STOPPED))
    assert caught[0].lineno == fit.__code__.co_firstlineno + 1


def test_where_no_line_is_the_users_the_warning_is_issued_all_the_same():
    X, y = ENTRIES[DynPMNNRegressor].data
    model = ENTRIES[DynPMNNRegressor].make(**UNSTABLE)
    with pytest.warns(StabilityWarning), ThreadPoolExecutor(1) as pool:
        assert pool.submit(model.fit, X, y).result() is model
