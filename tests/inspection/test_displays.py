"""What all displays have in common."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNRegressor, HSSMClassifier, PETNNClassifier, inspection
from sklearn_physrnn.classification import PETNNSeriesClassifier

# Display, a fixture with an estimator for it, and what else is needed but X.
DISPLAYS = {
    "AttributionDisplay": ("hssm", {"n_steps": 2}),
    "CellEnergyDisplay": ("petnn", {}),
    "EchoDisplay": ("hssm", {}),
    "FrequencyDisplay": ("hssm", {}),
    "ModesDisplay": ("nonlinear_hssm", {}),
    "PhasePortraitDisplay": ("dynpmnn", {}),
    "PhysicalParametersDisplay": ("dynpmnn", {}),
    "StepStabilityDisplay": ("dynpmnn", {"n_steps": [4, 8]}),
}
FAMILY = {
    "hssm": HSSMClassifier, "nonlinear_hssm": HSSMClassifier, "petnn": PETNNClassifier,
    "dynpmnn": DynPMNNRegressor,
}  # fmt: skip


@pytest.fixture(params=list(DISPLAYS))
def case(request, series, table):
    name, options = DISPLAYS[request.param]
    X = table[0][:40] if name == "dynpmnn" else series[0]
    estimator = request.getfixturevalue(name)
    return getattr(inspection, request.param), FAMILY[name], estimator, X, options


def test_draws_on_given_axes_and_again(case, plt):
    Display, _, estimator, X, options = case
    figure, (_, ax) = plt.subplots(1, 2, figsize=(12, 6), layout="constrained")
    display = Display.from_estimator(estimator, X, ax=ax, **options)
    assert display.figure_ is figure
    figure.canvas.draw()
    axes = display.axes_ if hasattr(display, "axes_") else [display.ax_]
    axes = np.ravel(axes)
    assert min(a.get_position().x0 for a in axes) > 0.45
    assert display.plot() is display
    assert display.figure_ is not figure
    assert display.figure_.number in plt.get_fignums()


def test_nothing_is_cut_off(case, plt):
    Display, _, estimator, X, options = case
    figure = Display.from_estimator(estimator, X, **options).figure_
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    width, height = figure.bbox.size
    for axes in figure.axes:
        if not axes.axison:
            continue
        box = axes.get_tightbbox(renderer)
        assert box.x0 > -1
        assert box.y0 > -1
        assert box.x1 < width + 1
        assert box.y1 < height + 1


def test_refuses_other_estimators(case, plt):
    Display, family, estimator, X, options = case
    with pytest.raises(NotFittedError):
        Display.from_estimator(family(), X, **options)
    with pytest.raises(TypeError, match=r"estimator must be .*, got Ridge"):
        Display.from_estimator(Ridge().fit([[0], [1]], [0, 1]), X, **options)
    pipe = make_pipeline(StandardScaler(), estimator)
    with pytest.raises(TypeError, match=r"give the last step, pipe\[-1\]"):
        Display.from_estimator(pipe, X, **options)


def test_points_to_the_estimator_inside_sktime_s(series, plt):
    X, y = series
    model = PETNNSeriesClassifier(4, max_iter=1, random_state=0).fit(X.transpose(0, 2, 1), y > 0)
    with pytest.raises(
        TypeError, match="Give its classifier_, a PETNNClassifier, and X with time"
    ):
        inspection.release_rates(model, X)
    assert len(inspection.release_rates(model.classifier_, X)) == 4


def test_single_step(petnn, hssm, nonlinear_hssm, plt):
    X = np.ones((1, 1, 2))
    for Display, model in (
        (inspection.CellEnergyDisplay, petnn),
        (inspection.EchoDisplay, hssm),
        (inspection.ModesDisplay, nonlinear_hssm),
        (inspection.AttributionDisplay, petnn),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            # Of matplotlib's own dependencies, where they are newer than it.
            warnings.simplefilter("ignore", DeprecationWarning)
            Display.from_estimator(model, X).figure_.canvas.draw()


def test_needs_a_subplot_to_divide(petnn, series, plt):
    ax = plt.figure().add_axes((0.1, 0.1, 0.8, 0.8))
    with pytest.raises(ValueError, match="ax must be a subplot"):
        inspection.CellEnergyDisplay.from_estimator(petnn, series[0], ax=ax)


def test_missing_matplotlib_is_named(case, monkeypatch):
    Display, _, estimator, X, options = case
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=rf"{Display.__name__}.*sklearn-physrnn\[plot\]"):
        Display.from_estimator(estimator, X, **options)


def test_functions_need_no_matplotlib(petnn, hssm, dynpmnn, series, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    assert isinstance(inspection.release_rates(petnn, series[0]), pd.DataFrame)
    assert isinstance(inspection.mode_frequencies(hssm), pd.DataFrame)
    assert isinstance(inspection.physical_parameters(dynpmnn), pd.DataFrame)
    assert isinstance(inspection.step_stability(dynpmnn, table[0][:9], n_steps=[8]), pd.DataFrame)
    inspection.integrated_gradients(hssm, series[0][:1], n_steps=1)


def test_all_displays_are_covered():
    names = {name for name in inspection.__all__ if name.endswith("Display")}
    elsewhere = {
        "ForecastDisplay", "GradientAgreementDisplay", "SequenceImportanceDisplay",
        "TrainingHistoryDisplay",
    }  # fmt: skip
    assert names == set(DISPLAYS) | elsewhere
