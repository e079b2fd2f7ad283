"""Samples in memory, and batches of them without a DataLoader."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ..nn._packing import Packing, sent
from ..nn._share import Share
from ._prefetch import prefetched

Index = torch.Tensor | slice
# Inputs by name; targets, a tensor or what is read when it is asked for, and weights.
Batch = tuple[dict[str, Any], tuple[Any, torch.Tensor | None]]


@dataclass(frozen=True)
class Samples:
    """Inputs, targets and weights of samples.

    Attributes
    ----------
    inputs : dict of str to Tensor
        "x", the module's first argument, and its keyword arguments, with the sample as
        their first axis. With "lengths" (n_samples,), on the CPU, they are sequences packed
        one after another instead, with the step as their first axis. "x" may be a
        :class:`~sklearn_physrnn.training._sparse.SparseRows`.
    targets : Tensor of shape (n_samples, n_targets) or (n_samples,)
        Real targets, or class indices.
    weights : Tensor of shape (n_samples,) or None
        Sample weights of mean 1; None where all are equal.
    host_lengths : ndarray of shape (n_samples,) or None
        The lengths among the inputs, if any.
    """

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    weights: torch.Tensor | None = None

    host_lengths: np.ndarray | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        lengths = self.inputs.get("lengths")
        if lengths is not None:
            object.__setattr__(self, "host_lengths", lengths.numpy())

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self.targets.device

    @property
    def positions(self) -> int:
        """Positions that a module visits in a sample, in the mean if they differ."""
        x = self.inputs["x"]
        return steps_per_sample(x) if self.host_lengths is None else -(-len(x) // len(self))

    @property
    def longest(self) -> int:
        """Positions that a module visits in the longest sample."""
        lengths = self.host_lengths
        return self.positions if lengths is None else int(lengths.max())

    @property
    def even(self) -> bool:
        """Tell whether batches of as many samples are of one shape."""
        return self.host_lengths is None

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return sum(
            x.nbytes for x in (*self.inputs.values(), self.targets, self.weights) if x is not None
        )

    def to(self, device: torch.device) -> "Samples":
        """Copy to `device` all but the lengths, which a batch's shape depends on."""
        inputs = {
            name: x if name == "lengths" else x.to(device) for name, x in self.inputs.items()
        }
        return replace(
            self,
            inputs=inputs,
            targets=self.targets.to(device),
            weights=None if self.weights is None else self.weights.to(device),
        )

    def take(self, index: Index, there: torch.Tensor | None = None) -> Batch:
        """Select the batch `index`.

        Parameters
        ----------
        index : LongTensor on the CPU, or slice
        there : LongTensor or None
            The same index on the samples' device, where that is another.
        """
        at = index if there is None else there
        targets = self.targets
        if self.host_lengths is None:
            inputs: dict[str, Any] = {name: x[at] for name, x in self.inputs.items()}
        else:
            inputs = take_packed(self.inputs, self.host_lengths, index)
            if targets.ndim == 3:  # of every step: none has more than there are steps
                targets = targets[:, : inputs["lengths"].longest]
        weights = None if self.weights is None else self.weights[at]
        return inputs, (targets[at], weights)

    def shuffled(self, generator: torch.Generator) -> torch.Tensor | None:
        """Draw an order in which samples can be read; None where any will do."""
        own = getattr(self.inputs["x"], "shuffled", None)
        return own and own(generator)

    def some(self, n_samples: int) -> dict[str, Any]:
        """Give inputs of a few samples, to look at."""
        return self.take(slice(n_samples))[0]


def take_packed(
    inputs: dict[str, torch.Tensor], lengths: np.ndarray, index: Index | np.ndarray
) -> dict[str, Any]:
    """Select samples of packed inputs, with a :class:`Packing` for their lengths.

    Parameters
    ----------
    inputs : dict of str to Tensor
        Of shape (sum(lengths), ...) but for "lengths".
    lengths : ndarray of shape (n_samples,)
    index : LongTensor on the CPU, ndarray or slice
    """
    if not isinstance(index, slice):
        index = np.asarray(index)
    packing = Packing(lengths[index])
    rows = packing.rows((lengths.cumsum() - lengths)[index])
    taken: dict[str, Any] = {"lengths": packing}
    for name, x in inputs.items():
        if name == "lengths":
            continue
        if isinstance(index, slice):
            taken[name] = x[rows[0] : rows[-1] + 1]
        else:
            taken[name] = x.index_select(0, sent(rows, x.device))
    return taken


