"""Prediction intervals: conformal ones from past errors, and those of learned quantiles."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import ndtri

from ..storage.state import State
from ._horizon import Carry, accumulate

# Learned at once by interval="quantile". The middle one is the point forecast.
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)

_LEVELS = ndtri(np.array(QUANTILES))
_MIDDLE = len(QUANTILES) // 2

# Of a window's spread: the standard deviation that learned quantiles are widened by. One window's
# may be learned too narrow by any factor, which is no measure of how much others are.
_LEAST_WIDTH = 0.3

# Times with errors of its own, from which on a series needs none of others.
FEW = 100

# An event, such as a launch or a new level: an error of one step ahead that is so many times as
# large as those that four in five do not exceed.
_FAR, _MOST = 5.0, 0.8


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
    prior : ndarray of shape (n, horizon, n_channels) or None
        Errors of forecasts of other series, each over its horizon, that count as long as
        there are few of this one.
    """

    errors: np.ndarray
    forecasts: np.ndarray
    spreads: np.ndarray
    size: int
    carry: Carry
    prior: np.ndarray | None = None

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
        return {
            **kept,
            "size": int(self.size),
            "carry": self.carry.to_state(),
            "prior": self.prior,
        }

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
            prior_of(state, shape[:2]),
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
        return bool((~np.isnan(self._with_prior(self.errors))).any(axis=(0, 1)).all())

    def _with_prior(self, errors: np.ndarray) -> np.ndarray:
        if self.prior is None or len(errors) >= FEW:
            return errors
        return np.concatenate((errors, self.prior[: FEW - len(errors)]))

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
        errors = np.abs(self._with_prior(_each_event_once(np.abs(self.errors))))
        errors = np.sort(errors, axis=0)  # NaN last
        known = (~np.isnan(errors)).sum(axis=0)
        ranks = np.ceil((known + 1) * coverages[:, None, None]).astype(int)
        rows = np.clip(ranks, 1, np.maximum(known, 1)) - 1
        widths = np.take_along_axis(errors, rows, axis=0)
        scale = np.sqrt(np.nansum(errors**2, axis=0) / np.maximum(known, 1))
        normal = ndtri((1 + np.minimum(coverages, 1 - 1e-9)) / 2)[:, None, None] * scale
        widths = np.where(ranks > known, np.maximum(widths, normal), widths)
        widest = np.where(known > 0, widths, 0.0).max(axis=1, keepdims=True)
        return np.where(known > 0, widths, widest)


def prior_of(state: State, shape: tuple[int, ...]) -> np.ndarray | None:
    """Read errors of other series' forecasts, which files of older versions lack."""
    if "prior" not in state and "prior" not in state.specs():
        return None
    return state.optional_array("prior", (None, *shape), finite=False)


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
