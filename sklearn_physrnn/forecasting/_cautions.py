"""What a user should be told of a series before trusting its forecasts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._warnings import warn

# From this share of one value on, the median is that value.
_HALF = 0.5

_FEW = 8  # values, of which half are soon one


def warn_of_constants(values: np.ndarray, names: Sequence[Any]) -> None:
    """Warn where a column of values (n_times, n_channels) is one constant."""
    still = np.array([(column == column[0]).all() for column in map(_there, values.T)])
    if still.any():
        warn(
            f"y is constant over the {len(values)} time steps given, {_columns(names, still)}: "
            "it is forecast to stay so, with intervals of width zero. Only values that vary, "
            "in fit or update, tell how far it may move."
        )


def warn_of_short_context(n_times: int, window_length: int) -> None:
    """Warn where a pretrained forecaster has seen fewer values than it forecasts from."""
    if n_times < window_length:
        warn(
            f"y has {n_times} of the {window_length} values that forecasts are made from: those "
            "before count as missing, and intervals, from errors behind whole windows, are too "
            "narrow until update brings more."
        )


def warn_of_median(values: np.ndarray, names: Sequence[Any]) -> None:
    """Warn where one value is so frequent among others that the median forecast is that value."""
    counted = np.array([_share_of_mode(_there(column)) for column in values.T])
    frequent = counted >= _HALF
    if frequent.any():
        shares = ", ".join(f"{share:.0%}" for share in counted[frequent])
        warn(
            f"One value makes up {shares} of y, {_columns(names, frequent)}. The absolute and "
            "the quantile loss forecast the median, which is that value, however much lies "
            "beside it, unless a season or X tells when; sums over time are too small or too "
            "large by that. To forecast the mean, as sums of intermittent demand need it, set "
            "loss='squared_error'."
        )


def warn_of_certainty(
    quantiles: np.ndarray, alphas: Sequence[float], names: Sequence[Any]
) -> None:
    """Warn where quantiles (n_steps, n_channels, n_alphas) of different levels are one."""
    if len(set(alphas)) < 2:
        return
    low, high = int(np.argmin(alphas)), int(np.argmax(alphas))
    certain = (quantiles[..., low] == quantiles[..., high]).any(axis=0)
    if certain.any():
        warn(
            f"Intervals of width zero, {_columns(names, certain)}: the past forecasts they are "
            "made from were never wrong, as where y did not vary. That does not make what "
            "comes certain."
        )


def _there(column: np.ndarray) -> np.ndarray:
    """Give the values of a column that are there: one at least, as `fit` has seen to."""
    return column[~np.isnan(column)]


def _share_of_mode(column: np.ndarray) -> float:
    """Give the share of the most frequent value, from where the column begins to vary."""
    begin = int(np.argmax(column != column[0]))
    if column[begin] == column[0]:
        return 0.0  # a constant, of which something else is said
    if len(column) - begin < _FEW:
        return 0.0
    counts = np.unique(column[begin:], return_counts=True)[1]
    return float(counts.max() / counts.sum())


def _columns(names: Sequence[Any], chosen: np.ndarray) -> str:
    listed = [name for name, taken in zip(names, chosen, strict=True) if taken]
    return f"in the column{'s' * (len(listed) > 1)} {', '.join(map(repr, listed))}"
