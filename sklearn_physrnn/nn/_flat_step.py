"""Steps of many streams at once, compiled where that is known, else in plain torch.

Whatever the network, what a stream has come to is a row of numbers of its dtype, and one of
float64: rows are copied, kept, chosen and put back as those of any array.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch

from ..kernels.one_step.codes import BAD_INPUT, BAD_OUTPUT, DONE
from ._one_step import NetworkStep, NotCompiledError
from ._walk import Tensors


class Scaling(NamedTuple):
    """About `center`, in units of `scale` (one of 0 makes all of it zero), cut to `limit`."""

    center: np.ndarray
    scale: np.ndarray
    limit: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Scale x (..., n_channels)."""
        with np.errstate(over="ignore"):
            z = (x - self.center) / np.where(self.scale == 0, np.inf, self.scale)
        return np.clip(z, -self.limit, self.limit).astype(x.dtype, copy=False)


class FlatStep:
    """One step of a network, for streams whose states are rows of arrays.

    Parameters
    ----------
    step : NetworkStep
    n_channels : int
        Of inputs.
    scaling : Scaling or None
        Of inputs.
    compiled : bool
        Whether to compile what can be.

    Attributes
    ----------
    dtype : numpy dtype
    state, sums : ndarray of shape (1, numbers of a stream)
        A stream's before its first step, of that dtype and of float64.
    width, output_size : int
        Of what the head sees, and of what it says.
    """

    def __init__(
        self,
        step: NetworkStep,
        n_channels: int,
        scaling: Scaling | None = None,
        *,
        compiled: bool = True,
    ) -> None:
        self._step, self._scaling = step, scaling
        rest = step.rest(1)
        self._shapes = {name: x.shape for name, x in zip(step.names, rest, strict=True)}
        self.dtype = rest[0].numpy().dtype
        self.state, self.sums = self._flat(rest)
        with torch.no_grad():
            features, _ = step.features(*self._example(n_channels))
            self.width, self.output_size = features.shape[1], step.head(features).shape[1]
        self._no_time = np.empty((0, 0, 0), self.dtype)
        self._program = None
        if compiled:
            with suppress(NotCompiledError):
                self._program = self._written(n_channels)

    @property
    def compiled(self) -> bool:
        """Whether a step is one compiled call."""
        return self._program is not None

    def run(
        self, x: np.ndarray, dt: np.ndarray | None, state: np.ndarray, sums: np.ndarray,
        features: np.ndarray, outputs: np.ndarray,
    ) -> int:  # fmt: skip
        """Take N streams through T steps.

        Parameters
        ----------
        x : C-contiguous ndarray of shape (N, T, n_channels)
            Of `dtype`, tokens, too.
        dt : C-contiguous ndarray of shape (N, T, 1) or (N, T, 2), or None
            Of `dtype`: time elapsed before each step, 1 if None; or sizes and gaps.
        state, sums : C-contiguous ndarray
            Written in place.
        features, outputs : C-contiguous ndarray of shape (N, T or 1, width or output_size)
            Of `dtype`: receive what the head sees, and what it says, of every step or of the
            last.

        Returns
        -------
        int
            `DONE`; `BAD_INPUT` where x is not finite, and nothing was done; or `BAD_OUTPUT`.
        """
        if self._program is not None:
            elapsed = self._no_time if dt is None else dt
            return self._program.run(x, elapsed, state, sums, features, outputs)
        if not np.isfinite(x).all():
            return BAD_INPUT
        self._run_plainly(x, dt, state, sums, features, outputs)
        return DONE if np.isfinite(outputs).all() else BAD_OUTPUT

    def bound(
        self, state: np.ndarray, sums: np.ndarray, features: np.ndarray, outputs: np.ndarray
    ) -> Callable[[np.ndarray], int]:
        """Give what `run` does to these arrays with an x, every step 1 after the one before."""
        if self._program is None:
            return lambda x: self.run(x, None, state, sums, features, outputs)
        return self._program.bound(len(state), self._no_time, state, sums, features, outputs)

    @torch.no_grad()
    def _run_plainly(self, x, dt, state, sums, features, outputs) -> None:
        tensors = self._tensors(state, sums)
        if self._scaling is not None:
            x = self._scaling(x)
        inputs = torch.from_numpy(x)
        if self._step.embedding is not None:
            inputs = inputs[:, :, 0].long()
        for t in range(x.shape[1]):
            elapsed = None if dt is None else torch.from_numpy(dt[:, t])
            seen, tensors = self._step.features(inputs[:, t], tensors, elapsed)
            k = t - (x.shape[1] - features.shape[1])
            if k >= 0:
                features[:, k] = seen.numpy()
                outputs[:, k] = self._step.head(seen).numpy()
        state[:], sums[:] = self._flat(tensors)

    # -- rows and tensors ------------------------------------------------------------

    def _flat(self, tensors: Tensors) -> tuple[np.ndarray, np.ndarray]:
        parts: tuple[list[np.ndarray], list[np.ndarray]] = [], []
        n = tensors[0].shape[-2]
        for name, tensor in zip(self._shapes, tensors, strict=True):
            rows = np.moveaxis(tensor.numpy(), -2, 0).reshape(n, -1)
            parts[name in NetworkStep.in_float64].append(rows)
        own = np.concatenate(parts[0], 1, dtype=self.dtype)
        return own, np.concatenate([np.empty((n, 0)), *parts[1]], 1)

    def _tensors(self, state: np.ndarray, sums: np.ndarray) -> Tensors:
        found, at = [], [0, 0]
        for name, shape in self._shapes.items():
            exact = name in NetworkStep.in_float64
            size = math.prod(shape) // shape[-2]
            rows = (state, sums)[exact][:, at[exact] : at[exact] + size]
            at[exact] += size
            apart = rows.reshape(len(rows), *shape[:-2], shape[-1])
            found.append(torch.from_numpy(np.ascontiguousarray(np.moveaxis(apart, 0, -2))))
        return tuple(found)

    # -- compiling ---------------------------------------------------------------------

    def _written(self, n_channels: int):
        from ..kernels.one_step.program import Program  # compiled code, only when it is needed

        program = Program(self.dtype)
        if self._step.embedding is not None:
            x = program.embedded(self._step.embedding.weight.numpy())
        elif self._scaling is not None:
            x = program.scaled_inputs(*self._scaling)
        else:
            x = program.inputs(n_channels)
        at, first = [], 0
        for name, shape in self._shapes.items():
            at.append(first)
            if name not in NetworkStep.in_float64:
                first += math.prod(shape)
        self._step.emit(program, x, at)
        return program.finished()

    def _example(self, n_channels: int):
        x = torch.zeros(1, n_channels, dtype=torch.from_numpy(self.state).dtype)
        if self._step.embedding is not None:
            x = x[:, 0].long()
        return x, self._step.rest(1)
