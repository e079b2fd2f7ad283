"""Sequences as inputs: regular or of unequal length, evenly or unevenly spaced, or tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils import check_array
from sklearn.utils.validation import _num_samples, validate_data

from ..preparation.arrays import check_targets, checking_targets, naming, native, real_numbers
from ..preparation.scaling import LIMIT, Scaler, make_scaler
from ._base import _BaseEstimator

_DTYPES = [np.float64, np.float32]  # anything else becomes the first


@dataclass(frozen=True)
class Series:
    """Validated sequences, one after another.

    Attributes
    ----------
    values : ndarray of shape (n_steps, n_channels)
        The steps of all samples.
    lengths : ndarray of shape (n_samples,)
        Steps of each sample.
    """

    values: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Any) -> "Series":
        lengths = self.lengths[rows]
        if not self.ragged:
            chosen = self.stacked(self.values)[rows]
            return Series(chosen.reshape(-1, chosen.shape[2]), lengths)
        shift = self.starts[rows] - (lengths.cumsum() - lengths)
        steps = np.repeat(shift, lengths) + np.arange(lengths.sum())
        return Series(self.values[steps], lengths)

    @property
    def starts(self) -> np.ndarray:
        """First step of each sample."""
        return self.lengths.cumsum() - self.lengths

    @property
    def longest(self) -> int:
        """Steps of the longest sample."""
        return int(self.lengths.max())

    @property
    def ragged(self) -> bool:
        """Whether lengths differ."""
        return bool((self.lengths != self.lengths[0]).any())

    @property
    def mask(self) -> np.ndarray:
        """True (n_samples, longest) where a step belongs to its sample."""
        return np.arange(self.longest) < self.lengths[:, None]

    def elapsed(self, channel: int) -> np.ndarray:
        """Differences of a channel from step to step, NaN at each sample's first.

        What overflows is infinite.
        """
        times = self.values[:, channel]
        with np.errstate(over="ignore"):
            elapsed = np.diff(times, prepend=times[:1])
        elapsed[self.starts] = np.nan
        return elapsed

    def stacked(self, steps: np.ndarray) -> np.ndarray:
        """Give `steps` (n_steps, ...) a sample's axis, where all are of one length."""
        return steps.reshape(len(self), self.longest, *steps.shape[1:])

    def padded(self, steps: np.ndarray, fill: float = 0) -> np.ndarray:
        """Pad `steps` (n_steps, ...) with `fill`, to look at them: (n_samples, longest, ...)."""
        padded = np.full((len(self), self.longest, *steps.shape[1:]), fill, steps.dtype)
        padded[self.mask] = steps
        return padded


@dataclass(frozen=True)
class Preparation:
    """What turning series into module inputs needs to remember."""

    scaler: Scaler | None
    longest: int
    time_unit: float = 1.0
    mean_dt: float = 1.0  # of steps in training; only what weights start from follows from it


def is_list_of_series(X: Any) -> bool:
    """Tell a list of arrays from the nested list that stands for one array."""
    if isinstance(X, np.ndarray):
        return X.dtype == object and X.ndim == 1 and len(X) > 0 and np.ndim(X[0]) > 0
    return isinstance(X, list | tuple) and any(isinstance(x, np.ndarray) for x in X)


def _joined(X: Sequence[Any], n_dims: int, what: str) -> tuple[np.ndarray, np.ndarray]:
    """Check a list of arrays and put them one after another; return them with the lengths."""
    arrays: list[np.ndarray] = []
    for i, x in enumerate(X):
        x = check_array(
            real_numbers(x, f"X[{i}]"),
            dtype=_DTYPES,
            ensure_2d=False,
            allow_nd=True,
            ensure_min_samples=0,
            ensure_min_features=0,
            input_name=f"X[{i}]",
        )
        if x.ndim != n_dims:
            hint = " For one channel give x[:, None]." if (x.ndim, n_dims) == (1, 2) else ""
            raise ValueError(f"X[{i}] must be of shape {what}, got {x.shape}.{hint}")
        if len(x) == 0:
            raise ValueError(f"X[{i}] has no time steps; every sample needs at least one.")
        if x.shape[1:] != (arrays[0] if arrays else x).shape[1:]:
            raise ValueError(
                f"X[{i}] has {x.shape[1]} channels, but X[0] has {arrays[0].shape[1]}."
            )
        arrays.append(native(x))
    # In C's order whatever theirs: sums of columns depend on it in their last bits.
    return np.ascontiguousarray(np.concatenate(arrays)), np.array([len(x) for x in arrays])


