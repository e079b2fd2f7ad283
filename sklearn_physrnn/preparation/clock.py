"""Time stamps of sequences: numbers, dates or durations, in a channel or an index.

Networks are told how much time passes from step to step, so that of stamps only differences
count. Those of dates are taken while they are whole numbers, of nanoseconds perhaps, and are
seconds from each sequence's first stamp on, in float64: no zone, unit or epoch is left.
"""

from dataclasses import dataclass, replace
from datetime import UTC
from numbers import Integral
from typing import Any, NamedTuple, Self

import numpy as np

from .arrays import real_numbers
from .containers import as_array
from .frames import is_frame, kind_of

INDEX = "index"
_EXACT = 2**53  # whole numbers that float64 holds

_SECONDS = {
    "W": 604_800.0, "D": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0,
    "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15, "as": 1e-18,
}  # fmt: skip

NUMBERS, DATES, ZONED, DURATIONS = (
    "numbers",
    "dates without a time zone",
    "dates with a time zone",
    "durations",
)


@dataclass(frozen=True)
class Clock:
    """Where the time stamps of sequences are.

    Attributes
    ----------
    given : int, str or None
        As users say it: a channel's position or name, or "index".
    in_seconds : bool
        Whether the stamps that were learned from were dates or durations.
    """

    given: int | str | None = None
    in_seconds: bool = False

    @property
    def from_index(self) -> bool:
        """Whether stamps are no channel of X, but stand in the index of each sequence."""
        return self.given == INDEX

    @property
    def position(self) -> int | None:
        """The channel that stamps are in, once read; None while only its name is known."""
        if self.from_index:
            return -1
        return None if isinstance(self.given, str) or self.given is None else int(self.given)

    @property
    def place(self) -> str:
        """How a message names it."""
        what = "the index" if self.from_index else f"channel {self.given!r}"
        return f"{what}, in seconds from the first," if self.in_seconds else what

    def read(self, X: Any, sequences: list[Any] | None) -> tuple[Self, list[Any] | None, int]:
        """Make numbers of stamps.

        Parameters
        ----------
        X : object
            As the user gave it.
        sequences : list or None
            What it holds, if it is a container of sequences.

        Returns
        -------
        clock : Clock
            That knows whether stamps are in seconds.
        sequences : list
            Arrays, where something had to be done; stamps of an index become a last channel.
        position : int
            Of the stamps' channel.

        Raises
        ------
        ValueError
            If there are no such stamps, they are of several kinds, or one is missing.
        """
        if sequences is None:
            self.check_has_position(X)
            assert isinstance(self.given, Integral)
            return replace(self, in_seconds=False), None, int(self.given)
        position = self._in_frames(sequences)
        found = [self._timed(x, position, f"X[{i}]") for i, x in enumerate(sequences)]
        kinds = [kind for _, kind in found]
        for i, kind in enumerate(kinds):
            if kind != kinds[0]:
                raise ValueError(
                    f"Time stamps must be of one kind: those of X[{i}] are {kind}, and those of "
                    f"X[0] {kinds[0]}."
                )
        own = replace(self, in_seconds=kinds[0] != NUMBERS)
        return own, [x for x, _ in found], position

    def check_has_position(self, X: Any) -> None:
        """Refuse X that is one array, where stamps are known by a name, or are an index."""
        if isinstance(self.given, str):
            raise ValueError(_without_names(self.given, X))

    def _in_frames(self, sequences: list[Any]) -> int:
        """Find the position of the channel, in sequences that are alike."""
        if self.from_index:
            return -1
        if not isinstance(self.given, str):
            assert self.given is not None
            return self.given
        first = sequences[0]
        columns = list(first.columns) if is_frame(first) else None
        if columns is None:
            raise ValueError(_without_names(self.given, first))
        if columns.count(self.given) != 1:
            raise ValueError(
                f"time_channel={self.given!r} must name one of the columns of X, which are "
                f"{columns}, or be 'index'."
            )
        return columns.index(self.given)

    def _timed(self, x: Any, position: int, name: str) -> tuple[Any, str]:
        """Give a sequence with stamps that are numbers, and what they were."""
        if self.from_index:
            index = getattr(x, "index", None)
            if index is None or callable(index):  # a list's method
                raise ValueError(
                    "time_channel='index' needs a list of data frames or Series of pandas, whose "
                    f"index is time; {name} is of type {type(x).__name__}."
                )
            values = np.asarray(as_array(real_numbers(x, name)))
            values = values[:, None] if values.ndim == 1 else values
            return _beside(values, values.shape[1], _stamps(index, f"the index of {name}"))
        if is_frame(x):
            column = x.iloc[:, position] if hasattr(x, "iloc") else x[:, position]
            at = position % x.shape[1]
            if kind_of(column.dtype) != "time" and not _holds_dates(column):
                return x, NUMBERS
            others = (
                x.drop(columns=[x.columns[at]]) if hasattr(x, "iloc") else x.drop(x.columns[at])
            )
            stamps = _stamps(column, f"column {x.columns[at]!r} of {name}")
            return _beside(np.asarray(real_numbers(others, name), dtype=float), at, stamps)
        if isinstance(x, np.ndarray) and x.dtype.kind == "O" and x.ndim == 2:
            values = x
            if -values.shape[1] <= position < values.shape[1] and _holds_dates(
                values[:, position]
            ):
                at = position % values.shape[1]
                stamps = _stamps(values[:, at], f"channel {at} of {name}")
                others = real_numbers(np.delete(values, at, axis=1), name)
                return _beside(np.asarray(others, dtype=float), at, stamps)
        return x, NUMBERS


