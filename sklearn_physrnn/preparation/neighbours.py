"""Values next to a part of a sequence that is read by itself."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

_FIRST_READ = 64  # steps; each further read is of twice as many


class Readable(Protocol):
    """Sequences that parts can be read of: Series or Recordings."""

    lengths: np.ndarray

    def stretch(self, row: int, start: int, stop: int) -> np.ndarray:
        """Read steps `start` to `stop` of one of them."""


class _Gap(NamedTuple):
    """Steps `start` to `stop` of a sequence in which a channel has no value, and one beside."""

    start: int
    stop: int
    value: float  # NaN if there is none


_NONE: dict[int, tuple[float, int]] = {}


def times_of(steps: np.ndarray, time_channel: int | None, start: int = 0) -> np.ndarray:
    """Say where steps are in time, of which the first is number `start`."""
    if time_channel is None:
        return np.arange(start, start + len(steps), dtype=np.float64)
    return steps[:, time_channel]


@dataclass
class Neighbours:
    """Finds the values beside parts of sequences, and remembers gaps it has looked through.

    Parts that are read one after another are so looked at once, however long a gap is.

    Attributes
    ----------
    sequences : Readable
    """

    sequences: Readable
    _behind: dict[tuple[int, int], _Gap] = field(default_factory=dict)
    _ahead: dict[tuple[int, int], _Gap] = field(default_factory=dict)

    def around(
        self, row: int, start: int, steps: np.ndarray, *, time_channel: int | None, ahead: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Put a step before a part of a sequence, and one after it, with the values beside it.

        Parameters
        ----------
        row, start : int
            Which sequence, and which step of it the part begins with.
        steps : ndarray of shape (n_steps, n_channels)
            The part, NaN where a value is missing. Channels that have no value at its first
            step are looked for before it, and those that have none at the last after it.
        time_channel : int or None
            What says where steps are in time; None counts them.
        ahead : bool
            Whether to look after it, too.

        Returns
        -------
        steps : ndarray of shape (n_steps + 2, n_channels)
            NaN where there is nothing beside, or nothing was looked for.
        at : ndarray of shape (n_steps + 2, n_channels)
            Where these are in time.
        """
        before = self._beside(self._behind, row, start, steps, back=True)
        after = self._beside(self._ahead, row, start, steps, back=False) if ahead else _NONE
        values = np.full((len(steps) + 2, steps.shape[1]), np.nan, steps.dtype)
        at = np.zeros(values.shape)
        values[1:-1], at[1:-1] = steps, times_of(steps, time_channel, start)[:, None]
        for place, beside in ((0, before), (-1, after)):
            for channel, (value, step) in beside.items():
                values[place, channel], at[place, channel] = value, step
                if time_channel is not None:
                    there = self.sequences.stretch(row, step, step + 1)
                    at[place, channel] = there[0, time_channel]
        return values, at

    def _beside(
        self, gaps: dict[tuple[int, int], _Gap], row: int, start: int, steps: np.ndarray, *,
        back: bool,
    ) -> dict[int, tuple[float, int]]:  # fmt: skip
        """Give the nearest values on one side, by channel, and the steps that have them."""
        stop = start + len(steps)
        edge = start if back else stop
        wanted = np.flatnonzero(np.isnan(steps[0 if back else -1])).tolist()
        unknown = {c for c in wanted if not _covers(gaps.get((row, c)), edge)}
        for channel, gap in self._found(row, edge, unknown, back=back).items():
            gaps[row, channel] = gap
        beside = {}
        for channel in wanted:
            gap = gaps[row, channel]
            if not np.isnan(gap.value):
                beside[channel] = gap.value, gap.start - 1 if back else gap.stop
            if np.isnan(steps[:, channel]).all():  # the gap goes on through these
                gap = gap._replace(start=min(gap.start, start), stop=max(gap.stop, stop))
                gaps[row, channel] = gap
        return beside

    def _found(self, row: int, edge: int, wanted: set[int], *, back: bool) -> dict[int, _Gap]:
        """Read from `edge` on, until all `wanted` channels have a value or the sequence ends."""
        found: dict[int, _Gap] = {}
        end = 0 if back else int(self.sequences.lengths[row])
        for start, stop in _blocks(edge, end, back=back):
            if found.keys() == wanted:
                break
            block = self.sequences.stretch(row, start, stop)
            for channel in wanted - found.keys():
                seen = np.flatnonzero(~np.isnan(block[:, channel]))
                if len(seen):
                    at = int(seen[-1 if back else 0])
                    span = (start + at + 1, edge) if back else (edge, start + at)
                    found[channel] = _Gap(*span, block[at, channel])
        span = (end, edge) if back else (edge, end)
        return {**dict.fromkeys(wanted, _Gap(*span, np.nan)), **found}


def _covers(gap: _Gap | None, edge: int) -> bool:
    return gap is not None and gap.start <= edge <= gap.stop


def _blocks(edge: int, end: int, *, back: bool) -> Iterator[tuple[int, int]]:
    """Cut what is between `edge` and `end` into growing pieces, from `edge` on."""
    n_steps = _FIRST_READ
    while edge != end:
        far = max(edge - n_steps, end) if back else min(edge + n_steps, end)
        yield (far, edge) if back else (edge, far)
        edge, n_steps = far, 2 * n_steps
