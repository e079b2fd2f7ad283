"""Steps ahead: from sktime's horizons to numbers, and beyond a module's own horizon."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from sktime.forecasting.base import ForecastingHorizon
from sktime.utils.validation.forecasting import check_fh

from ..preparation.clocks import Clock, positions
from ..preparation.times import check_kind, check_not_before, steps_to
from ..storage.state import State

# A context (window_length, n_channels), with the features of its times and the horizon's,
# to (horizon, n_channels, n_quantiles).
Forecast = Callable[[np.ndarray, np.ndarray | None], np.ndarray]


def steps_asked_for(fh: Any, index: pd.Index, clock: Clock) -> np.ndarray:
    """Count the steps from the end of `index` to each time of the forecasting horizon `fh`.

    Whole ones, unless times are irregular and `fh` has absolute ones.

    Raises
    ------
    ValueError
        If no number of steps leads to a time, or it is before all of `index`.
    """
    times = fh.to_pandas()
    if fh.is_relative:
        if not isinstance(times, pd.TimedeltaIndex):
            return np.asarray(times, dtype=int)
        times = index[-1] + times
    if not clock.irregular:
        return steps_to(times, index, clock.step)
    check_kind(times, index, "fh")
    check_not_before(times, index)
    return positions(times, index[-1], clock.step)


def on_either_side(steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the whole steps below and above, (2, n), and how far between them `steps` lie."""
    low = np.floor(steps)
    return np.stack((low, np.ceil(steps))).astype(int), steps - low


def without_frequency(fh: Any) -> ForecastingHorizon | None:
    """Give a horizon whose dates may be any of the series', at whatever distance.

    sktime refuses every seventh day of a series of days, as a frequency of its own.
    """
    if fh is None:
        return None
    fh = check_fh(fh)
    times = fh.to_pandas()
    if not isinstance(times, pd.DatetimeIndex):
        return fh
    return ForecastingHorizon(pd.DatetimeIndex(times, freq=None), is_relative=False)


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


@dataclass(frozen=True)
class Carry:
    """What of an error's square at the end of a horizon is added in those after it.

    Attributes
    ----------
    added : ndarray of shape (n_horizons, horizon, n_channels)
        In the second horizon, in the third and so on.
    through : ndarray of shape (n_channels,)
        From there on each horizon adds this share of what the one before added, at most all.
    """

    added: np.ndarray
    through: np.ndarray

    @classmethod
    def all_of_it(cls, horizon: int, n_channels: int) -> "Carry":
        """Errors add up as in a random walk."""
        return cls(np.ones((1, horizon, n_channels)), np.ones(n_channels))

    def at(self, n_steps: int) -> np.ndarray:
        """Give the share added at each of the first `n_steps`, (n_steps, n_channels)."""
        horizon = self.added.shape[1]
        table = [np.zeros_like(self.added[0]), *self.added]
        step = self.added[-1, -1] - table[-2][-1]
        while len(table) < blocks(n_steps, horizon):
            step = step * self.through
            table.append(table[-1] + step)
        return np.concatenate(table)[:n_steps]

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: State, horizon: int, n_channels: int) -> "Carry":
        """Make it, for a horizon and channels, of its state."""
        added = state.array("added", (None, horizon, n_channels))
        return cls(added, state.array("through", (n_channels,)))


def accumulate(offsets: np.ndarray, carry: Carry) -> np.ndarray:
    """Let errors past the horizon add to those of the forecasts they start from.

    Each horizon rolled out starts from errors like that at the end of the one before. Their
    squares add up in a random walk; nothing is added in white noise.

    Parameters
    ----------
    offsets : ndarray of shape (n_steps, n_channels, n_alphas)
        Distance of a quantile from the middle, each step as one of its own horizon.
    carry : Carry
    """
    n_steps = len(offsets)
    end = offsets[min(carry.added.shape[1], n_steps) - 1]
    added = np.sqrt(carry.at(n_steps))[..., None] * end
    return np.sign(offsets) * np.hypot(offsets, added)
