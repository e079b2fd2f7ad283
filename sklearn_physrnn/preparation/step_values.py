"""Values at every step of a sequence, out of whatever holds them."""

from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_array, check_consistent_length

from .arrays import naming, real_numbers, unmasked
from .containers import as_array, held_sequences
from .recordings import Recordings, in_memory
from .series import Series


def values_at_steps(
    y: Any, X: Series | Recordings, every: int, caller: Any, *, real: bool, depth: tuple[int, ...]
) -> np.ndarray:
    """Give what y has at the steps of X, one sample after another.

    Past a series' end y is not looked at. It may have more steps than the longest series
    where those hold padding: one and the same value.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_steps, ...), or a container of (n_steps, ...)
    X : Series or Recordings
    every : int
        Which steps have values: counting from one, steps `every`, 2 `every` and so on.
    caller : estimator
    real : bool
        Whether values are numbers, or else labels.
    depth : tuple of int
        Dimensions that y may have.

    Returns
    -------
    ndarray of shape (n_values, ...)
        Not looked at itself, as `real` has it.

    Raises
    ------
    ValueError, TypeError
        If y is of another shape.
    """
    if y is None:
        raise ValueError(
            f"{type(caller).__name__} requires y to be passed, but the target y is None."
        )
    if every > X.longest:
        raise ValueError(
            f"every={every} exceeds the {X.longest} steps of the longest series: none has a "
            "target. Set every to at most that."
        )
    y = in_memory(y)
    with naming("y"):
        held = held_sequences(y, "y")
        items = [_read(y, "y", real)] if held is None else held.sequences
        if held is not None:
            items = [_read(item, f"y[{i}]", real) for i, item in enumerate(items)]
            if len({len(item) for item in items}) == 1:
                items = [np.stack(items)]
                held = None
    with naming("X or y"):
        check_consistent_length(X, items[0] if held is None else items)
    if held is None:
        return _of_array(items[0], X, every, depth)
    counts = X.lengths // every
    for i, (item, count) in enumerate(zip(items, counts, strict=True)):
        if len(item) != count:
            raise ValueError(
                f"y[{i}] has values at {len(item)} steps, but X[{i}] has {X.lengths[i]} steps"
                + (f", {count} of them with every={every}." if every > 1 else ".")
            )
        if item.ndim + 1 not in depth or item.shape[1:] != items[0].shape[1:]:
            raise ValueError(
                f"y[{i}] must be of shape (n_steps,)"
                + (" or (n_steps, n_targets)" if 3 in depth else "")
                + (", like y[0]" if i else "")
                + f", got {item.shape}."
            )
    return np.concatenate(items)


def _read(y: Any, name: str, real: bool) -> np.ndarray:
    if issparse(y):
        raise TypeError(f"{name} must be a dense array, got a sparse {type(y).__name__}.")
    y = as_array(y)
    if not real:
        unmasked(y, name)
        return np.asarray(y)
    return check_array(
        real_numbers(y, name),
        dtype=np.float64,
        ensure_2d=False,
        allow_nd=True,
        ensure_all_finite=False,
        ensure_min_samples=0,
        ensure_min_features=0,
        input_name=name,
    )


def _of_array(
    y: np.ndarray, X: Series | Recordings, every: int, depth: tuple[int, ...]
) -> np.ndarray:
    counts, width = X.lengths // every, X.width // every
    fits = y.ndim in depth and y.shape[1] >= counts.max() > 0
    if not fits or not _is_padding(y[:, width:]):
        shapes = f"(n_samples, {width})"
        if 3 in depth:
            shapes += f" or (n_samples, {width}, n_targets)"
        raise ValueError(
            f"With readout='sequence' and every={every}, y must be of shape {shapes}, or a list "
            f"of as many values as each series has steps, got {y.shape}."
        )
    return y[np.arange(y.shape[1]) < counts[:, None]]


def _is_padding(values: np.ndarray) -> bool:
    """Tell whether all are one value, NaN or whatever else."""
    if not values.size:
        return True
    first = values.flat[0]
    return bool(np.all((values == first) | ((values != values) & (first != first))))