class _Stamps(NamedTuple):
    values: np.ndarray  # of float64
    kind: str


def _beside(values: np.ndarray, at: int, stamps: _Stamps) -> tuple[np.ndarray, str]:
    return np.insert(values.astype(np.float64, copy=False), at, stamps.values, axis=1), stamps.kind


def _without_names(given: str, X: Any) -> str:
    what = "an index of time" if given == INDEX else "columns with names"
    return (
        f"time_channel={given!r} needs a list of data frames, which have {what}, got "
        f"{type(X).__name__}. In an array, give the position of a channel of time stamps."
    )


def _holds_dates(values: Any) -> bool:
    """Tell whether objects are dates or durations of some library, by the first of them."""
    if kind_of(getattr(values, "dtype", None)) != "object":
        return False
    first = next((x for x in values if x is not None and x == x), None)
    dates = hasattr(first, "tzinfo") and hasattr(first, "year")
    return dates or hasattr(first, "total_seconds") or isinstance(first, np.datetime64)


def _stamps(values: Any, where: str) -> _Stamps:
    """Make numbers of stamps, of a column or an index."""
    dtype = getattr(values, "dtype", np.dtype(object))
    if str(dtype).startswith("period"):
        values = values.to_timestamp() if hasattr(values, "to_timestamp") and _is_index(values) \
            else values.dt.to_timestamp()  # fmt: skip
        dtype = values.dtype
    if getattr(values, "nlevels", 1) > 1:
        raise ValueError(f"{where} has {values.nlevels} levels; time must be one.")
    if kind_of(dtype) == "number":
        numbers = np.asarray(values)
        if not np.isfinite(numbers).all():
            at = int(np.argmax(~np.isfinite(numbers)))
            raise ValueError(f"A time stamp is {numbers[at]}: time step {at}, in {where}.")
        if numbers.dtype.kind in "iu" and len(numbers) and np.abs(numbers).max() > _EXACT:
            numbers = numbers - numbers[0]
        return _Stamps(numbers.astype(np.float64), NUMBERS)
    zoned = False
    if kind_of(dtype) == "time":
        zone = getattr(dtype, "tz", None) or getattr(dtype, "time_zone", None)
        zoned = zone is not None or ", tz=" in str(dtype)
        unit = getattr(dtype, "unit", None) or "ns"
        kind = f"datetime64[{unit}]" if zoned and hasattr(values, "to_list") else None
        polars = hasattr(values, "to_numpy") and not hasattr(values, "array")
        times = values.to_numpy() if polars else np.asarray(values, dtype=kind)
        if times.dtype == object:
            times = np.asarray(values, dtype="datetime64[ns]")
    elif _holds_dates(np.asarray(values, dtype=object)):
        times, zoned = _of_objects(list(values), where)
    else:
        raise ValueError(
            f"Time stamps must be numbers, dates or durations; {where} holds {dtype}. Text "
            "becomes dates by pandas.to_datetime."
        )
    missing = np.isnat(times)
    if missing.any():
        raise ValueError(f"A time stamp is missing: time step {missing.argmax()}, in {where}.")
    kind = DURATIONS if times.dtype.kind == "m" else ZONED if zoned else DATES
    return _Stamps(_seconds(times), kind)


def _is_index(values: Any) -> bool:
    return not hasattr(values, "index")


def _of_objects(values: list[Any], where: str) -> tuple[np.ndarray, bool]:
    """Dates or durations of Python, pandas or NumPy, one by one, as those of NumPy."""
    zones = {getattr(x, "tzinfo", None) is not None for x in values if x is not None and x == x}
    if len(zones) > 1:
        raise ValueError(f"Some dates in {where} have a time zone, and others have none.")
    zoned = zones == {True}
    if zoned:
        values = [x.astimezone(UTC).replace(tzinfo=None) if x == x else x for x in values]
    durations = any(hasattr(x, "total_seconds") for x in values)
    kind = "timedelta64[ns]" if durations else "datetime64[ns]"
    plain = [_plain(x) for x in values]
    try:
        return np.array(plain, dtype=kind), zoned
    except (TypeError, ValueError) as error:
        raise ValueError(f"Not all of {where} are dates: {error}") from None


def _plain(x: Any) -> Any:
    if x is None or x != x:
        return "NaT"
    for convert in ("to_datetime64", "to_timedelta64"):
        if hasattr(x, convert):
            return getattr(x, convert)()
    return x


def _seconds(times: np.ndarray) -> np.ndarray:
    """Seconds from the first on; differences are taken of whole numbers."""
    unit, _ = np.datetime_data(times.dtype)
    if unit in ("Y", "M"):
        times = times.astype("datetime64[D]")
    unit, count = np.datetime_data(times.dtype)
    return (times - times[:1]).astype(np.int64) * (count * _SECONDS[unit])
