"""How far windows spread: the unit of their forecasts' errors."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from ..nn._forecast import scale_of
from ..storage.state import State

_TWO_LEVELS = 4  # steps of a window that two levels leave anything of

# Times the usual, from which on a window's shift of level is an event of its own.
_UNUSUAL = 2.0

# Of a deviation, that errors may go by.
_POWERS = np.linspace(0.0, 1.0, 5)

_SOME = 1000  # windows that tell what is typical


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
    power : ndarray of shape (n_channels,)
        Of a window's deviation over the typical one, that errors go by: 1 where they are in
        proportion to it, 0 where they are alike whatever it is. See :func:`power_of`.
    """

    typical: np.ndarray
    shifting: np.ndarray
    power: np.ndarray

    @classmethod
    def of(cls, windows: np.ndarray) -> "Spreads":
        """Learn from windows (n, window_length, n_channels) what is usual."""
        some = windows[:: max(1, len(windows) // _SOME)]
        deviations = deviations_of(some)
        typical = _mean_of_telling(deviations, some)
        typical = np.where(typical > 0, typical, 1.0)
        ratios = _std(some) / scaled(deviations, typical)
        return cls(typical, np.maximum(np.median(ratios, axis=0), 1.0), np.ones(typical.shape))

    def replaced(self, channels: np.ndarray, new: "Spreads") -> "Spreads":
        """Take those of `channels` (boolean) from `new`."""
        return Spreads(
            np.where(channels, new.typical, self.typical),
            np.where(channels, new.shifting, self.shifting),
            np.where(channels, new.power, self.power),
        )

    def to_state(self) -> dict[str, Any]:
        """Give what they are kept as."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: State, n_channels: int) -> "Spreads":
        """Make the spreads of so many channels of their state."""
        typical, shifting = (state.array(name, (n_channels,)) for name in ("typical", "shifting"))
        power = np.ones(n_channels)
        if "power" in state.specs():  # which is younger than some files
            power = state.array("power", (n_channels,))
        return cls(typical, shifting, power)

    def ahead(self, windows: np.ndarray) -> np.ndarray:
        """Give the unit that intervals are in, (n, n_channels).

        It is the deviation, and the typical one where windows all but stand still; between
        both, geometrically, where errors go by the deviation only in part.
        """
        return self._powered(scaled(deviations_of(windows), self.typical))

    def _powered(self, deviations: np.ndarray) -> np.ndarray:
        if (self.power == 1).all():
            return deviations
        return self.typical * (deviations / self.typical) ** self.power

    def of_errors(self, windows: np.ndarray) -> np.ndarray:
        """Give the unit that errors are counted in, (n, n_channels).

        It is that of intervals, but after an unusual shift of level larger: what was wrong
        while the window held it says little of the time after.
        """
        deviations = scaled(deviations_of(windows), self.typical)
        shifted = _std(windows) / (_UNUSUAL * self.shifting)
        return self._powered(deviations) * np.maximum(shifted / deviations, 1.0)


def power_of(errors: np.ndarray, deviations: np.ndarray) -> np.ndarray:
    """Tell by which power of the deviation of their windows errors go.

    As a Laplace distribution's likelihood has it, the mean over a grid from 0 to 1. Errors of
    the horizon's steps count as one, as they are of the same windows.

    Parameters
    ----------
    errors : ndarray of shape (n, horizon, n_channels)
        In units of the deviations; NaN is left out.
    deviations : ndarray of shape (n, n_channels)
        Over the typical one.

    Returns
    -------
    ndarray of shape (n_channels,)
        1 where nothing tells.
    """
    sizes, logs = np.abs(errors), np.log(deviations)[:, None]
    known = ~np.isnan(sizes)
    n = known.sum(axis=0)
    there = np.where(known, logs, 0.0)
    likelihoods = []
    for power in _POWERS:
        mean = np.where(known, sizes, 0.0) * np.exp((1 - power) * there)
        mean = mean.sum(axis=0) / np.maximum(n, 1)
        fit = n * np.log(np.maximum(mean, np.finfo(float).tiny)) + power * there.sum(axis=0)
        likelihoods.append(-fit.mean(axis=0))
    weights = np.exp(np.array(likelihoods) - np.max(likelihoods, axis=0))
    powers = (_POWERS[:, None] * weights).sum(axis=0) / weights.sum(axis=0)
    return np.where(np.nansum(sizes, axis=(0, 1)) > 0, powers, 1.0)


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
