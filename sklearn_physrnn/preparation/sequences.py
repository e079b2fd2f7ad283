"""Sequences as inputs: regular or of unequal length, evenly or unevenly spaced."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from .._warnings import warn
from ..storage.format import Spec
from ..storage.plain import Fields
from .arrays import floats, naming, real_numbers
from .clock import Clock
from .containers import as_array, held_sequences
from .gaps import gaps_apart, without_rounding
from .hints import holes_tell
from .holes import Holes
from .inputs import Inputs
from .neighbours import times_of
from .no_arrays import refuse_no_array
from .recordings import Recordings, in_memory, left_where_they_are, recordings
from .scaling import LIMIT
from .scaling_of_steps import scaler_of
from .sequence_fields import sequence_fields
from .series import (
    DTYPES,
    Series,
    check_some_values,
    check_time,
    check_time_channel,
    count_dimensions,
    series_of_channels,
    series_of_table,
)
from .shapes import ONE_DIMENSION, check_channels, check_table
from .stored_scalers import Arrays, scaler_specs

# Steps, evenly spread, that the unit of time is learned from in recordings.
_SAMPLED = 1 << 20


@dataclass(frozen=True)
class SequenceInputs(Inputs):
    """X of shape (n_samples, n_timesteps, n_channels) and its relatives.

    Attributes
    ----------
    scaling : {"standard", "quantile", False}
    time_channel : int or None
        Which channel holds time stamps. Intervals between them are given to the module
        as "dt", in units of what is typical in training.
    unit_share : float or None
        Share of the intervals in training that the unit of time, which is one of them, is
        the longest of; None for their median.
    bounded : bool
        Count longer intervals as one unit, for networks of files from before there were gaps.
    longest_gap : float
        Units by which an interval may exceed the unit.
    clock : Clock
        Where time stamps are found, which `time_channel` follows from.
    n_dims : {2, 3}
        Of the X that was learned from; 2 means one channel.
    n_features : int
        Steps of a 2-D X, else channels.
    time_unit : float
        The interval that counts as 1.
    holes : Holes
        What is known of missing values.
    """

    scaling: str | bool
    time_channel: int | None = None
    unit_share: float | None = None
    bounded: bool = False
    longest_gap: float = np.inf
    clock: Clock = field(default_factory=Clock)
    n_dims: int = 3
    time_unit: float = 1.0
    holes: Holes = field(default_factory=Holes, kw_only=True)

    @property
    def named(self) -> bool:
        """Whether columns or channels of X may have names, which `caller` keeps."""
        return True

    @property
    def n_columns(self) -> int:
        """Channels but for that of time, and one for each that is told of missing values."""
        return self.n_values + len(self.holes.told)

    @property
    def n_values(self) -> int:
        """Channels but for that of time."""
        channels = 1 if self.n_dims == 2 else self.n_features
        return channels - (self.time_channel is not None and not self.clock.from_index)

    @property
    def _known_channels(self) -> int | None:
        return None if self.n_dims == 2 else self.n_features

    def first(self, X: Any, caller: Any) -> tuple[Self, Series | Recordings]:
        """Check the X that is to be learned from; return it, and inputs of its shape."""
        with naming("X"):
            self = self._told(X)
            n_dims, n_features, series = self._series(X, caller, reset=True)
            n_channels = 1 if n_dims == 2 else n_features
            if series.longest < 2:
                turned = (
                    f" Of sktime's shape (n_samples, n_channels, n_timesteps) give "
                    f"X.transpose(0, 2, 1): X has {n_channels} channels of one step."
                )
                raise ValueError(
                    "A sequence needs at least 2 time steps, got n_features=1: one step in every "
                    "sample. For rows of a table use DynPMNN." + (turned if n_channels > 1 else "")
                )
        return replace(self, n_dims=n_dims, n_features=n_features), series

    def read(self, X: Any, caller: Any) -> Series | Recordings:
        """Check X, its dimensions and its channels."""
        with naming("X"):
            return self._series(X, caller, reset=False)[2]

    def _series(self, X: Any, caller: Any, *, reset: bool) -> tuple[int, int, Series | Recordings]:
        name = type(caller).__name__
        refuse_no_array(X, "X")
        if isinstance(X, list | tuple) and not len(X):
            raise ValueError("X is an empty list: it must hold at least one sequence.")
        if left_where_they_are(X):
            return self._recordings(X, name, reset=reset)
        X = in_memory(X)
        held = held_sequences(X)
        if held is None:
            self.clock.check_has_position(X)
            X = real_numbers(as_array(X), "X")
            n_dims = count_dimensions(X)
            if n_dims < 2:
                raise ValueError(ONE_DIMENSION.format(np.shape(X)))
            if n_dims == 2:
                return self._one_channel(X, caller, reset=reset)
        # scikit-learn's own rules of names, without those of values.
        named = X if held is None else held.named
        validate_data(caller, named, reset=reset, skip_check_array=True, ensure_2d=False)
        given = X if held is None else self._timed(held.sequences, name)
        series = series_of_channels(given, holes=self.holes.allowed)
        n_channels = series.values.shape[1] - self.clock.from_index
        if not reset:
            exchanged = held is None and series.longest == self.n_features
            check_channels(n_channels, self._known_channels, name, exchanged=exchanged)
        if self.time_channel is not None:
            check_time(series, self.time_channel, self.clock.place)
            check_some_values(series, self.time_channel, padded=held is None)
        return 3, n_channels, series

    def _told(self, X: Any) -> Self:
        """Find out where time stamps are, and what."""
        if self.clock.given is None or left_where_they_are(X):
            if isinstance(self.clock.given, str):
                self.clock.read(X, None)  # which raises
            return self
        held = held_sequences(in_memory(X))
        clock, _, position = self.clock.read(X, None if held is None else held.sequences)
        return replace(self, clock=clock, time_channel=position)

    def _timed(self, sequences: list[Any], name: str) -> list[Any]:
        """Make numbers of time stamps, if they are of the kind that was learned from."""
        if self.clock.given is None:
            return sequences
        clock, timed, _ = self.clock.read(sequences, sequences)
        if clock.in_seconds != self.clock.in_seconds:
            dates, numbers = "dates or durations", "numbers"
            was, are = (dates, numbers) if self.clock.in_seconds else (numbers, dates)
            raise ValueError(f"Time stamps of X are {are}, but {name} was fitted to {was}.")
        return sequences if timed is None else timed

    def _recordings(self, X: Any, name: str, *, reset: bool) -> tuple[int, int, Recordings]:
        found = recordings(X, holes=self.holes.allowed)
        table = hasattr(X, "shape") and len(X.shape) == 2
        if not reset and table and self.n_dims == 3:
            check_table(X.shape, self.n_features, name)
        elif not reset:
            check_channels(found.n_channels, self._known_channels, name)
        if self.time_channel is not None:
            check_time_channel(self.time_channel, found.n_channels)
            found.intervals(self.time_channel, 1)
        return (2, int(X.shape[1]), found) if table else (3, found.n_channels, found)

    def _one_channel(self, X: Any, caller: Any, *, reset: bool) -> tuple[int, int, Series]:
        """Check a table of series (n_samples, n_timesteps)."""
        if self.time_channel is not None:
            raise ValueError(
                "time_channel needs X with channels, of shape (n_samples, n_timesteps, "
                "n_channels) or a list of arrays, got a 2-D X."
            )
        X = floats(X)
        if reset or self.n_dims == 2:  # scikit-learn's own rules hold
            X = validate_data(caller, X, dtype=DTYPES, reset=reset, ensure_all_finite=False)
        else:
            check_table(np.shape(X), self.n_features, type(caller).__name__)
            X = check_array(X, dtype=DTYPES, input_name="X", ensure_all_finite=False)
        return 2, X.shape[1], series_of_table(X, holes=self.holes.allowed)

    def fit(self, X: Series | Recordings, weights: np.ndarray | None) -> Self:
        """Learn the scale of each channel, which values are missing, and the unit of time."""
        scaler, some, every = scaler_of(X, weights, self.scaling, self.time_channel)
        holes = self.holes.learned(some, every)
        if every.all():
            raise ValueError("X has no channel with a value in the samples that are trained on.")
        fitted = replace(self, scaler=scaler, longest=X.longest, holes=holes)
        if self.time_channel is None:
            return fitted
        if isinstance(X, Recordings):
            elapsed = X.intervals(self.time_channel, _SAMPLED)
        else:
            elapsed = X.elapsed(self.time_channel)
        advances = elapsed[elapsed > 0]
        if len(advances) == 0:
            raise ValueError(f"Time never advances in channel {self.time_channel} of X.")
        if self.unit_share is None:
            return replace(fitted, time_unit=float(np.median(advances)))
        unit = float(np.quantile(advances, self.unit_share, method="lower"))
        fitted = replace(fitted, time_unit=unit)
        if isinstance(X, Recordings):
            # A first step has no interval, and counts as one.
            first = len(X) / X.lengths.sum()
            later = np.minimum(elapsed / unit, 1).mean()
            return replace(fitted, mean_dt=float(first + (1 - first) * later))
        return replace(fitted, mean_dt=float(np.minimum(fitted._steps_of_time(X), 1).mean()))

    def with_targets(self, rows: Any, targets: Any, weights: np.ndarray | None) -> Self:
        """Settle whether the network is told of missing values, if that is in doubt."""
        if not self.holes.in_doubt:
            return self
        rows = rows.with_weight(weights)
        tell = holes_tell(rows.X, rows.y, self.holes.told, self.time_channel)
        return replace(self, holes=self.holes.decided(tell))

    def arrays(self, X: Series) -> dict[str, np.ndarray]:
        """Scale X; sequences of unequal length come one after another, with "lengths"."""
        inputs = {"x": self._columns(self._without_time(X.values), X)}
        if self.time_channel is not None:
            steps = self._steps_of_time(X)
            self._refuse_long_gaps(steps, X.starts)
            inputs["dt"] = self._gaps_apart(steps)
        return X.laid_out(inputs)

    def stretch(
        self, X: Series | Recordings, row: int, start: int, stop: int
    ) -> dict[str, np.ndarray]:
        """Scale steps `start` to `stop` of one sequence."""
        if self.time_channel is None:
            steps = X.stretch(row, start, stop)
            return {"x": self._columns_of_part(X, row, start, steps)}
        before = max(start - 1, 0)  # whose time stamp the first interval begins with
        steps = X.stretch(row, before, stop)
        elapsed = self._steps_of_time(Series(steps, np.array([len(steps)])))
        self._refuse_long_gaps(elapsed, np.array([-before]), row)
        own = slice(start - before, None)
        dt = self._gaps_apart(elapsed[own], always=True)  # pieces are alike, whatever is in them
        return {"x": self._columns_of_part(X, row, start, steps[own]), "dt": dt}

    def _columns(self, values: np.ndarray, X: Series) -> np.ndarray:
        """Give what the network sees of values (n_steps, n_values), all steps of X."""
        assert self.scaler is not None
        if not self.holes.allowed or not self.holes.concern(values):
            return self.scaler.transform(values)
        at = times_of(X.values, self.time_channel)[:, None]
        return self.holes.columns(values, at, X.lengths, self.scaler)

    def _columns_of_part(
        self, X: Series | Recordings, row: int, start: int, steps: np.ndarray
    ) -> np.ndarray:
        """Do the same for `steps` of one sequence of X, with what is beside them."""
        assert self.scaler is not None
        if not self.holes.allowed or not self.holes.concern(steps):
            return self.scaler.transform(self._without_time(steps))
        ahead = self.holes.looks_ahead
        values, at = map(
            self._without_time,
            X.neighbours.around(row, start, steps, time_channel=self.time_channel, ahead=ahead),
        )
        return self.holes.columns(values, at, np.array([len(values)]), self.scaler)[1:-1]

    def _without_time(self, values: np.ndarray) -> np.ndarray:
        channel = self.time_channel
        return values if channel is None else np.delete(values, channel, axis=1)

    def _steps_of_time(self, X: Series, *, warns: bool = True) -> np.ndarray:
        """Time that passes before each step (n_steps,), cut to the limit."""
        assert self.time_channel is not None
        elapsed = X.elapsed(self.time_channel)
        with np.errstate(over="ignore"):
            steps = elapsed / self.time_unit
        # The first step has nothing before it: one typical interval.
        steps[X.starts] = 1
        steps = np.minimum(steps, LIMIT).astype(elapsed.dtype, copy=False)
        if self.unit_share is None:
            return steps
        if warns:
            self._warn_of_gaps(np.delete(steps, X.starts))
        if self.bounded:
            return np.minimum(steps, 1)
        return without_rounding(steps, X.values[:, self.time_channel], self.time_unit)

    def _gaps_apart(self, steps: np.ndarray, *, always: bool = False) -> np.ndarray:
        """Lay sizes and gaps beside each other for oscillators; others take their sum."""
        return steps if self.unit_share is None else gaps_apart(steps, always=always)

    def _refuse_long_gaps(self, steps: np.ndarray, starts: np.ndarray, row: int = 0) -> None:
        if not (steps > 1 + self.longest_gap).any():
            return
        at = int(np.argmax(steps > 1 + self.longest_gap))
        sample = int(np.searchsorted(starts, at, side="right")) - 1
        raise ValueError(
            f"In X, {steps[at] * self.time_unit:.6g} pass before step {at - starts[sample]} of "
            f"sample {row + sample}, {steps[at]:,.6g} times the unit of time, "
            f"{self.time_unit:.4g}, which {self.unit_share:.0%} of the intervals in training do "
            f"not exceed. Nonlinear oscillators take gaps of up to {self.longest_gap:,.0f} units, "
            "step by step. dynamics='linear' takes any at once; or cut the sequence there."
        )

    def steps_between(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Count the time from each time stamp to a later one, as "dt" of a stretch does."""
        n, channel = len(before), self.time_channel
        pairs = np.zeros((n, 2, self.n_features))
        pairs[:, 0, channel], pairs[:, 1, channel] = before, after
        X = Series(pairs.reshape(-1, self.n_features), np.full(n, 2))
        steps = self._steps_of_time(X, warns=False)[1::2]
        self._refuse_long_gaps(steps, np.arange(n))
        return self._gaps_apart(steps, always=True)

    def _warn_of_gaps(self, steps: np.ndarray) -> None:
        # In a few short intervals chance alone might exceed the unit.
        if np.count_nonzero(steps > 2) > len(steps) / 2:
            unit = f"{self.time_unit:.4g}"
            warn(
                f"Most intervals in channel {self.time_channel} of X are longer than twice "
                f"{unit}, which {self.unit_share:.0%} of those in training did not exceed, and "
                + (f"count as {unit}. " if self.bounded else "are gaps but for that. ")
                + "Give time stamps in the unit of training, or fit to series as slow as these."
            )

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give what was learned as JSON and arrays."""
        fields, arrays = super().to_state()
        own = {"n_dims": self.n_dims, "longest": self.longest}
        times: dict[str, Any] = {
            "time_unit": self.time_unit,
            "mean_dt": self.mean_dt,
            "bounded": self.bounded,
        }
        if isinstance(self.clock.given, str) or self.clock.in_seconds:
            times |= {"in_seconds": self.clock.in_seconds, "time_position": self.time_channel}
        holes = {"holes": self.holes.to_state()} if self.holes.allowed else {}
        return {**own, **times, **holes, **fields}, arrays

    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave as JSON, all but the scaler."""
        # Files of version 0.1 lack it: the networks in them never saw a gap.
        oscillators = self.unit_share is not None
        bounded = fields.take("bounded", bool) if fields.has("bounded") else oscillators
        known = replace(self, n_features=n_features, bounded=bounded, **sequence_fields(fields))
        if fields.has("in_seconds"):
            clock = replace(self.clock, in_seconds=fields.take("in_seconds", bool))
            position = fields.take("time_position", int)
            if not (position == -1 if clock.from_index else -n_features <= position < n_features):
                raise ValueError("its time stamps must be where its parameters say.")
            known = replace(known, clock=clock, time_channel=position)
        if not fields.has("holes"):  # which is younger than the first files
            return known
        holes = Fields(fields.take("holes", dict), "holes")
        return replace(known, holes=self.holes.described(holes, known.n_values))

    def middle(self, dtype: np.dtype) -> np.ndarray | float:
        """Give the middle of each channel, and no hole."""
        middle = super().middle(dtype)
        if not self.holes.told or not isinstance(middle, np.ndarray):
            return middle
        return np.append(middle, np.zeros(len(self.holes.told), middle.dtype))

    def specs(self, scaler: Any) -> dict[str, Spec]:
        """Say which arrays belong to a `scaler` that a file describes."""
        if scaler is None:
            return super().specs(None)
        specs = scaler_specs(scaler, self.n_values)
        return {f"input_scaler.{name}": spec for name, spec in specs.items()}
