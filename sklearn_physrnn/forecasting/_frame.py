"""The linear frame of a forecast: chosen on held-out times, cheaply, and what a network adds.

Each candidate is a ridge regression of the horizon on the window's last steps, solved in closed
form on the times before some held-out ones. The network is weighed against the best of them.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..nn._frame import LinearFrame
from ._ridge import Moments, filled

PENALTIES = (0.0001, 0.001, 0.01, 0.1, 1.0, 10.0)  # in units of a step's sum of squares
_NAIVE = 1e6  # leaves nothing but the last value, or the last season
_OWN = (30.0, 100.0)  # of a channel's departure from the map of all
_LONGEST = 720  # steps of a window that "auto" tries
_SHARE_OF_SERIES = 4  # the longest of them is a fourth of the series at most
_FEWEST = 8  # windows to learn a map from
_FEW, _FOLDS, _FOLDS_OF_LONG = 1000, 3, 2  # windows; parts held out in turn
_ROWS = 3000  # windows, times channels, that a candidate is judged by
_MOST_NUMBERS = 2**24  # of maps for each channel
_HALF = 0.5  # what the network's share is before anything is known of it
_PRIOR_BLOCKS = 2.0  # how many horizons' worth of evidence that counts


@dataclass(frozen=True)
class Linear:
    """Which linear map it is.

    Attributes
    ----------
    window_length : int
        Steps that it sees.
    penalty : float
    seasonal : int
        Season whose last values the map is drawn to, or 0: to the last value.
    level : float
        Weight, from 0 to 1, of a map that is free to pull a forecast to the series' mean;
        the others follow the level of their window.
    own : float
        Penalty of each channel's departure from the map of all channels; 0 for one map.
    """

    window_length: int
    penalty: float
    seasonal: int = 0
    level: float = 0.0
    own: float = 0.0


@dataclass(frozen=True)
class Choice:
    """A linear map that was chosen, with the evidence.

    Attributes
    ----------
    linear : Linear
    error : float
        Its own mean one on the held-out times.
    evidence : list of dict
        Of each candidate its fields, and its "error" on the held-out times.
    """

    linear: Linear
    error: float
    evidence: list[dict[str, Any]]


def lengths_to_try(window_length: int, n_times: int) -> list[int]:
    """Give the window lengths among which one is chosen: doubled as long as the series allows."""
    most = min(_LONGEST, n_times // _SHARE_OF_SERIES)
    lengths = [window_length]
    while 2 * lengths[-1] <= most:
        lengths.append(2 * lengths[-1])
    if most > 1.5 * lengths[-1]:
        lengths.append(most)
    return lengths


class _Fold:
    """Times to learn from and the times after them to judge by."""

    def __init__(
        self,
        values: np.ndarray,
        whole: np.ndarray,
        first: int,
        end: int,
        longest: int,
        horizon: int,
    ) -> None:
        """Cut them: learn before `first`, judge horizons from there to `end`."""
        self.whole, self.first, self.longest, self.horizon = whole, first, longest, horizon
        self._moments: dict[bool, Moments] = {}
        starts = np.arange(max(0, first - longest), end - longest - horizon + 1)
        n_rows = max(2, _ROWS // values.shape[1])
        self.starts = starts[:: -(-len(starts) // n_rows)]
        views = np.lib.stride_tricks.sliding_window_view
        # (channels, windows, steps)
        self.contexts = views(whole, longest, axis=0)[self.starts].transpose(1, 0, 2)
        targets = views(values, horizon, axis=0)[self.starts + longest]
        self.targets = targets.transpose(1, 0, 2)

    def moments(self, *, level: bool) -> Moments:
        """Give the moments of all channels together, of differences unless of the `level`, too."""
        if level not in self._moments:
            n_steps = self.longest + self.horizon
            moments = Moments.of(self.whole[: self.first], n_steps, self.horizon)
            self._moments = {True: moments, False: moments.of_differences()}
        return self._moments[level]

    def error_of(self, forecasts: np.ndarray, *, squared: bool) -> np.ndarray:
        """Give the mean error of each channel and window, (n_channels, n_windows)."""
        error = forecasts - self.targets
        error = error**2 if squared else np.abs(error)
        there = ~np.isnan(error)
        n = np.maximum(there.sum(axis=2), 1)
        return np.where(there.any(axis=2), np.where(there, error, 0.0).sum(axis=2) / n, np.nan)


def choose(
    values: np.ndarray,
    boundary: int,
    lengths: list[int],
    horizon: int,
    *,
    season: int,
    levels: tuple[float, ...],
    squared: bool,
) -> Choice | None:
    """Choose a linear map on the held-out end of a series, and on the parts before it.

    Parameters
    ----------
    values : ndarray of shape (n_times, n_channels)
        Standardised; NaN where missing.
    boundary : int
        First time held out.
    lengths : list of int
        Window lengths to choose from.
    horizon, season : int
    levels : tuple of float
        The usual one, and others to choose from; see :class:`Linear`.
    squared : bool
        Compare squared errors, and absolute ones else.

    Returns
    -------
    Choice or None
        None where the series is too short for any.
    """
    whole = filled(values)
    n_held_out = len(values) - boundary
    lengths = [n for n in lengths if boundary - n - horizon + 1 >= _FEWEST]
    if not lengths or n_held_out < horizon:
        return None
    n_folds = _FOLDS if boundary < _FEW else _FOLDS_OF_LONG
    firsts = [boundary - k * n_held_out for k in range(n_folds)]
    longest = max(lengths)
    firsts = [
        n for n in firsts if n == boundary or n - longest - horizon + 1 >= max(_FEWEST, n // 4)
    ]
    folds = [_Fold(values, whole, n, n + n_held_out, longest, horizon) for n in firsts]
    search = _Search(folds, horizon, squared)
    seasons = {0, season if 1 < season <= min(lengths) else 0}
    usual, *others = levels
    naive = [Linear(min(lengths), _NAIVE, one, usual) for one in sorted(seasons)]
    one_map = [
        Linear(n, penalty, one, usual)
        for n in lengths
        for one in sorted(seasons)
        for penalty in PENALTIES
    ]
    best = search.best_of([*naive, *one_map])
    # What is freer has to be clearly better.
    for level in others:
        candidate = replace(best, level=level)
        if search.clearly_better(candidate, best):
            best = candidate
    n_channels = values.shape[1]
    if n_channels > 1 and n_channels * best.window_length * horizon <= _MOST_NUMBERS:
        own = search.best_of([replace(best, own=own) for own in _OWN])
        if search.clearly_better(own, best):
            best = own
    return Choice(best, search.mean_of(best), search.evidence(best))


class _Search:
    """Candidates and their errors in all folds."""

    def __init__(self, folds: list[_Fold], horizon: int, squared: bool) -> None:
        self.folds, self.horizon, self.squared = folds, horizon, squared
        self.means: dict[Linear, float] = {}
        self._errors: dict[tuple[int, Linear], np.ndarray] = {}

    def error_in(self, fold: _Fold, linear: Linear) -> np.ndarray:
        key = fold.first, linear
        if key not in self._errors:
            self._errors[key] = self._error(fold, linear)
        return self._errors[key]

    def _error(self, fold: _Fold, linear: Linear) -> np.ndarray:
        weight, level = solved(
            fold.whole[: fold.first], linear, fold.horizon, lambda full: fold.moments(level=full)
        )
        forecasts = apply(fold.contexts[..., -linear.window_length :], weight, level)
        return fold.error_of(forecasts, squared=self.squared)

    def mean_of(self, linear: Linear) -> float:
        """Give the mean over folds, of which each counts alike; of a long series the last's."""
        if linear not in self.means:
            self.means[linear] = self._mean(linear)
        return self.means[linear]

    def _mean(self, linear: Linear) -> float:
        n = len(self.folds) if self.folds[0].first < _FEW else 1
        errors = [self.error_in(fold, linear) for fold in self.folds[:n]]
        means = [np.nanmean(e) for e in errors if not np.isnan(e).all()]
        return float(np.mean(means)) if means else np.inf

    def best_of(self, candidates: list[Linear]) -> Linear:
        return min(candidates, key=self.mean_of)

    def clearly_better(self, one: Linear, other: Linear) -> bool:
        """Tell whether `one` is better by more than a standard error, and in no fold worse."""
        gains = []
        for fold in self.folds:
            gain = np.nanmean(self.error_in(fold, other) - self.error_in(fold, one), axis=0)
            blocks = (fold.starts - fold.starts[0]) // self.horizon
            gains.append([np.nanmean(gain[blocks == k]) for k in np.unique(blocks)])
        every = np.concatenate(gains)
        spread = every.std(ddof=1) / np.sqrt(len(every)) if len(every) > 1 else np.inf
        return bool(every.mean() > spread and all(np.mean(gain) > 0 for gain in gains))

    def evidence(self, chosen: Linear) -> list[dict[str, Any]]:
        """Give a row for each candidate, the best first."""
        rows = [
            {**vars(linear), "error": self.mean_of(linear), "chosen": linear == chosen}
            for linear in self.means
        ]
        return sorted(rows, key=lambda row: row["error"])


