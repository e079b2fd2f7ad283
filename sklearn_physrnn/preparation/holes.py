"""Values that are missing inside sequences: what stands in their place, and what tells of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np
import torch

from ..storage.plain import Fields
from .arrays import any_missing
from .scaling import Scaler

MISSING = ("auto", "linear", "mask", "error")

# What a channel that tells of missing values is where one is missing, in the units of scaled
# channels. Where holes come by chance it is noise, which a smaller one adds less of.
INDICATOR = 0.25


@dataclass(frozen=True)
class Holes:
    """What fit learns of values that are missing inside sequences.

    Attributes
    ----------
    way : {"linear", "mask", "error"}
        What stands in the place of a missing value: what lies on the straight line between the
        channel's values before and after it; or the value before it, which no later one changes.
        "error" refuses missing values.
    told : tuple of int
        Channels, but for that of time, of which values were missing in training: each has one
        more, which tells where.
    empty : tuple of int
        Channels without a value in training, which are not looked at.
    in_doubt : bool
        Whether the network is told only if that says something of targets, which nobody has
        looked at yet.
    """

    way: str = "error"
    told: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    in_doubt: bool = False

    @classmethod
    def of(cls, missing: str, *, whole: bool) -> Self:
        """Make it of an estimator's parameter `missing`.

        Parameters
        ----------
        missing : one of `MISSING`
        whole : bool
            Whether a sequence is known to its end before there is an answer.
        """
        automatic = missing == "auto"
        way = ("linear" if whole else "mask") if automatic else missing
        return cls(way, in_doubt=automatic and whole)

    @property
    def allowed(self) -> bool:
        """Whether values may be missing."""
        return self.way != "error"

    @property
    def looks_ahead(self) -> bool:
        """Whether what stands for a missing value depends on later ones."""
        return self.way == "linear"

    def learned(self, some: np.ndarray, every: np.ndarray) -> Self:
        """Learn of which channels some values are missing in training, and of which every one."""
        told = tuple(np.flatnonzero(some & ~every).tolist())
        return replace(self, told=told, empty=tuple(np.flatnonzero(every).tolist()))

    def decided(self, tell: bool) -> Self:
        """Tell the network, or do not."""
        return replace(self, told=self.told if tell else (), in_doubt=False)

    def concern(self, values: np.ndarray) -> bool:
        """Tell whether steps (n_steps, n_channels) need more than to be scaled."""
        return bool(self.told or self.empty) or any_missing(values)

    def columns(
        self, values: np.ndarray, at: np.ndarray, lengths: np.ndarray, scaler: Scaler
    ) -> np.ndarray:
        """Give what the network sees of steps.

        Parameters
        ----------
        values : ndarray of shape (n_steps, n_channels)
            Of sequences, one after another; NaN where one is missing.
        at : ndarray of shape (n_steps, n_channels) or (n_steps, 1)
            Where values are in time.
        lengths : ndarray of shape (n_samples,)
        scaler : Scaler

        Returns
        -------
        ndarray of shape (n_steps, n_channels + n_told)
        """
        missing = np.isnan(values)
        z = scaler.transform(np.where(missing, values.dtype.type(0), values))
        there = ~missing
        there[:, list(self.empty)] = False
        filled = self._filled(z, there, at, lengths)
        tells = missing[:, list(self.told)].astype(z.dtype) * z.dtype.type(INDICATOR)
        return np.concatenate([filled.astype(z.dtype, copy=False), tells], axis=1)

    def start_untold(self, weight: torch.Tensor, n_columns: int) -> None:
        """Let weights (n_outputs, n_steps * n_columns) hear nothing yet of missing values.

        Where holes come by chance, what they start with is noise to be unlearned.
        """
        with torch.no_grad():
            weight.unflatten(1, (-1, n_columns))[..., n_columns - len(self.told) :] = 0

    def by_channel(self, values: torch.Tensor) -> torch.Tensor:
        """Add what is of a column that tells of missing values to the channel it tells of."""
        n_channels = values.shape[-1] - len(self.told)
        own, told = values[..., :n_channels], values[..., n_channels:]
        return own.index_add(-1, torch.as_tensor(self.told, dtype=torch.long), told)

    def _filled(
        self, z: np.ndarray, there: np.ndarray, at: np.ndarray, lengths: np.ndarray
    ) -> np.ndarray:
        """Put something in the place of what is not `there`: zero, where no value is known."""
        n_steps, steps = len(z), np.arange(len(z))[:, None]
        stop = np.repeat(lengths.cumsum(), lengths)[:, None]
        start = stop - np.repeat(lengths, lengths)[:, None]
        before = np.maximum.accumulate(np.where(there, steps, -1), axis=0)
        seen = before >= start
        earlier, since = _taken(z, at, np.where(seen, before, 0))
        if not self.looks_ahead:
            return np.where(seen, earlier, 0)
        after = np.minimum.accumulate(np.where(there, steps, n_steps)[::-1], axis=0)[::-1]
        comes = after < stop
        later, until = _taken(z, at, np.where(comes, after, 0))
        with np.errstate(invalid="ignore", divide="ignore"):
            share = np.clip(np.nan_to_num((at - since) / (until - since)), 0, 1)
        line = np.where(seen, np.where(comes, earlier + share * (later - earlier), earlier), later)
        return np.where(there, z, np.where(seen | comes, line, 0))

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Give what was learned as JSON."""
        return {"told": list(self.told), "empty": list(self.empty)}

    def described(self, fields: Fields, n_channels: int) -> Self:
        """Take what `to_state` gave.

        Raises
        ------
        ValueError
            If it is not that, of so many channels.
        """
        told, empty = (fields.integers(name, 0) for name in ("told", "empty"))
        fields.close()
        _check_channels(told, n_channels)
        _check_channels(empty, n_channels)
        if {*told} & {*empty}:
            raise ValueError("a channel of its holes is of two kinds.")
        if not self.allowed and (told or empty):
            raise ValueError("it tells of missing values, which missing='error' refuses.")
        return replace(self, told=tuple(told), empty=tuple(empty), in_doubt=False)


def _taken(z: np.ndarray, at: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Take the values of `steps` (n_steps, n_channels), and where they are in time."""
    where = np.broadcast_to(at, z.shape)
    return np.take_along_axis(z, steps, axis=0), np.take_along_axis(where, steps, axis=0)


def _check_channels(channels: Sequence[int], n_channels: int) -> None:
    ascending = all(a < b for a, b in pairwise(channels))
    if not ascending or not all(0 <= i < n_channels for i in channels):
        raise ValueError("its holes name channels that there are not, or twice.")
