"""
==================================
Airline passengers, with intervals
==================================

Twelve years of monthly passengers of an airline: a trend, and a season that grows with it. The
forecasters are fitted to nine years with their defaults and forecast the other three.
"""

# %%
# Data
# ----

import logging
import time

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sktime.datasets import load_airline
from sktime.forecasting.ets import AutoETS
from sktime.forecasting.naive import NaiveForecaster
from sktime.performance_metrics.forecasting import mean_absolute_scaled_error

from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster

logging.captureWarnings(True)  # sktime 1.2 announces its next version at every turn

y = load_airline()
train, test = y[:-36], y[-36:]
fh = np.arange(1, len(test) + 1)

# %%
# Forecasts
# ---------
# The mean absolute scaled error (MASE) counts errors in units of the seasonal naive forecast's
# in training.

models = {
    "seasonal naive": NaiveForecaster(sp=12),
    "exponential smoothing": AutoETS(auto=True, sp=12),
    "PETNN": PETNNForecaster(random_state=0),
    "HSSM": HSSMForecaster(random_state=0),
    "DynPMNN": DynPMNNForecaster(random_state=0),
}
rows, forecasts = {}, {}
for name, model in models.items():
    start = time.perf_counter()
    forecasts[name] = model.fit(train).predict(fh)
    rows[name] = {
        "MASE": mean_absolute_scaled_error(test, forecasts[name], y_train=train, sp=12),
        "seconds": time.perf_counter() - start,
    }
print(pd.DataFrame(rows).T.round(2).to_string())

# %%
# Intervals
# ---------
# Conformal ones: as wide as the errors of forecasts of the months held out in training.

coverages = [0.5, 0.8, 0.95]
petnn = models["PETNN"]
intervals = petnn.predict_interval(fh, coverage=coverages)[y.name]
for coverage in coverages:
    lower, upper = intervals[coverage, "lower"], intervals[coverage, "upper"]
    inside = ((lower <= test) & (test <= upper)).mean()
    print(f"{coverage:.0%} interval: {inside:.0%} of the months inside")

# %%
# The fan
# -------

figure, axes = plt.subplots(figsize=(8, 3.8), layout="constrained")
known, ahead = train[-48:].to_timestamp(), test.index.to_timestamp()
axes.plot(known, color="black", linewidth=1.2)
axes.plot(test.to_timestamp(), color="black", linewidth=1.2, linestyle=(0, (1, 1)))
for coverage in reversed(coverages):
    axes.fill_between(
        ahead,
        intervals[coverage, "lower"],
        intervals[coverage, "upper"],
        color="#0072B2",
        alpha=0.2,
        linewidth=0,
    )
axes.plot(ahead, forecasts["PETNN"], color="#0072B2", linewidth=1.8)
axes.plot(ahead, forecasts["seasonal naive"], color="#D55E00", linewidth=1)
axes.annotate(
    "observed",
    (known.index[31], known.iloc[31]),
    (0, 8),
    textcoords="offset points",
    ha="center",
)
axes.annotate(
    "PETNN with intervals of 50, 80 and 95 %",
    (ahead[18], intervals[0.95, "upper"].iloc[18]),
    (-10, 10),
    textcoords="offset points",
    color="#0072B2",
    ha="right",
)
axes.annotate(
    "seasonal naive",
    (ahead[-2], forecasts["seasonal naive"].iloc[-2]),
    (0, -16),
    textcoords="offset points",
    color="#D55E00",
    ha="right",
)
axes.set(ylabel="thousand passengers", ylim=(0, None))
axes.spines[["top", "right"]].set_visible(False)
plt.show()
