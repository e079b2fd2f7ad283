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
class RecordedTargets:
    """Targets at every step, which are read when they are asked for.

    They stand where a tensor (n_samples, n_steps, n_values) does.

    Attributes
    ----------
    read : callable
        Of one sample, its targets from `start` to `stop`: a tensor (stop - start, n_values).
    rows : ndarray of shape (n_samples,)
        Numbers of the samples that `read` knows.
    counts : ndarray of shape (n_samples,)
        Targets of each.
    like : Tensor of shape (1, n_values)
        What there is past a sample's end.
    tallies : ndarray of shape (n_samples, n_classes) or None
        How many steps of each have which class, if they have any.
    given : ndarray of shape (n_samples,) or None
        How many of the targets are not missing; None for all.
    device : torch.device
        What is read is brought there.
    """

    read: Callable[[int, int, int], torch.Tensor]
    rows: np.ndarray
    counts: np.ndarray
    like: torch.Tensor
    tallies: np.ndarray | None = None
    given: np.ndarray | None = None
    device: torch.device = field(default=torch.device("cpu"))

    nbytes = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> "RecordedTargets":
        at = np.arange(len(self))[index]
        tallies = None if self.tallies is None else self.tallies[at]
        given = None if self.given is None else self.given[at]
        return replace(
            self, rows=self.rows[at], counts=self.counts[at], tallies=tallies, given=given
        )

    def to(self, device: torch.device) -> "RecordedTargets":
        """Bring to `device` all that will be read."""
        return replace(self, device=device)

    def take(self, start: int, stop: int) -> torch.Tensor:
        """Read targets `start` to `stop` of all samples, (n_samples, stop - start, n_values)."""
        targets = self.like.repeat(len(self), stop - start, 1)
        left = (self.counts - start).clip(0, stop - start)
        for i, (row, n) in enumerate(zip(self.rows, left, strict=True)):
            if n:
                targets[i, :n] = self.read(int(row), start, start + int(n))
        return targets.to(self.device)

    def totals(self, class_weights: list[float] | None) -> torch.Tensor:
        """Say what all steps of each sample weigh together."""
        totals = self.counts if self.given is None else self.given
        if self.tallies is not None:
            totals = self.tallies.sum(axis=1)
        if class_weights is not None:
            assert self.tallies is not None
            totals = self.tallies @ np.array(class_weights)
        return torch.as_tensor(totals, device=self.device)


@dataclass(frozen=True)
class RecordedSamples:
    """Samples that are read piece by piece; they stand where :class:`Samples` do.

    Attributes
    ----------
    read : callable
    host_lengths : ndarray of shape (n_samples,)
        Steps of each sample.
    targets : Tensor of shape (n_samples, n_targets) or (n_samples,), or RecordedTargets
    dtype : torch.dtype
        Of the inputs.
    weights : Tensor of shape (n_samples,) or None
        Of mean 1; None where all are equal.
    """

    read: Read
    host_lengths: np.ndarray
    targets: torch.Tensor | RecordedTargets
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
        targets = self.targets
        targets = targets[at] if isinstance(targets, torch.Tensor) else targets[rows]
        return {"x": steps}, (targets, weights)

    def some(self, n_samples: int) -> dict[str, Any]:
        """Give inputs of a few samples, and of their first steps, to look at."""
        inputs, _ = self.take(slice(n_samples))
        return inputs["x"].first(_EXAMINED)
