"""Arrays of numbers from whatever callers pass, or an error that says what is wrong."""

import re
from collections.abc import Collection, Iterator, Sized
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import get_tags
from sklearn.utils.validation import _check_y

from .frames import Column, columns_of, is_frame, kind_of, missing
from .no_arrays import refuse_no_array


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Put `name` before the message of an error that does not say what it is about.

    What is no ValueError or TypeError becomes one: objects of other libraries raise
    whatever they like when they are turned into an array.
    """
    try:
        # Sums of infinities, before they are found and refused.
        with np.errstate(over="ignore", invalid="ignore"):
            yield
    except Exception as error:
        polite = isinstance(error, ValueError | TypeError)
        if polite and re.search(rf"\b({name.replace(' or ', '|')})\b", str(error)):
            raise
        if polite:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"{name}: {error}") from error
        raise ValueError(
            f"{name} could not be read as an array: {type(error).__name__}: {error}"
        ) from error


ENCODE = "Encode categories as numbers first; tokens are read with vocabulary_size"
_OF_TEXT = {
    "y": "Numbers that are written as text: astype(float). Labels are learned by a classifier.",
    "sample_weight": "Give one number a sample; class_weight='balanced' is a parameter.",
}
_OF_TIMES = (
    "Give numbers made of it that mean something to the target: the days since a fixed date, "
    "say, the month, the hour"
)


def real_numbers(
    values: Any, name: str, *, but: Collection[int] = (), advice: str = ENCODE
) -> Any:
    """Refuse dates, text, complex and masked numbers, in `values` or in a column of it.

    numpy and scikit-learn turn some of them silently into real numbers, polars dates too.
    Objects are taken where each can be converted to a number.

    Parameters
    ----------
    values : array-like or DataFrame
    name : str
        What messages call it.
    but : collection of int
        Columns that may hold anything.
    advice : str
        What to do with categories in X.

    Returns
    -------
    `values`, lists and tuples as an array.

    Raises
    ------
    ValueError
        Also for lists that are not rectangular.
    """
    if isinstance(values, list | tuple):
        with naming(f"{name} must be a rectangular array"):
            values = np.asarray(values)
    unmasked(values, name)
    if is_frame(values):
        for i, column in enumerate(columns_of(values)):
            if i not in but:
                _check_column(column, name, advice)
        return values
    dtype = getattr(values, "dtype", np.dtype(object))
    kind = kind_of(dtype)
    if kind == "object" and name == "X" and isinstance(values, np.ndarray) and values.ndim == 2:
        for column in columns_of(values):
            _check_column(column, name, advice)
    elif kind not in ("number", "object"):
        _refuse(kind, f"text ({dtype})" if kind == "text" else str(dtype), name, advice)
    return values


def _check_column(column: Column, name: str, advice: str) -> None:
    kind = column.kind
    if kind == "number" or (kind == "category" and _of_numbers(column)):
        return
    if kind == "object":
        with numbers_expected(name, advice):
            column.floats()
        return
    _refuse(kind, f"{column.dtype} in {column.place}", name, advice)


def _of_numbers(column: Column) -> bool:
    """Tell whether a category column's categories are numbers, which it is read as."""
    known = getattr(column.dtype, "categories", None)
    return known is not None and kind_of(getattr(known, "dtype", None)) == "number"


@contextmanager
def numbers_expected(name: str, advice: str) -> Iterator[None]:
    """Say of an error about a column of objects what was expected, and what to do."""
    try:
        yield
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        what = f"{name} must hold real numbers, {str(error).rstrip('.')}."
        hint = f" {advice}; make numbers of dates." if name == "X" else ""
        raise kind(what + hint) from None


def _refuse(kind: str, got: str, name: str, advice: str) -> None:
    if kind == "complex":
        raise ValueError(f"{name} must hold real numbers, got {got}. Complex data not supported.")
    hint = ""
    if name == "X":
        hint = f" {_OF_TIMES if kind == 'time' else advice}."
    elif kind == "text":
        hint = f" {_OF_TEXT[name]}" if name in _OF_TEXT else ""
    raise ValueError(f"{name} must hold real numbers, got {got}.{hint}")


