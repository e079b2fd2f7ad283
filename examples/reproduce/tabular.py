"""Small tables: DynPMNN with its defaults against scikit-learn's models.

Means over KFold(5, shuffle=True, random_state=0), stratified for classes: accuracy, and
RMSE for diabetes. Banknote authentication is UCI's file ``data_banknote_authentication.txt``;
it takes part where ``--banknote`` names it.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_score
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor


def classifiers(seed, short):
    return {
        "DynPMNN": DynPMNNClassifier(random_state=seed, **short),
        "MLP": make_pipeline(StandardScaler(), MLPClassifier(max_iter=500, random_state=seed)),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=seed),
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
    }


def regressors(seed, short):
    return {
        "DynPMNN": DynPMNNRegressor(random_state=seed, **short),
        "MLP": make_pipeline(StandardScaler(), MLPRegressor(max_iter=500, random_state=seed)),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=seed),
        "linear": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one short seed, to see it run")
    parser.add_argument("--banknote", help="path of data_banknote_authentication.txt")
    options = parser.parse_args()

    tables = {
        "iris": load_iris(return_X_y=True),
        "breast cancer": load_breast_cancer(return_X_y=True),
        "diabetes": load_diabetes(return_X_y=True),
    }
    if options.banknote:
        rows = np.loadtxt(options.banknote, delimiter=",")
        tables["banknote"] = rows[:, :-1], rows[:, -1].astype(int)

    print(f"{'table':<14} {'model':<21} {'mean':>8} {'by seed':<28} {'fit, s':>7}")
    for name, (X, y) in tables.items():
        regression = name == "diabetes"
        folds = (KFold if regression else StratifiedKFold)(5, shuffle=True, random_state=0)
        scoring = "neg_root_mean_squared_error" if regression else "accuracy"
        build = regressors if regression else classifiers
        short = {"max_iter": 5} if options.quick else {}
        seeds = range(1 if options.quick else options.seeds)
        for model_name in build(0, short):
            start = time.perf_counter()
            means = [
                abs(
                    cross_val_score(build(s, short)[model_name], X, y, cv=folds, scoring=scoring)
                ).mean()
                for s in seeds
            ]
            seconds = (time.perf_counter() - start) / 5 / len(seeds)
            by_seed = " ".join(f"{m:.4f}" for m in means)
            print(
                f"{name:<14} {model_name:<21} {np.mean(means):>8.4f} {by_seed:<28} {seconds:>7.2f}"
            )


if __name__ == "__main__":
    main()
