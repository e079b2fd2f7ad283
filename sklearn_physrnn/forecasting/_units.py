"""Units of a series' channels, which follow a channel that comes to life."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..preparation.scaling import Standard
from ..storage.state import State

# A channel's unit is outgrown when values vary this many times as much, from one to the next.
_OUTGROWN = 100.0

_SHORTEST = 12  # steps whose variation tells of it, at least

_WILD = 30.0  # robust deviations from the median

_LARGEST = 1e15  # standardised values whose squares float32 can hold


@dataclass(frozen=True, eq=False)
class Units(Standard):
    """Standardised channels, however far values go.

    A table's wild value is cut, as it would ruin a prediction. A series that leaves its past
    range has a new level, of which windows show the changes alone.
    """

    @classmethod
    def of(cls, values: np.ndarray, *, robust: bool, n_steps: int) -> "Units":
        """Learn the units of a series.

        Parameters
        ----------
        values : ndarray of shape (n_times, n_channels)
            Of NaN nothing is learned.
        robust : bool
            Give wild values little weight: beyond 30 robust deviations from the median they
            count as if they lay there. Mean and standard deviation do the rest, so that the
            events that a tenth of the values or less make up, a promotion or a holiday, lie
            within reach; a series without wild values has the same units either way.
        n_steps : int
            See `following`.
        """
        units = _learned(values, robust)
        return cls(units.center, units.scale).following(values, robust=robust, n_steps=n_steps)

    def transform(self, X: np.ndarray) -> np.ndarray:
        scale = np.where(self.scale == 0, np.inf, self.scale)
        with np.errstate(over="ignore"):
            Z = (X - self.center) / scale
        return np.clip(Z, -_LARGEST, _LARGEST)

    def outgrown(self, values: np.ndarray, n_steps: int) -> np.ndarray:
        """Tell which channels were a constant and vary, or idled and live.

        An idle channel (a sensor switched off, a product not yet sold) has a unit all the
        same, that of its noise. It lives where in some `n_steps` successive values most
        changes are far beyond it; a few wild values, or a new level, are no life.
        """
        if np.isnan(values).any():
            return by_column(
                lambda column, one: one.outgrown(column, n_steps), values, self.of_each()
            )
        constant = (self.scale == 0) & (values != self.center).any(axis=0)
        if not len(values):
            return constant
        n_steps = min(max(n_steps, _SHORTEST), len(values))
        if n_steps < 2:
            return constant
        with np.errstate(over="ignore"):
            changes = np.abs(np.diff(values, axis=0))
        parts = np.lib.stride_tricks.sliding_window_view(changes, n_steps - 1, axis=0)
        # From the last part back: the newest count, whatever the stride.
        usual = np.median(parts[:: -max(1, n_steps // 2)], axis=2).max(axis=0)
        return constant | (usual / _OUTGROWN > self.scale)

    def following(self, values: np.ndarray, *, robust: bool, n_steps: int) -> "Units":
        """Give the units of further values; channels that did not outgrow theirs keep them."""
        units = self
        # Robust ones may still be those of the idle part, where that is nearly all.
        for kind in (True, False) if robust else (False,):
            outgrown = units.outgrown(values, n_steps)
            if not outgrown.any():
                break
            new = _learned(values, kind)
            units = Units(
                np.where(outgrown, new.center, units.center),
                np.where(outgrown, new.scale, units.scale),
            )
        return units

    def of_each(self) -> list["Units"]:
        """Give the units of each channel by itself."""
        return [Units(self.center[[k]], self.scale[[k]]) for k in range(len(self.center))]

    def to_state(self) -> dict[str, Any]:
        """Give what they are kept as."""
        return {"center": self.center, "scale": self.scale}

    @classmethod
    def from_state(cls, state: State, n_channels: int) -> "Units":
        """Make the units of so many channels of their state."""
        return cls(*(state.array(name, (n_channels,)) for name in ("center", "scale")))


def by_column(call: Callable[..., Any], values: np.ndarray, *others: Sequence[Any]) -> np.ndarray:
    """Call for what is there of each column, (n, 1), and put the answers in one row."""
    columns = [column[~np.isnan(column)][:, None] for column in values.T]
    return np.concatenate([call(*each) for each in zip(columns, *others, strict=True)])


def _learned(values: np.ndarray, robust: bool) -> Standard:
    if np.isnan(values).any():
        present = [column[~np.isnan(column)][:, None] for column in values.T]
        return Standard.joined([_learned(column, robust) for column in present])
    if not len(values):  # nothing is known of it
        return Standard(np.zeros(values.shape[1]), np.zeros(values.shape[1]))
    if robust:
        usual = Standard.fit(values, constant="fixed", robust=True)
        reach = _WILD * usual.scale
        values = np.clip(values, usual.center - reach, usual.center + reach)
    return Standard.fit(values, constant="fixed")
