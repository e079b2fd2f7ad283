"""sktime's own tools around the forecasters, as a user puts them together."""

import copy

import numpy as np
import pandas as pd
import pytest
from sktime.datasets import load_airline, load_longley
from sktime.forecasting.base import ForecastingHorizon
from sktime.forecasting.compose import ForecastingPipeline, TransformedTargetForecaster
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.trend import PolynomialTrendForecaster
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter, SlidingWindowSplitter
from sktime.transformations.series.detrend import Detrender
from sktime.transformations.series.exponent import ExponentTransformer
from sktime.utils._testing.hierarchical import _make_hierarchical

from sklearn_physrnn.forecasting import PETNNForecaster
from tests.families import FORECASTERS

SMALL = {"hidden_size": 4, "window_length": 12, "horizon": 6, "max_iter": 1, "random_state": 0}

# Of sktime's own objects, on what its next version will do.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")


@pytest.fixture
def y():
    return load_airline()


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_grid_search(forecaster, y):
    cv = ExpandingWindowSplitter(fh=[1, 2, 3], initial_window=100, step_length=20)
    search = ForecastingGridSearchCV(
        forecaster(**SMALL), cv, {"window_length": [12, 18], "interval": ["conformal", None]}
    )
    search.fit(y)
    assert len(search.cv_results_) == 4
    assert search.best_forecaster_.window_length == search.best_params_["window_length"]
    assert list(search.predict(fh=[1, 14]).index) == list(
        pd.PeriodIndex(["1961-01", "1962-02"], freq="M")
    )


def test_grid_search_with_exogenous_data():
    y, X = load_longley()
    cv = ExpandingWindowSplitter(fh=[1], initial_window=12, step_length=2)
    small = SMALL | {"window_length": 4, "horizon": 2}
    search = ForecastingGridSearchCV(PETNNForecaster(**small), cv, {"hidden_size": [2, 4]})
    search.fit(y[:-1], X[:-1])
    assert np.isfinite(search.predict(fh=[1], X=X[-1:])).all()


def test_target_pipeline(y):
    pipeline = TransformedTargetForecaster(
        [
            ("log", ExponentTransformer(power=0.5)),
            ("trend", Detrender(PolynomialTrendForecaster(degree=1))),
            ("forecast", PETNNForecaster(**SMALL)),
        ]
    ).fit(y[:-12])
    assert (pipeline.predict(fh=range(1, 13)) > 100).all()
    interval = pipeline.predict_interval(fh=range(1, 13))
    assert (interval.iloc[:, 0] < interval.iloc[:, 1]).all()
    pipeline.update(y[-12:-6])
    assert pipeline.predict(fh=[1]).index[0] == y.index[-6]


def test_exogenous_pipeline():
    y, X = load_longley()
    pipeline = ForecastingPipeline(
        [
            ("half", ExponentTransformer(power=0.5)),
            ("forecast", PETNNForecaster(**(SMALL | {"window_length": 4, "horizon": 2}))),
        ]
    )
    pipeline.fit(y[:-2], X[:-2])
    assert np.isfinite(pipeline.predict(fh=[1, 2], X=X[-2:])).all()


@pytest.mark.parametrize("strategy", ["refit", "update", "no-update_params"])
def test_evaluate(y, strategy):
    cv = ExpandingWindowSplitter(fh=range(1, 7), initial_window=120, step_length=6)
    results = evaluate(
        PETNNForecaster(**SMALL), cv, y, strategy=strategy, scoring=MeanAbsoluteError(),
        error_score="raise", return_data=True,
    )  # fmt: skip
    assert len(results) == 4
    for test, prediction in zip(results["y_test"], results["y_pred"], strict=True):
        assert list(test.index) == list(prediction.index)


def test_update_predict(y):
    model = PETNNForecaster(**SMALL).fit(y[:100])
    cv = SlidingWindowSplitter(fh=[1, 2], window_length=5, step_length=1)
    before = model.predict([1])
    moved = model.update_predict(y[100:], cv, update_params=False, reset_forecaster=True)
    pd.testing.assert_series_equal(model.predict([1]), before)
    assert len(moved.columns) == len(y) - 100 - 5 - 1
    # Each forecast is the one that a forecaster told so much by hand makes.
    told = copy.deepcopy(model).update(y[100:110], update_params=False)
    np.testing.assert_allclose(moved[y.index[109]].dropna(), told.predict([1, 2]), rtol=1e-10)


