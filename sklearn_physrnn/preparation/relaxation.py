"""How what is known of a channel at one time fades until another.

A value is taken to relax to the channel's mean at a rate of its own, as a process of Ornstein
and Uhlenbeck does: with a rate of 0 it stays what it is, and between two values lies a line.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

_FEWEST = 20  # pairs of values that a rate is learned from
_WILD = 3.0  # deviations from the mean that count in full
_TIMES = 2.0 ** np.arange(-3, 9)  # of relaxation that are tried, in the usual distance of values


class Steps(NamedTuple):
    """Steps of sequences, one after another.

    Attributes
    ----------
    z : ndarray of shape (n_steps, n_channels)
    there : bool ndarray of shape (n_steps, n_channels)
    at : ndarray of shape (n_steps,)
        Where steps are in time.
    lengths : ndarray of shape (n_samples,)
    """

    z: np.ndarray
    there: np.ndarray
    at: np.ndarray
    lengths: np.ndarray


class Relaxation(NamedTuple):
    """What every channel relaxes to, and how fast.

    Attributes
    ----------
    rests, rates : tuple of float
        In units of scaled values, and per unit of time.
    """

    rests: tuple[float, ...]
    rates: tuple[float, ...]


def relaxation_of(parts: Iterable[Steps]) -> Relaxation:
    """Learn it from values that follow each other in the same sequence, whatever is between."""
    known = list(parts)
    n_channels = known[0].z.shape[1]
    learned = [_of_channel(known, channel) for channel in range(n_channels)]
    rests, rates = zip(*learned, strict=True)
    return Relaxation(rests, rates)


def _of_channel(parts: list[Steps], channel: int) -> tuple[float, float]:
    values = np.concatenate([part.z[part.there[:, channel], channel] for part in parts])
    if not len(values):
        return 0.0, 0.0
    rest, spread = float(values.mean()), float(values.std())
    elapsed, products = [], []
    for part in parts:
        seen = np.flatnonzero(part.there[:, channel])
        samples = np.repeat(np.arange(len(part.lengths)), part.lengths)[seen]
        together = samples[1:] == samples[:-1]
        unit = (part.z[seen, channel] - rest) / (spread or 1.0)
        unit = np.clip(unit, -_WILD, _WILD)
        elapsed.append(np.diff(part.at[seen])[together])
        products.append((unit[1:] * unit[:-1])[together])
    return rest, _rate(np.concatenate(elapsed), np.concatenate(products)) if spread else 0.0


def _rate(elapsed: np.ndarray, products: np.ndarray) -> float:
    """Fit exp(-rate elapsed) to products of two values; 0 where these say too little."""
    apart = elapsed > 0
    elapsed, products = elapsed[apart], products[apart]
    if len(elapsed) < _FEWEST:
        return 0.0
    rates = np.append(0.0, 1 / (np.median(elapsed) * _TIMES))
    errors = [np.square(products - np.exp(-elapsed * rate)).sum() for rate in rates]
    return float(rates[int(np.argmin(errors))])


def after(value: np.ndarray, elapsed: np.ndarray, rate: np.ndarray) -> np.ndarray:
    """Say what is left, after some time, of a value's distance from rest."""
    return value * np.exp(-rate * elapsed)


def between(
    earlier: np.ndarray, since: np.ndarray, later: np.ndarray, until: np.ndarray, rate: np.ndarray
) -> np.ndarray:
    """Say what is expected between two values, some time `since` one and `until` the other.

    Values are distances from rest. For a rate of 0 it is the straight line between them.
    """
    whole = since + until
    with np.errstate(invalid="ignore", divide="ignore"):
        # Shares of sinh(rate until) and sinh(rate since) in sinh(rate whole), without overflow.
        all_of_it = -np.expm1(-2 * rate * whole)
        first = np.exp(-rate * since) * -np.expm1(-2 * rate * until) / all_of_it
        second = np.exp(-rate * until) * -np.expm1(-2 * rate * since) / all_of_it
        line = since / whole
    straight = rate * whole < 1e-6
    line = np.where(whole > 0, line, 0)
    first, second = np.where(straight, 1 - line, first), np.where(straight, line, second)
    return first * earlier + second * later
