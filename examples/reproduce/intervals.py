"""Conformal intervals of PETNNForecaster on ETT: the share of test values inside.

Fitted to the rows for training and validation, of which the forecaster holds out the last to
collect its errors. Then 96 steps are forecast on every day of the test part, and the day is
given to ``update`` (without training), by whose errors the intervals adapt. Reads any csv file
laid out as ETTh1.csv is. ``--data small`` takes the small series that sktime ships in its
place: fitted to 65 and to 85 % of each, for the default horizon and for 3 steps, from up to 25
origins behind, between which they are updated; and their mean.
"""

import time

import numpy as np
import pandas as pd
from _coverage import COVERAGES, add_shares, shares_inside
from _report import Report, get, parser, read
from _series import ends_of
from sktime.datasets import (
    load_airline,
    load_lynx,
    load_macroeconomic,
    load_PBS_dataset,
    load_shampoo_sales,
    load_uschange,
)

from sklearn_physrnn.datasets import load_multivariate_series
from sklearn_physrnn.forecasting import PETNNForecaster

TRAINING = {"max_iter": 10, "batch_size": 32, "alpha": 0.0}


def load(name, data_home):
    """Give the rows up to the end of the test part, and where that begins."""
    table = load_multivariate_series(name, data_home=data_home)
    _, start, end = ends_of(name, table)
    return table[:end], start


def stand_in():
    """Forty days of two daily waves in noise."""
    index = pd.date_range("2026-01-01", periods=24 * 40, freq="h")
    waves = np.sin(2 * np.pi * (np.arange(len(index))[:, None] / 24 + np.array([0, 0.2])))
    noise = np.random.default_rng(0).normal(scale=0.3, size=waves.shape)
    return pd.DataFrame(waves + noise, index, columns=["a", "b"]), 24 * 34


def small_series():
    """Give the small series that sktime ships, by name."""
    income, others = load_uschange()
    macro = load_macroeconomic()
    series = {"airline": load_airline(), "lynx": load_lynx(), "shampoo": load_shampoo_sales()}
    series |= {"PBS": load_PBS_dataset(), str(income.name): income}
    series |= {name: others[name] for name in others}
    series |= {name: macro[name] for name in ("realgdp", "unemp", "cpi", "tbilrate")}
    return {name: one.astype(float) for name, one in series.items()}


def judge_small(options):
    """Report the shares of each of the small series, and of their mean."""
    series = small_series()
    if options.quick:
        series = {"shampoo": series["shampoo"]}
    report = Report("intervals", options, options.seeds * len(COVERAGES) * (4 * len(series) + 1))
    short = {"max_iter": 1} if options.quick else {}
    for seed in range(options.seeds):
        found = []
        for name, y in series.items():
            for part, horizon in ((0.65, "auto"), (0.65, 3), (0.85, "auto"), (0.85, 3)):
                n = int(part * len(y))
                model = PETNNForecaster(
                    horizon=horizon, random_state=seed, device=options.device, **short
                )
                model.fit(y[:n])
                ahead = min(model.horizon_, len(y) - n)
                step = max(1, (len(y) - n - ahead + 1) // 25)
                found.append(shares_inside(model, y[n:], ahead, step))
                data = f"{name}, {part:.0%}, {ahead} ahead"
                add_shares(report, found[-1], data=data, model="PETNN", seed=seed)
        add_shares(report, np.mean(found, axis=0), data="mean", model="PETNN", seed=seed)
    report.summary()


def main(arguments=None):
    options = parser(__doc__)
    options.add_argument(
        "--data", default="ETTh1", help="name of the csv file, without .csv, or small"
    )
    options.add_argument("--horizon", type=int, default=96)
    options = read(options, arguments)
    if options.data == "small":
        return judge_small(options)
    horizon = 24 if options.quick else options.horizon
    short = {"max_iter": 1} if options.quick else {}
    table, start = get(options, lambda: load(options.data, options.data_home), stand_in)
    step = max(1, pd.Timedelta(days=1) // (table.index[1] - table.index[0]))
    report = Report("intervals", options, len(COVERAGES) * options.seeds)
    for seed in range(options.seeds):
        model = PETNNForecaster(
            window_length=horizon, horizon=horizon, device=options.device, random_state=seed,
            **{**TRAINING, **short},
        )  # fmt: skip
        begin = time.perf_counter()
        model.fit(table[:start])
        seconds = time.perf_counter() - begin
        shares = shares_inside(model, table[start:], horizon, step)
        add_shares(
            report, shares, data=f"{options.data}, {horizon} ahead", model="PETNN", seed=seed,
            seconds=seconds,
        )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
