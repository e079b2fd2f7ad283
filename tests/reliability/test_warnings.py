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

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
    nn,
)
from sklearn_physrnn.classification import HSSMSeriesClassifier, PETNNSeriesClassifier
from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster
from sklearn_physrnn.kernels import _dispatch
from sklearn_physrnn.nn import StabilityWarning
from sklearn_physrnn.regression import HSSMSeriesRegressor, PETNNSeriesRegressor
from sklearn_physrnn.storage.checkpoint import Checkpoint
from sklearn_physrnn.training import _saving


class Interrupt(Callback):
    def on_epoch_end(self, net, **kwargs):
        signal.raise_signal(signal.SIGINT)


class OnAGpu:
    device, dtype = torch.device("cuda"), torch.float32


RNG = np.random.default_rng(0)
TABLE, SERIES = RNG.normal(size=(36, 3)), RNG.normal(size=(36, 6, 2))
NUMBERS = TABLE[:, 0]
LABELS = np.arange(36) % 2
Y = pd.Series(RNG.normal(size=40), pd.period_range("2020-01", periods=40, freq="M"))
PANEL = pd.DataFrame(
    {"y": np.tile(Y.to_numpy(), 2)},
    pd.MultiIndex.from_product([["a", "b"], pd.RangeIndex(40)], names=["series", "time"]),
)

QUICK = {"hidden_size": 4, "max_iter": 2, "random_state": 0}
STOPPED = {**QUICK, "callbacks": [Interrupt()]}
ESTIMATORS = {
    DynPMNNRegressor: (TABLE, NUMBERS),
    DynPMNNClassifier: (TABLE, LABELS),
    PETNNRegressor: (SERIES, NUMBERS),
    PETNNClassifier: (SERIES, LABELS),
    HSSMRegressor: (SERIES, NUMBERS),
    HSSMClassifier: (SERIES, LABELS),
    PETNNSeriesRegressor: (SERIES, NUMBERS),
    PETNNSeriesClassifier: (SERIES, LABELS),
    HSSMSeriesRegressor: (SERIES, NUMBERS),
    HSSMSeriesClassifier: (SERIES, LABELS),
}
SKLEARN = [kind for kind in ESTIMATORS if "Series" not in kind.__name__]
FORECASTERS = [PETNNForecaster, HSSMForecaster, DynPMNNForecaster]
WINDOWS = {"window_length": 6, "horizon": 2, "interval": None}


def of(kinds):
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.__name__)


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


@of(ESTIMATORS)
def test_an_interrupted_fit(kind):
    X, y = ESTIMATORS[kind]
    interrupted(lambda: kind(**STOPPED).fit(X, y))


@of(SKLEARN)
def test_an_interrupted_fit_that_goes_on(kind):
    X, y = ESTIMATORS[kind]
    model = kind(**QUICK, warm_start=True).fit(X, y).set_params(callbacks=[Interrupt()])
    interrupted(lambda: model.fit(X, y))
    model.set_params(early_stopping=True, warm_start=False)
    interrupted(lambda: model.fit(X, y, X_val=X, y_val=y))