def _packed(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Leave out the trailing steps (n_samples, n_timesteps, n_channels) that are all NaN."""
    lengths = _lengths_from_padding(values)
    if lengths.min() == values.shape[1]:
        steps = values.reshape(-1, values.shape[2])
    else:
        steps = values[np.arange(values.shape[1]) < lengths[:, None]]
    return np.ascontiguousarray(steps), lengths


def _lengths_from_padding(values: np.ndarray) -> np.ndarray:
    """Steps before the trailing all-NaN ones; any other NaN is refused."""
    missing = np.isnan(values)
    if not missing.any():
        return np.full(len(values), values.shape[1])
    present = ~missing.all(axis=2)
    lengths = np.where(present.any(axis=1), values.shape[1] - present[:, ::-1].argmax(axis=1), 0)
    empty = np.flatnonzero(lengths == 0)
    if len(empty):
        raise ValueError(f"X contains NaN only in sample {empty[0]}; every sample needs a step.")
    inside = np.arange(values.shape[1]) < lengths[:, None]
    holes = np.argwhere(missing.any(axis=2) & inside)
    if len(holes):
        sample, step = holes[0]
        raise ValueError(
            f"Input X contains NaN: sample {sample}, time step {step}. Only trailing steps "
            "that are NaN in every channel are taken for padding."
        )
    return lengths


class _SequenceInputs(_BaseEstimator):
    """X of shape (n_samples, n_timesteps, n_channels) and its relatives."""

    time_channel: int | None

    @property
    def _time_channel(self) -> int | None:
        return None if self.time_channel is None else int(self.time_channel)

    @property
    def _vocabulary_size(self) -> int | None:
        return getattr(self, "vocabulary_size", None)

    def _validate_inputs(self, X, *, reset: bool) -> Series:
        with naming("X"):
            return self._validate_series(X, reset=reset)

    def _validate_series(self, X, *, reset: bool) -> Series:
        if not is_list_of_series(X):
            X = real_numbers(X, "X")
        if self._vocabulary_size is not None:
            return self._validate_tokens(X, reset=reset)
        if not is_list_of_series(X) and _n_dims(X) == 2:
            # A table of series, one channel: scikit-learn's own rules hold.
            if not reset:
                self._check_dimensions(2)
            X = native(validate_data(self, X, dtype=_DTYPES, reset=reset))
            self._check_kind(2, X.shape[1], reset=reset)
            series = Series(X.reshape(-1, 1), np.full(len(X), X.shape[1]))
        else:
            series = self._validate_channels(X, reset=reset)
        if reset and series.lengths.max() < 2:
            raise ValueError(
                "A sequence needs at least 2 time steps, got n_features=1: one step in every "
                "sample. For rows of a table use DynPMNN."
            )
        return series

    def _validate_channels(self, X, *, reset: bool) -> Series:
        if is_list_of_series(X):
            series = Series(*_joined(X, 2, "(n_timesteps, n_channels)"))
        else:
            values = check_array(
                X, dtype=_DTYPES, allow_nd=True, ensure_all_finite="allow-nan", input_name="X"
            )
            if values.ndim != 3:
                raise ValueError(
                    "X must be of shape (n_samples, n_timesteps, n_channels), or "
                    "(n_samples, n_timesteps) for one channel, or a list of arrays "
                    f"(n_timesteps, n_channels), got shape {values.shape}."
                )
            if 0 in values.shape[1:]:
                raise ValueError(
                    f"X needs at least one time step and one channel, got shape {values.shape}."
                )
            series = Series(*_packed(values))
        self._check_kind(3, series.values.shape[1], reset=reset)
        if self._time_channel is not None:
            self._check_time(series, self._time_channel)
        return series

    def _check_kind(self, n_dims: int, n_features: int, *, reset: bool) -> None:
        if self._time_channel is not None and n_dims == 2:
            raise ValueError(
                "time_channel needs X with channels, of shape (n_samples, n_timesteps, "
                "n_channels) or a list of arrays, got a 2-D X."
            )
        if reset:
            self._n_dims, self.n_features_in_ = n_dims, n_features
            if n_dims == 3 and hasattr(self, "feature_names_in_"):
                del self.feature_names_in_  # of an earlier fit, to a DataFrame
            return
        self._check_dimensions(n_dims)
        if n_features != self.n_features_in_:
            raise ValueError(
                f"X has {n_features} channels, but {type(self).__name__} is expecting "
                f"{self.n_features_in_} channels as input."
            )

    def _check_dimensions(self, n_dims: int) -> None:
        if n_dims != self._n_dims:
            raise ValueError(
                f"X has {n_dims} dimensions, but {type(self).__name__} was fitted with "
                f"{self._n_dims}."
            )

    @staticmethod
    def _check_time(series: Series, channel: int) -> None:
        n_channels = series.values.shape[1]
        if not -n_channels <= channel < n_channels or n_channels < 2:
            raise ValueError(
                f"time_channel={channel} must name one of at least two channels, "
                f"got X with {n_channels}."
            )
        times, elapsed = series.values[:, channel], series.elapsed(channel)
        if np.isinf(elapsed).any():
            raise ValueError(
                f"Time stamps must not lie further apart than {np.finfo(times.dtype).max:.1e}, "
                f"which those in channel {channel} do."
            )
        backward = np.flatnonzero(elapsed < 0)
        if len(backward):
            at = backward[0]
            sample = int(np.searchsorted(series.starts, at, side="right")) - 1
            raise ValueError(
                f"Time stamps must not decrease: in sample {sample}, channel {channel} falls from "
                f"{times[at - 1]:g} to {times[at]:g} at time step {at - series.starts[sample]}."
            )

    def _validate_tokens(self, X, *, reset: bool) -> Series:
        if is_list_of_series(X):
            tokens, lengths = _joined(X, 1, "(n_timesteps,)")
        else:
            values = check_array(X, dtype=_DTYPES, ensure_all_finite="allow-nan", input_name="X")
            # In an array, padding is NaN or -1, at the end.
            values = np.where(values == -1, np.nan, values)
            tokens, lengths = _packed(values[:, :, None])
            tokens = tokens[:, 0]
        wrong = tokens[(tokens < 0) | (tokens >= self._vocabulary_size) | (tokens % 1 != 0)]
        if len(wrong):
            raise ValueError(
                f"X holds the token id {wrong[0]:g}, which is not an integer in "
                f"[0, {self._vocabulary_size}), the range of vocabulary_size="
                f"{self._vocabulary_size}."
            )
        if reset:
            self._n_dims, self.n_features_in_ = 2, 1
        return Series(tokens.astype(np.int64)[:, None], lengths)

    def _validate_inputs_and_targets(self, X, y, *, reset: bool) -> tuple[Series, np.ndarray]:
        series = self._validate_inputs(X, reset=reset)
        with checking_targets(self, y) as y:
            y = self._check_targets(y, series)
        if reset and len(series) < 2:
            raise ValueError("Found n_samples=1 in X; fitting needs a minimum of 2.")
        return series, y

    def _check_targets(self, y, X: Series) -> np.ndarray:
        """Check y and its length."""
        return check_targets(self, y, X)

    def _fit_inputs(self, X: Series, weights: np.ndarray | None) -> Preparation:
        if self._vocabulary_size is not None:
            return Preparation(None, X.longest)
        step_weights = None if weights is None else np.repeat(weights, X.lengths)
        if self._time_channel is None:
            return Preparation(make_scaler(self.scale_inputs, X.values, step_weights), X.longest)
        values = np.delete(X.values, self._time_channel, axis=1)
        elapsed = X.elapsed(self._time_channel)
        elapsed = elapsed[elapsed > 0]
        if len(elapsed) == 0:
            raise ValueError(f"Time never advances in channel {self._time_channel} of X.")
        return Preparation(
            make_scaler(self.scale_inputs, values, step_weights),
            X.longest,
            self._time_unit(elapsed),
        )

    def _time_unit(self, elapsed: np.ndarray) -> float:
        """Give the interval that counts as 1, from those between steps in training."""
        return float(np.median(elapsed))

    def _module_inputs(self, X: Series, preparation: Preparation) -> dict[str, np.ndarray]:
        inputs: dict[str, np.ndarray] = {}
        if (preparation.scaler is None) != (X.values.dtype.kind == "i"):
            raise ValueError(
                f"vocabulary_size={self._vocabulary_size}, but the model was fitted to "
                f"{'tokens' if preparation.scaler is None else 'real numbers in X'}."
            )
        if preparation.scaler is None:
            inputs["x"] = X.values[:, 0]
        else:
            values = X.values
            if self._time_channel is not None:
                inputs["dt"] = _steps_of_time(X, self._time_channel, preparation.time_unit)
                values = np.delete(values, self._time_channel, axis=1)
            if preparation.scaler.n_columns not in (None, values.shape[1]):
                raise ValueError(
                    f"With time_channel={self._time_channel}, X has {values.shape[1]} channels "
                    f"besides time, but the model was fitted to {preparation.scaler.n_columns}."
                )
            inputs["x"] = preparation.scaler.transform(values)
        if X.ragged:
            inputs["lengths"] = X.lengths
            return inputs
        return {name: X.stacked(x) for name, x in inputs.items()}

    def _n_channels(self) -> int:
        """Channels the module sees."""
        channels = 1 if self._n_dims == 2 else self.n_features_in_
        return channels - (self._time_channel is not None)


def _steps_of_time(X: Series, channel: int, unit: float) -> np.ndarray:
    """Time that passes before each step, cut to the limit."""
    elapsed = X.elapsed(channel)
    with np.errstate(over="ignore"):
        steps = elapsed / unit
    # The first step has nothing before it: one typical interval.
    steps[X.starts] = 1
    return np.minimum(steps, LIMIT).astype(elapsed.dtype, copy=False)


def _n_dims(X: Any) -> int:
    if hasattr(X, "ndim"):
        return X.ndim
    if hasattr(X, "__array__"):
        return np.asarray(X).ndim
    try:
        return np.ndim(X)
    except ValueError:  # ragged rows: scikit-learn's check says what is wrong with them
        _num_samples(X)
        return 2
