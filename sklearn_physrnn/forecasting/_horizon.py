"""Steps ahead: from sktime's horizons to numbers, and beyond a module's own horizon."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ._history import steps_between

# A context (window_length, n_channels), with the features of its times and the horizon's,
# to (horizon, n_channels, n_quantiles).
Forecast = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


def steps_ahead(fh: Any, cutoff: pd.Index, step: Any) -> np.ndarray:
    """Count the steps from `cutoff` to each time of the forecasting horizon `fh`."""
    relative = fh.to_relative(cutoff).to_pandas()
    if not isinstance(relative, pd.TimedeltaIndex):
        return np.asarray(relative, dtype=int)
    return np.array(
        [steps_between(cutoff[-1], t, step) for t in fh.to_absolute_index(cutoff)], dtype=int
    )


def blocks(n_steps: int, horizon: int) -> int:
    """Count the horizons that cover `n_steps`."""
    return -(-n_steps // horizon)


def roll_out(
    forecast: Forecast,
    context: np.ndarray,
    features: np.ndarray | None,
    n_steps: int,
    horizon: int,
) -> np.ndarray:
    """Forecast `n_steps`; past the horizon, from forecasts in place of values.

    Parameters
    ----------
    forecast : callable
    context : ndarray of shape (window_length, n_channels)
    features : ndarray of shape (window_length + blocks * horizon, n_features) or None
    n_steps, horizon : int

    Returns
    -------
    ndarray of shape (n_steps, n_channels, n_quantiles)
    """
    window_length = len(context)
    pieces = []
    for block in range(blocks(n_steps, horizon)):
        part = None
        if features is not None:
            start = block * horizon
            part = features[start : start + window_length + horizon]
        piece = forecast(context, part)
        pieces.append(piece)
        middle = piece[:, :, piece.shape[2] // 2]
        context = np.concatenate((context, middle))[-window_length:]
    return np.concatenate(pieces)[:n_steps]


def accumulate(offsets: np.ndarray, carry: np.ndarray) -> np.ndarray:
    """Let errors past the horizon add to those of the forecasts they start from.

    Each horizon rolled out starts from an error like that at the end of the one before, of
    whose square it carries a share on: all in a random walk, nothing in white noise.

    Parameters
    ----------
    offsets : ndarray of shape (n_steps, n_channels, ...)
        Distance of a quantile from the middle, each step as one of its own horizon.
    carry : ndarray of shape (horizon, n_channels)
        That share, at each step of the next horizon.
    """
    n_steps, horizon = len(offsets), len(carry)
    steps = np.arange(n_steps)
    before = (steps // horizon)[:, None]
    # What is carried through a whole horizon is carried into the ones after it, too; a share
    # above one would grow with its powers.
    through = np.minimum(carry[-1], 1.0)
    shares = through ** np.arange(max(1, int(before.max())))[:, None]
    sums = np.concatenate((np.zeros_like(carry[:1]), np.cumsum(shares, axis=0)))
    share = carry[steps % horizon] * sums[before[:, 0]]
    share = share.reshape(*share.shape, *[1] * (offsets.ndim - 2))
    end = offsets[min(horizon, n_steps) - 1]
    return np.sign(offsets) * np.hypot(offsets, np.sqrt(share) * end)
