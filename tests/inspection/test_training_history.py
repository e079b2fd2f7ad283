"""The picture of a training."""

import copy

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor
from sktime.datasets import load_airline

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.inspection import TrainingHistoryDisplay


@pytest.fixture(scope="module")
def stopped(table):
    X, y = table
    model = DynPMNNRegressor(
        8, early_stopping=True, validation_fraction=0.3, n_iter_no_change=3, max_iter=60,
        learning_rate_init=0.05, random_state=0,
    )  # fmt: skip
    return model.fit(X, y)


def test_draws_the_curves(stopped, plt):
    display = TrainingHistoryDisplay.from_estimator(stopped)
    expected = {
        "train_loss": stopped.loss_curve_,
        "validation_loss": stopped.validation_loss_curve_,
        "validation_score": stopped.validation_scores_,
    }
    for name, curve in expected.items():
        x, y = display.lines_[name].get_data()
        np.testing.assert_array_equal(x, np.arange(1, stopped.n_iter_ + 1))
        np.testing.assert_allclose(y, curve)
        np.testing.assert_allclose(display.history[name], curve)
    assert display.lines_["train_loss"].axes is display.axes_[0]
    assert display.lines_["validation_score"].axes is display.axes_[1]
    assert "R^2" in display.axes_[1].get_ylabel()
    assert display.axes_[-1].get_xlabel() == "epoch"


def test_marks_the_epoch_whose_weights_are_kept(stopped, table, plt):
    display = TrainingHistoryDisplay.from_estimator(stopped)
    best = display.best_epoch
    assert 1 <= best < stopped.n_iter_
    assert stopped.validation_loss_curve_[best - 1] == stopped.best_loss_
    for axes in display.axes_:
        assert any(np.array_equal(line.get_xdata(), [best, best]) for line in axes.lines)
    # Without early stopping the last weights are kept, whatever was the best epoch.
    X, y = table
    model = DynPMNNRegressor(8, max_iter=3, random_state=0).fit(X, y, X_val=X[:50], y_val=y[:50])
    assert TrainingHistoryDisplay.from_estimator(model).best_epoch is None


def test_learning_rate_where_it_is_kept(stopped, plt):
    model = copy.copy(stopped)
    rates = model.learning_rate_curve_ = [0.01 / (k + 1) for k in range(stopped.n_iter_)]
    display = TrainingHistoryDisplay.from_estimator(model)
    assert len(display.axes_) == 3
    line = display.lines_["learning_rate"]
    np.testing.assert_allclose(line.get_ydata(), rates)
    assert line.axes is display.axes_[-1]


def test_training_alone_and_a_single_epoch(table, plt):
    X, y = table
    model = DynPMNNClassifier(4, max_iter=1, random_state=0).fit(X, y > 150)
    display = TrainingHistoryDisplay.from_estimator(model)
    assert set(display.history) == {"train_loss", "learning_rate"}
    line = display.lines_["train_loss"]
    np.testing.assert_allclose(line.get_ydata(), model.loss_curve_)
    assert line.get_marker() == "o"  # a line of one point would not be seen


def test_forecasters_training_and_what_followed(plt):
    y = load_airline()
    model = PETNNForecaster(
        8, max_iter=60, early_stopping=True, n_iter_no_change=3, random_state=0
    ).fit(y[:-12])
    history = TrainingHistoryDisplay.from_estimator(model).history
    first, refit = model.validation_loss_curve_, model.loss_curve_
    assert len(refit) < len(first)  # trained anew for as many epochs as were best
    assert model.best_loss_ == min(first)
    np.testing.assert_allclose(history["validation_loss"], first)
    np.testing.assert_allclose(history["train_loss"][: len(refit)], refit)
    assert history["train_loss"][len(refit) :].isna().all()

    model.update(y[-12:])
    history = TrainingHistoryDisplay.from_estimator(model).history
    assert model.best_loss_ == min(first)
    assert model.validation_loss_curve_ == first
    np.testing.assert_allclose(history["validation_loss"][: len(first)], first)
    np.testing.assert_allclose(history["train_loss"][: model.n_iter_], model.loss_curve_)


def test_warm_start_that_began_without_validation(table, plt):
    X, y = table
    model = DynPMNNRegressor(4, max_iter=2, random_state=0, warm_start=True).fit(X, y)
    model.fit(X, y, X_val=X[:50], y_val=y[:50])
    history = TrainingHistoryDisplay.from_estimator(model).history
    assert history["validation_loss"].isna().tolist() == [True, True, False, False]
    np.testing.assert_allclose(history["validation_loss"][2:], model.validation_loss_curve_)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_network_of_scikit_learn(table, plt):
    model = MLPRegressor(hidden_layer_sizes=4, max_iter=3, early_stopping=True, random_state=0)
    model.fit(*table)
    display = TrainingHistoryDisplay.from_estimator(model)
    assert set(display.history) == {"train_loss", "validation_score"}
    np.testing.assert_allclose(display.history["train_loss"], model.loss_curve_)


def test_refuses(plt):
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(DynPMNNRegressor())
    with pytest.raises(TypeError, match="loss_curve_"):
        TrainingHistoryDisplay.from_estimator(LinearRegression().fit([[0], [1]], [0, 1]))
