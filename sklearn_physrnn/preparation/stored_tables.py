"""Tables that stay where they are: in mapped files, other libraries' arrays, or data sets.

They are read by rows, never whole. Where rows lie in chunks, chunks are read.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

# Bytes from which on a table stays where it is; a smaller one is read whole, and gives what
# arrays give to the last bit. (joblib maps the arrays that it hands to its workers.)
_WORTH_LEAVING = 1 << 29

_SAMPLED = 1 << 23  # values that scales are learned from, at most
_MOST_SAMPLED = 100_000  # rows of them
_KEPT = 1 << 26  # bytes of chunks that are kept at a time
_VALUES_AT_A_TIME = 1 << 20

_KINDS = "fiub"  # NumPy's of numbers


class RowSource(Protocol):
    """Rows of numbers, wherever they are."""

    shape: tuple[int, int]
    dtype: np.dtype
    bounds: np.ndarray | None  # of chunks of rows, first and end; None where any row is as near

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read consecutive rows."""


class _OfArray:
    """Rows of what has a shape, a dtype and slices."""

    def __init__(self, array: Any) -> None:
        self.array = array
        self.shape, self.dtype = tuple(array.shape), np.dtype(array.dtype)
        self.bounds = None
        chunks = getattr(array, "chunks", None)
        if chunks is not None:
            n, size = self.shape[0], chunks[0]
            steps = size if isinstance(size, tuple) else [size] * -(-n // size)
            if any(step != step for step in steps):  # Dask's unknown lengths are NaN
                raise ValueError(
                    "X is a Dask array of unknown length: call X.compute_chunk_sizes() first."
                )
            self.bounds = np.minimum(np.append(0, np.cumsum(steps)), n).astype(np.intp)

    def read(self, start: int, stop: int) -> np.ndarray:
        return np.asarray(self.array[start:stop])


class _OfDataset:
    """Rows of an Arrow data set, say a folder of Parquet files, by row groups."""

    def __init__(self, dataset: Any) -> None:
        self.names = list(dataset.schema.names)
        parts: list[Any] = []
        for fragment in dataset.get_fragments():
            split = getattr(fragment, "split_by_row_group", None)
            parts += [fragment] if split is None else split()
        self._parts = parts
        counts = [_n_rows(part) for part in parts]
        self.bounds = np.append(0, np.cumsum(counts)).astype(np.intp)
        self.shape = int(self.bounds[-1]), len(self.names)
        self.head = dataset.head(2).to_pandas()
        kinds = [np.dtype(each.to_pandas_dtype()) for each in dataset.schema.types]
        others = [n for n, kind in zip(self.names, kinds, strict=True) if kind.kind not in _KINDS]
        if others:
            raise ValueError(
                f"X is a data set larger than memory may be, of which numbers alone can be read, "
                f"and its columns {others} hold none: leave them out, by "
                "dataset.replace_schema(schema), or write them as numbers."
            )
        self.dtype = np.result_type(*kinds)
        self._schema = dataset.schema

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read consecutive rows, each group of which is read as a whole."""
        first, last = np.searchsorted(self.bounds, [start, stop - 1], side="right") - 1
        whole = range(first, last + 1)
        tables = [self._parts[i].to_table(schema=self._schema) for i in whole]
        columns = [
            np.concatenate([table.column(name).to_numpy() for table in tables])
            for name in self.names
        ]
        begin = self.bounds[first]
        return np.column_stack(columns)[start - begin : stop - begin]


def _n_rows(part: Any) -> int:
    groups = getattr(part, "row_groups", None)  # whose counts are at hand
    return part.count_rows() if groups is None else sum(group.num_rows for group in groups)


@dataclass(frozen=True, eq=False)
class StoredTable:
    """Checked rows that are read when they are asked for.

    Attributes
    ----------
    source : RowSource
    dtype : dtype
        What they are read as: float32 stays, all else becomes float64.
    holes : bool
        Whether values may be missing, as NaN.
    rows : ndarray of int or None
        Which of the source's rows, in order; None for all.
    """

    source: RowSource
    dtype: np.dtype
    holes: bool
    rows: np.ndarray | None = None
    _chunks: OrderedDict[int, np.ndarray] = field(default_factory=OrderedDict, repr=False)

    def __len__(self) -> int:
        return self.source.shape[0] if self.rows is None else len(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), self.source.shape[1]

    def __getitem__(self, rows: Any) -> "StoredTable":
        if isinstance(rows, slice) and rows == slice(None):
            return self
        chosen = np.arange(len(self)) if self.rows is None else self.rows
        return replace(self, rows=chosen[rows])

    def taken(self, rows: np.ndarray | slice) -> np.ndarray:
        """Read some rows, in their order.

        Raises
        ------
        ValueError
            If a value is infinite, or NaN where none may be missing.
        """
        if self.rows is not None:
            rows = self.rows[rows]
        elif isinstance(rows, slice):
            start, stop, step = rows.indices(len(self))
            if step == 1:
                return self._checked(self.source.read(start, stop), start)
            rows = np.arange(start, stop, step)
        bounds = self.source.bounds
        order = np.argsort(rows, kind="stable")
        ordered, values = rows[order], np.empty((len(rows), self.shape[1]), self.dtype)
        if bounds is None:
            values[order] = self._checked(self.source.array[ordered], ordered)  # type: ignore[attr-defined]
            return values
        chunks = np.searchsorted(bounds, ordered, side="right") - 1
        for chunk in np.unique(chunks):
            there = chunks == chunk
            values[order[there]] = self._chunk(int(chunk))[ordered[there] - bounds[chunk]]
        return values

    def _chunk(self, number: int) -> np.ndarray:
        kept = self._chunks
        if number in kept:
            kept.move_to_end(number)
            return kept[number]
        assert self.source.bounds is not None
        start, stop = self.source.bounds[number : number + 2]
        chunk = self._checked(self.source.read(int(start), int(stop)), int(start))
        while kept and sum(x.nbytes for x in kept.values()) + chunk.nbytes > _KEPT:
            kept.popitem(last=False)
        kept[number] = chunk
        return chunk

    def _checked(self, values: np.ndarray, first: Any) -> np.ndarray:
        values = np.asarray(values).astype(self.dtype, copy=False)
        wrong = np.isinf(values) if self.holes else ~np.isfinite(values)
        if wrong.any():
            row, column = np.argwhere(wrong)[0]
            at = row + first if isinstance(first, int) else first[row]
            raise ValueError(
                f"Input X contains {values[row, column]}, in row {at}, column {column}"
                + ("." if self.holes else "; missing='indicator' takes NaN.")
            )
        return values

    def blocks(self) -> Iterator[np.ndarray]:
        """Read all, in order, a block after another."""
        n_rows = max(1, _VALUES_AT_A_TIME // self.shape[1])
        for start in range(0, len(self), n_rows):
            yield self.taken(slice(start, min(start + n_rows, len(self))))

    def sampled(self) -> tuple[np.ndarray, np.ndarray]:
        """Read rows that are spread evenly, up to 100,000; return them and their numbers."""
        most = min(_MOST_SAMPLED, max(1, _SAMPLED // self.shape[1]))
        rows = np.arange(len(self))[:: -(-len(self) // most)]
        return self.taken(rows), rows

    def holed(self) -> np.ndarray:
        """Tell, after one look at all, which columns have holes."""
        some = np.zeros(self.shape[1], bool)
        for block in self.blocks():
            some |= np.isnan(block).any(axis=0)
        return some

    def digested(self) -> tuple[np.ndarray, np.ndarray]:
        """Give what tells it from others: a sample of its rows."""
        return self.sampled()

    def dense(self) -> np.ndarray:
        """Read all."""
        return self.taken(slice(None))

    def chunks_to_shuffle(self) -> tuple[np.ndarray, int] | None:
        """Give the bounds of its chunks and how many fit in memory; None for any order."""
        bounds = self.source.bounds
        if bounds is None or self.rows is not None:
            return None
        largest = int(np.diff(bounds).max()) * self.shape[1] * self.dtype.itemsize
        return bounds, max(1, _KEPT // largest)


def stored_table(X: Any, *, holes: bool, categories: bool) -> tuple[Any, StoredTable | None]:
    """Take a large table as one that stays where it is.

    Parameters
    ----------
    X : object
    holes : bool
        Whether values may be missing.
    categories : bool
        Whether columns were to hold categories.

    Returns
    -------
    X : object
        As it is; or, of a large table, its first rows, which have its columns' number and
        names; or, of a data set that is not large, all of it as a DataFrame.
    table : StoredTable or None

    Raises
    ------
    ValueError
        If it is large and does not hold numbers alone, or of unknown length.
    """
    of_arrow = type(X).__module__.startswith("pyarrow") and hasattr(X, "get_fragments")
    if of_arrow:
        large = X.count_rows() * len(X.schema.names) * 8 >= _WORTH_LEAVING
        if not large:
            return X.to_table().to_pandas(), None
        source: Any = _OfDataset(X)
        head = source.head
    else:
        elsewhere = isinstance(X, np.memmap) or not any(hasattr(X, name) for name in _INSIDE)
        if not (elsewhere and all(hasattr(X, x) for x in ("shape", "dtype", "__getitem__"))):
            return X, None
        if len(X.shape) != 2 or getattr(X.dtype, "kind", "O") not in _KINDS:
            return X, None
        source = _OfArray(X)
        if source.shape[0] * source.shape[1] * source.dtype.itemsize < _WORTH_LEAVING:
            return X, None
        head = source.read(0, 2)
    dtype = np.dtype(np.float32) if source.dtype == np.float32 else np.dtype(np.float64)
    if categories:
        raise ValueError(
            "X is a table that is read row by row from where it is, and categorical_features "
            "needs one in memory: give a part of it, or their indicators as columns."
        )
    return head, StoredTable(source, dtype, holes)


_INSIDE = ("iloc", "toarray", "device")  # of what is in memory, or on a device
