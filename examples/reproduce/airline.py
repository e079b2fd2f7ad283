"""Airline passengers: the forecasters with their defaults against AutoETS and the naive forecast.

Errors of the last 36 of 144 months, forecast from one origin, as mean absolute scaled error
(MASE: the seasonal naive forecast of the training months has 1), seconds from construction to
forecast, and the share of months inside intervals of 50, 80 and 95 %: of those 36, and of the
first 12 months ahead of each of 25 origins, the models updated monthly without training.
"""

import logging
import time
from functools import partial

import numpy as np
from _report import Report, parser, read
from sktime.datasets import load_airline
from sktime.forecasting.ets import AutoETS
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import mean_absolute_scaled_error

from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster

OURS = {"PETNN": PETNNForecaster, "HSSM": HSSMForecaster, "DynPMNN": DynPMNNForecaster}
PEERS = {
    "seasonal naive": partial(NaiveForecaster, sp=12),
    "AutoETS": partial(AutoETS, auto=True, sp=12),
}
COVERAGES = (0.5, 0.8, 0.95)
AHEAD = 36


def inside(model, fh, truth):
    """Tell whether each value lies in the interval of each coverage: (n_coverages, n_steps)."""
    intervals = model.predict_interval(fh, coverage=list(COVERAGES))[truth.name]
    lower, upper = (
        np.array([intervals[c, side] for c in COVERAGES]) for side in ("lower", "upper")
    )
    return (lower <= truth.to_numpy()) & (truth.to_numpy() <= upper)


def rolling(model, test, steps):
    """Share inside over all origins, every value of `test` once the last one known."""
    found = []
    for origin in range(len(test) - steps + 1):
        if origin:
            model.update(test[origin - 1 : origin], update_params=False)
        found.append(inside(model, range(1, steps + 1), test[origin : origin + steps]))
    return np.mean(found, axis=(0, 2))


def main(arguments=None):
    logging.captureWarnings(True)  # sktime 1.2 announces its next version at every turn
    options = read(parser(__doc__), arguments)
    y = load_airline()
    train, test = y[:-AHEAD], y[-AHEAD:]
    fh = np.arange(1, AHEAD + 1)
    short = {"max_iter": 1} if options.quick else {}
    report = Report("Airline", options, 2 * len(PEERS) + 8 * len(OURS) * options.seeds)

    def fit(name, make, seed):
        start = time.perf_counter()
        model = make()
        forecast = model.fit(train).predict(fh)
        seconds = time.perf_counter() - start
        mase = mean_absolute_scaled_error(test, forecast, y_train=train, sp=12)
        add = {"data": "36 months", "model": name, "seed": seed}
        report.add(**add, metric="MASE", value=mase, seconds=seconds)
        report.add(**add, metric="seconds", value=seconds)
        return model

    for name, make in PEERS.items():
        fit(name, make, 0)
    for name, forecaster in OURS.items():
        for seed in range(options.seeds):
            make = partial(forecaster, random_state=seed, device=options.device, **short)
            model = fit(name, make, seed)
            shares = {
                "36 months": inside(model, fh, test).mean(axis=1),
                "12 months, rolling": rolling(model, test, 12),
            }
            for data, values in shares.items():
                for nominal, value in zip(COVERAGES, values, strict=True):
                    report.add(
                        data=data, model=name, seed=seed, value=value,
                        metric=f"inside {nominal:.0%}",
                    )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
