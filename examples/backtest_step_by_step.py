"""A backtest as it would have been lived: every value forecast, then told, one by one.

``update_predict`` of any forecaster does what a service would do: forecast the next value from all
so far, see it, go on. With ``update_params=False`` the weights stay as they are and a step costs
milliseconds, however long the history is.

    python examples/backtest_step_by_step.py --values 10000
"""

import argparse
import logging
import time

import numpy as np
import pandas as pd
from sktime.split import ExpandingWindowSplitter

from sklearn_physrnn.forecasting import PETNNForecaster

logging.captureWarnings(True)  # sktime 1.2 announces its next version at every turn


def load(n: int) -> pd.Series:
    """An hourly load with a day, a week, and what is left of yesterday's surprise."""
    rng = np.random.default_rng(0)
    hours = np.arange(n)
    noise = np.zeros(n)
    for t in range(1, n):
        noise[t] = 0.9 * noise[t - 1] + rng.normal(scale=0.2)
    values = np.sin(2 * np.pi * hours / 24) + 0.4 * np.sin(2 * np.pi * hours / 168) + noise
    return pd.Series(values, pd.period_range("2020-01-01", periods=n, freq="h"), name="load")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--values", type=int, default=200, help="new values, one by one")
    n_new = parser.parse_args().values
    y = load(2000 + n_new)
    old, new = y[:2000], y[2000:]
    forecaster = PETNNForecaster(window_length=48, horizon=1, max_iter=10, random_state=0)
    forecaster.fit(old, fh=[1])

    splitter = ExpandingWindowSplitter(fh=[1], initial_window=1, step_length=1)
    start = time.perf_counter()
    forecasts = forecaster.update_predict(new, cv=splitter, update_params=False)
    seconds = time.perf_counter() - start

    told = new.loc[forecasts.index]
    error = np.abs(forecasts - told).mean()
    naive = np.abs(new.shift(1).loc[forecasts.index] - told).mean()
    print(f"{len(forecasts)} values one by one in {seconds:.1f} s, "
          f"{1000 * seconds / len(forecasts):.1f} ms each")  # fmt: skip
    print(f"mean absolute error {error:.3f}; of the last value as the forecast {naive:.3f}")


if __name__ == "__main__":
    main()
