"""Sequences out of whatever holds them: lists, columns of arrays, arrays of objects."""

from typing import Any, NamedTuple

import numpy as np


class Held(NamedTuple):
    """The sequences of a container.

    Attributes
    ----------
    sequences : list
        One a sample: an array, or what can become one.
    named : object
        What has the channels' names as its columns, if anything does.
    """

    sequences: list[Any]
    named: Any


def held_sequences(X: Any, called: str = "X") -> Held | None:
    """Open a container of sequences; None where X is one array, or stands for one.

    A list is a container if an item is an array, a data frame or the like, or if all are lists
    and differ in length: other nested lists are what NumPy makes of them. Arrays of objects
    and columns of a data frame are if their cells are sequences; several columns are channels.

    Parameters
    ----------
    X : object
    called : str
        What messages call it.

    Raises
    ------
    ValueError
        If data frames of a list differ in their columns, or cells of one sample in length.
    """
    if isinstance(X, list | tuple):
        return _of_list(list(X), called)
    if _is_table(X):
        return _of_cells(_object_cells(X), X, called)
    if isinstance(X, np.ndarray) or hasattr(X, "to_numpy"):
        cells = X if isinstance(X, np.ndarray) else _object_cells(X)
        if cells is not None and cells.dtype == object:
            return _of_cells(cells.reshape(-1, 1) if cells.ndim == 1 else cells, None, called)
    return None


def as_array(x: Any) -> Any:
    """Bring a tensor to the host, a column of steps into a list; leave others as they are."""
    if hasattr(x, "detach"):
        # One that requires a gradient raises here: who gives it may expect to get one.
        return (x.float() if str(x.dtype) == "torch.bfloat16" else x).cpu().numpy()
    steps = hasattr(x, "to_list") and len(x) and is_sequence(next(iter(x)))
    return x.to_list() if steps else x


def is_sequence(x: Any) -> bool:
    """Tell an array, a data frame, a tensor or a list from a single value."""
    if isinstance(x, list | tuple):
        return True
    if hasattr(x, "ndim"):
        return x.ndim > 0
    return hasattr(x, "__array__") and hasattr(x, "__len__")


def _is_table(X: Any) -> bool:
    return hasattr(X, "columns") and hasattr(X, "to_numpy")


def _of_list(items: list[Any], called: str) -> Held | None:
    nested = [isinstance(x, list | tuple) for x in items]
    if not any(nested):
        held = any(is_sequence(x) for x in items)
    elif all(nested):
        held = len({len(x) for x in items}) > 1
    else:
        held = all(is_sequence(x) for x in items)
    if not held:
        return None
    if not _is_table(items[0]):
        return Held(items, None)
    columns = list(items[0].columns)
    for i, x in enumerate(items):
        if _is_table(x) and list(x.columns) != columns:
            raise ValueError(
                f"{called}[{i}] has the columns {list(x.columns)}, but {called}[0] has {columns}; "
                "give all of them the same, in the same order."
            )
    return Held(items, items[0])


def _object_cells(X: Any) -> np.ndarray | None:
    """Give the cells of a table or a column, if they may be sequences."""
    if not len(X):
        return None
    if hasattr(X, "row"):  # polars
        first = X.row(0)
    elif hasattr(X, "iloc"):
        first = X.iloc[0] if _is_table(X) else [X.iloc[0]]
    else:
        first = [X[0]]
    if not any(is_sequence(cell) for cell in first):
        return None
    if not _is_table(X):
        return _column(X)
    columns = [_column(X.iloc[:, k] if hasattr(X, "iloc") else X[:, k]) for k in range(len(first))]
    cells = np.empty((len(X), len(columns)), dtype=object)
    for k, column in enumerate(columns):
        cells[:, k] = column
    return cells


def _column(x: Any) -> np.ndarray:
    cells = np.empty(len(x), dtype=object)
    for i, cell in enumerate(x):
        cells[i] = cell
    return cells


def _of_cells(cells: np.ndarray | None, table: Any, called: str) -> Held | None:
    """Take the cells (n_samples, n_columns) of a table as sequences, one column a channel."""
    if cells is None or cells.ndim != 2 or not cells.size:
        return None
    if not any(is_sequence(cell) for cell in cells[0]):
        return None
    if cells.shape[1] == 1:
        sequences = list(cells[:, 0])
        one_channel = all(np.ndim(as_array(x)) == 1 for x in sequences[:1])
        return Held(sequences, table if one_channel else None)
    return Held([_channels(row, f"{called}[{i}]") for i, row in enumerate(cells)], table)


def _channels(row: np.ndarray, called: str) -> np.ndarray:
    channels = [np.asarray(as_array(cell)) for cell in row]
    shapes = [channel.shape for channel in channels]
    if any(len(shape) != 1 for shape in shapes) or len(set(shapes)) > 1:
        raise ValueError(
            "Every cell must hold one sequence, those of one sample of equal length; those of "
            f"{called} are of the shapes {shapes}."
        )
    return np.stack(channels, axis=1)
