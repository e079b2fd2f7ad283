"""Small forecasters of every kind, and what to fit them to."""

import numpy as np
import pandas as pd

from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster

RNG = np.random.default_rng(0)
N, N_NEW, FH = 60, 4, [1, 3, 8]
ALL = N + N_NEW + max(FH)
VALUES = np.sin(np.arange(ALL) / 3) + RNG.normal(0, 0.1, ALL) + 5
TABLE = np.c_[VALUES, 2 * VALUES[::-1], RNG.normal(size=ALL)]
MONTHS = pd.period_range("2001-03", periods=ALL, freq="M", name="month")
DAYS = pd.date_range("2001-03-01", periods=ALL, freq="D")
BARE = pd.DatetimeIndex(DAYS.to_numpy(), name="when")  # without a frequency
HOURS = pd.date_range("2001-03-24", periods=ALL, freq="h", tz="Europe/Vienna")  # the clock changes
SHIFTED = pd.date_range("2001-03-24", periods=ALL, freq="15min", tz="UTC+02:00")
WEEKS = pd.date_range("2001-03-01", periods=ALL, freq="W-WED", unit="s")
KEYS = {"panel": [("a",), ("b",), ("c",)], "hierarchy": [("x", 1), ("x", 2), ("y", 1)]}


def small(cls, **parameters):
    sizes = {"hidden_size": 3, "max_iter": 1, "update_max_iter": 1, "random_state": 0}
    if cls is HSSMForecaster:
        sizes |= {"state_size": 2}
    return cls(**sizes | {"window_length": 9, "horizon": 3, "device": "cpu"} | parameters)


def many(kind, index=DAYS):
    """Three series, by name."""
    keys = KEYS[kind]
    names = ["store", "kind"][: len(keys[0])]
    parts = [pd.DataFrame({"sales": VALUES * (i + 1)}, index=index) for i in range(len(keys))]
    plain = [key if len(key) > 1 else key[0] for key in keys]
    return pd.concat(parts, keys=plain, names=[*names, "time"])


def series(index=None, name=None):
    return pd.Series(VALUES, index=index, name=name)


def frame(columns, index=None):
    return pd.DataFrame(TABLE[:, : len(columns)], columns=columns, index=index)


# Of each, an unfitted forecaster, y and X at all times.
CASES = {
    "petnn": (small(PETNNForecaster), series(), None),
    "hssm": (small(HSSMForecaster), series(MONTHS, "passengers"), None),
    "dynpmnn": (small(DynPMNNForecaster), series(DAYS, 7), None),
    "quantiles": (small(PETNNForecaster, interval="quantile"), series(BARE), None),
    "no intervals": (small(HSSMForecaster, interval=None), series(WEEKS), None),
    "standard": (small(DynPMNNForecaster, normalization="standard"), series(SHIFTED), None),
    "bare": (small(HSSMForecaster, normalization=None, linear=False), series(), None),
    "calendar": (
        small(PETNNForecaster, calendar=["hour", "day_of_week"]), series(HOURS), None
    ),
    "calendar of months": (small(DynPMNNForecaster, calendar="auto"), series(MONTHS), None),
    "several": (small(HSSMForecaster, dtype="float64"), frame(["a", "b, µ", "c"], DAYS), None),
    "several, numbered": (small(DynPMNNForecaster, optimizer="sgd"), frame([3, 1]), None),
    "an array": (small(PETNNForecaster, dtype="bfloat16"), VALUES, None),
    "exogenous": (small(PETNNForecaster), series(DAYS), frame(["warm", "open"], DAYS)),
    "exogenous, numbered": (
        small(HSSMForecaster, interval="quantile", calendar="auto", num_blocks=2),
        series(MONTHS), frame([0, 1], MONTHS),
    ),
    "early stopping": (
        small(DynPMNNForecaster, early_stopping=True, max_iter=3, refit=False), series(DAYS), None
    ),
    "automatic sizes": (
        small(PETNNForecaster, window_length="auto", horizon="auto"), series(MONTHS), None
    ),
    "integers from 100": (
        small(PETNNForecaster), series(pd.Index(np.arange(100, 100 + ALL, dtype="int32"))), None
    ),
    "panel": (small(PETNNForecaster), many("panel"), None),
    "hierarchy": (small(HSSMForecaster, interval="quantile"), many("hierarchy", MONTHS), None),
    "panel, exogenous": (
        small(DynPMNNForecaster), many("panel"), many("panel").rename(columns={"sales": "price"})
    ),
}  # fmt: skip


def times(data, start, stop):
    """Take some times of a series, or of each in a panel."""
    if data is None or not isinstance(data, pd.DataFrame | pd.Series):
        return None if data is None else data[start:stop]
    if not isinstance(data.index, pd.MultiIndex):
        return data.iloc[start:stop]
    levels = list(range(data.index.nlevels - 1))
    return data.groupby(level=levels, sort=False, group_keys=False).nth(slice(start, stop))


def fitted(case):
    forecaster, y, X = CASES[case]
    return forecaster.clone().fit(times(y, 0, N), X=times(X, 0, N), fh=FH)


def predictions(forecaster, X, start):
    """All that a forecaster says of what follows its end at `start`."""
    X = times(X, start, start + max(FH))
    frames = [forecaster.predict(X=X)]
    if forecaster.interval is not None:
        frames += [
            forecaster.predict_interval(X=X, coverage=[0.5, 0.9]),
            forecaster.predict_quantiles(X=X, alpha=[0.1, 0.5]),
        ]
    return frames
