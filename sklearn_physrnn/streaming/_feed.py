"""From the steps that are pushed to what the network takes, as predictions would have it."""

from typing import Any, NamedTuple

import numpy as np

from ..nn._flat_step import Scaling
from ..preparation.arrays import naming, real_numbers
from ..preparation.inputs import Inputs
from ..preparation.scaling import LIMIT, Standard
from ..preparation.sequences import SequenceInputs
from ..preparation.series import Series
from ..preparation.tokens import TokenInputs

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

    Attributes
    ----------
    tokens : bool
        Whether steps are tokens, without an axis of channels.
    n_channels : int
        Channels of a step as users give it.
    scaling : Scaling or None
        What the network's step itself is to do with what is pushed.
    """

    def __init__(self, inputs: Inputs, dtype: np.dtype) -> None:
        self.inputs, self.dtype = inputs, dtype
        self.tokens = isinstance(inputs, TokenInputs)
        self._time_channel = getattr(inputs, "time_channel", None)
        self.n_channels = inputs.n_columns + (self._time_channel is not None)
        self.scaling, scaler = None, inputs.scaler
        if isinstance(scaler, Standard) and self._time_channel is None:
            self.scaling = Scaling(scaler.center, scaler.scale, LIMIT)

    def rest(self) -> Memory:
        """Give what is remembered of one stream before its first step."""
        if self._time_channel is None:
            return {}
        return {"last": np.zeros((1, self.n_channels), self.dtype)}

    def read(self, x: Any, n_streams: int) -> Pushed:
        """Check what is pushed.

        Raises
        ------
        TypeError, ValueError
            If it is not real numbers of a shape that fits, or holds NaN or infinity.
        """
        if type(x) is not np.ndarray or x.dtype != self.dtype:
            with naming("x"):
                x = np.asarray(real_numbers(x, "x"))
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

    def arrays(
        self, steps: np.ndarray, memory: Memory, age: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Turn checked steps into the network's x and dt, and remember what later ones need.

        Raises
        ------
        ValueError
            If time runs backwards, a token is unknown, or a value is too large.
        """
        if isinstance(self.inputs, TokenInputs):
            self._check_tokens(steps)
            return steps, None
        if self.scaling is not None:
            return steps, None
        assert isinstance(self.inputs, SequenceInputs)
        if self._time_channel is None:
            return np.ascontiguousarray(self._scaled(steps)), None
        return self._in_time(self.inputs, self._time_channel, steps, memory, age)

    def _check_tokens(self, steps: np.ndarray) -> None:
        n = self.inputs.vocabulary_size  # type: ignore[attr-defined]
        wrong = (steps < 0) | (steps >= n) | (steps % 1 != 0)
        if wrong.any():
            raise ValueError(
                f"x holds the token id {steps[wrong][0]:g}, which is not an integer in "
                f"[0, {n}), the range of vocabulary_size={n}."
            )

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        assert self.inputs.scaler is not None
        return self.inputs.scaler.transform(values)

    def _in_time(
        self, inputs: SequenceInputs, channel: int, steps: np.ndarray, memory: Memory,
        age: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
        before = np.where(age[:, None] > 0, memory["last"], steps[:, 0])
        joined = np.concatenate([before[:, None], steps], axis=1)
        late = np.diff(joined[:, :, channel], axis=1) < 0
        if late.any():
            stream, step = np.argwhere(late)[0]
            times = joined[stream, step : step + 2, channel]
            raise ValueError(
                f"Time runs backwards in channel {channel} of x: stream {stream} was at "
                f"{times[0]:.10g}, and step {step} of what is pushed is at {times[1]:.10g}."
            )
        n_streams, n_steps, n_channels = joined.shape
        series = Series(joined.reshape(-1, n_channels), np.full(n_streams, n_steps))
        made = inputs.arrays(series)
        dt = made["dt"]
        new = age == 0
        dt[new, 1] = dt[new, 0]  # a first step counts as one typical interval
        memory["last"][:] = steps[:, -1]
        return np.ascontiguousarray(made["x"][:, 1:]), np.ascontiguousarray(dt[:, 1:])
