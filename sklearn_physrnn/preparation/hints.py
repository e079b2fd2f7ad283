"""Whether the places of missing values say anything of targets.

Where holes come by chance, inputs that tell of them are noise, which a network has to unlearn;
where they mean something, they may be all that there is. A test of permutations tells the two
apart: it holds for any distribution, however few values are missing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .recordings import Recordings
from .series import Series

_PARTS = 4  # of equal length, of each sequence

_ORDERS = 199  # so that chance is taken for a hint once in 200 times

_FEWEST, _MOST, _NUMBERS = 200, 2000, 400_000  # sequences that are looked at, and shares of them


def holes_tell(
    X: Series | Recordings, y: Any, channels: Sequence[int], time_channel: int | None = None
) -> bool:
    """Tell whether the shares of values that sequences miss go with their targets.

    A share is that of a channel, in the whole sequence or in a quarter of it. The largest
    part of a share's variance that targets explain has to exceed what it is with targets in
    each of 199 random orders. Nothing is looked at where targets stand at every step: whether
    holes tell of them is not a matter of shares, and taken for granted.

    Parameters
    ----------
    X : Series or Recordings
    y : ndarray of shape (n_samples,) or (n_samples, n_targets), or other
        Indices of classes; or numbers; or targets at every step.
    channels : sequence of int
        In which values are missing, not counting that of time.
    time_channel : int, optional
    """
    if not len(channels) or not isinstance(y, np.ndarray) or y.ndim > 2:
        return len(channels) > 0
    n_shares = (1 + _PARTS) * len(channels)
    n_rows = min(len(X), int(np.clip(_NUMBERS // n_shares, _FEWEST, _MOST)))
    rows = np.linspace(0, len(X) - 1, n_rows).round().astype(int)
    shares = _directions(np.stack([_shares(X, row, list(channels), time_channel) for row in rows]))
    y = y[rows]
    if y.ndim == 1:
        counts = np.bincount(y)
        y = np.eye(len(counts))[y][:, counts > 0] / np.sqrt(counts[counts > 0])
    else:
        y = _directions(y)
    rng = np.random.default_rng(0)
    by_chance = max(_explained(shares, y[rng.permutation(n_rows)]) for _ in range(_ORDERS))
    return _explained(shares, y) > by_chance * (1 + 1e-9)


def _explained(shares: np.ndarray, y: np.ndarray) -> float:
    """Give the largest part of a column's variance that lies in the directions of y."""
    return float(((y.T @ shares) ** 2).sum(axis=0).max())


def _directions(x: np.ndarray) -> np.ndarray:
    """Centre columns (n_rows, n_columns), and give them length 1; zero where all are equal."""
    x = x - x.mean(axis=0)
    length = np.linalg.norm(x, axis=0)
    return np.divide(x, length, out=np.zeros_like(x), where=length > 1e-12 * np.sqrt(len(x)))


def _shares(
    X: Series | Recordings, row: int, channels: list[int], time_channel: int | None
) -> np.ndarray:
    """Give the shares that a sequence misses, as a whole and in its parts, in one row."""
    length = int(X.lengths[row])
    edges = -(-np.arange(_PARTS + 1) * length // _PARTS)
    counts = np.zeros((_PARTS, len(channels)))
    at_a_time = X.steps_at_a_time if isinstance(X, Recordings) else length
    for start in range(0, length, at_a_time):
        stop = min(start + at_a_time, length)
        steps = X.stretch(row, start, stop)
        values = steps if time_channel is None else np.delete(steps, time_channel, axis=1)
        missing = np.isnan(values[:, channels])
        for part in range(_PARTS):
            own = slice(*np.clip(edges[part : part + 2] - start, 0, stop - start))
            counts[part] += missing[own].sum(axis=0)
    of_parts = counts / np.maximum(np.diff(edges), 1)[:, None]
    return np.concatenate([counts.sum(axis=0) / length, of_parts.ravel()])
