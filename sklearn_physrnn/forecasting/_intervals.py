"""Prediction intervals: conformal ones from past errors, and those of learned quantiles."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from ._horizon import accumulate

# Learned at once by interval="quantile". The middle one is the point forecast.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)

# Of the spread of the training values: what a window that stands still is taken to vary.
_LEAST_SPREAD = 0.1


def spreads_of(windows: np.ndarray) -> np.ndarray:
    """Give how far standardised windows (n, window_length, n_channels) spread."""
    return np.maximum(windows.std(axis=1), _LEAST_SPREAD)


@dataclass(frozen=True)
class Scores:
    """Errors of past forecasts in units of their windows' spread, the latest last.

    The rows are target times, so that each observation adds one: its errors as seen from
    one step before it, from two, and so on. Old rows leave, which lets intervals follow a
    series that grows calmer or wilder (split conformal prediction on a rolling set).

    Attributes
    ----------
    errors : ndarray of shape (n_times, horizon, n_channels)
        Absolute; NaN where no forecast was made.
    forecasts : ndarray of shape (horizon, horizon, n_channels)
        Forecasts from the last times, as many as steps of them are still open; NaN where
        none was made.
    spreads : ndarray of shape (horizon, n_channels)
        Spread of their windows.
    size : int
        Rows to keep.
    """

    errors: np.ndarray
    forecasts: np.ndarray
    spreads: np.ndarray
    size: int

    @classmethod
    def empty(cls, horizon: int, n_channels: int, size: int) -> "Scores":
        """Begin without any forecast."""
        forecasts = np.full((horizon, horizon, n_channels), np.nan)
        return cls(np.empty((0, horizon, n_channels)), forecasts, forecasts[0], size)

    def __len__(self) -> int:
        return len(self.errors)

    def opened(self, forecasts: np.ndarray, spreads: np.ndarray) -> "Scores":
        """Take in forecasts without observing anything."""
        horizon = len(self.spreads)
        return replace(
            self,
            forecasts=np.concatenate((self.forecasts, forecasts))[-horizon:],
            spreads=np.concatenate((self.spreads, spreads))[-horizon:],
        )

    def observe(self, values: np.ndarray, forecasts: np.ndarray, spreads: np.ndarray) -> "Scores":
        """Add the errors at the times that follow, and the forecasts made from there.

        Parameters
        ----------
        values : ndarray of shape (n_new, n_channels)
            What was observed.
        forecasts : ndarray of shape (n_new, horizon, n_channels)
            Forecasts with each of these times as the last one known.
        spreads : ndarray of shape (n_new, n_channels)
        """
        horizon = len(self.spreads)
        known = np.concatenate((self.forecasts, forecasts))
        known_spreads = np.concatenate((self.spreads, spreads))
        new = np.arange(max(0, len(values) - self.size), len(values))
        steps = np.arange(1, horizon + 1)
        made = new[:, None] - steps + horizon  # row of the forecast h steps before
        errors = np.abs(values[new][:, None] - known[made, steps - 1]) / known_spreads[made]
        errors = np.concatenate((self.errors, errors))[-self.size :]
        return replace(self.opened(forecasts, spreads), errors=errors)

    def interrupted(self) -> "Scores":
        """Forget the open forecasts: what is observed next does not follow."""
        return replace(self, forecasts=np.full_like(self.forecasts, np.nan))

    def half_widths(self, coverages: np.ndarray) -> np.ndarray:
        """Give the errors that a share `coverages` of times does not exceed.

        Returns
        -------
        ndarray of shape (n_coverages, horizon, n_channels)
            With the finite-sample correction of split conformal prediction; where there
            are too few errors for a coverage, at least as a normal distribution of their
            mean square has it.
        """
        errors = np.sort(self.errors, axis=0)  # NaN last
        known = (~np.isnan(errors)).sum(axis=0)
        ranks = np.ceil((known + 1) * coverages[:, None, None]).astype(int)
        rows = np.clip(ranks, 1, np.maximum(known, 1)) - 1
        widths = np.take_along_axis(errors, rows, axis=0)
        scale = np.sqrt(np.nansum(errors**2, axis=0) / np.maximum(known, 1))
        normal = ndtri((1 + np.minimum(coverages, 1 - 1e-9)) / 2)[:, None, None] * scale
        return np.where(ranks > known, np.maximum(widths, normal), widths)


def conformal_quantiles(
    point: np.ndarray, spread: np.ndarray, scores: Scores, alphas: np.ndarray
) -> np.ndarray:
    """Give quantiles around a point forecast.

    Parameters
    ----------
    point : ndarray of shape (n_steps, n_channels)
    spread : ndarray of shape (n_channels,)
        Of the window the forecast was made from.
    scores : Scores
    alphas : ndarray of shape (n_alphas,)

    Returns
    -------
    ndarray of shape (n_steps, n_channels, n_alphas)
    """
    n_steps, horizon = len(point), len(scores.spreads)
    widths = scores.half_widths(np.abs(2 * alphas - 1))
    widths = np.where((alphas == 0.5)[:, None, None], 0.0, widths)
    widths = widths[:, np.arange(n_steps) % horizon] * spread
    offsets = (np.sign(alphas - 0.5)[:, None, None] * widths).transpose(1, 2, 0)
    return point[..., None] + accumulate(offsets, horizon)


def learned_quantiles(values: np.ndarray, horizon: int, alphas: np.ndarray) -> np.ndarray:
    """Read quantiles at any level off those at `QUANTILES`.

    Between two levels, and beyond the outermost, a quantile is linear in the normal
    quantile of its level.

    Parameters
    ----------
    values : ndarray of shape (n_steps, n_channels, len(QUANTILES))
        In increasing order.
    horizon : int
    alphas : ndarray of shape (n_alphas,)

    Returns
    -------
    ndarray of shape (n_steps, n_channels, n_alphas)
    """
    levels = ndtri(np.array(QUANTILES))
    middle = len(levels) // 2
    offsets = values - values[:, :, middle, None]
    offsets = accumulate(offsets, horizon)
    wanted = ndtri(np.clip(alphas, 1e-9, 1 - 1e-9))
    left = np.clip(np.searchsorted(levels, wanted) - 1, 0, len(levels) - 2)
    share = (wanted - levels[left]) / (levels[left + 1] - levels[left])
    read = offsets[..., left] * (1 - share) + offsets[..., left + 1] * share
    return values[:, :, middle, None] + read
