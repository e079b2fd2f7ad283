"""From the steps that are pushed to what the network takes, as predictions would have it."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..nn._flat_step import Scaling
from ..preparation.arrays import floats, naming, real_numbers
from ..preparation.holes import Holes
from ..preparation.inputs import Inputs
from ..preparation.scaling import LIMIT, Standard
from ..preparation.sequences import SequenceInputs

Memory = dict[str, np.ndarray]


class Pushed(NamedTuple):
    """Steps that were pushed.

    Attributes
    ----------
    steps : ndarray of shape (n_streams, n_steps, n_channels)
    one : bool
        Whether they came without an axis of streams.
    timed : bool
        Whether they came with one of time.
    """

    steps: np.ndarray
    one: bool
    timed: bool


class Feed:
    """What a stream does with its inputs.

    Parameters
    ----------
    inputs : Inputs
        Fitted.
    dtype : numpy dtype
        Of the computation.
    names : sequence of str or None
        Of the columns of the frames that were fitted to.
    direct : bool
        Whether the network's step takes what is pushed, and may scale it.

    Attributes
    ----------
    tokens : bool
        Whether steps are tokens, without an axis of channels.
    n_channels : int
        Channels of a step as users give it.
    scaling : Scaling or None
        What the network's step itself is to do with what is pushed.
    """

    def __init__(
        self, inputs: Inputs, dtype: np.dtype, names: Sequence[str] | None, *, direct: bool = True
    ) -> None:
        self.inputs, self.dtype, self._names = inputs, dtype, names
        self.tokens = not isinstance(inputs, SequenceInputs)
        self._time_channel: int | None = None
        self._holes, self.n_channels = Holes(), 1
        if isinstance(inputs, SequenceInputs):
            self._time_channel, self._holes = inputs.time_channel, inputs.holes
            self.n_channels = inputs.n_values + (inputs.time_channel is not None)
        self.scaling, scaler = None, inputs.scaler
        plain = not self._holes.told and not self._holes.empty and self._time_channel is None
        if direct and plain and isinstance(scaler, Standard):
            self.scaling = Scaling(scaler.center, scaler.scale, LIMIT)

    @property
    def fills(self) -> bool:
        """Whether values may be missing: then those that were seen last are remembered."""
        return self._holes.allowed and not self._holes.looks_ahead

    def rest(self) -> Memory:
        """Give what is remembered of one stream before its first step."""
        memory = {}
        if self._time_channel is not None:
            memory["time"] = np.zeros((1, 1))
        if self.fills:
            n_values = self.n_channels - (self._time_channel is not None)
            memory["seen"] = np.full((1, n_values), np.nan, self.dtype)
            memory["seen_at"] = np.zeros((1, n_values))
        return memory

    def read(self, x: Any, n_streams: int) -> Pushed:
        """Check what is pushed.

        Raises
        ------
        TypeError, ValueError
            If it is not real numbers of a shape that fits, or holds NaN or infinity.
        """
        if type(x) is not np.ndarray or x.dtype != self.dtype:
            self._check_names(x)
            with naming("x"):
                x = np.asarray(floats(real_numbers(x, "x")))
            if x.dtype == object:
                with suppress(TypeError, ValueError):
                    x = x.astype(np.float64)
            if x.dtype.kind not in "fiub":
                raise TypeError(f"x must hold real numbers, got the dtype {x.dtype}.")
            x = x.astype(self.dtype)
        own = x[..., None] if self.tokens else x
        n_channels = self.n_channels
        if not self.tokens and n_channels == 1 and x.ndim < 2 and x.size == n_streams:
            own = x.reshape(n_streams, 1)  # one value a stream
            pushed = Pushed(own[:, None], x.ndim == 0, False)
        elif own.ndim == 1 and n_streams == 1:
            pushed = Pushed(own[None, None], True, False)
        elif own.ndim == 2 and len(own) == n_streams:
            pushed = Pushed(own[:, None], False, False)
        elif own.ndim == 3 and len(own) == n_streams and own.shape[1]:
            pushed = Pushed(own, False, True)
        else:
            raise ValueError(self._shapes(n_streams, x.shape))
        if pushed.steps.shape[2] != n_channels:
            raise ValueError(self._shapes(n_streams, x.shape))
        return pushed._replace(steps=np.ascontiguousarray(pushed.steps))

    def _check_names(self, x: Any) -> None:
        names = getattr(x, "columns", x.index if isinstance(x, pd.Series) else None)
        if self._names is None or names is None or not all(isinstance(n, str) for n in names):
            return
        if list(names) != list(self._names):
            raise ValueError(
                f"x must have the columns that X had in fit, in their order, {[*self._names]}; "
                f"got {[*names]}."
            )

    def _shapes(self, n_streams: int, shape: tuple[int, ...]) -> str:
        own = "" if self.tokens else f", {self.n_channels}"
        single = ""
        if n_streams == 1:
            single = "a single token, " if self.tokens else f"({self.n_channels},), "
        stepped = f"({n_streams}, n_steps{own})"
        one = f"({n_streams},)" if self.tokens else f"({n_streams}{own})"
        what = "tokens" if self.tokens else f"{self.n_channels} channels"
        return (
            f"x must be of shape {single}{one} for a step of each stream, or {stepped} for "
            f"several: the model takes {what}, and {n_streams} streams are pushed to; got an x of "
            f"shape {shape}."
        )

    def arrays(self, steps: np.ndarray, memory: Memory) -> tuple[np.ndarray, np.ndarray | None]:
        """Turn steps into the network's x and dt, and remember what later ones need.

        Raises
        ------
        ValueError
            If a value is missing that must not be, or infinite; if time runs backwards, or a
            token is unknown.
        """
        self._check_values(steps)
        if not isinstance(self.inputs, SequenceInputs):
            self._check_tokens(steps)
            return steps, None
        channel, dt = self._time_channel, None
        age = memory["age"][:, None]
        at = age + np.arange(steps.shape[1], dtype=np.float64)
        values = steps
        if channel is not None:
            at = steps[:, :, channel].astype(np.float64)
            values = np.delete(steps, channel, axis=2)
            dt = self._elapsed(self.inputs, at, memory)
            memory["time"][:] = at[:, -1:]
        if self.scaling is None:
            values = self._columns(values, at, memory)
        elif self.fills:
            values, _ = self._after_seen(values, at, memory)
            values = _held(values, self.scaling.center)[:, -steps.shape[1] :]
        return np.ascontiguousarray(values), dt

    def remember(self, values: np.ndarray, memory: Memory) -> None:
        """Keep the values of a step without a hole that has gone straight to the network."""
        memory["seen"][:], memory["seen_at"][:] = values, memory["age"][:, None]

    def _check_values(self, steps: np.ndarray) -> None:
        wrong = np.isinf(steps) if self.fills else ~np.isfinite(steps)
        if self._time_channel is not None:
            wrong[:, :, self._time_channel] |= np.isnan(steps[:, :, self._time_channel])
        if wrong.any():
            raise self.not_finite(steps, wrong)

    def _check_tokens(self, steps: np.ndarray) -> None:
        n = self.inputs.vocabulary_size  # type: ignore[attr-defined]
        wrong = (steps < 0) | (steps >= n) | (steps % 1 != 0)
        if wrong.any():
            raise ValueError(
                f"x holds the token id {steps[wrong][0]:g}, which is not an integer in "
                f"[0, {n}), the range of vocabulary_size={n}."
            )

    def _columns(self, values: np.ndarray, at: np.ndarray, memory: Memory) -> np.ndarray:
        """Scale values (n_streams, n_steps, n_values), and fill in those that are missing."""
        assert self.inputs.scaler is not None
        scale = self.inputs.scaler.transform
        if not self._holes.allowed or not self._holes.concern(values):
            if self.fills:
                memory["seen"][:], memory["seen_at"][:] = values[:, -1], at[:, -1:]
            return scale(values)
        n_streams, n_steps, n_values = values.shape
        places = np.broadcast_to(at[:, :, None], values.shape)
        if self.fills:
            values, places = self._after_seen(values, at, memory)
        columns = self._holes.columns(
            values.reshape(-1, n_values), places.reshape(-1, n_values),
            np.full(n_streams, values.shape[1]), self.inputs.scaler,
        )  # fmt: skip
        return columns.reshape(n_streams, values.shape[1], -1)[:, -n_steps:]

    def _after_seen(
        self, values: np.ndarray, at: np.ndarray, memory: Memory
    ) -> tuple[np.ndarray, np.ndarray]:
        """Put before values what was seen last, with places, and remember what is seen now."""
        places = np.broadcast_to(at[:, :, None], values.shape)
        values = np.concatenate([memory["seen"][:, None], values], axis=1)
        places = np.concatenate([memory["seen_at"][:, None], places], axis=1)
        steps = np.arange(values.shape[1])[:, None]
        last = np.where(np.isnan(values), 0, steps).max(axis=1)[:, None]
        memory["seen"][:] = np.take_along_axis(values, last, axis=1)[:, 0]
        memory["seen_at"][:] = np.take_along_axis(places, last, axis=1)[:, 0]
        return values, places

    def _elapsed(self, inputs: SequenceInputs, at: np.ndarray, memory: Memory) -> np.ndarray:
        """Give the time before each step (n_streams, n_steps, 1), as the network counts it."""
        new = memory["age"] == 0
        earlier = np.where(new[:, None], at[:, :1], memory["time"])
        stamps = np.concatenate([earlier, at], axis=1)
        late = np.diff(stamps, axis=1) <= 0
        late[new, 0] = False  # which has none before it
        if late.any():
            stream, step = np.argwhere(late)[0]
            before, now = stamps[stream, step : step + 2]
            raise ValueError(
                f"Time {'stands still' if now == before else 'runs backwards'} in channel "
                f"{self._time_channel} of x: stream {stream} was at {before:.10g}, and step "
                f"{step} of what is pushed is at {now:.10g}."
            )
        between = inputs.steps_between(stamps[:, :-1].ravel(), stamps[:, 1:].ravel())
        dt = between.reshape(*at.shape, -1)  # or sizes and gaps
        dt[new, 0] = np.arange(dt.shape[2]) == 0  # a first step counts as one typical interval
        return np.ascontiguousarray(dt.astype(self.dtype))

    def not_finite(self, steps: np.ndarray, wrong: np.ndarray | None = None) -> ValueError:
        """Say what of steps is not finite."""
        wrong = ~np.isfinite(steps) if wrong is None else wrong
        stream, step, channel = np.argwhere(wrong)[0]
        missing = np.isnan(steps[stream, step, channel])
        hint = ""
        of_time = self._time_channel is not None and channel == self._time_channel % len(
            steps[stream, step]
        )
        if missing and self._holes.looks_ahead and not of_time:
            hint = (
                " With missing='linear', which 'auto' is unless every step is predicted, what "
                "stands in its place follows from later values: fit with missing='mask' to stream."
            )
        return ValueError(
            f"Input x contains {'NaN' if missing else 'infinity'}: stream {stream}, step {step} "
            f"of what is pushed, channel {channel}.{hint}"
        )


def _held(values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Give values (n_streams, n_steps, n_values) that stay until there is a next, from `first`."""
    steps = np.arange(values.shape[1])[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), 0, steps), axis=1)
    held = np.take_along_axis(values, last, axis=1)
    return np.where(np.isnan(held), first, held).astype(values.dtype, copy=False)
