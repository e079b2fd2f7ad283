"""Intervals on tables: the share of test targets inside, and how good the distributions are.

A third of each table is held out, by the seed. Share inside intervals of 50, 80 and 95 %; their
mean width (80 %), and the continuous ranked probability score over the levels 0.05 to 0.95, both
in standard deviations of y. Beside DynPMNN's cross-fitted errors: its learned quantiles alone, the
same calibrated, and boosted trees of scikit-learn, one for each quantile.
"""

import time

import numpy as np
from _report import Report, parser, read
from _tables import regressions
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split

from sklearn_physrnn import DynPMNNRegressor

COVERAGES = (0.5, 0.8, 0.95)
LEVELS = np.round(np.arange(0.05, 0.951, 0.05), 2)
KNOTS = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975]


def all_levels():
    """Give the levels that bounds and scores are made of, in order."""
    bounds = [side for c in COVERAGES for side in ((1 - c) / 2, (1 + c) / 2)]
    return np.unique(np.round([*bounds, *LEVELS], 6))


def between(knots, values, levels):
    """Read quantiles between those that were learned."""
    values = np.sort(values, axis=1)
    return np.stack([np.interp(levels, knots, row) for row in values])


def distributions(seed, options):
    """Name what gives quantiles: each fits, and predicts at given levels."""
    ours = {"random_state": seed, "device": options.device}
    if options.quick:
        ours["max_iter"] = 2
    learned = {"loss": "quantile", "quantile": KNOTS, **ours}

    def conformal(X, y, X_test, levels):
        model = DynPMNNRegressor(interval="conformal", **ours)
        return model.fit(X, y).predict_quantiles(X_test, levels)

    def quantiles(X, y, X_test, levels):
        return between(KNOTS, DynPMNNRegressor(**learned).fit(X, y).predict(X_test), levels)

    def calibrated(X, y, X_test, levels):
        model = DynPMNNRegressor(interval="conformal", **learned)
        return model.fit(X, y).predict_quantiles(X_test, levels)

    def trees(X, y, X_test, levels):
        known = {"loss": "quantile", "random_state": seed}
        models = [HistGradientBoostingRegressor(quantile=q, **known).fit(X, y) for q in KNOTS]
        return between(KNOTS, np.stack([m.predict(X_test) for m in models], axis=1), levels)

    return {
        "DynPMNN": conformal,
        "DynPMNN, quantile loss": quantiles,
        "DynPMNN, both": calibrated,
        "HistGradientBoosting, quantile loss": trees,
    }


def crps(y, values, levels):
    """Twice the mean pinball loss over levels."""
    off = y[:, None] - values
    return 2 * np.maximum(levels * off, (levels - 1) * off).mean()


def main(arguments=None):
    options = parser(__doc__)
    options.add_argument("--data", default="", help="tables whose name contains this")
    options.add_argument("--only", default="", help="models whose name contains this")
    options.add_argument("--first-seed", type=int, default=0)
    options = read(options, arguments)
    tables = {name: xy for name, xy in regressions().items() if options.data in name}
    if options.quick:
        tables = dict([next(iter(tables.items()))])
    names = [name for name in distributions(0, options) if options.only in name]
    report = Report("table intervals", options, 5 * len(names) * len(tables) * options.seeds)
    levels = all_levels()
    for seed in range(options.first_seed, options.first_seed + options.seeds):
        for data, (X, y) in tables.items():
            X_train, X_test, y_train, y_test = train_test_split(
                X, y, test_size=1 / 3, random_state=seed
            )
            for name in names:
                start = time.perf_counter()
                values = distributions(seed, options)[name](X_train, y_train, X_test, levels)
                found = {"seconds": time.perf_counter() - start, "seed": seed}
                for coverage in COVERAGES:
                    sides = np.searchsorted(
                        levels, [(1 - coverage) / 2 - 1e-6, (1 + coverage) / 2 - 1e-6]
                    )
                    low, high = values[:, sides].T
                    inside = np.mean((low <= y_test) & (y_test <= high))
                    report.add(
                        data=data,
                        model=name,
                        metric=f"inside {coverage:.0%}",
                        value=inside,
                        **found,
                    )
                    if coverage == 0.8:
                        width = np.mean(high - low) / np.std(y)
                        report.add(data=data, model=name, metric="width 80%", value=width, **found)
                inner = np.isin(levels, LEVELS)
                score = crps(y_test, values[:, inner], levels[inner]) / np.std(y)
                report.add(data=data, model=name, metric="CRPS", value=score, **found)
    report.summary()
    rows = {(r["model"], r["metric"]) for r in report.rows}
    for model, metric in sorted(rows):
        own = [r["value"] for r in report.rows if (r["model"], r["metric"]) == (model, metric)]
        print(f"{'mean over tables':<26} {model:<36} {metric:<10} {np.mean(own):.4f}")


if __name__ == "__main__":
    main()