def test_hierarchy_takes_one_forecaster_each():
    y = _make_hierarchical((2, 2), min_timepoints=40, max_timepoints=40, random_state=0)
    model = PETNNForecaster(**SMALL).fit(y)
    prediction = model.predict(fh=[1, 8])
    assert len(prediction) == 8
    assert model.forecasters_.shape == (4, 1)
    key = ("h0_1", "h1_0")
    alone = PETNNForecaster(**SMALL).fit(y.loc[key]).predict(fh=[1, 8])
    np.testing.assert_array_equal(prediction.loc[key], alone)
    model.update(_make_hierarchical((2, 2), min_timepoints=40, max_timepoints=40, random_state=0))
    assert model.predict_interval(fh=[1]).shape == (4, 2)


# -- pretraining -------------------------------------------------------------------------


def make_panel(n_series=4, n=60, X=False):
    rng = np.random.default_rng(0)
    index = pd.MultiIndex.from_product(
        [range(n_series), pd.date_range("2000-01-01", periods=n, freq="D")],
        names=["series", "day"],
    )
    phase = np.repeat(rng.uniform(0, 7, size=n_series), n)
    level = np.repeat(10.0 ** np.arange(n_series), n)
    wave = np.sin(2 * np.pi * (np.tile(np.arange(n), n_series) + phase) / 7)
    y = pd.DataFrame({"y": level * (3 + wave)}, index)
    if not X:
        return y
    return y, pd.DataFrame({"a": rng.normal(size=len(y))}, index)


def one_series(y):
    return y.loc[0]["y"].asfreq("D")


@pytest.mark.parametrize("forecaster", FORECASTERS)
def test_fit_keeps_pretrained_weights(forecaster):
    panel = make_panel()
    model = forecaster(**SMALL).pretrain(panel)
    pretrained = [p.detach().clone() for p in model.pretrained_.module.parameters()]
    y = one_series(panel)
    model.fit(y)
    for p, q in zip(model.module_.parameters(), pretrained, strict=True):
        assert (p == q).all()
    assert not np.allclose(model.predict([1]), forecaster(**SMALL).fit(y).predict([1]), rtol=1e-4)
    # Training on leaves what was pretrained alone.
    model.update(y[-5:])
    assert any((p != q).any() for p, q in zip(model.module_.parameters(), pretrained, strict=True))
    for p, q in zip(model.pretrained_.module.parameters(), pretrained, strict=True):
        assert (p == q).all()


def test_pretraining_serves_a_series_too_short_to_learn_from():
    setting = SMALL | {"max_iter": 40, "learning_rate_init": 0.01, "dropout": 0.0}
    model = PETNNForecaster(**setting).pretrain(make_panel(8))
    new = np.sin(2 * np.pi * (np.arange(21) + 2.5) / 7)
    index = pd.RangeIndex(21)
    y = pd.Series(50 + 5 * new, index)
    prediction = model.fit(y[:15]).predict(fh=range(1, 7))
    assert np.abs(prediction - y[15:]).mean() < np.abs(y[15:] - y[14]).mean() / 3
    interval = model.predict_interval(fh=[1, 2])
    assert (interval.iloc[:, 0] < interval.iloc[:, 1]).all()


def test_pretraining_goes_on():
    panel = make_panel()
    once = PETNNForecaster(**SMALL).pretrain(panel)
    twice = once.clone()
    first = twice.pretrained_.module
    twice.pretrain(panel)
    for p, q in zip(first.parameters(), once.pretrained_.module.parameters(), strict=True):
        assert (p == q).all()  # left alone, should training fail
    assert len(twice.pretrained_.loss_curve) == 2 * len(once.pretrained_.loss_curve)
    assert twice.pretrained_.loss_curve[-1] < once.pretrained_.loss_curve[-1]


def test_pretraining_with_exogenous_data_and_calendar():
    y, X = make_panel(X=True)
    model = PETNNForecaster(**SMALL, calendar="auto", early_stopping=True).pretrain(y, X)
    rows = X.loc[0].asfreq("D")
    model.fit(one_series(y)[:50], rows[:50])
    assert np.isfinite(model.predict([1, 8], rows[50:])).all()


def test_pretrained_weights_serve_every_series_of_a_panel():
    panel = make_panel()
    model = PETNNForecaster(**SMALL).pretrain(panel).fit(panel)
    inner = model.forecasters_.iloc[2, 0]
    for p, q in zip(
        inner.module_.parameters(), model.pretrained_.module.parameters(), strict=True
    ):
        assert (p == q).all()


def test_absolute_horizons(y):
    model = PETNNForecaster(**SMALL).fit(y)
    fh = ForecastingHorizon(pd.PeriodIndex(["1961-03", "1961-09"], freq="M"), is_relative=False)
    np.testing.assert_array_equal(model.predict(fh), model.predict([3, 9]))
