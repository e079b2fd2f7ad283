"""Tables of which most entries are zero, kept as the others."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from ..training._sparse import SparseRows


@dataclass(frozen=True, eq=False)
class SparseTable:
    """Checked rows, by their entries.

    Attributes
    ----------
    values : ndarray of shape (n_entries,)
    columns, starts : ndarray
        As in SciPy's CSR format: the column of each entry, and where each row's begin.
    n_columns : int
    """

    values: np.ndarray
    columns: np.ndarray
    starts: np.ndarray
    n_columns: int

    @classmethod
    def of(cls, X: Any) -> "SparseTable":
        """Take a matrix or array of SciPy's in CSR format, and leave it as it is."""
        if not X.has_canonical_format:
            X = X.copy()
            X.sum_duplicates()
        return cls(X.data, X.indices, X.indptr, X.shape[1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __getitem__(self, rows: Any) -> "SparseTable":
        return SparseTable.of(self.csr[rows])

    @property
    def csr(self) -> sp.csr_array:
        """The table as SciPy has it."""
        return sp.csr_array((self.values, self.columns, self.starts), shape=self.shape)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.n_columns

    @property
    def dtype(self) -> np.dtype:
        """Of the entries."""
        return self.values.dtype

    def dense(self) -> np.ndarray:
        """Give all entries, zeros too."""
        return self.csr.toarray()

    def by_column(
        self, weights: np.ndarray | None
    ) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """Give each column's entries and what they weigh, all its zeros as one entry.

        Parameters
        ----------
        weights : ndarray of shape (n_rows,) or None
        """
        mass = np.ones(len(self)) if weights is None else weights
        total, columns = mass.sum(), self.csr.tocsc()
        for start, stop in zip(columns.indptr[:-1], columns.indptr[1:], strict=True):
            x, own = columns.data[start:stop], mass[columns.indices[start:stop]]
            if stop - start < len(self):
                x, own = np.append(x, x.dtype.type(0)), np.append(own, total - own.sum())
            yield x, own


def sparse_rows(known: Any, X: SparseTable, dtype: torch.dtype, present: float) -> SparseRows:
    """Give rows that are made dense batch by batch, for a table of `known` inputs.

    Parameters
    ----------
    known : TableInputs
    X : SparseTable
    dtype : torch.dtype
    present : float
        What the indicator of a missing number is.
    """
    assert known.scaler is not None
    csr = X.csr[:, known.numbers]
    there = ~np.isnan(csr.data)
    values = np.zeros_like(csr.data)
    values[there] = known.scaler.transform_entries(csr.data[there], csr.indices[there])
    columns, starts = csr.indices, csr.indptr
    if known.holed:
        # An indicator is one more entry of its row.
        indicator = np.full(known.n_features, -1)
        indicator[list(known.holed)] = len(known.numbers) + np.arange(len(known.holed))
        rows = np.repeat(np.arange(len(X)), np.diff(starts))
        place = indicator[known.numbers[columns]]
        more = ~there & (place >= 0)
        values = np.append(values, np.full(more.sum(), present, dtype=values.dtype))
        columns, rows = np.append(columns, place[more]), np.append(rows, rows[more])
        order = np.argsort(rows, kind="stable")
        values, columns = values[order], columns[order]
        starts = np.append(0, np.bincount(rows, minlength=len(X)).cumsum())
    zeros = np.zeros((1, known.n_features), dtype=X.dtype)
    row, entries = (torch.as_tensor(x).to(dtype) for x in (known.arrays(zeros)["x"][0], values))
    places = (torch.as_tensor(x.astype(np.int64)) for x in (columns, starts))
    return SparseRows(row, entries, *places)
