"""Networks that read several steps as one, told step by step."""

import numpy as np

from ..kernels.one_step.codes import DONE
from ..nn._flat_step import FlatStep
from ._feed import Memory


class Patches:
    """Steps of a network of patches.

    What is said after a step is said as if the sequence ended there: the steps that wait for
    their patch to be full are read as one that is filled up with zeros, and then wait on.

    Parameters
    ----------
    flat : FlatStep
        Of patches.
    patch_size, n_channels : int
    """

    def __init__(self, flat: FlatStep, patch_size: int, n_channels: int) -> None:
        self._flat, self._size, self._n_channels = flat, patch_size, n_channels

    def rest(self) -> Memory:
        """Give what waits of one stream before its first step: nothing."""
        return {
            "waiting": np.zeros((1, self._size * self._n_channels), self._flat.dtype),
            "waited": np.zeros((1, 1), self._flat.dtype),  # time of these steps
        }

    def run(
        self, x: np.ndarray, dt: np.ndarray | None, memory: Memory, features: np.ndarray,
        outputs: np.ndarray,
    ) -> int:  # fmt: skip
        """Do what ``FlatStep.run`` does; the streams' age is that before the steps."""
        n_steps, n_kept = x.shape[1], outputs.shape[1]
        worst = DONE
        for t in range(n_steps):
            seen, said, code = self._step(x[:, t], None if dt is None else dt[:, t], memory, t)
            k = t - (n_steps - n_kept)
            if k >= 0:
                features[:, k], outputs[:, k] = seen[:, 0], said[:, 0]
            worst = max(worst, code)
        return worst

    def _step(
        self, x: np.ndarray, dt: np.ndarray | None, memory: Memory, t: int
    ) -> tuple[np.ndarray, np.ndarray, int]:
        flat, n_streams = self._flat, len(x)
        before = (memory["age"] + t) % self._size
        waiting = memory["waiting"].reshape(n_streams, self._size, self._n_channels)
        waiting[np.arange(n_streams), before] = x
        elapsed = None
        if dt is not None:
            memory["waited"] += dt.sum(axis=1, keepdims=True)
            elapsed = (memory["waited"] / (before[:, None] + 1)).astype(flat.dtype)[:, None]
        state, sums = memory["network"].copy(), memory["sums"].copy()
        seen = np.empty((n_streams, 1, flat.width), flat.dtype)
        said = np.empty((n_streams, 1, flat.output_size), flat.dtype)
        code = flat.run(memory["waiting"][:, None], elapsed, state, sums, seen, said)
        full = before == self._size - 1
        memory["network"][full], memory["sums"][full] = state[full], sums[full]
        memory["waiting"][full] = 0
        memory["waited"][full] = 0
        return seen, said, code
