"""Samples in memory, and batches of them without a DataLoader."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import torch
from torch import nn
from torch.nn import functional as F

from ._prefetch import prefetched

Index = torch.Tensor | slice
Batch = tuple[dict[str, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


@dataclass(frozen=True)
class Samples:
    """Inputs, targets and weights, all with the sample as their first axis.

    Attributes
    ----------
    inputs : dict of str to Tensor
        "x", the module's first argument, and its keyword arguments.
    targets : Tensor of shape (n_samples, n_targets) or (n_samples,)
        Real targets, or class indices.
    weights : Tensor of shape (n_samples,) or None
        Sample weights of mean 1; None where all are equal.
    host_lengths : LongTensor of shape (n_samples,) or None
        The lengths among the inputs, if any, on the CPU, wherever the inputs are.
    """

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    weights: torch.Tensor | None = None
    host_lengths: torch.Tensor | None = None

    def __post_init__(self) -> None:
        lengths = self.inputs.get("lengths")
        if self.host_lengths is None and lengths is not None:
            object.__setattr__(self, "host_lengths", lengths.cpu())

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def device(self) -> torch.device:
        """Where the samples are."""
        return self.targets.device

    @property
    def positions(self) -> int:
        """Positions that a module visits in a sample."""
        return steps_per_sample(self.inputs["x"])

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return sum(
            x.nbytes for x in (*self.inputs.values(), self.targets, self.weights) if x is not None
        )

    def to(self, device: torch.device) -> "Samples":
        """Copy to `device`."""
        return replace(
            self,
            inputs={name: x.to(device) for name, x in self.inputs.items()},
            targets=self.targets.to(device),
            weights=None if self.weights is None else self.weights.to(device),
        )

    def take(self, index: Index, there: torch.Tensor | None = None) -> Batch:
        """Select the batch `index`, without the steps past its longest sequence.

        Parameters
        ----------
        index : LongTensor on the CPU, or slice
        there : LongTensor or None
            The same index on the samples' device, where that is another.
        """
        at = index if there is None else there
        inputs = {name: x[at] for name, x in self.inputs.items()}
        if self.host_lengths is not None:
            # Lengths on a GPU could only be looked at by waiting for it.
            inputs = _cut(inputs, int(self.host_lengths[index].max()))
        weights = None if self.weights is None else self.weights[at]
        return inputs, (self.targets[at], weights)


def _cut(inputs: dict[str, torch.Tensor], n_steps: int) -> dict[str, torch.Tensor]:
    return {name: x[:, :n_steps] if x.ndim > 1 else x for name, x in inputs.items()}


def trim_padding(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Cut the time axis (axis 1) after the longest sequence, where lengths are given."""
    lengths = inputs.get("lengths")
    if lengths is None or lengths.device.type != "cpu":  # elsewhere it would wait for the device
        return inputs
    return _cut(inputs, int(lengths.max()))


def steps_per_sample(x: Any) -> int:
    """Count the positions a module visits: the steps of a sequence, or one for a row.

    Integers are tokens, of shape (n_samples, n_timesteps).
    """
    floating = x.is_floating_point() if isinstance(x, torch.Tensor) else x.dtype.kind == "f"
    return x.shape[1] if x.ndim == 3 or not floating else 1


def run_module(module: nn.Module, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
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
    def nbytes(self) -> int: ...

    def __len__(self) -> int: ...

    def to(self, device: torch.device) -> Self: ...

    def take(self, index: Index, there: torch.Tensor | None = None) -> Batch: ...


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
    """

    def __init__(
        self,
        samples: Batches,
        batch_size: int,
        generator: torch.Generator | None = None,
        device: torch.device | None = None,
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.generator = generator
        self.device = device

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        return self._batches() if self.device is None else prefetched(self._batches(), self.device)

    def _batches(self) -> Iterator[Batch]:
        n = len(self.samples)
        if self.generator is None or self.batch_size >= n:
            for start in range(0, n, self.batch_size):
                yield self.samples.take(slice(start, start + self.batch_size))
            return
        # Drawn on the CPU, so that the order is the same whatever the device.
        order = torch.randperm(n, generator=self.generator)
        indices = order.tensor_split(len(self))
        if self.samples.device == order.device:
            yield from map(self.samples.take, indices)
        else:
            there = order.to(self.samples.device).tensor_split(len(self))
            yield from map(self.samples.take, indices, there)
