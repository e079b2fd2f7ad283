"""Train every model family on real data, beside scikit-learn's baselines on the same split.

Prints one table and saves one figure, ``quickstart.png`` or the path given as argument.
California Housing joins in where scikit-learn has it or can download it.
"""

import socket
import sys
import time
import warnings

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.datasets import fetch_california_housing, load_breast_cancer, load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegressionCV, RidgeCV
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sktime.datasets import load_basic_motions, load_italy_power_demand

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    PETNNClassifier,
)
from sklearn_physrnn.inspection import PhasePortraitDisplay


def california():
    """Load California Housing, or give None where it cannot be had."""
    socket.setdefaulttimeout(10)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its retries: the line below says enough
            return fetch_california_housing(return_X_y=True, as_frame=True, n_retries=1)
    except OSError:
        print("California Housing is not on this machine and cannot be downloaded: left out.\n")
        return None
    finally:
        socket.setdefaulttimeout(None)


def panel(load):
    """Load one of sktime's panels with time before channels, as train and test."""
    parts = []
    for split in ("train", "test"):
        X, y = load(split=split, return_type="numpy3D")
        parts.append((X.transpose(0, 2, 1), y))
    (X, y), (X_test, y_test) = parts
    return X, X_test, y, y_test


def on_rows(model):
    """Let a model for tables see each series as one row."""
    flatten = FunctionTransformer(lambda X: X.reshape(len(X), -1))
    return make_pipeline(flatten, StandardScaler(), model)


def compare(name, data, models, score, unit):
    """Fit each model, print its line, and return the lines as records."""
    X_train, X_test, y_train, y_test = data
    records = []
    if score is rmse:
        constant = np.sqrt(np.mean((y_test - np.mean(y_train)) ** 2))
    else:
        constant = 1 - np.mean(y_test == pd.Series(y_train).mode()[0])
    for model_name, model in models.items():
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the baselines' convergence is not our subject
            model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
        value = score(model, X_test, y_test)
        print(f"{name:<20} {model_name:<26} {value:>8.3f}  {unit:<10} {seconds:>6.1f}")
        error = value if score is rmse else 1 - value
        records.append({"data": name, "model": model_name, "error": error / constant})
    return records


def rmse(model, X, y):
    """Root mean squared error in the units of y."""
    return root_mean_squared_error(y, model.predict(X))


def accuracy(model, X, y):
    """Share of correct labels."""
    return model.score(X, y)


def draw(results, regressor, X, path):
    """Draw the scores beside phase portraits of the fitted regressor's busiest neurons."""
    blue, grey = "#0072B2", "#999999"
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(12, 5.2), width_ratios=(1, 1.15), layout="constrained"
    )

    # Errors relative to a constant prediction's, so that all sets share an axis.
    names = results["data"].drop_duplicates().tolist()[::-1]
    for row, name in enumerate(names):
        part = results[results["data"] == name]
        error = part["error"]
        ours = part["model"].str.contains("DynPMNN|PETNN|HSSM")
        left.plot([error.min(), error.max()], [row, row], color="#dddddd", zorder=1)
        for is_ours, color, marker in ((False, grey, "o"), (True, blue, "D")):
            chosen = error[ours == is_ours]
            left.scatter(chosen, [row] * len(chosen), color=color, marker=marker, s=46, zorder=2)
    left.scatter([], [], color=blue, marker="D", label="sklearn_physrnn")
    left.scatter([], [], color=grey, marker="o", label="scikit-learn baselines")
    left.set_xlim(left=-0.02)
    left.set_yticks(range(len(names)), names)
    left.set_xlabel("test error, as a share of a constant prediction's")
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False)
    left.spines[["top", "right"]].set_visible(False)

    PhasePortraitDisplay.from_estimator(regressor, X, ax=right)
    figure.savefig(path, dpi=130)
    print(f"\nFigure saved to {path}")


def main(path="quickstart.png"):
    """Run everything."""
    print(f"{'data':<20} {'model':<26} {'score':>8}  {'':<10} {'fit, s':>6}")
    records = []

    housing = california()
    tables = {"diabetes": (load_diabetes(return_X_y=True, as_frame=True), "RMSE")}
    if housing is not None:
        tables["California Housing"] = (housing, "RMSE 100k$")
    for name, ((X, y), unit) in tables.items():
        data = train_test_split(X, y, test_size=0.2, random_state=0)
        regressor = DynPMNNRegressor(random_state=0)
        models = {
            "DynPMNNRegressor": regressor,
            "MLPRegressor": make_pipeline(
                StandardScaler(),
                MLPRegressor(hidden_layer_sizes=(128, 128), early_stopping=True, random_state=0),
            ),
            "HistGradientBoosting": HistGradientBoostingRegressor(random_state=0),
            "RidgeCV": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))),
        }
        records += compare(name, data, models, rmse, unit)

    linear = make_pipeline(StandardScaler(), LogisticRegressionCV())
    data = train_test_split(*load_breast_cancer(return_X_y=True), test_size=0.3, random_state=0)
    models = {
        "DynPMNNClassifier": DynPMNNClassifier(random_state=0),
        "MLPClassifier": make_pipeline(
            StandardScaler(), MLPClassifier(hidden_layer_sizes=(128, 128), random_state=0)
        ),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=0),
        "LogisticRegressionCV": linear,
    }
    records += compare("breast cancer", data, models, accuracy, "accuracy")

    for name, load in (
        ("ItalyPowerDemand", load_italy_power_demand),
        ("BasicMotions", load_basic_motions),
    ):
        models = {
            "PETNNClassifier": PETNNClassifier(random_state=0),
            "HSSMClassifier": HSSMClassifier(random_state=0),
            "MLPClassifier": on_rows(MLPClassifier(hidden_layer_sizes=(128, 128), random_state=0)),
            "HistGradientBoosting": on_rows(HistGradientBoostingClassifier(random_state=0)),
        }
        records += compare(name, panel(load), models, accuracy, "accuracy")

    draw(pd.DataFrame(records), regressor, X, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
