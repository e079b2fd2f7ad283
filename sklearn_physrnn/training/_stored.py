"""Rows of a table that is too large for memory, read as a batch is taken."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch


@dataclass(frozen=True, eq=False)
class StoredRows:
    """Rows that are read when they are asked for.

    It stands among the inputs of :class:`~sklearn_physrnn.training._data.Samples` in place
    of a tensor: indexing gives one.

    Attributes
    ----------
    read : callable
        Given numbers of rows, or a slice, it reads them as the module takes them.
    shape : tuple of int
        Rows and columns.
    dtype : torch.dtype
    chunks : tuple of ndarray and int, or None
        Bounds of the chunks that rows are read in, and how many of them are to be shuffled
        at a time; None where any row is as near as the next.
    device : torch.device
        What is read is brought there.
    """

    read: Callable[[np.ndarray | slice], np.ndarray]
    shape: tuple[int, int]
    dtype: torch.dtype
    chunks: tuple[np.ndarray, int] | None = None
    device: torch.device = field(default=torch.device("cpu"))

    ndim = 2  # as the tensor has that it stands for
    nbytes = 0

    def __len__(self) -> int:
        return self.shape[0]

    def is_floating_point(self) -> bool:
        """Tell that these are numbers, not tokens."""
        return True

    def to(self, device: torch.device) -> "StoredRows":
        """Bring to `device` all that will be read."""
        return replace(self, device=device)

    def __getitem__(self, rows: torch.Tensor | slice) -> torch.Tensor:
        at = rows if isinstance(rows, slice) else rows.cpu().numpy()
        x = np.require(self.read(at), requirements=("C", "W"))
        return torch.from_numpy(x).to(self.device, self.dtype)

    def shuffled(self, generator: torch.Generator) -> torch.Tensor:
        """Draw an order of rows; where they lie in chunks, of these, and within some at a time."""
        if self.chunks is None:
            return torch.randperm(len(self), generator=generator)
        bounds, n_together = self.chunks
        order = torch.randperm(len(bounds) - 1, generator=generator)
        parts = []
        for some in order.split(n_together):
            rows = torch.cat([torch.arange(*bounds[number : number + 2]) for number in some])
            parts.append(rows[torch.randperm(len(rows), generator=generator)])
        return torch.cat(parts)
