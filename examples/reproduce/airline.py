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
from _coverage import add_shares, shares_inside
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
AHEAD = 36


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
            for data, horizon in (("36 months", AHEAD), ("12 months, rolling", 12)):
                shares = shares_inside(model, test, horizon)
                add_shares(report, shares, data=data, model=name, seed=seed)
    report.summary()


if __name__ == "__main__":
    main()