def steps_per_sample(x: Any) -> int:
    """Count the positions a module visits in a row of `x`.

    They are the steps of a sequence, or one for a row of a table or a packed step. Integers
    are tokens, of shape (n_samples, n_timesteps) unless packed.
    """
    floating = x.dtype.kind == "f" if isinstance(x, np.ndarray) else x.is_floating_point()
    return x.shape[1] if x.ndim == 3 or (x.ndim == 2 and not floating) else 1


def run_module(module: nn.Module, inputs: dict[str, Any]) -> torch.Tensor:
    """Call `module` with the input "x" first and the others by name."""
    others = {name: value for name, value in inputs.items() if name != "x"}
    return module(inputs["x"], **others)


def join_outputs(pieces: list[torch.Tensor]) -> torch.Tensor:
    """Concatenate batches of outputs; those of fewer time steps are padded with zeros."""
    if pieces[0].ndim < 3:
        return torch.cat(pieces)
    longest = max(piece.shape[1] for piece in pieces)
    return torch.cat([F.pad(piece, (0, 0, 0, longest - piece.shape[1])) for piece in pieces])


class Batches(Protocol):
    """What the training engine asks of data: :class:`Samples`, or windows of series."""

    @property
    def device(self) -> torch.device: ...

    @property
    def positions(self) -> int: ...

    @property
    def even(self) -> bool: ...

    @property
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Self: ...

    def take(self, index: Index, there: torch.Tensor | None = None) -> Batch: ...


class Sharing(Protocol):
    """Processes that share batches."""

    def share(self, n_rows: int) -> Share:
        """Say which rows of a batch of so many are this process's."""

    def part(self, index: Index, n_samples: int) -> Index:
        """Take this process's share of a batch's rows."""


class BatchIterator:
    """Batches sliced from tensors: what skorch iterates over in place of a DataLoader.

    The default DataLoader collates sample by sample, which on small data costs four
    times the training step itself.

    Parameters
    ----------
    samples : Samples or Windows
    batch_size : int
        Most rows in a batch. There are as few batches as that allows, and their sizes
        differ by one at most: a last batch of a few rows would be a full step in the
        direction of their noise.
    generator : torch.Generator or None
        Draws a new order for each epoch; None keeps the order of the samples.
    device : torch.device or None
        Copy batch by batch to this device, one ahead of what is asked for. None leaves
        them where the samples are.
    group : Group or None
        Processes, of which each takes its share of every batch.
    """

    def __init__(
        self,
        samples: Batches,
        batch_size: int,
        generator: torch.Generator | None = None,
        device: torch.device | None = None,
        group: "Sharing | None" = None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.generator = generator
        self.device = device
        self.group = group

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches() if self.device is None else prefetched(self._batches(), self.device)

    def indices(self) -> Sequence[Index]:
        """Draw the batches of an epoch: slices, or rows on the CPU."""
        n = len(self.samples)
        if self.generator is None or self.batch_size >= n:
            return [slice(i, i + self.batch_size) for i in range(0, n, self.batch_size)]
        # Drawn on the CPU, so that the order is the same whatever the device.
        shuffled = getattr(self.samples, "shuffled", None)
        order = shuffled(self.generator) if shuffled else None
        if order is None:
            order = torch.randperm(n, generator=self.generator)
        return order.tensor_split(len(self))

    def shares(self) -> Iterator[Share | None]:
        """Say, batch after batch, which of its rows are given here; None for all of them."""
        if self.group is None:
            return itertools.repeat(None, len(self))
        n, size = len(self.samples), self.batch_size
        if self.generator is None or size >= n:
            sizes = [min(size, n - start) for start in range(0, n, size)]
        else:
            sizes = [n // len(self) + (number < n % len(self)) for number in range(len(self))]
        return filter(lambda share: share.rows, map(self.group.share, sizes))

    def _batches(self) -> Iterator[Batch]:
        indices = self.indices()
        if self.group is not None:
            parts = [self.group.part(index, len(self.samples)) for index in indices]
            indices = [x for x in parts if not isinstance(x, slice) or x.stop > x.start]
        rows = [index for index in indices if isinstance(index, torch.Tensor)]
        if not rows or self.samples.device == rows[0].device:
            yield from map(self.samples.take, indices)
        else:
            there = torch.cat(rows).to(self.samples.device).tensor_split(len(rows))
            yield from map(self.samples.take, indices, there)
