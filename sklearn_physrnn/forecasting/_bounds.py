"""What a series cannot go below or above, such as sales below zero."""

from typing import Any

import numpy as np
import pandas as pd


def ends(bounds: Any) -> tuple[float, float]:
    """Give both ends of `bounds`, infinite where there is none.

    Raises
    ------
    ValueError
        Unless it is a pair of numbers or None, the lower one first.
    """
    if bounds is None:
        return -np.inf, np.inf
    try:
        low, high = bounds
        low = -np.inf if low is None else float(low)
        high = np.inf if high is None else float(high)
    except (TypeError, ValueError):
        low = high = np.nan
    if not low < high:
        raise ValueError(
            "bounds must be None or a pair (low, high) of numbers or None, low below high, such "
            f"as (0, None); got {bounds!r}."
        )
    return low, high


def within(bounds: Any, values: np.ndarray) -> np.ndarray:
    """Put values beyond `bounds` on them."""
    return values if bounds is None else np.clip(values, *ends(bounds))


def check_within(bounds: Any, y: pd.DataFrame) -> None:
    """Raise a ValueError that names the first value of y beyond `bounds`."""
    low, high = ends(bounds)
    values = y.to_numpy(dtype=np.float64)
    beyond = (values < low) | (values > high)
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        raise ValueError(
            f"y must lie within bounds={bounds}, got {values[row, column]:g} at {y.index[row]} "
            f"in the column {y.columns[column]!r}."
        )
