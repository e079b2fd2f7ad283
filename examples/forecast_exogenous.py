"""
========================================================
Several channels, weather and calendar, in a grid search
========================================================

Hourly load of two districts that follows the temperature, the time of day and the day of the
week. The temperature of the hours to come is taken as known, as a weather forecast would have
it; the calendar comes from the index. ``ForecastingGridSearchCV`` chooses how the forecaster
normalises on an expanding window of the past.

With the path of ETTh1.csv (ETDataset) as argument, the script forecasts that set's oil
temperature and middle load from its high load in place of the synthetic one.
"""

# %%
# Data
# ----

import argparse
import logging

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sktime.forecasting.compose import make_reduction
from sktime.forecasting.model_evaluation import evaluate
from sktime.forecasting.model_selection import ForecastingGridSearchCV
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import MeanAbsoluteError
from sktime.split import ExpandingWindowSplitter

from sklearn_physrnn.forecasting import PETNNForecaster

logging.captureWarnings(True)  # sktime 1.2 announces its next version at every turn

DAY = 24


def synthetic(n_days=70, seed=0):
    """Make loads of two districts, and the temperature that moves them."""
    rng = np.random.default_rng(seed)
    index = pd.date_range("2024-01-01", periods=n_days * DAY, freq="h")
    weather = np.zeros(len(index))
    for t in range(1, len(index)):
        weather[t] = 0.98 * weather[t - 1] + rng.normal(scale=0.8)
    temperature = 8 + 4 * np.sin(2 * np.pi * (index.hour - 9) / DAY) + weather
    heating = np.maximum(15 - temperature, 0)
    working = (index.dayofweek < 5).astype(float)
    rush = np.exp(-((index.hour - 8) ** 2) / 8) + np.exp(-((index.hour - 18) ** 2) / 12)
    loads = {
        "homes": 20 + 1.2 * heating + 8 * np.exp(-((index.hour - 20) ** 2) / 18),
        "offices": 15 + 0.5 * heating + 18 * working * rush,
    }
    noise = rng.normal(scale=0.8, size=(2, len(index)))
    y = pd.DataFrame(
        {name: load + e for (name, load), e in zip(loads.items(), noise, strict=True)}
    )
    return y.set_index(index), pd.DataFrame({"temperature": temperature}, index)


def etth1(path, n_days=70):
    """Read the last days of ETTh1's training part."""
    table = pd.read_csv(path, index_col="date", parse_dates=True)[: 360 * DAY].asfreq("h")
    table = table[-n_days * DAY :]
    return table[["OT", "MULL"]], table[["HUFL"]]


parser = argparse.ArgumentParser(description=__doc__.splitlines()[2])
parser.add_argument("etth1", nargs="?", help="path of ETTh1.csv")
path = parser.parse_args().etth1
y, X = etth1(path) if path else synthetic()
train, test = slice(0, -14 * DAY), slice(-14 * DAY, None)

# %%
# Choosing the normalisation
# --------------------------
# Forecasts from the window's last value, or from the level of all the series: where X explains
# the level itself, the second may be better. Two origins, five days apart, each of an expanding
# window, and the day after.

forecaster = PETNNForecaster(
    hidden_size=32,
    window_length=DAY,
    horizon=DAY,
    segment_length=4,
    calendar=["hour", "day_of_week"],
    interval=None,
    linear=False,
    dropout=0.0,
    learning_rate_init=0.01,
    batch_size=32,
    max_iter=8,
    random_state=0,
)
day_ahead = np.arange(1, DAY + 1)
origins = ExpandingWindowSplitter(
    fh=day_ahead, initial_window=len(y[train]) - 6 * DAY, step_length=5 * DAY
)
search = ForecastingGridSearchCV(
    forecaster, origins, {"normalization": ["last", None]}, scoring=MeanAbsoluteError()
)
search.fit(y[train], X[train])
print("chosen:", search.best_params_)

# %%
# Two weeks, day by day
# ---------------------
# Everyone is fitted once and then told each day what it was. Beside the forecaster stand the
# same hour of the day or week before, and a ridge regression on the last two days, the hour, the
# weekday and the temperature.


def with_time(X):
    """Add what a linear model has to be told of the time: one column an hour, one a weekday."""
    parts = {"hour": X.index.hour, "weekday": X.index.dayofweek}
    columns = pd.get_dummies(pd.DataFrame(parts, X.index).astype(str), dtype=float)
    return pd.concat([X, columns], axis=1)


days = ExpandingWindowSplitter(fh=day_ahead, initial_window=len(y[train]), step_length=DAY)
best = search.best_forecaster_.clone()
models = {
    "same hour of the day before": (NaiveForecaster(sp=DAY), None),
    "same hour of the week before": (NaiveForecaster(sp=7 * DAY), None),
    "ridge regression": (make_reduction(Ridge(), window_length=2 * DAY), with_time(X)),
    "PETNN": (best, X),
    "PETNN without temperature": (best, None),
}
print("mean absolute error, day ahead:")
for name, (model, exogenous) in models.items():
    results = evaluate(
        model, days, y, exogenous, strategy="no-update_params", scoring=MeanAbsoluteError()
    )
    print(f"  {name:28s} {results['test_MeanAbsoluteError'].mean():.3f}")
