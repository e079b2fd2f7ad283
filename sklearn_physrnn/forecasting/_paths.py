"""Simulated futures, whose steps and channels go together as past errors did."""

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from ._horizon import Carry, blocks
from ._intervals import FEW, Scores

# With fewer errors seen over a whole horizon, those that are seen in part count, too.
_ENOUGH = 10

# Levels at which quantiles are looked up, in standard deviations of a normal distribution.
GRID = np.linspace(-4.0, 4.0, 161)


def trajectories(errors: np.ndarray) -> np.ndarray:
    """Give the errors of each forecast over its horizon, (n, horizon, n_channels).

    Parameters
    ----------
    errors : ndarray of shape (n_times, horizon, n_channels)
        By the times forecast, as of :class:`Scores`.

    Returns
    -------
    ndarray
        Those known at all steps, where there are some; else each as far as it is known, and
        from there on as wrong as at the nearest step.
    """
    n_times, horizon, _ = errors.shape
    steps = np.arange(horizon)
    rows = np.arange(1 - horizon, n_times)[:, None] + steps
    made = np.where(
        ((rows >= 0) & (rows < n_times))[..., None],
        errors[np.clip(rows, 0, max(0, n_times - 1)), steps] if n_times else np.nan,
        np.nan,
    )
    known = ~np.isnan(made)
    whole = known.all(axis=(1, 2))
    if whole.sum() >= _ENOUGH:
        return made[whole]
    made = made[known.any(axis=(1, 2))]
    return _as_nearest(made)


def _as_nearest(made: np.ndarray) -> np.ndarray:
    """Fill the steps that are not known by the last one that is, those before by the first."""
    for _ in range(2):  # forwards, and backwards
        steps = np.arange(made.shape[1])[:, None]
        last = np.maximum.accumulate(np.where(np.isnan(made), -1, steps), axis=1)
        filled = np.take_along_axis(made, np.maximum(last, 0), axis=1)
        made = np.where(last < 0, np.nan, filled)[:, ::-1]
    return made


def levels_of(scores: Scores, n_steps: int, n_samples: int, rng: np.random.RandomState):
    """Draw at which normal levels paths lie, step by step: (n_samples, n_steps, n_channels).

    Each is a sum of all trajectories of past errors with normal weights of its own (a
    multiplier bootstrap), in their ranks: steps and channels are as dependent as they were,
    each by itself is standard normal, and no two paths are alike. Past the horizon a path goes
    on from its error at the end of the horizon before, by the share that is carried on.
    """
    made = trajectories(scores.errors)
    if scores.prior is not None and len(made) < FEW:
        made = np.concatenate((made, scores.prior[: FEW - len(made)]))
    horizon, n_channels = scores.spreads.shape
    ranks = _normal_ranks(made)
    n_blocks = blocks(n_steps, horizon)
    drawn = np.stack([_combined(ranks, n_samples, rng) for _ in range(n_blocks)], axis=1)
    own, total = drawn.copy(), np.zeros((n_samples, n_channels))
    carried = _shares(scores.carry, n_blocks)
    for block in range(1, n_blocks):
        # What has gathered at the ends of the blocks before, as a level again.
        step = np.sqrt(np.maximum(carried[block, -1] - carried[block - 1, -1], 0.0))
        total = total + step * own[:, block - 1, -1]
        size = np.sqrt(carried[block, -1])
        gathered = np.divide(total, size, out=np.zeros_like(total), where=size > 0)
        share = carried[block]
        drawn[:, block] = own[:, block] + np.sqrt(share) * gathered[:, None]
        drawn[:, block] /= np.sqrt(1 + share)
    return drawn.reshape(n_samples, n_blocks * horizon, n_channels)[:, :n_steps]


def _shares(carry: Carry, n_blocks: int) -> np.ndarray:
    horizon, n_channels = carry.added.shape[1:]
    return carry.at(n_blocks * horizon).reshape(n_blocks, horizon, n_channels)


def _normal_ranks(made: np.ndarray) -> np.ndarray:
    """Turn sizes of errors into those of a normal distribution, and leave their signs."""
    n = len(made)
    share = (rankdata(np.abs(made), axis=0, nan_policy="omit") - 0.5) / max(n, 1)
    return np.where(np.isnan(made), 0.0, np.sign(made) * ndtri((1 + share) / 2))


def _combined(ranks: np.ndarray, n_samples: int, rng: np.random.RandomState) -> np.ndarray:
    flat = ranks.reshape(len(ranks), -1)
    drawn = rng.normal(size=(n_samples, len(flat))) @ flat
    size = np.sqrt((flat**2).sum(axis=0))
    alone = rng.normal(size=(n_samples, 1))  # where nothing is known
    drawn = np.where(size > 0, drawn / np.where(size > 0, size, 1.0), alone)
    return drawn.reshape(n_samples, *ranks.shape[1:])


def at_levels(quantiles: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Read quantiles (n_steps, n_channels, len(GRID)) at levels (n_samples, n_steps, n_channels).

    In between they are on a straight line.
    """
    place = np.clip((levels - GRID[0]) / (GRID[1] - GRID[0]), 0, len(GRID) - 1)
    left = np.minimum(place.astype(int), len(GRID) - 2)
    steps, channels = np.ogrid[: quantiles.shape[0], : quantiles.shape[1]]
    low, high = (quantiles[steps, channels, left + k] for k in (0, 1))
    return low + (place - left) * (high - low)
