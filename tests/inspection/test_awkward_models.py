"""Displays of awkward models say nothing false, and nothing is cut."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_diabetes, load_digits

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    PETNNClassifier,
    PETNNRegressor,
)
from sklearn_physrnn.inspection import (
    AttributionDisplay,
    CellEnergyDisplay,
    EchoDisplay,
    PhasePortraitDisplay,
    PhysicalParametersDisplay,
    StepStabilityDisplay,
)

LONG = "mean residential energy use of the last {} quarters (kWh)"


@pytest.fixture(scope="module")
def sequences():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 20, 1)), np.arange(12) % 2


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    names = np.array([f"a digit that is written as {k}" for k in range(10)])
    return DynPMNNClassifier(8, max_iter=8, random_state=0).fit(X[:300], names[y[:300]]), X[:60]


def _is_whole(figure):
    """Whether nothing reaches beyond the figure."""
    figure.canvas.draw()
    width, height = figure.get_size_inches()
    drawn = [figure.get_tightbbox()]
    # Those above all panels are no part of the layout.
    legends = [axes.get_legend() for axes in figure.axes]
    scale = figure.dpi_scale_trans.inverted()
    drawn += [x.get_window_extent().transformed(scale) for x in legends if x is not None]
    slack = 0.03
    return all(
        box.x0 >= -slack
        and box.y0 >= -slack
        and box.x1 <= width + slack
        and box.y1 <= height + slack
        for box in drawn
    )


@pytest.mark.parametrize("hidden_size", [1, 9])
def test_releases_of_few_neurons_are_drawn(hidden_size, sequences, plt):
    X, y = sequences
    model = PETNNRegressor(hidden_size, max_iter=2, random_state=0).fit(X, y)
    neurons = list(range(hidden_size))
    display = CellEnergyDisplay.from_estimator(model, X, neurons=neurons)
    rows = np.unique(display.raster_.get_coordinates()[..., 1])
    np.testing.assert_allclose(np.diff(rows), 1.0)
    assert len(rows) == hidden_size + 1
    assert _is_whole(display.figure_)
    # Nothing that was said above the panels was taken from them.
    heights = [axes.get_position().height for axes in display.axes_[:4]]
    assert min(heights) > 0.1
    widths = [axes.get_position().width for axes in display.axes_[:4]]
    assert min(widths) > 0.5


def test_long_names_of_channels_leave_room_for_the_panels(plt):
    rng = np.random.default_rng(0)
    X = [pd.DataFrame(rng.normal(size=(20, 3)), columns=[LONG.format(k) for k in range(3)])] * 8
    model = PETNNClassifier(4, max_iter=2, random_state=0).fit(X, np.arange(8) % 2)
    display = CellEnergyDisplay.from_estimator(model, X)
    assert _is_whole(display.figure_)
    assert display.axes_[0].get_position().width > 0.5
    shown = [text.get_text() for text in display.axes_[0].get_legend().get_texts()]
    assert all(len(text) <= 24 for text in shown)
    display = AttributionDisplay.from_estimator(model, X)
    assert _is_whole(display.figure_)


def test_each_of_many_classes_has_its_colour(digits, plt):
    model, X = digits
    display = PhasePortraitDisplay.from_estimator(model, X)
    predicted = model.predict(X)
    colors = {tuple(c) for c in display.ends_[0].get_facecolors()}
    assert len(colors) == len(set(predicted)) > 7
    (bar,) = [axes for axes in display.figure_.axes if axes.get_label() == "<colorbar>"]
    ticks = [tick.get_text() for tick in bar.get_yticklabels()]
    assert len(ticks) == len(colors)
    assert all(tick[0] == "a" and tick[-1] in "0123456789" for tick in ticks)
    assert _is_whole(display.figure_)


def test_one_neuron_s_legend_is_whole(digits, plt):
    model, X = digits
    display = PhasePortraitDisplay.from_estimator(model, X, neurons=[0])
    assert _is_whole(display.figure_)


def test_a_small_subplot_holds_its_legend(digits, plt):
    model, X = digits
    figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    display = PhasePortraitDisplay.from_estimator(model, X, neurons=[0, 1], ax=axes[0])
    figure.canvas.draw()
    for frame in figure.axes:
        legend = frame.get_legend()
        if legend is not None:
            assert legend.get_window_extent().x1 <= figure.bbox.width / 2 + 5
    assert len(display.axes_) == 2


def test_the_colour_of_several_targets_is_the_first_s(plt):
    X, y = load_diabetes(return_X_y=True)
    model = DynPMNNRegressor(6, max_iter=2, random_state=0).fit(X, np.c_[y, -y])
    display = PhasePortraitDisplay.from_estimator(model, X, neurons=[0])
    (bar,) = [axes for axes in display.figure_.axes if axes.get_label() == "<colorbar>"]
    assert bar.get_ylabel() == "prediction of the first target"


def test_long_names_of_columns_are_shortened_and_keep_their_values(plt):
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    X.columns = [LONG.format(k) for k in range(10)]
    model = DynPMNNRegressor(6, max_iter=2, random_state=0).fit(X, y)
    display = AttributionDisplay.from_estimator(model, X, sample=3)
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert all("…" in label and " = " in label for label in labels)
    assert _is_whole(display.figure_)


def test_a_long_text_shows_its_strongest_tokens_in_order(plt):
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 50, size=(10, 117)), np.arange(10) % 2
    model = PETNNClassifier(4, vocabulary_size=50, max_iter=2, random_state=0).fit(X, y)
    display = AttributionDisplay.from_estimator(model, X, names=[f"w{k}" for k in range(50)])
    strongest = np.sort(np.argsort(-np.abs(display.attributions[:, 0]), kind="stable")[:40])
    labels = [label.get_text() for label in display.axes_[0].get_yticklabels()]
    assert labels == [f"w{k}" for k in X[0][strongest]]
    assert display.axes_[0].get_ylabel() == "the strongest 40 of 117 tokens"
    assert display.figure_.get_figheight() < 13


def test_constants_have_axes_of_their_own(plt):
    X, y = load_diabetes(return_X_y=True)
    model = DynPMNNRegressor(20, num_layers=3, max_iter=2, random_state=0).fit(X, y)
    display = PhysicalParametersDisplay.from_estimator(model, X)
    for axes, counts in zip(display.axes_.ravel(), display.counts_.reshape(-1, 20), strict=True):
        assert counts.max() <= axes.get_ylim()[1] <= 2.2 * counts.max() + 10


def test_steps_beyond_the_axis_are_marked(plt):
    X, y = load_diabetes(return_X_y=True)
    model = DynPMNNRegressor(6, max_iter=2, random_state=0).fit(X, y)
    display = StepStabilityDisplay.from_estimator(model, X[:50])
    table = display.stability
    for layer, marks in enumerate(display.beyond_):
        beyond = table[(table["layer"] == layer) & (table["worst_growth"] > 2)]["dt"]
        np.testing.assert_allclose(np.sort(marks.get_xdata()), np.sort(beyond))
    assert sum(len(marks.get_xdata()) for marks in display.beyond_) > 0


def test_an_echo_without_a_difference_says_so(sequences, plt):
    X, y = sequences
    model = HSSMClassifier(4, 4, max_iter=2, random_state=0).fit(X, y)
    display = EchoDisplay.from_estimator(model, X)
    energies = display.energies.copy()
    energies["echo"], energies["echo_float32"] = energies["free"], energies["free_float32"]
    display.energies = energies
    display.plot()
    texts = [text.get_text() for text in display.axes_[2].texts]
    assert texts == ["no difference"]
