"""Values that are missing inside sequences: what stands in their place, and what tells of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from ..storage.plain import Fields
from .relaxation import Relaxation, Steps, after, between, relaxation_of

MISSING = ("auto", "bridge", "mask", "error")

# What a channel that tells of missing values is where one is missing, in the units of scaled
# channels. Where holes come by chance it is noise, which a smaller one adds less of.
INDICATOR = 0.25


@dataclass(frozen=True)
class Holes:
    """What fit learns of values that are missing inside sequences.

    Attributes
    ----------
    way : {"bridge", "mask", "error"}
        What stands in the place of a missing value: what is expected between the channel's
        values before and after it; or after the value before it, which no later one changes.
        "error" refuses missing values.
    told : tuple of int
        Channels, but for that of time, of which values were missing in training: each has one
        more, which tells where.
    empty : tuple of int
        Channels without a value in training, which are not looked at.
    relaxation : Relaxation or None
        How values fade; None where none was missing in training: they then stay what they are.
    """

    way: str = "error"
    told: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    relaxation: Relaxation | None = None

    @classmethod
    def of(cls, missing: str, *, whole: bool) -> Self:
        """Make it of an estimator's parameter `missing`.

        Parameters
        ----------
        missing : one of `MISSING`
        whole : bool
            Whether a sequence is known to its end before there is an answer.
        """
        return cls({"auto": "bridge" if whole else "mask"}.get(missing, missing))

    @property
    def allowed(self) -> bool:
        """Whether values may be missing."""
        return self.way != "error"

    @property
    def looks_ahead(self) -> bool:
        """Whether what stands for a missing value depends on later ones."""
        return self.way == "bridge"

    def learned(self, some: np.ndarray, every: np.ndarray) -> Self:
        """Learn of which channels some values are missing in training, and of which every one."""
        told = tuple(np.flatnonzero(some & ~every).tolist())
        return replace(self, told=told, empty=tuple(np.flatnonzero(every).tolist()))

    def concern(self, missing: np.ndarray) -> bool:
        """Tell whether steps (n_steps, n_channels) need more than to be scaled."""
        return bool(self.told or self.empty or missing.any())

    def with_relaxation(self, parts: Iterable[Steps]) -> Self:
        """Learn how values fade from parts of the training data, if some are missing there."""
        return replace(self, relaxation=relaxation_of(parts)) if self.told else self

    def columns(
        self, z: np.ndarray, missing: np.ndarray, at: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """Give what the network sees of steps.

        Parameters
        ----------
        z : ndarray of shape (n_steps, n_channels)
            Scaled values of sequences, one after another; anything finite where one is missing.
        missing : bool ndarray of shape (n_steps, n_channels)
        at : ndarray of shape (n_steps, n_channels) or (n_steps, 1)
            Where values are in time.
        lengths : ndarray of shape (n_samples,)

        Returns
        -------
        ndarray of shape (n_steps, n_channels + n_told)
        """
        there = ~missing
        there[:, list(self.empty)] = False
        filled = self._filled(z, there, at, lengths)
        tells = missing[:, list(self.told)].astype(z.dtype) * z.dtype.type(INDICATOR)
        return np.concatenate([filled.astype(z.dtype, copy=False), tells], axis=1)

    def _filled(
        self, z: np.ndarray, there: np.ndarray, at: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """Put what is expected in the place of what is not `there`."""
        n_steps, steps = len(z), np.arange(len(z))[:, None]
        stop = np.repeat(lengths.cumsum(), lengths)[:, None]
        start = stop - np.repeat(lengths, lengths)[:, None]
        rests, rates = self._relaxation(z.shape[1])
        before = np.maximum.accumulate(np.where(there, steps, -1), axis=0)
        seen = before >= start
        earlier, since = _taken(z - rests, at, np.where(seen, before, 0))
        filled = np.where(seen, after(earlier, np.maximum(at - since, 0), rates), 0)
        if self.looks_ahead:
            behind = np.minimum.accumulate(np.where(there, steps, n_steps)[::-1], axis=0)[::-1]
            comes = behind < stop
            later, until = _taken(z - rests, at, np.where(comes, behind, 0))
            left = np.maximum(until - at, 0)
            bridge = between(earlier, np.maximum(at - since, 0), later, left, rates)
            ahead = np.where(seen, bridge, after(later, left, rates))
            filled = np.where(comes, ahead, filled)
        return np.where(there, z, filled + rests)

    def _relaxation(self, n_channels: int) -> tuple[np.ndarray, np.ndarray]:
        if self.relaxation is None:
            return np.zeros(n_channels), np.zeros(n_channels)
        return np.array(self.relaxation.rests), np.array(self.relaxation.rates)

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Give what was learned as JSON."""
        known = self.relaxation
        rests, rates = ((), ()) if known is None else known
        channels = {"told": list(self.told), "empty": list(self.empty)}
        return {**channels, "rests": list(rests), "rates": list(rates)}

    def described(self, fields: Fields, n_channels: int) -> Self:
        """Take what `to_state` gave.

        Raises
        ------
        ValueError
            If it is not that, of so many channels.
        """
        told, empty = (fields.integers(name, 0) for name in ("told", "empty"))
        rests, rates = (_finite(fields.take(name, list), name) for name in ("rests", "rates"))
        fields.close()
        _check_channels(told, n_channels)
        _check_channels(empty, n_channels)
        if {*told} & {*empty}:
            raise ValueError("a channel of its holes is of two kinds.")
        if not self.allowed and (told or empty):
            raise ValueError("it tells of missing values, which missing='error' refuses.")
        if {len(rests), len(rates)} not in ({0}, {n_channels}) or min(rates, default=0) < 0:
            raise ValueError("its holes do not say of each channel how it relaxes.")
        relaxation = Relaxation(rests, rates) if rests else None
        return replace(self, told=tuple(told), empty=tuple(empty), relaxation=relaxation)


def _finite(values: list[Any], name: str) -> tuple[float, ...]:
    if not all(type(value) is float and np.isfinite(value) for value in values):
        raise ValueError(f"its {name} must be finite numbers.")
    return tuple(values)


def _taken(z: np.ndarray, at: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the values of `steps` (n_steps, n_channels), and where they are in time."""
    where = np.broadcast_to(at, z.shape)
    return np.take_along_axis(z, steps, axis=0), np.take_along_axis(where, steps, axis=0)


def _check_channels(channels: Sequence[int], n_channels: int) -> None:
    ascending = all(a < b for a, b in pairwise(channels))
    if not ascending or not all(0 <= i < n_channels for i in channels):
        raise ValueError("its holes name channels that there are not, or twice.")
