"""What is wrong with a series of pandas' or its times, said before sktime refuses all of it."""

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from ..preparation.no_arrays import refuse_no_array


def refuse_no_series(data: Any, name: str) -> None:
    """Refuse what is no series, nor any container of series that sktime knows.

    Raises
    ------
    TypeError
        Of lists of numbers, of complex numbers, and of what is no array at all.
    """
    if data is None:
        return
    refuse_no_array(data, name)
    if isinstance(data, list | tuple) and len(data) and isinstance(data[0], Real):
        raise TypeError(
            f"{name} must be a pandas Series or DataFrame with times as its index, or an array, "
            f"got a {type(data).__name__} of numbers: give pandas.Series({name})."
        )
    dtypes = list(data.dtypes) if isinstance(data, pd.DataFrame) else [getattr(data, "dtype", "")]
    if "c" in {getattr(dtype, "kind", "") for dtype in dtypes}:
        raise TypeError(f"{name} must hold real numbers, got complex ones: give their parts.")


def refuse_other_times(X: pd.Index, y: pd.Index) -> None:
    """Refuse an X that has no row at some time of y."""
    if X.nlevels != y.nlevels:
        return  # which sktime has words for
    missing = y[~y.isin(X)]
    if len(missing):
        raise ValueError(
            f"X must have a row at every time of y; {len(missing)} of {len(y)} are missing, the "
            f"first is {missing[0]}. The index of X goes from {X[0]} to {X[-1]}."
            if len(X)
            else "X must have a row at every time of y, got no rows."
        )


def check_shares(values: Any, name: str) -> None:
    """Refuse a coverage, or the level of a quantile, that is no share of 1.

    Raises
    ------
    ValueError, TypeError
        If a value is no number in (0, 1).
    """
    for value in [values] if isinstance(values, Real | str) else list(values):
        if isinstance(value, bool) or not isinstance(value, int | float | np.number):
            raise TypeError(f"{name} must be a number in (0, 1), or a list, got {value!r}.")
        if not 0 < value < 1:
            percent = f" {value} % is {value / 100:g}." if 1 < value < 100 else ""
            raise ValueError(f"{name} must be in (0, 1), got {value}.{percent}")


def is_nested(data: pd.DataFrame | pd.Series) -> bool:
    """Tell a frame that has a whole series in every cell."""
    if not isinstance(data, pd.DataFrame) or data.empty:
        return False
    return any(isinstance(value, pd.Series | np.ndarray) for value in data.iloc[0])


def check_series(
    data: pd.DataFrame | pd.Series, name: str, model: str, *, gaps: bool = False
) -> None:
    """Refuse what are no numbers at times in order, by the names of columns and series.

    Parameters
    ----------
    data : Series or DataFrame
        One series, or with an index of several levels many of them.
    name, model : str
        What messages call the data and the forecaster.
    gaps : bool
        Take missing values, too.

    Raises
    ------
    TypeError
        If a column, or the index, is of a type that no forecaster takes.
    ValueError
        If times are not in order, or values are missing.
    """
    check_numbers(data, name, model)
    check_times(data.index, name)
    check_in_order(data.index, name)
    if not gaps:
        check_no_missing(data, name, model)


def check_numbers(data: pd.DataFrame | pd.Series, name: str, model: str) -> None:
    """Raise a TypeError that names the columns that do not hold numbers."""
    frame = data.to_frame() if isinstance(data, pd.Series) else data
    found = [
        f"column {column!r} is of dtype {dtype} and holds {frame.iloc[0, place]!r}"
        for place, (column, dtype) in enumerate(zip(frame.columns, frame.dtypes, strict=True))
        if not pd.api.types.is_numeric_dtype(dtype) and len(frame)
    ]
    if found:
        raise TypeError(
            f"{model} takes numbers in {name}, and no categorical features or other types: "
            f"{'; '.join(found)}. Make numbers of it, by astype(float), pd.to_numeric or an "
            "encoder."
        )


def check_times(index: pd.Index, name: str) -> None:
    """Raise a TypeError where an index holds text, fractions or a mixture in place of times."""
    times = index.levels[-1] if isinstance(index, pd.MultiIndex) else index
    several = (
        "convert dates of several time zones, or some without, by pd.to_datetime(..., utc=True)"
    )
    advice = {
        "string": "convert dates by pd.to_datetime",
        "date": "convert dates by pd.to_datetime",
        "datetime": several,
        "mixed": several,
        "floating": "use whole numbers, such as a RangeIndex, for steps",
    }.get(times.inferred_type)
    if advice and len(times):
        raise TypeError(
            f"The index of {name} must be of type DatetimeIndex, PeriodIndex or integers, got "
            f"{times.inferred_type} such as {times[0]!r}: {advice}."
        )


def check_in_order(index: pd.Index, name: str) -> None:
    """Raise a ValueError that names the series whose times are not in order."""
    if not isinstance(index, pd.MultiIndex):
        if not index.is_monotonic_increasing:
            raise ValueError(
                f"The index of {name} must be sorted, in order of time: {_disorder(index)}. "
                f"{name}.sort_index() does it."
            )
        return
    if index.is_monotonic_increasing:
        return
    times = index.to_frame(index=False).set_axis(range(index.nlevels), axis=1)
    levels = list(range(index.nlevels - 1))
    wrong = {
        key: _disorder(pd.Index(part))
        for key, part in times.groupby(levels if levels[1:] else 0, sort=False)[levels[-1] + 1]
        if not part.is_monotonic_increasing
    }
    if wrong:
        found = "; ".join(f"in the series {key!r} {where}" for key, where in wrong.items())
        raise ValueError(
            f"The index of {name} must be sorted, in order of time within each series: {found}. "
            f"{name}.sort_index() does it."
        )


def _disorder(index: pd.Index) -> str:
    if index.hasnans:
        return "a time is missing (NaT)"
    place = int(np.argmax(index[1:] < index[:-1]))
    return f"{index[place + 1]} comes after {index[place]}"


def check_no_missing(data: pd.DataFrame | pd.Series, name: str, model: str) -> None:
    """Raise a ValueError that names each series with missing values, and the first of them."""
    missing = data.isna() if isinstance(data, pd.Series) else data.isna().any(axis=1)
    if not missing.any():
        return
    index = data.index[missing.to_numpy()]
    where = f"at {index[0]}"
    if isinstance(index, pd.MultiIndex):
        first: dict[Any, Any] = {}
        for *key, time in index:
            first.setdefault(key[0] if len(key) == 1 else tuple(key), time)
        where = ", ".join(f"in the series {key!r} at {time}" for key, time in first.items())
    raise ValueError(
        f"{model} cannot handle missing data (nans), but {name} has {len(index)} rows with "
        f"missing values: {where}{'' if len(index) == 1 else ' and later'}. Set "
        "missing='auto', or fill them, for example by sktime's Imputer in a pipeline."
    )
