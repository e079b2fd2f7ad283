"""Samples whose steps stay where they are and are read piece by piece."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from ..nn._packing import Packing
from ._data import Batch, Index

# Of one sample, its steps from `start` to `stop`: "x" (steps, channels) and perhaps "dt" (steps,).
Read = Callable[[int, int, int], dict[str, np.ndarray]]

_EXAMINED = 4096  # steps at most, of what is looked at after a training


@dataclass(frozen=True)
class Recorded:
    """The steps of a batch, which are read when they are asked for.

    Attributes
    ----------
    read : callable
    rows : ndarray of shape (n_samples,)
        Numbers of the samples that `read` knows.
    lengths : ndarray of shape (n_samples,)
    dtype : torch.dtype
    device : torch.device
        What is read is brought there.
    """

    read: Read
    rows: np.ndarray
    lengths: np.ndarray
    dtype: torch.dtype
    device: torch.device

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def longest(self) -> int:
        """Steps of the longest sample."""
        return int(self.lengths.max())

    def take(self, start: int, stop: int) -> dict[str, Any]:
        """Read steps `start` to `stop`, packed where some samples have ended."""
        left = (self.lengths - start).clip(0, stop - start)
        found = [
            self.read(int(row), start, start + int(n))
            for row, n in zip(self.rows, left, strict=True)
            if n
        ]
        whole = (left == stop - start).all()
        join = np.stack if whole else np.concatenate
        steps: dict[str, Any] = {
            name: torch.from_numpy(join([part[name] for part in found])).to(
                self.device, self.dtype
            )
            for name in found[0]
        }
        return steps if whole else {**steps, "lengths": Packing(left)}

    def first(self, n_steps: int) -> dict[str, Any]:
        """Read no more than the first `n_steps` of every sample."""
        return self.take(0, min(n_steps, self.longest))


@dataclass(frozen=True)
class RecordedSamples:
    """Samples that are read piece by piece; they stand where :class:`Samples` do.

    Attributes
    ----------
    read : callable
    host_lengths : ndarray of shape (n_samples,)
        Steps of each sample.
    targets : Tensor of shape (n_samples, n_targets) or (n_samples,)
    dtype : torch.dtype
        Of the inputs.
    weights : Tensor of shape (n_samples,) or None
        Of mean 1; None where all are equal.
    """

    read: Read
    host_lengths: np.ndarray
    targets: torch.Tensor
    dtype: torch.dtype
    weights: torch.Tensor | None = None
    device: torch.device = field(default=torch.device("cpu"))

    def __len__(self) -> int:
        return len(self.host_lengths)

    @property
    def positions(self) -> int:
        """Steps of a sample, in the mean."""
        return -(-int(self.host_lengths.sum()) // len(self))

    @property
    def longest(self) -> int:
        """Steps of the longest sample."""
        return int(self.host_lengths.max())

    @property
    def even(self) -> bool:
        """Tell that batches are read one by one, each in pieces of its own."""
        return False

    @property
    def nbytes(self) -> int:
        """Memory that is taken for the whole training: that of the targets."""
        return self.targets.nbytes

    def to(self, device: torch.device) -> "RecordedSamples":
        """Bring the targets to `device`, and all that will be read."""
        weights = None if self.weights is None else self.weights.to(device)
        return replace(self, targets=self.targets.to(device), weights=weights, device=device)

    def take(self, index: Index, there: torch.Tensor | None = None) -> Batch:
        """Select the batch `index`, whose "x" is :class:`Recorded`."""
        rows = np.arange(len(self))[index if isinstance(index, slice) else index.numpy()]
        at = index if there is None else there
        steps = Recorded(self.read, rows, self.host_lengths[rows], self.dtype, self.device)
        weights = None if self.weights is None else self.weights[at]
        return {"x": steps}, (self.targets[at], weights)

    def some(self, n_samples: int) -> dict[str, Any]:
        """Give inputs of a few samples, and of their first steps, to look at."""
        inputs, _ = self.take(slice(n_samples))
        return inputs["x"].first(_EXAMINED)
