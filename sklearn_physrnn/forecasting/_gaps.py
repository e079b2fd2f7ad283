"""Gaps in series: how long they are, and forecasts across them."""

from collections.abc import Callable

import numpy as np

# Gaps of a length, in training, from which on a network knows them.
_ENOUGH = 20


def cut(values: np.ndarray, window_length: int) -> np.ndarray:
    """Give all windows, (n_windows, window_length, n_channels), in the memory of the series."""
    windows = np.lib.stride_tricks.sliding_window_view(values, window_length, axis=0)
    return windows.transpose(0, 2, 1)


def since_seen(values: np.ndarray) -> np.ndarray:
    """Count the steps since a value was there, (n_times, n_channels).

    Zero where one is; before the first, the steps from the beginning on.
    """
    steps = np.arange(len(values))[:, None]
    return steps - np.maximum.accumulate(np.where(np.isnan(values), -1, steps), axis=0)


def learned_reach(values: np.ndarray, window_length: int) -> int:
    """Give the longest gap of which training has seen enough at windows' ends.

    It is shorter than a window, so that one that ends in it has values.
    """
    gaps = since_seen(values)
    first = np.isnan(values).cumprod(axis=0).astype(bool)  # no gap, but a beginning
    last = np.concatenate((gaps[1:] == 0, np.ones_like(gaps[:1], bool)))
    lengths = np.sort(gaps[last & (gaps > 0) & ~first])
    return int(min(lengths[-_ENOUGH], window_length - 1)) if len(lengths) >= _ENOUGH else 0


def rolled_over_gaps(
    outputs: np.ndarray,
    values: np.ndarray,
    reach: int,
    roll: Callable[[int, int], np.ndarray],
) -> np.ndarray:
    """Put forecasts across gaps in the place of those from windows that end in one.

    Parameters
    ----------
    outputs : ndarray of shape (n_windows, horizon, n_channels, n_quantiles)
    values : ndarray of shape (n_times, n_channels)
        What the windows were cut from; the last one ends with it.
    reach : int
        Up to this length a gap is none.
    roll : callable
        ``roll(row, n_steps)`` forecasts the steps behind a row of `values`,
        (n_steps, n_channels, n_quantiles).
    """
    n_windows, horizon = outputs.shape[:2]
    rows = np.arange(len(values) - n_windows, len(values))[:, None]
    gaps = since_seen(values)[-n_windows:]
    across = (gaps > reach) & (gaps <= rows)
    if not across.any():
        return outputs
    outputs = outputs.copy()
    for row in np.unique((rows - gaps)[across]):
        here = across & (rows - gaps == row)
        rolled = roll(int(row), int(gaps[here].max()) + horizon)
        for window, channel in np.argwhere(here):
            gap = gaps[window, channel]
            outputs[window, :, channel] = rolled[gap : gap + horizon, channel]
    return outputs
