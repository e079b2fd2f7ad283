"""Prediction intervals: conformal ones from past errors, and those of learned quantiles."""

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from ..nn._forecast import scale_of
from ..storage.state import State
from ._horizon import Carry, accumulate

# Learned at once by interval="quantile". The middle one is the point forecast.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)

_LEVELS = ndtri(np.array(QUANTILES))
_MIDDLE = len(QUANTILES) // 2

# Of a window's spread: the standard deviation that learned quantiles are widened by. One window's
# may be learned too narrow by any factor, which is no measure of how much others are.
_LEAST_WIDTH = 0.3

_TWO_LEVELS = 4  # steps of a window that two levels leave anything of

# Times the usual, from which on a window's shift of level is an event of its own.
_UNUSUAL = 2.0

_SOME = 1000  # windows that tell what is typical

# An event, such as a launch or a new level: an error of one step ahead that is so many times as
# large as those that four in five do not exceed.
_FAR, _MOST = 5.0, 0.8


def deviations_of(windows: np.ndarray) -> np.ndarray:
    """Give how far windows (n, window_length, n_channels) spread, but for one new level.

    It is the standard deviation about two levels, one up to some step and one from there on:
    of all steps the one that leaves the least. A shift of level within a window is known,
    and makes no forecast as uncertain as it is large. What is NaN does not count; a window
    without a value has no spread.
    """
    n_steps = windows.shape[1]
    if np.isnan(windows).any():
        return _deviations_with_gaps(windows)
    if n_steps < _TWO_LEVELS:
        return windows.std(axis=1)
    values = windows - windows.mean(axis=1, keepdims=True)
    sums = values.cumsum(axis=1)[:, :-1]  # of all they are 0
    before = np.arange(1, n_steps)[:, None]
    explained = sums**2 * (1 / before + 1 / (n_steps - before))
    left = (values**2).sum(axis=1) - explained.max(axis=1)
    return np.sqrt(np.maximum(left, 0) / n_steps)


def _deviations_with_gaps(windows: np.ndarray) -> np.ndarray:
    there = ~np.isnan(windows)
    n = there.sum(axis=1)
    mean = np.where(there, windows, 0.0).sum(axis=1) / np.maximum(n, 1)
    values = np.where(there, windows - mean[:, None], 0.0)
    sums, before = values.cumsum(axis=1)[:, :-1], there.cumsum(axis=1)[:, :-1]
    behind = n[:, None] - before
    both = (before > 0) & (behind > 0)
    explained = np.where(
        both, sums**2 * (1 / np.maximum(before, 1) + 1 / np.maximum(behind, 1)), 0.0
    )
    left = (values**2).sum(axis=1)
    if windows.shape[1] > 1:
        left = left - np.where(n >= _TWO_LEVELS, explained.max(axis=1), 0.0)
    return np.sqrt(np.maximum(left, 0) / np.maximum(n, 1))


def _std(windows: np.ndarray) -> np.ndarray:
    """Give the standard deviation of what is there of windows, 0 where nothing is."""
    if not np.isnan(windows).any():
        return windows.std(axis=1)
    there = ~np.isnan(windows)
    n = np.maximum(there.sum(axis=1), 1)
    mean = np.where(there, windows, 0.0).sum(axis=1) / n
    squares = np.where(there, windows - mean[:, None], 0.0) ** 2
    return np.sqrt(squares.sum(axis=1) / n)