def unmasked(values: Any, name: str) -> None:
    """Refuse masked values, which scikit-learn would take for what stands under the mask."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise ValueError(
            f"{name} is a masked array with {np.ma.count_masked(values)} masked values; fill "
            "them or leave their samples out."
        )


def floats(values: Any) -> Any:
    """Turn objects into numbers, NaN where one says that there is none, as None and pandas' NA do.

    Parameters
    ----------
    values : array-like or DataFrame
        As `real_numbers` gives it.

    Returns
    -------
    ndarray, or `values` where they are numbers.
    """
    if is_frame(values):
        columns = list(columns_of(values))
        if all(column.kind == "number" for column in columns) and hasattr(values, "iloc"):
            return values
        return np.column_stack([column.floats() for column in columns])
    if kind_of(getattr(values, "dtype", None)) != "object" or not hasattr(values, "dtype"):
        return values
    objects = np.array(values, dtype=object)
    objects[np.vectorize(missing, otypes=[bool])(objects)] = np.nan
    return objects


def any_missing(values: np.ndarray) -> bool:
    """Tell whether a number is NaN; a sum says sooner than an array of answers that none is."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = values.sum()
    return bool(np.isnan(total)) and bool(np.isnan(values).any())


def native(values: np.ndarray) -> np.ndarray:
    """Give `values` in this machine's byte order, which scikit-learn leaves in data frames."""
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def ordered_labels(labels: Any, name: str) -> np.ndarray:
    """Give the sorted unique labels of a 1-D array.

    Raises
    ------
    ValueError, TypeError
        Where they are not 1-D, masked, or of types that cannot be sorted.
    """
    with naming(name):
        unmasked(labels, name)
        labels = np.asarray(labels)
        if labels.ndim != 1:
            raise ValueError(f"{name} must be a 1-D array of labels, got shape {labels.shape}.")
        try:
            return np.unique(labels)
        except TypeError:
            kinds = sorted({"None" if x is None else type(x).__name__ for x in labels})
            raise TypeError(
                f"{name} must hold labels of one type that can be sorted, got {', '.join(kinds)}."
            ) from None


def plain_labels(y: np.ndarray) -> np.ndarray:
    """Give labels that are numbers or truth values, but are kept as objects, as such.

    scikit-learn says of them that they are continuous, or no labels at all.
    """
    y = np.asarray(y)
    if y.dtype != object or not y.size:
        return y
    with suppress(ValueError):  # of items that are lists of unequal length
        plain = np.array(y.tolist())
        if plain.dtype.kind in "biuf" and plain.shape == y.shape:
            return plain
    return y


def check_targets(estimator: Any, y: Any, X: Sized) -> np.ndarray:
    """Check y and its length: real numbers for a regressor, labels for a classifier."""
    regression = get_tags(estimator).estimator_type == "regressor"
    if not regression and isinstance(getattr(y, "dtype", None), np.dtype):
        y = plain_labels(y)
    y = _check_y(y, multi_output=True, y_numeric=regression, estimator=estimator)
    if issparse(y):  # of a data frame with sparse columns
        y = y.toarray()
    # scikit-learn looks for NaN before it turns objects into numbers.
    if regression and not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity.")
    if y.ndim == 0:
        raise ValueError(f"y must hold one value a sample, got the single value {y}.")
    check_one_each(X, y)
    return y


def check_one_each(X: Sized, y: Sized) -> None:
    """Check that there is a target for each sample."""
    if len(X) != len(y):
        # scikit-learn's words, and which is which.
        raise ValueError(
            "X or y: Found input variables with inconsistent numbers of samples: "
            f"[{len(X)}, {len(y)}]. X has {len(X)} and y {len(y)}; every sample needs one target."
        )


@contextmanager
def checking_targets(estimator: Any, y: Any) -> Iterator[Any]:
    """Give y for further checks, whose errors will name it."""
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    with naming("y"):
        if issparse(y):
            raise TypeError(f"y must be a dense array, got a sparse {type(y).__name__}.")
        refuse_no_array(y, "y")
        if get_tags(estimator).estimator_type == "regressor":
            y = real_numbers(y, "y")
        unmasked(y, "y")
        yield y


def check_finite(
    outputs: np.ndarray, remedies: str = "a smaller learning_rate_init"
) -> np.ndarray:
    """Refuse to predict from outputs of a network that have overflowed.

    Parameters
    ----------
    outputs : ndarray of shape (n_samples, ...)
    remedies : str
        What an estimator of this family may be fitted anew with.

    Returns
    -------
    `outputs`

    Raises
    ------
    ValueError
        If one is not finite.
    """
    bad = ~np.isfinite(outputs.reshape(len(outputs), -1)).all(axis=1)
    if bad.any():
        raise ValueError(
            f"The network's output is not finite for {bad.sum()} of {len(bad)} samples of X: its "
            f"dynamics or its weights are unstable. Fit it anew with {remedies}."
        )
    return outputs
