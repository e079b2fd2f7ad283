"""How long windows are, and which of them are held out."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ..preparation.times import mean_gap
from ..storage.state import State

_LEAST_WINDOW, _LEAST_HORIZON = 12, 6
_MANY_WINDOWS = 2000  # to train on; more of one series say little more
_SEGMENTS = 4  # of a window without two seasons, each a step of the network
_DAY = pd.Timedelta(days=1)
# From this distance of times on, this cycle: a year of months or weeks, a week of days, a day
# of hours, an hour of minutes, a minute of seconds.
_CYCLES = (
    (27 * _DAY, 365.25 * _DAY),
    (6 * _DAY, 364 * _DAY),
    (_DAY, 7 * _DAY),
    (pd.Timedelta(minutes=5), _DAY),
    (pd.Timedelta(seconds=5), pd.Timedelta(hours=1)),
    (pd.Timedelta(0), pd.Timedelta(minutes=1)),
)


@dataclass(frozen=True)
class FrameSizes:
    """Steps that the network sees and that the linear map sees, and how many maps there are."""

    network_length: int
    linear_length: int
    n_maps: int


@dataclass(frozen=True)
class Sizes:
    """Steps of a context, of its horizon, and of a segment; and if the network is told of gaps.

    With a linear frame, too, of whose windows the network sees the end.
    """

    window_length: int
    horizon: int
    segment_length: int
    told: bool = False
    frame: FrameSizes | None = None

    @property
    def network_length(self) -> int:
        """Steps of a context that the network sees."""
        return self.window_length if self.frame is None else self.frame.network_length

    def of_network(self) -> "Sizes":
        """Give the sizes of the network alone."""
        return replace(self, window_length=self.network_length, frame=None)

    def framed(self, linear_length: int, n_maps: int) -> "Sizes":
        """Give the sizes of the network with a linear map beside it."""
        frame = FrameSizes(self.window_length, linear_length, n_maps)
        longer = max(self.window_length, linear_length)
        return replace(self, window_length=longer, frame=frame)

    @property
    def length(self) -> int:
        """Steps of a context and its horizon."""
        return self.window_length + self.horizon

    def too_short_for(self, n_times: int) -> str:
        """Say that a series of so many times is too short."""
        return (
            f"y has {n_times} time steps; window_length={self.window_length} and "
            f"horizon={self.horizon} need at least {self.length}."
        )

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: State) -> "Sizes":
        """Make sizes of their state."""
        names = ("window_length", "horizon", "segment_length")
        window_length, horizon, segment_length = (state.integer(name) for name in names)
        # Which is younger than the first files.
        told = state.take("told", bool) if "told" in state else False
        frame = None
        if "frame" in state:
            frame = state.optional("frame", lambda state: state.read(_frame_from))
        if frame and window_length != max(frame.network_length, frame.linear_length):
            raise ValueError("window_length must be that of the network or of the linear map.")
        return cls(window_length, horizon, segment_length, told, frame)


def _frame_from(state: State) -> FrameSizes:
    names = ("network_length", "linear_length", "n_maps")
    return FrameSizes(*(state.integer(name) for name in names))


def season(index: pd.Index) -> int:
    """Guess after how many steps a series repeats itself, from how far its times lie apart.

    One, as for a series that does not, where times are bare numbers.
    """
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex) or len(index) < 2:
        return 1
    gap = mean_gap(index)
    cycle = next(cycle for least, cycle in _CYCLES if gap >= least)
    return max(1, round(cycle / gap))


def choose_sizes(
    n_times: int,
    index: pd.Index,
    *,
    window_length: int | str,
    horizon: int | str,
    segment_length: int | str,
) -> Sizes:
    """Fill in the sizes that are "auto", for a series of `n_times` at times like `index`.

    A window is two seasons, of 12 steps at least, and a horizon one, or 6 steps where there
    is none; a third of the series is the most for a window, a quarter for a horizon.
    """
    cycle = season(index)
    if window_length == "auto":
        window_length = max(1, min(max(2 * cycle, _LEAST_WINDOW), n_times // 3))
    if horizon == "auto":
        horizon = max(1, min(cycle if cycle > 1 else _LEAST_HORIZON, n_times // 4))
    if segment_length == "auto":
        whole = 2 * cycle <= int(window_length) and cycle > 1
        segment_length = cycle if whole else -(-int(window_length) // _SEGMENTS)
    return Sizes(int(window_length), int(horizon), int(segment_length))


def stride_of(stride: int | str, n_windows: int, cycle: int) -> int:
    """Fill in a stride that is "auto": the least that leaves few windows, at all phases."""
    if stride != "auto":
        return int(stride)
    steps = max(1, -(-n_windows // _MANY_WINDOWS))
    while math.gcd(steps, cycle) > 1:
        steps += 1
    return steps


def split_in_time(
    lengths: Sequence[int], sizes: Sizes, validation_fraction: float
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Give the starts of training and of validation windows, and where validation begins.

    A validation window's targets all come after every target of the training windows of
    the same series; its context may reach back among them. Series stand one after another.

    Parameters
    ----------
    lengths : sequence of int
        Steps of each series.
    sizes : Sizes
    validation_fraction : float
        Share of the steps to hold out, at the end of each series; at least one horizon
        where it is above zero.

    Returns
    -------
    training, validation : ndarray of int
        Starts of windows.
    boundaries : list of int
        First step held out, for each series, counted within it.
    """
    training, validation, boundaries = [], [], []
    offset = 0
    for length in lengths:
        held_out = 0
        if validation_fraction > 0:
            held_out = max(sizes.horizon, round(validation_fraction * length))
        boundary = length - held_out
        boundaries.append(boundary)
        training.append(offset + np.arange(boundary - sizes.length + 1))
        first = max(0, boundary - sizes.window_length)
        if held_out:
            validation.append(offset + np.arange(first, length - sizes.length + 1))
        offset += length
    none = np.empty(0, dtype=int)
    return np.concatenate([none, *training]), np.concatenate([none, *validation]), boundaries


def split_at_end(
    n_times: int, sizes: Sizes, fraction: float, *, required: bool
) -> tuple[np.ndarray, np.ndarray, int]:
    """Split one series as :func:`split_in_time` does, if there are enough times for it.

    Raises
    ------
    ValueError
        If there are not, and early stopping has it `required`; else nothing is held out.
    """
    training, validation, (boundary,) = split_in_time([n_times], sizes, fraction)
    if len(training):
        return training, validation, boundary
    if required:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves "
            f"{boundary} of {n_times} time steps for training; window_length="
            f"{sizes.window_length} and horizon={sizes.horizon} need at least "
            f"{sizes.length}."
        )
    # Intervals without calibration; asking for them warns.
    training, validation, (boundary,) = split_in_time([n_times], sizes, 0.0)
    return training, validation, boundary
