"""Defaults on seventeen tables: DynPMNN beside boosted trees, a linear model and a perceptron.

Means over five folds (shuffled by the seed 0, stratified for classes): root mean squared error
in standard deviations of y, and for classes log loss and error rate. The perceptron is trained by
DynPMNN's engine, with its settings. At the end: ranks, and where ours is more than 5 % above the
best of the others.
"""

import time

import numpy as np
from _report import Report, n_parameters, parser, read
from _tables import classifications, regressions
from _tabular_peers import CLASSIFIERS, REGRESSORS
from scipy.stats import rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor

OURS = "DynPMNN"
NEAR = "DynPMNN, neighbors"
PERCEPTRON = "MLP, same training"


def regressors(seed, options):
    """Name every regressor."""
    ours = {"random_state": seed, "device": options.device}
    if options.quick:
        ours["max_iter"] = 2
    return {
        OURS: DynPMNNRegressor(**ours),
        NEAR: DynPMNNRegressor(neighbors="auto", **ours),
        PERCEPTRON: REGRESSORS[PERCEPTRON](**ours),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=seed),
        "linear": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))),
    }


def classifiers(seed, options):
    """Name every classifier."""
    ours = {"random_state": seed, "device": options.device}
    if options.quick:
        ours["max_iter"] = 2
    return {
        OURS: DynPMNNClassifier(**ours),
        NEAR: DynPMNNClassifier(neighbors="auto", **ours),
        PERCEPTRON: CLASSIFIERS[PERCEPTRON](**ours),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=seed),
        "linear": make_pipeline(StandardScaler(), LogisticRegression()),
    }


def errors(model, X, y, regression):
    """Give each metric's mean over folds, and whether a place was found in each."""
    folds = (KFold if regression else StratifiedKFold)(5, shuffle=True, random_state=0)
    found, places = [], []
    for train, test in folds.split(X, y):
        model.fit(X[train], y[train])
        if regression:
            off = model.predict(X[test]) - y[test]
            found.append([np.sqrt(np.mean(off**2)) / np.std(y)])
        else:
            shares = model.predict_proba(X[test])
            wrong = np.mean(model.classes_[shares.argmax(1)] != y[test])
            found.append([log_loss(y[test], shares, labels=model.classes_), wrong])
        if getattr(model, "neighbors", None) is not None:
            place = model._prepared.inputs.place
            places.append("none" if place is None else "+".join(map(str, place.columns)))
    return np.mean(found, axis=0), " ".join(places)


def ranks(report):
    """Print mean ranks without what others do not have, and where ours is behind."""
    means = {}
    for row in report.rows:
        key = row["data"], row["metric"]
        means.setdefault(key, {}).setdefault(row["model"], []).append(row["value"])
    for metrics in (("RMSE / deviation", "log loss"), ("RMSE / deviation", "error rate")):
        placed = []
        for (data, metric), values in means.items():
            values = {name: np.mean(v) for name, v in values.items() if name != NEAR}
            if metric not in metrics or len(values) < 2 or OURS not in values:
                continue
            placed.append(rankdata(list(values.values())))
            best = min(v for name, v in values.items() if name != OURS)
            if values[OURS] > 1.05 * best:
                print(f"{data}: {metric} {values[OURS] / best:.2f} times the best of the others")
        if placed:
            shown = zip(values, np.mean(placed, axis=0), strict=True)
            print(f"mean rank, {' and '.join(metrics)}:", {n: round(r, 2) for n, r in shown})


def main(arguments=None):
    options = parser(__doc__)
    options.add_argument("--data", default="", help="tables whose name contains this")
    options.add_argument("--only", default="", help="models whose name contains this")
    options.add_argument("--first-seed", type=int, default=0)
    options = read(options, arguments)
    kinds = [
        (True, regressions(), regressors),
        (False, classifications(options.data_home), classifiers),
    ]
    if options.quick:
        kinds = [(r, dict([next(iter(tables.items()))]), make) for r, tables, make in kinds]
    jobs = [
        (name, X, y, regression, make)
        for regression, tables, make in kinds
        for name, (X, y) in tables.items()
        if options.data in name
    ]
    names = [name for name in regressors(0, options) if options.only in name]
    rows = sum(len(names) * (1 if job[3] else 2) for job in jobs) * options.seeds
    report = Report("defaults", options, rows)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for data, X, y, regression, make in jobs:
            for name in names:
                model = make(seed, options)[name]
                start = time.perf_counter()
                values, detail = errors(model, X, y, regression)
                seconds = (time.perf_counter() - start) / 5
                metrics = ("RMSE / deviation",) if regression else ("log loss", "error rate")
                for metric, value in zip(metrics, values, strict=True):
                    report.add(
                        data=data, model=name, seed=seed, metric=metric, value=value,
                        parameters=n_parameters(model), seconds=seconds, detail=detail,
                    )  # fmt: skip
    report.summary()
    ranks(report)


if __name__ == "__main__":
    main()