@of(SKLEARN)
def test_a_diverging_fit(kind):
    class Poison(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and net.history[-1]["epoch"] == 2:
                with torch.no_grad():
                    next(net.module_.parameters()).fill_(np.nan)

    X, y = ESTIMATORS[kind]
    model = kind(**QUICK, callbacks=[Poison()])
    warned(lambda: model.fit(X, y), ConvergenceWarning, "no longer finite")


@of(SKLEARN)
def test_inside_of_sklearns_tools(kind):
    X, y = ESTIMATORS[kind]
    model, plain = kind(**STOPPED), FunctionTransformer()
    interrupted(lambda: make_pipeline(plain, model).fit(X, y))
    assert len(interrupted(lambda: cross_val_score(model, X, y, cv=2))) == 2
    search = GridSearchCV(model, {"hidden_size": [3, 4]}, cv=KFold(2))
    assert len(interrupted(lambda: search.fit(X, y))) == 5
    if kind.__name__.endswith("Regressor"):
        outer = make_pipeline(plain, TransformedTargetRegressor(model))
        interrupted(lambda: outer.fit(X, y))


@of(FORECASTERS)
def test_an_interrupted_forecaster(kind):
    stopped = {**STOPPED, **WINDOWS}
    interrupted(lambda: kind(**stopped).fit(Y))
    interrupted(lambda: kind(**stopped).fit(Y, fh=[1, 2]))
    assert len(interrupted(lambda: kind(**stopped).fit(PANEL))) == 2
    interrupted(lambda: kind(**stopped).fit_predict(Y, fh=[1]))


def test_forecasters_inside_of_sktimes_tools():
    model = PETNNForecaster(**STOPPED, **WINDOWS)
    detrended = TransformedTargetForecaster([Detrender(), model])
    interrupted(lambda: detrended.fit(Y))
    cv = SingleWindowSplitter(fh=[1, 2])
    interrupted(lambda: evaluate(model, cv, Y))
    search = ForecastingGridSearchCV(model, cv, {"hidden_size": [3, 4]}, backend="None")
    assert len(interrupted(lambda: search.fit(Y))) >= 3


@of([DynPMNNRegressor, DynPMNNClassifier])
def test_an_unstable_step(kind):
    X, y = ESTIMATORS[kind]
    model = kind(**QUICK, num_layers=2, solver="euler", n_steps=1, t_end=30.0)
    found = warned(lambda: model.fit(X, y), StabilityWarning, "is unstable")
    assert len(found) == 2  # one a layer
    warned(lambda: cross_val_score(model, X, y, cv=2), StabilityWarning, "is unstable")
    module = model.module_
    few = torch.as_tensor(X[:5], dtype=torch.float32)
    warned(lambda: module.check_stability(few), StabilityWarning, "is unstable")


@of([PETNNRegressor, PETNNClassifier, PETNNSeriesRegressor, PETNNSeriesClassifier])
def test_a_dead_timer(kind, monkeypatch):
    monkeypatch.setattr(nn.PETNN, "release_rate", lambda self, x, **options: torch.ones(1, 4))
    X, y = ESTIMATORS[kind]
    warned(lambda: kind(**QUICK).fit(X, y), UserWarning, "the timer is dead")
    pipeline = make_pipeline(FunctionTransformer(), kind(**QUICK))
    warned(lambda: pipeline.fit(X, y), UserWarning, "the timer is dead")


def test_intervals_of_a_series_too_short():
    model = PETNNForecaster(**QUICK, window_length=6, horizon=2).fit(Y[:9])
    warned(lambda: model.predict_interval([1]), UserWarning, "too short to hold out")


def test_a_checkpoint_that_cannot_be_written(tmp_path, monkeypatch):
    def full(self, state):
        raise OSError("No space left")

    monkeypatch.setattr(_saving, "INTERVAL", 0.0)
    monkeypatch.setattr(Checkpoint, "save", full)
    X, y = ESTIMATORS[PETNNRegressor]
    model = PETNNRegressor(**QUICK, checkpoint=tmp_path / "checkpoint")
    warned(lambda: model.fit(X, y), UserWarning, "cannot be written")


def test_a_gpu_without_a_working_triton(monkeypatch):
    monkeypatch.setattr(_dispatch, "has_triton", lambda: True)
    monkeypatch.setitem(sys.modules, "triton.runtime", None)
    _dispatch.triton_works.cache_clear()
    try:
        warned(lambda: _dispatch.choose_backend(OnAGpu, None), RuntimeWarning, "Triton cannot")
    finally:
        _dispatch.triton_works.cache_clear()


def test_a_second_fit_on_another_line_is_no_repetition():
    X, y = ESTIMATORS[HSSMRegressor]
    model = HSSMRegressor(**STOPPED)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        model.fit(X, y)
        model.fit(X, y)
    assert len(caught) == 2
    assert caught[0].lineno == caught[1].lineno - 1


def test_a_users_own_function_is_the_users_line():
    def fit(model):
        return model.fit(TABLE, NUMBERS)

    with pytest.warns(ConvergenceWarning, match="interrupted") as caught:
        fit(DynPMNNRegressor(**STOPPED))
    assert caught[0].lineno == fit.__code__.co_firstlineno + 1


def test_where_no_line_is_the_users_the_warning_is_issued_all_the_same():
    X, y = ESTIMATORS[DynPMNNRegressor]
    model = DynPMNNRegressor(**QUICK, solver="euler", n_steps=1, t_end=30.0)
    with pytest.warns(StabilityWarning), ThreadPoolExecutor(1) as pool:
        assert pool.submit(model.fit, X, y).result() is model