@dataclass(frozen=True)
class Spreads:
    """How far windows of a series spread, which is the unit of its forecasts' errors.

    Attributes
    ----------
    typical : ndarray of shape (n_channels,)
        Mean deviation of a window.
    shifting : ndarray of shape (n_channels,)
        Median ratio of a window's standard deviation to its deviation about two levels.
    """

    typical: np.ndarray
    shifting: np.ndarray

    @classmethod
    def of(cls, windows: np.ndarray) -> "Spreads":
        """Learn from windows (n, window_length, n_channels) what is usual."""
        some = windows[:: max(1, len(windows) // _SOME)]
        deviations = deviations_of(some)
        typical = _mean_of_telling(deviations, some)
        typical = np.where(typical > 0, typical, 1.0)
        ratios = _std(some) / scaled(deviations, typical)
        return cls(typical, np.maximum(np.median(ratios, axis=0), 1.0))

    def replaced(self, channels: np.ndarray, new: "Spreads") -> "Spreads":
        """Take those of `channels` (boolean) from `new`."""
        return Spreads(
            np.where(channels, new.typical, self.typical),
            np.where(channels, new.shifting, self.shifting),
        )

    def to_state(self) -> dict[str, Any]:
        """Give what they are kept as."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: State, n_channels: int) -> "Spreads":
        """Make the spreads of so many channels of their state."""
        return cls(*(state.array(field.name, (n_channels,)) for field in fields(cls)))

    def ahead(self, windows: np.ndarray) -> np.ndarray:
        """Give the unit that intervals are in, (n, n_channels).

        It is the deviation, and the typical one where windows all but stand still.
        """
        return scaled(deviations_of(windows), self.typical)

    def of_errors(self, windows: np.ndarray) -> np.ndarray:
        """Give the unit that errors are counted in, (n, n_channels).

        It is that of intervals, but after an unusual shift of level larger: what was wrong
        while the window held it says little of the time after.
        """
        shifted = _std(windows) / (_UNUSUAL * self.shifting)
        return np.maximum(self.ahead(windows), shifted)


def _mean_of_telling(deviations: np.ndarray, windows: np.ndarray) -> np.ndarray:
    """Give the mean deviation of the windows that have two values at least."""
    if not np.isnan(windows).any():
        return deviations.mean(axis=0)
    telling = (~np.isnan(windows)).sum(axis=1) > 1
    total = np.where(telling, deviations, 0.0).sum(axis=0)
    return total / np.maximum(telling.sum(axis=0), 1)


def scaled(deviations: np.ndarray, typical: np.ndarray) -> np.ndarray:
    """Give the scale of windows, as the network has it."""
    return scale_of(torch.from_numpy(deviations), torch.from_numpy(typical)).numpy()


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
        Values less forecasts; NaN where no forecast was made. (In files of versions that kept
        their sizes alone, none is negative.)
    forecasts : ndarray of shape (horizon, horizon, n_channels, n_quantiles)
        Forecasts from the last times, as many as steps of them are still open; NaN where
        none was made.
    spreads : ndarray of shape (horizon, n_channels)
        Spread of their windows.
    size : int
        Rows to keep.
    carry : Carry
        How errors go on past the horizon.
    """

    errors: np.ndarray
    forecasts: np.ndarray
    spreads: np.ndarray
    size: int
    carry: Carry

    @classmethod
    def empty(cls, shape: tuple[int, int, int], size: int) -> "Scores":
        """Begin without any forecast, of `shape` (horizon, n_channels, n_quantiles)."""
        none = np.full((shape[0], *shape), np.nan)
        return cls(none[:0, ..., 0], none, none[0, ..., 0], size, Carry.all_of_it(*shape[:2]))

    def __len__(self) -> int:
        return len(self.errors)

    def to_state(self) -> dict[str, Any]:
        """Give what they are kept as."""
        kept = {name: getattr(self, name) for name in ("errors", "forecasts", "spreads")}
        return {**kept, "size": int(self.size), "carry": self.carry.to_state()}

    @classmethod
    def from_state(cls, state: State, shape: tuple[int, int, int]) -> "Scores":
        """Make scores of forecasts of `shape` (horizon, n_channels, n_quantiles)."""
        size, carry = state.integer("size"), state.part("carry")
        return cls(
            state.array("errors", (..., *shape[:2]), finite=False),
            state.array("forecasts", (shape[0], *shape), finite=False),
            state.array("spreads", shape[:2], finite=False),
            size,
            carry.read(lambda state: Carry.from_state(state, *shape[:2])),
        )

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
        errors = np.ascontiguousarray(np.concatenate((self.errors, errors))[-self.size :])
        return replace(self.opened(forecasts, spreads), errors=errors)

    def cover(self) -> bool:
        """Tell whether there are errors of every channel."""
        return bool((~np.isnan(self.errors)).any(axis=(0, 1)).all())

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
            mean square has it. A step without any has the widest of the others.
        """
        errors = np.sort(_each_event_once(np.abs(self.errors)), axis=0)  # NaN last
        known = (~np.isnan(errors)).sum(axis=0)
        ranks = np.ceil((known + 1) * coverages[:, None, None]).astype(int)
        rows = np.clip(ranks, 1, np.maximum(known, 1)) - 1
        widths = np.take_along_axis(errors, rows, axis=0)
        scale = np.sqrt(np.nansum(errors**2, axis=0) / np.maximum(known, 1))
        normal = ndtri((1 + np.minimum(coverages, 1 - 1e-9)) / 2)[:, None, None] * scale
        widths = np.where(ranks > known, np.maximum(widths, normal), widths)
        widest = np.where(known > 0, widths, 0.0).max(axis=1, keepdims=True)
        return np.where(known > 0, widths, widest)


def _each_event_once(errors: np.ndarray) -> np.ndarray:
    """Put NaN where an event is told again, by errors (n_times, horizon, n_channels).

    All forecasts that were made before an event and are of a time after it are wrong by it:
    seen from h steps before, one event makes h errors, which are no evidence of h events. It
    counts at its own time. The only one of its kind does not count: how often such happen is
    not known.
    """
    event = _events(errors[:, 0])
    n_times, horizon, _ = errors.shape
    before = np.concatenate((np.zeros_like(event[:1], int), event.cumsum(axis=0)))[:-1]
    made = np.arange(n_times)[:, None] - np.arange(horizon)  # from there on it was not known
    passed = before[:, None] > before[np.maximum(made, 0)]
    alone = event & (event.sum(axis=0) == 1)
    return np.where(passed | alone[:, None], np.nan, errors)


def _events(errors: np.ndarray) -> np.ndarray:
    """Tell which errors (n_times, n_channels) of one step ahead are far beyond the others."""
    if not len(errors):
        return np.zeros(errors.shape, bool)
    known = (~np.isnan(errors)).sum(axis=0)
    rows = np.maximum(np.ceil(known * _MOST).astype(int) - 1, 0)
    usual = np.take_along_axis(np.sort(errors, axis=0), rows[None], axis=0)[0]
    return (usual > 0) & (errors > _FAR * usual)


def _errors(values: np.ndarray, forecasts: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    if forecasts.shape[-1] == 1:
        return (values - forecasts[..., 0]) / spreads
    quantiles = _apart(forecasts, spreads)
    values = np.broadcast_to(values, spreads.shape)[..., None]
    left = np.clip((values >= quantiles).sum(axis=-1, keepdims=True) - 1, 0, len(_LEVELS) - 2)
    low, high = (np.take_along_axis(quantiles, left + k, axis=-1) for k in (0, 1))
    share = (values - low) / (high - low)
    return (_LEVELS[left] + share * (_LEVELS[left + 1] - _LEVELS[left]))[..., 0]


def _apart(quantiles: np.ndarray, spreads: np.ndarray) -> np.ndarray:
    """Put quantiles at `QUANTILES` further apart, and leave the middle one."""
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
    uncalibrated = n_quantiles > 1 and not scores.cover()
    if uncalibrated:
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
        spreads = np.broadcast_to(spread, (n_steps, n_channels))
        quantiles = forecasts if uncalibrated else _apart(forecasts, spreads)
        offsets = _read(quantiles, units)
        offsets -= middle
    return middle + accumulate(offsets, scores.carry)


def _read(quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Read quantiles (n_steps, n_channels, n_quantiles) at normal `levels` (..., n_alphas)."""
    left = np.clip(np.searchsorted(_LEVELS, levels) - 1, 0, len(_LEVELS) - 2)
    share = (levels - _LEVELS[left]) / (_LEVELS[left + 1] - _LEVELS[left])
    low, high = (np.take_along_axis(quantiles, left + k, axis=2) for k in (0, 1))
    return low * (1 - share) + high * share
