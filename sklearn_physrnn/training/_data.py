"""Samples in memory, and batches of them without a DataLoader."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch

Batch = tuple[dict[str, torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


@dataclass(frozen=True)
class Samples:
    """Inputs, targets and weights, all with the sample as their first axis.

    Attributes
    ----------
    inputs : dict of str to Tensor
        The module's keyword arguments.
    targets : Tensor of shape (n_samples, n_targets) or (n_samples,)
        Real targets, or class indices.
    weights : Tensor of shape (n_samples,) or None
        Sample weights of mean 1; None where all are equal.
    """

    inputs: dict[str, torch.Tensor]
    targets: torch.Tensor
    weights: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device) -> "Samples":
        """Copy to `device`."""
        return replace(
            self,
            inputs={name: x.to(device) for name, x in self.inputs.items()},
            targets=self.targets.to(device),
            weights=None if self.weights is None else self.weights.to(device),
        )

    def take(self, index: torch.Tensor | slice) -> Batch:
        """Select the batch `index`, without the steps past its longest sequence."""
        inputs = trim_padding({name: x[index] for name, x in self.inputs.items()})
        weights = None if self.weights is None else self.weights[index]
        return inputs, (self.targets[index], weights)


def trim_padding(inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Cut the time axis (axis 1) after the longest sequence, where lengths are given."""
    lengths = inputs.get("lengths")
    if lengths is None or lengths.device.type != "cpu":  # elsewhere it would wait for the device
        return inputs
    longest = int(lengths.max())
    return {name: x[:, :longest] if x.ndim > 1 else x for name, x in inputs.items()}


class BatchIterator:
    """Batches sliced from tensors: what skorch iterates over in place of a DataLoader.

    The default DataLoader collates sample by sample, which on small data costs four
    times the training step itself.

    Parameters
    ----------
    samples : Samples
    batch_size : int
        Rows in a batch; the last one holds what remains, and counts.
    generator : torch.Generator or None
        Draws a new order for each epoch; None keeps the order of the samples.
    """

    def __init__(
        self, samples: Samples, batch_size: int, generator: torch.Generator | None = None
    ) -> None:
        self.samples = samples
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        n = len(self.samples)
        if self.generator is None or self.batch_size >= n:
            for start in range(0, n, self.batch_size):
                yield self.samples.take(slice(start, start + self.batch_size))
            return
        order = torch.randperm(n, generator=self.generator)
        for index in order.to(self.samples.targets.device).split(self.batch_size):
            yield self.samples.take(index)
