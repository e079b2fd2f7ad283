"""Columns of data frames and arrays, one by one, and what is in them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# As dtypes of pandas, its Arrow types and polars are called, in small letters.
_CATEGORIES = ("category", "categorical", "enum", "dictionary")
_TEXTS = ("str", "string", "large_string", "utf8", "<u", "|s")
_TIMES = ("date", "time", "period", "duration")


@dataclass(frozen=True)
class Column:
    """One column of a frame or of a 2-D array.

    Attributes
    ----------
    name : object
        Its name, or its position in an array.
    dtype : object
        As its library has it.
    values : object
        An array or a series of that library, 1-D.
    """

    name: Any
    dtype: Any
    values: Any

    @property
    def kind(self) -> str:
        """What it holds: "number", "complex", "category", "text", "time" or "object"."""
        return kind_of(self.dtype)

    @property
    def place(self) -> str:
        """How a message names it."""
        return f"column {self.name!r}"

    def objects(self) -> np.ndarray:
        """Give the values as objects, missing ones as None."""
        values = self.values
        if hasattr(values, "to_list") and not hasattr(values, "iloc"):  # polars'
            values = values.to_list()
        found = np.empty(len(values), dtype=object)
        found[:] = list(values)
        found[np.array([missing(value) for value in found], dtype=bool)] = None
        return found

    def has_missing(self) -> bool:
        """Tell whether there is a place without a value."""
        return any(value is None for value in self.objects())

    def floats(self) -> np.ndarray:
        """Give the values as float32 where they are, else as float64; missing ones as NaN.

        Raises
        ------
        ValueError, TypeError
            If one of them is not a number; it is named, and of the first kind unless it is
            an object that no number is made of.
        """
        try:
            if self.kind == "number" and hasattr(self.values, "iloc"):  # pandas'
                return _as_floats(self.values.to_numpy(na_value=np.nan, dtype=_float(self.dtype)))
            if self.kind == "number":
                return _as_floats(np.asarray(self.values))
            return self.objects().astype(np.float64)
        except (TypeError, ValueError):
            error = _first_misfit(self.objects())
            raise type(error)(f"got {self.dtype} in {self.place}: {error}") from None


def _float(dtype: Any) -> type[np.floating]:
    return np.float32 if str(dtype).lower() in ("float32", "float[pyarrow]") else np.float64


def _as_floats(values: np.ndarray) -> np.ndarray:
    return values if values.dtype == np.float32 else values.astype(np.float64, copy=False)


def _first_misfit(values: np.ndarray) -> ValueError | TypeError:
    for i in range(len(values)):
        try:
            values[i : i + 1].astype(np.float64)
        except TypeError as error:
            return TypeError(error)
        except ValueError as error:
            return ValueError(error)
    return ValueError("not all of it are numbers")


def missing(value: Any) -> bool:
    """Tell whether an object stands for no value: None, NaN, pandas' NA and NaT."""
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):  # pandas' NA is neither equal nor different; an array
        return type(value).__name__ == "NAType"


def kind_of(dtype: Any) -> str:
    """Say what a dtype of NumPy, pandas or polars holds, as :attr:`Column.kind`."""
    kind, name = getattr(dtype, "kind", "O"), str(dtype).lower()
    if kind in "biuf":
        return "number"
    if kind in "cmM":
        return "complex" if kind == "c" else "time"
    if name.startswith(_CATEGORIES):
        return "category"
    if kind in "SUT" or name.startswith(_TEXTS):
        return "text"
    if name.startswith(_TIMES) or name.startswith("timestamp"):
        return "time"
    # polars' have no kind.
    is_numeric = getattr(dtype, "is_numeric", None)
    if name == "boolean" or (callable(is_numeric) and is_numeric()):
        return "number"
    return "object"


def is_frame(X: Any) -> bool:
    """Tell a data frame from an array."""
    return hasattr(X, "columns") and hasattr(X, "dtypes") and len(getattr(X, "shape", ())) == 2


def columns_of(X: Any) -> Iterator[Column]:
    """Give the columns of a frame, or of a 2-D array.

    Parameters
    ----------
    X : DataFrame of pandas or polars, or ndarray of shape (n_rows, n_columns)
    """
    if not is_frame(X):
        for i in range(X.shape[1]):
            yield Column(i, X.dtype, X[:, i])
        return
    dtypes = list(X.dtypes)
    for i, name in enumerate(X.columns):
        yield Column(name, dtypes[i], X.iloc[:, i] if hasattr(X, "iloc") else X[:, i])
