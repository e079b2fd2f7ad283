"""Small tables: DynPMNN with its defaults against other networks and scikit-learn's models.

Means over KFold(5, shuffle=True, random_state=0), stratified for classes: accuracy, and
RMSE for diabetes. Neural ODE, CfC and one multilayer perceptron are trained by DynPMNN's
engine, with its settings.
"""

import time

import numpy as np
from _report import Report, get, n_parameters, parser, read
from _tabular_peers import CLASSIFIERS, REGRESSORS
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.datasets import load_banknote


def models(regression, seed, options):
    """Name every model, for a regression or a classification."""
    ours = {"random_state": seed, "device": options.device}
    if options.quick:
        ours["max_iter"] = 2
    theirs = {"max_iter": 20 if options.quick else 500, "random_state": seed}
    if regression:
        return {
            "DynPMNN": DynPMNNRegressor(**ours),
            **{name: peer(**ours) for name, peer in REGRESSORS.items()},
            "MLPRegressor": make_pipeline(StandardScaler(), MLPRegressor(**theirs)),
            "HistGradientBoosting": HistGradientBoostingRegressor(random_state=seed),
            "RidgeCV": make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 13))),
        }
    return {
        "DynPMNN": DynPMNNClassifier(**ours),
        **{name: peer(**ours) for name, peer in CLASSIFIERS.items()},
        "MLPClassifier": make_pipeline(StandardScaler(), MLPClassifier(**theirs)),
        "HistGradientBoosting": HistGradientBoostingClassifier(random_state=seed),
        "LogisticRegression": make_pipeline(StandardScaler(), LogisticRegression()),
    }


def tables(options):
    """Give every table as X, y."""
    loaders = {"iris": load_iris, "breast cancer": load_breast_cancer, "diabetes": load_diabetes}
    found = {name: load(return_X_y=True) for name, load in loaders.items()}
    bunch = get(options, lambda: load_banknote(data_home=options.data_home), lambda: None)
    if bunch is not None:
        found["banknote"] = bunch.data.to_numpy(), bunch.target
    return found


def main(arguments=None):
    options = read(parser(__doc__), arguments)
    found = tables(options)
    if options.quick:
        found = {name: found[name] for name in ("iris", "diabetes")}
    total = sum(len(models(name == "diabetes", 0, options)) for name in found) * options.seeds
    report = Report("small tables", options, total)
    for name, (X, y) in found.items():
        regression = name == "diabetes"
        folds = (KFold if regression else StratifiedKFold)(5, shuffle=True, random_state=0)
        score = root_mean_squared_error if regression else accuracy_score
        for seed in range(options.seeds):
            for model_name, model in models(regression, seed, options).items():
                start = time.perf_counter()
                scores = [
                    score(y[test], model.fit(X[train], y[train]).predict(X[test]))
                    for train, test in folds.split(X, y)
                ]
                report.add(
                    data=name, model=model_name, seed=seed,
                    metric="RMSE" if regression else "accuracy", value=np.mean(scores),
                    parameters=n_parameters(model), seconds=(time.perf_counter() - start) / 5,
                )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
