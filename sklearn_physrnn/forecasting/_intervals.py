"""Prediction intervals: conformal ones from past errors, and those of learned quantiles."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.special import ndtri

from ..nn._forecast import scale_of
from ._horizon import accumulate

# Learned at once by interval="quantile". The middle one is the point forecast.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)

_LEVELS = ndtri(np.array(QUANTILES))
_MIDDLE = len(QUANTILES) // 2

# Of a window's spread: the standard deviation that learned quantiles are taken to have at least.
_LEAST_WIDTH = 1e-3

_SOME = 1000  # windows that tell what is typical


def deviations_of(windows: np.ndarray) -> np.ndarray:
    """Give how far the values of windows (n, window_length, n_channels) spread."""
    return windows.std(axis=1)


def typical_deviation(windows: np.ndarray) -> np.ndarray:
    """Give the mean deviation of windows (n, window_length, n_channels), 1 where it is 0."""
    some = windows[:: max(1, len(windows) // _SOME)]
    typical = deviations_of(some).mean(axis=0)
    return np.where(typical > 0, typical, 1.0)


def spreads_of(windows: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Give the unit of errors of windows (n, window_length, n_channels), (n, n_channels).

    It is their deviation, and the typical one (n_channels,) where they all but stand still.
    """
    deviations = torch.from_numpy(deviations_of(windows))
    return scale_of(deviations, torch.from_numpy(typical)).numpy()


@dataclass(frozen=True)
class Scores:
    """Errors of past forecasts, each in a unit of its own, the latest last.

    The unit is the spread of the forecast's window; where quantiles were forecast, it is
    their own spread: an error is the normal quantile of the level that the value lies at.

    The rows are target times, so that each observation adds one: its errors as seen from
    one step before it, from two, and so on. Old rows leave, which lets intervals follow a
    series that grows calmer or wilder (split conformal prediction on a rolling set).

    Attributes
    ----------
    errors : ndarray of shape (n_times, horizon, n_channels)
        Absolute; NaN where no forecast was made.
    forecasts : ndarray of shape (horizon, horizon, n_channels, n_quantiles)
        Forecasts from the last times, as many as steps of them are still open; NaN where
        none was made.
    spreads : ndarray of shape (horizon, n_channels)
        Spread of their windows.
    size : int
        Rows to keep.
    carry : ndarray of shape (horizon, n_channels)
        See :func:`accumulate`.
    """

    errors: np.ndarray
    forecasts: np.ndarray
    spreads: np.ndarray
    size: int
    carry: np.ndarray

    @classmethod
    def empty(cls, shape: tuple[int, int, int], size: int) -> "Scores":
        """Begin without any forecast, of `shape` (horizon, n_channels, n_quantiles)."""
        none = np.full((shape[0], *shape), np.nan)
        return cls(none[:0, ..., 0], none, none[0, ..., 0], size, np.ones(shape[:2]))

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
        forecasts : ndarray of shape (n_new, horizon, n_channels, n_quantiles)
            Forecasts with each of these times as the last one known.
        spreads : ndarray of shape (n_new, n_channels)
        """
        horizon = len(self.spreads)
        known = np.concatenate((self.forecasts, forecasts))
        known_spreads = np.concatenate((self.spreads, spreads))
        new = np.arange(max(0, len(values) - self.size), len(values))
        steps = np.arange(1, horizon + 1)
        made = new[:, None] - steps + horizon  # row of the forecast h steps before
        errors = _errors(values[new][:, None], known[made, steps - 1], known_spreads[made])
        errors = np.concatenate((self.errors, errors))[-self.size :]
        return replace(self.opened(forecasts, spreads), errors=errors)

    def cover(self) -> bool:
        """Tell whether there are errors of every step and channel."""
        return bool((~np.isnan(self.errors)).any(axis=0).all())

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


def _errors(values: np.ndarray, forecasts: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    if forecasts.shape[-1] == 1:
        return np.abs(values - forecasts[..., 0]) / spreads
    quantiles = _apart(forecasts, spreads)
    values = np.broadcast_to(values, spreads.shape)[..., None]
    left = np.clip((values >= quantiles).sum(axis=-1, keepdims=True) - 1, 0, len(_LEVELS) - 2)
    low, high = (np.take_along_axis(quantiles, left + k, axis=-1) for k in (0, 1))
    share = (values - low) / (high - low)
    return np.abs(_LEVELS[left] + share * (_LEVELS[left + 1] - _LEVELS[left]))[..., 0]


def _apart(quantiles: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Put quantiles at `QUANTILES` at least a little apart, and leave the middle one."""
    return quantiles + _LEAST_WIDTH * spreads[..., None] * _LEVELS


def quantiles_around(
    forecasts: np.ndarray, spread: np.ndarray, scores: Scores, alphas: np.ndarray
) -> np.ndarray:
    """Give quantiles of forecasts, as wide as past errors call for.

    Parameters
    ----------
    forecasts : ndarray of shape (n_steps, n_channels, n_quantiles)
        Points, or quantiles at `QUANTILES` in increasing order. Then what past errors say
        is at which of their levels to read a quantile; without any, at its own. Between two
        of them, and beyond the outermost, it is linear in the normal quantile of the level.
    spread : ndarray of shape (n_channels,)
        Of the window they were made from.
    scores : Scores
    alphas : ndarray of shape (n_alphas,)

    Returns
    -------
    ndarray of shape (n_steps, n_channels, n_alphas)
    """
    n_steps, n_channels, n_quantiles = forecasts.shape
    coverages = np.abs(2 * alphas - 1)
    if n_quantiles > 1 and not scores.cover():
        learned = ndtri((1 + np.minimum(coverages, 1 - 1e-9)) / 2)
        widths = np.broadcast_to(learned[:, None, None], (len(alphas), *scores.spreads.shape))
    else:
        widths = scores.half_widths(coverages)
    widths = np.where((alphas == 0.5)[:, None, None], 0.0, widths)
    widths = widths[:, np.arange(n_steps) % len(scores.spreads)]
    units = (np.sign(alphas - 0.5)[:, None, None] * widths).transpose(1, 2, 0)
    middle = forecasts[..., n_quantiles // 2, None]
    if n_quantiles == 1:
        offsets = units * spread[:, None]
    else:
        offsets = _read(_apart(forecasts, np.broadcast_to(spread, (n_steps, n_channels))), units)
        offsets -= middle
    return middle + accumulate(offsets, scores.carry)


def _read(quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Read quantiles (n_steps, n_channels, n_quantiles) at normal `levels` (..., n_alphas)."""
    left = np.clip(np.searchsorted(_LEVELS, levels) - 1, 0, len(_LEVELS) - 2)
    share = (levels - _LEVELS[left]) / (_LEVELS[left + 1] - _LEVELS[left])
    low, high = (np.take_along_axis(quantiles, left + k, axis=2) for k in (0, 1))
    return low * (1 - share) + high * share
