"""Arrays of numbers from whatever callers pass, or an error that says what is wrong."""

import re
from collections.abc import Iterator, Sized
from contextlib import contextmanager
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.utils import check_consistent_length, get_tags
from sklearn.utils.validation import _check_y


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


def real_numbers(values: Any, name: str) -> Any:
    """Refuse dates, text, complex and masked numbers, in `values` or in a column of it.

    numpy and scikit-learn turn some of them silently into real numbers. Objects are left
    to them, since each is converted, or refused, by itself.

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
    dtypes = getattr(values, "dtypes", getattr(values, "dtype", None))  # a frame has several
    columns = getattr(values, "columns", ())
    for i, dtype in enumerate(np.atleast_1d(np.asarray(dtypes, dtype=object))):
        got = f"{dtype} in column {columns[i]!r}" if len(columns) else str(dtype)
        if getattr(dtype, "kind", "O") == "c":
            raise ValueError(
                f"{name} must hold real numbers, got {got}. Complex data not supported."
            )
        text = getattr(dtype, "name", "") in ("string", "str")  # pandas calls its kind "O"
        if text or getattr(dtype, "kind", "O") in "mMSTUV":
            hint = " Encode categories first, with OneHotEncoder say." if name == "X" else ""
            raise ValueError(f"{name} must hold real numbers, got {got}.{hint}")
    unmasked(values, name)
    return values


def unmasked(values: Any, name: str) -> None:
    """Refuse masked values, which scikit-learn would take for what stands under the mask."""
    if isinstance(values, np.ma.MaskedArray) and np.ma.getmaskarray(values).any():
        raise ValueError(
            f"{name} is a masked array with {np.ma.count_masked(values)} masked values; fill "
            "them or leave their samples out."
        )


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


def check_targets(estimator: Any, y: Any, X: Sized) -> np.ndarray:
    """Check y and its length: real numbers for a regressor, labels for a classifier."""
    regression = get_tags(estimator).estimator_type == "regressor"
    y = _check_y(y, multi_output=True, y_numeric=regression, estimator=estimator)
    if issparse(y):  # of a data frame with sparse columns
        y = y.toarray()
    # scikit-learn looks for NaN before it turns objects into numbers.
    if regression and not np.isfinite(y).all():
        raise ValueError("Input y contains NaN or infinity.")
    if y.ndim == 0:
        raise ValueError(f"y must hold one value a sample, got the single value {y}.")
    with naming("X or y"):
        check_consistent_length(X, y)
    return y


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
