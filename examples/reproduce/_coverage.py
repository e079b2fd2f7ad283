"""How many values lie inside a forecaster's intervals."""

import numpy as np
import pandas as pd

COVERAGES = (0.5, 0.8, 0.95)


def shares_inside(model, test, horizon, step=1):
    """Give the share of values inside the intervals of each of COVERAGES.

    Over channels, steps and origins: one before `test`, then one after every `step` values of
    it, which are given to ``update`` without training.

    Parameters
    ----------
    model : forecaster
        Fitted to what comes before `test`.
    test : Series or DataFrame
    horizon, step : int
    """
    test = pd.DataFrame(test)
    inside = []
    for origin in range(0, len(test) - horizon + 1, step):
        if origin:
            model.update(test[origin - step : origin].squeeze(axis=1), update_params=False)
        truth = test[origin : origin + horizon]
        intervals = model.predict_interval(range(1, horizon + 1), coverage=list(COVERAGES))
        for coverage in COVERAGES:
            bounds = intervals.xs(coverage, axis=1, level=1)
            lower, upper = (bounds.xs(side, axis=1, level=1) for side in ("lower", "upper"))
            inside.append(((lower <= truth) & (truth <= upper)).to_numpy().mean())
    return np.reshape(inside, (-1, len(COVERAGES))).mean(axis=0)


def add_shares(report, shares, **what):
    """Report what `shares_inside` gave."""
    for coverage, value in zip(COVERAGES, shares, strict=True):
        report.add(metric=f"inside {coverage:.0%}", value=value, **what)