def solved(
    known: np.ndarray,
    linear: Linear,
    horizon: int,
    moments_of: Callable[[bool], Moments] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Solve for a linear map.

    Parameters
    ----------
    known : ndarray of shape (n_times, n_channels)
        Standardised, without gaps.
    linear : Linear
    horizon : int
    moments_of : callable, optional
        Gives the moments of all channels together, of longer windows too, for whether the
        level counts.

    Returns
    -------
    weight : ndarray of shape (n_maps, horizon, window_length)
    level : ndarray of shape (n_maps, horizon)
    """
    n_steps = linear.window_length + horizon
    if moments_of is None:
        both = {True: Moments.of(known, n_steps, horizon)}
        both[False] = both[True].of_differences()
        moments_of = both.__getitem__
    prior = np.zeros((horizon, linear.window_length))
    if linear.seasonal:
        ahead = np.arange(horizon)
        prior[ahead, -linear.seasonal + ahead % linear.seasonal] = 1.0
    parts = []
    for full, part in ((False, 1 - linear.level), (True, linear.level)):
        if not part:
            continue
        moments = moments_of(full).shorter(linear.window_length)
        weight = _map(moments, linear, prior)[None]
        if linear.own:
            size = moments.size / known.shape[1]
            maps = [_own_map(column[:, None], linear, size, weight[0], full) for column in known.T]
            weight = np.stack(maps)
        # A map of values is one of differences to the last, and of the last value.
        pull = weight.sum(axis=2) - 1 if full else np.zeros(weight.shape[:2])
        parts.append((part * weight, part * pull))
    weights, levels = zip(*parts, strict=True)
    return np.sum(weights, axis=0), np.sum(levels, axis=0)


def _map(moments: Moments, linear: Linear, prior: np.ndarray) -> np.ndarray:
    found = moments.solve(linear.penalty * moments.size, prior)
    return prior if found is None else found


def _own_map(
    column: np.ndarray, linear: Linear, size: float, shared: np.ndarray, full: bool
) -> np.ndarray:
    """Solve for one channel's map, drawn to that of all."""
    horizon = len(shared)
    moments = Moments.of(column, linear.window_length + horizon, horizon)
    if not full:
        moments = moments.of_differences()
    found = moments.solve(linear.own * size, shared)
    return shared if found is None else found


def apply(contexts: np.ndarray, weight: np.ndarray, level: np.ndarray) -> np.ndarray:
    """Forecast from contexts (n_channels, n, window_length), as LinearFrame does."""
    last = contexts[..., -1:]
    return last + (contexts - last) @ weight.transpose(0, 2, 1) + level[:, None] * last


def module_of(
    values: np.ndarray, linear: Linear, horizon: int, share: float, dtype: torch.dtype
) -> LinearFrame:
    """Solve on all times of a series, and make a module of it."""
    weight, level = solved(filled(values), linear, horizon)
    module = LinearFrame(linear.window_length, horizon, len(weight))
    module.weight.copy_(torch.as_tensor(weight))
    module.level.copy_(torch.as_tensor(level))
    module.share.fill_(share)
    return module.to(dtype).eval()


def share_of(
    network: np.ndarray,
    linear: np.ndarray,
    targets: np.ndarray,
    n_horizons: float,
    *,
    squared: bool,
) -> float:
    """Give the network's share in the forecast that has the least error on held-out windows.

    Parameters
    ----------
    network, linear : ndarray of shape (n_windows, horizon, n_channels)
        Forecasts of windows, in order.
    targets : ndarray like them
        NaN where unknown.
    n_horizons : float
        How many different times they tell of; with few of them the share is near a half.
    squared : bool
        Compare squared errors, and absolute ones else.
    """
    there = ~np.isnan(targets)
    if not there.any():
        return _HALF
    far, need = (network - linear)[there], (targets - linear)[there]
    if squared:
        best = float(far @ need) / max(float(far @ far), np.finfo(float).tiny)
    else:  # the median of need / far, weighted by far
        order = np.argsort(ratio := np.divide(need, far, out=np.zeros_like(need), where=far != 0))
        weights = np.abs(far)[order].cumsum()
        best = float(ratio[order][np.searchsorted(weights, weights[-1] / 2)])
    best = min(max(best, 0.0), 1.0)
    return (n_horizons * best + _PRIOR_BLOCKS * _HALF) / (n_horizons + _PRIOR_BLOCKS)


def error_of(forecasts: np.ndarray, targets: np.ndarray, *, squared: bool) -> float:
    """Give the mean error of forecasts, where targets are known."""
    error = (forecasts - targets)[~np.isnan(targets)]
    if not len(error):
        return float("nan")
    return float((error**2).mean() if squared else np.abs(error).mean())
