"""Scales of the channels of sequences, of all values that are there."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from .arrays import any_missing
from .recordings import Recordings
from .scaling import Identity, Scaler, Standard, make_scaler, make_scaler_by_column
from .series import Series

# Steps, evenly spread, that quantiles of recordings are learned from.
_SAMPLED = 1 << 20


class Scaled(NamedTuple):
    """What a look at all values says.

    Attributes
    ----------
    scaler : Scaler
    some, every : bool ndarray of shape (n_values,)
        Of which channels values are missing, and of which all of them are.
    """

    scaler: Scaler
    some: np.ndarray
    every: np.ndarray


def scaler_of(
    X: Series | Recordings, weights: np.ndarray | None, scaling: str | bool,
    time_channel: int | None,
) -> Scaled:  # fmt: skip
    """Learn the scale of each channel but that of time, with weights of samples."""
    if isinstance(X, Recordings):
        return _of_recordings(X, weights, scaling, time_channel)
    weights = None if weights is None else np.repeat(weights, X.lengths)
    return _scaled(_without(X.values, time_channel), weights, scaling)


def _of_recordings(
    X: Recordings, weights: np.ndarray | None, scaling: str | bool, time_channel: int | None
) -> Scaled:
    """Learn it from moments, or from some of the steps."""
    moments = X.moments.joined(weights)
    if time_channel is not None:
        moments = moments.without(time_channel)
    counts, n_steps = X.moments.count.sum(axis=0), X.lengths.sum()
    if time_channel is not None:
        counts = np.delete(counts, time_channel)
    some, every = counts < n_steps, counts == 0
    if scaling == "standard":
        return Scaled(Standard.of_moments(moments), some, every)
    if scaling is False:
        identity = Identity()
        ends = np.stack([moments.lowest, moments.highest])
        identity.transform(ends[..., ~every])
        return Scaled(identity, some, every)
    steps, rows = X.sampled(_SAMPLED)
    weights = None if weights is None else weights[rows]
    return _scaled(_without(steps, time_channel), weights, scaling)._replace(
        some=some, every=every
    )


def _without(values: np.ndarray, channel: int | None) -> np.ndarray:
    return values if channel is None else np.delete(values, channel, axis=1)


def _scaled(values: np.ndarray, weights: np.ndarray | None, scaling: str | bool) -> Scaled:
    if not any_missing(values):
        none = np.zeros(values.shape[1], dtype=bool)
        return Scaled(make_scaler(scaling, values, weights), none, none)
    missing = np.isnan(values)
    some, every = missing.any(axis=0), missing.all(axis=0)
    columns = _columns(values, ~missing, weights)
    return Scaled(make_scaler_by_column(scaling, columns), some, every)


def _columns(
    values: np.ndarray, there: np.ndarray, weights: np.ndarray | None
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Give the values of each channel, a single zero where there is none, with their weights."""
    for x, own in zip(values.T, there.T, strict=True):
        if own.any():
            yield x[own], None if weights is None else weights[own]
        else:
            yield np.zeros(1, values.dtype), None
