"""California Housing: DynPMNN, by default and enriched, against scikit-learn's models.

The split is the paper's: ``r = RandomState(42).rand(20640)``; train r <= 0.7, validation
up to 0.9, test above. Prints test RMSE in 100,000 $, trainable numbers and seconds a fit.
"""

import argparse
import time

import numpy as np
from sklearn.datasets import fetch_california_housing
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_physrnn import DynPMNNRegressor

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


def models(seed, quick):
    """Name every model; DynPMNN's are given the validation rows."""
    short = {"max_iter": 5} if quick else {}
    return {
        "DynPMNN, defaults": DynPMNNRegressor(random_state=seed, **short),
        "DynPMNN, rich": DynPMNNRegressor(random_state=seed, **{**RICH, **short}),
        "MLP 128-128": make_pipeline(
            StandardScaler(),
            MLPRegressor(hidden_layer_sizes=(128, 128), early_stopping=True, random_state=seed),
        ),
        "HistGradientBoosting": HistGradientBoostingRegressor(random_state=seed),
    }


def count(model):
    """Trainable numbers of a neural model, or nothing."""
    if hasattr(model, "module_"):
        return sum(p.numel() for p in model.module_.parameters() if p.requires_grad)
    if hasattr(model, "steps"):
        return sum(w.size for w in model[-1].coefs_ + model[-1].intercepts_)
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short seed, to see it run")
    parser.add_argument("--only", default="", help="models whose name contains this")
    options = parser.parse_args()

    X, y = fetch_california_housing(return_X_y=True)
    r = np.random.RandomState(42).rand(len(X))
    train, valid, test = r <= 0.7, (r > 0.7) & (r <= 0.9), r > 0.9
    print(f"{'model':<22} {'seed':>4} {'RMSE':>7} {'numbers':>8} {'fit, s':>7}")
    results = {}
    for seed in range(1 if options.quick else options.seeds):
        for name, model in models(seed, options.quick).items():
            if options.only not in name:
                continue
            start = time.perf_counter()
            if isinstance(model, DynPMNNRegressor):
                model.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
            else:
                model.fit(X[train], y[train])
            seconds = time.perf_counter() - start
            rmse = float(np.sqrt(np.mean((model.predict(X[test]) - y[test]) ** 2)))
            results.setdefault(name, []).append((rmse, seconds))
            print(
                f"{name:<22} {seed:>4} {rmse:>7.4f} {count(model):>8} {seconds:>7.1f}", flush=True
            )
    print()
    for name, rows in results.items():
        rmse, seconds = np.transpose(rows)
        print(
            f"{name:<22} mean {rmse.mean():.4f}, spread {rmse.std():.4f}, "
            f"median fit {np.median(seconds):.1f} s"
        )


if __name__ == "__main__":
    main()
