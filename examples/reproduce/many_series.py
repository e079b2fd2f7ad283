"""One network of many short series against one of each, and what thousands of series cost.

The twelve quarterly series of the United States that statsmodels ships, cut to the last 40 before
each of five dates: 8 quarters ahead, the mean absolute scaled error (MASE: the naive
forecast one quarter ahead has 1 on the known ones) of the forecaster fitted to each, and of one
pretrained on all and then fitted to each without training; with the share of quarters inside
intervals. Then seconds, and by how much the peak of the process's memory grows, of ``pretrain`` on
made-up series of 40 to 80 days, beside the bytes of the values.
"""

import resource
import time
import warnings

import numpy as np
import pandas as pd
from _coverage import COVERAGES, add_shares
from _report import Report, parser, read
from sktime.datasets import load_macroeconomic
from sktime.performance_metrics.forecasting import mean_absolute_scaled_error

from sklearn_physrnn.forecasting import PETNNForecaster

KNOWN, AHEAD, EVERY, ORIGINS = 40, 8, 16, 5


def cut(quick):
    """Give frames of the known quarters and those to forecast, by origin."""
    table = load_macroeconomic().astype(float)
    table = table[[name for name in table if name not in ("year", "quarter")]]
    for origin in range(1 if quick else ORIGINS):
        end = len(table) - origin * EVERY
        yield table[end - AHEAD - KNOWN : end - AHEAD], table[end - AHEAD : end]


def score(model, known, truth):
    """Give the MASE and the shares inside the intervals of one series."""
    fh = np.arange(1, AHEAD + 1)
    mase = mean_absolute_scaled_error(truth, model.predict(fh), y_train=known)
    bounds = model.predict_interval(fh, coverage=list(COVERAGES)).to_numpy()
    values = truth.to_numpy()[:, None]
    return mase, ((bounds[:, ::2] <= values) & (values <= bounds[:, 1::2])).mean(axis=0)


def stacked(known):
    """Put columns one below the other, as series of a panel."""
    return pd.concat({name: known[[name]].set_axis(["y"], axis=1) for name in known})


def made_up(n_series, seed=0):
    rng = np.random.default_rng(seed)
    lengths = rng.integers(40, 81, size=n_series)
    days = pd.date_range("2024-01-01", periods=81, freq="D")
    values = [
        rng.uniform(1, 100) * (2 + np.sin(2 * np.pi * np.arange(n) / 7) + 0.3 * rng.normal(size=n))
        for n in lengths
    ]
    index = pd.MultiIndex.from_arrays(
        [np.repeat(np.arange(n_series), lengths), np.concatenate([days[:n] for n in lengths])],
        names=["series", "day"],
    )
    return pd.DataFrame({"y": np.concatenate(values)}, index)


def peak():
    """Give the peak of the process's memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments=None):
    options = parser(__doc__)
    options.add_argument("--series", type=int, default=5000, help="made-up series to pretrain on")
    options.add_argument("--only", choices=("short", "scale"), help="one of the two parts")
    options = read(options, arguments)
    warnings.simplefilter("ignore")
    short = {"max_iter": 1, "hidden_size": 8} if options.quick else {}
    report = Report("Many series", options, options.seeds * 8 + 3)
    for seed in range(options.seeds if options.only != "scale" else 0):
        found = {"one each": [], "one of all": []}
        common = {"random_state": seed, "horizon": AHEAD, "device": options.device, **short}
        for known, truth in cut(options.quick):
            shared = PETNNForecaster(**common).pretrain(stacked(known))
            for name in list(known)[: 2 if options.quick else None]:
                own = PETNNForecaster(**common).fit(known[name])
                found["one each"].append(score(own, known[name], truth[name]))
                y = known[name].rename("y")
                found["one of all"].append(score(shared.fit(y), y, truth[name].rename("y")))
        for name, results in found.items():
            data = f"12 series of {KNOWN} quarters"
            errors, shares = zip(*results, strict=True)
            report.add(
                data=data, model=name, seed=seed, metric="MASE",
                value=np.exp(np.mean(np.log(errors))),
            )  # fmt: skip
            add_shares(report, np.mean(shares, axis=0), data=data, model=name, seed=seed)
    if options.only != "short":
        n_series = 30 if options.quick else options.series
        panel = made_up(n_series)
        PETNNForecaster(max_iter=1).pretrain(made_up(20))  # what is compiled and imported once
        before, start = peak(), time.perf_counter()
        PETNNForecaster(max_iter=1, random_state=0).pretrain(panel)
        seconds = time.perf_counter() - start
        add = {"data": f"{n_series} series of 40 to 80 days", "model": "PETNN", "seed": 0}
        report.add(**add, metric="seconds, one epoch", value=seconds)
        report.add(**add, metric="MB more", value=peak() - before)
        report.add(**add, metric="MB of values", value=panel.to_numpy().nbytes / 2**20)
    report.summary()


if __name__ == "__main__":
    main()
