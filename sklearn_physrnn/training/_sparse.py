"""Rows of a sparse table, made dense as a batch is taken."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class SparseRows:
    """Rows that differ from one row in few places.

    It stands among the inputs of :class:`~sklearn_physrnn.training._data.Samples` in place
    of a tensor: indexing gives a dense one.

    Attributes
    ----------
    row : Tensor of shape (n_columns,)
        What all rows are, but for the entries.
    values : Tensor of shape (n_entries,)
    columns : LongTensor of shape (n_entries,)
        Of the entries, row by row.
    starts : LongTensor of shape (n_rows + 1,)
        Where the entries of each row begin, and the last ones' end.
    """

    row: torch.Tensor
    values: torch.Tensor
    columns: torch.Tensor
    starts: torch.Tensor

    ndim = 2  # as the tensor has that it stands for

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), len(self.row)

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        return sum(x.nbytes for x in (self.row, self.values, self.columns, self.starts))

    def is_floating_point(self) -> bool:
        """Tell that these are numbers, not tokens."""
        return True

    def to(self, device: torch.device) -> "SparseRows":
        """Copy to `device`."""
        parts = (self.row, self.values, self.columns, self.starts)
        return SparseRows(*(x.to(device) for x in parts))

    def __getitem__(self, rows: torch.Tensor | slice) -> torch.Tensor:
        first, last = self.starts[:-1][rows], self.starts[1:][rows]
        counts = last - first
        dense = self.row.repeat(len(counts), 1)
        owner = torch.repeat_interleave(counts)
        before = counts.cumsum(0) - counts
        entries = torch.arange(len(owner), device=owner.device) + (first - before)[owner]
        dense[owner, self.columns[entries]] = self.values[entries]
        return dense
