"""California Housing: DynPMNN, by default and enriched, against other networks and trees.

The split is the paper's: ``r = RandomState(42).rand(20640)``; train r <= 0.7, validation
up to 0.9, test above. Test root mean squared error in 100,000 $, trainable numbers and seconds
a fit. Models "with neighbors" find longitude and latitude, and are given what near training rows
had as targets. Neural ODE, CfC and one multilayer perceptron are trained by DynPMNN's engine, with
its settings; the others by scikit-learn's defaults but for what stands here.
"""

import time

import numpy as np
from _report import Report, get, n_parameters, parser, read
from _tabular_peers import REGRESSORS, WithNeighbors
from sklearn.base import clone
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.datasets import load_california_split

RICH = {
    "hidden_size": 64,
    "n_members": 8,
    "n_frequencies": 24,
    "embedding_dim": 8,
    "frequency_scale": 1.0,
    "max_iter": 40,
    "learning_rate_init": 0.01,
    # Patience as long as training: what it adds is that the best weights are restored.
    "early_stopping": True,
    "n_iter_no_change": 40,
}


def stand_in():
    """Rows like those of California Housing, in number of columns only."""
    X, y = make_friedman1(600, n_features=8, random_state=0)
    rows = {"train": slice(400), "val": slice(400, 500), "test": slice(500, None)}
    return Bunch(
        **{f"X_{part}": X[r] for part, r in rows.items()},
        **{f"y_{part}": y[r] for part, r in rows.items()},
    )


def models(seed, options):
    """Name every model; those on our engine are given the validation rows."""
    ours = {"random_state": seed, "device": options.device}
    if options.quick:
        ours["max_iter"] = 2
    mlp = MLPRegressor(hidden_layer_sizes=(128, 128), early_stopping=True, random_state=seed)
    trees = HistGradientBoostingRegressor(random_state=seed)
    return {
        "DynPMNN": DynPMNNRegressor(**ours),
        "DynPMNN, neighbors": DynPMNNRegressor(neighbors="auto", **ours),
        "DynPMNN, rich": DynPMNNRegressor(**{**RICH, **ours}),
        "DynPMNN, rich, neighbors": DynPMNNRegressor(neighbors="auto", **{**RICH, **ours}),
        **{name: peer(**ours) for name, peer in REGRESSORS.items()},
        "MLPRegressor 128-128": make_pipeline(StandardScaler(), mlp),
        "HistGradientBoosting": trees,
        "HistGradientBoosting, neighbors": WithNeighbors(clone(trees)),
    }


def main(arguments=None):
    options = parser(__doc__, seeds=5)
    options.add_argument("--only", default="", help="models whose name contains this")
    options.add_argument("--first-seed", type=int, default=0)
    options = read(options, arguments)
    data = get(options, load_california_split, stand_in)
    names = [name for name in models(0, options) if options.only in name]
    report = Report("California Housing", options, len(names) * options.seeds)
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for name in names:
            model = models(seed, options)[name]
            start = time.perf_counter()
            if isinstance(model, DynPMNNRegressor):
                model.fit(data.X_train, data.y_train, X_val=data.X_val, y_val=data.y_val)
            else:
                model.fit(data.X_train, data.y_train)
            seconds = time.perf_counter() - start
            error = np.sqrt(np.mean((model.predict(data.X_test) - data.y_test) ** 2))
            report.add(
                data="California Housing", model=name, seed=seed, metric="RMSE", value=error,
                parameters=n_parameters(model), seconds=seconds,
            )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
