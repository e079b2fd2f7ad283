"""Indices of pandas, of times or of labels, as states."""

import re
from typing import Any

import numpy as np
import pandas as pd

from .checkpoint import digest
from .format import spec_of
from .state import State, Store, split

_UNITS = ("s", "ms", "us", "ns")
_LONGEST = 100  # characters of a frequency
_OFFSET = re.compile(r"UTC([+-]\d\d:\d\d)?")
_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32")


def index_state(index: pd.Index) -> dict[str, Any]:
    """Give the state of an index.

    Raises
    ------
    ValueError
        If it cannot be told in numbers and text so that the same index comes back, as with
        a business calendar of one's own.
    """
    try:
        state = {"name": index.name, **_content(index)}
        fields, arrays = split(state)
        specs = {name: spec_of(array) for name, array in arrays.items()}
        store = Store(specs, lambda: arrays)
        restored = read_index(State(fields, store, "index"))
    except Exception as error:  # of pandas, whatever frequency or label it was
        raise ValueError(_refusal(index)) from error
    if not same_index(restored, index):
        raise ValueError(_refusal(index))
    return state


def _refusal(index: pd.Index) -> str:
    freq, tz = getattr(index, "freq", None), getattr(index, "tz", None)
    details = f" with the frequency {freq!r}" if freq is not None else ""
    details += f" in the time zone {tz!r}" if tz is not None else ""
    return (
        f"An index of the type {type(index).__name__} and dtype {index.dtype}{details} cannot be "
        "saved without pickle: times with frequencies that pandas knows by name, integers and "
        "text can."
    )


def same_index(one: pd.Index, other: pd.Index) -> bool:
    """Tell whether two indices are the same in type, values, names and frequency."""
    alike = type(one) is type(other) and one.dtype == other.dtype and one.equals(other)
    freq = [getattr(index, "freq", None) for index in (one, other)]
    return bool(alike and one.name == other.name and freq[0] == freq[1])


def index_digest(index: pd.Index) -> str:
    """Hash an index of times by type, frequency and values."""
    parts = [type(index).__name__, str(index.dtype), getattr(index, "freqstr", None)]
    return digest([*parts, *map(str, (index[0], index[-1])), len(index)])


def offset_state(offset: Any) -> str:
    """Give the text of a frequency.

    Raises
    ------
    ValueError
        If the text does not tell all of it.
    """
    text = offset.freqstr
    try:
        same = len(text) <= _LONGEST and pd.tseries.frequencies.to_offset(text) == offset
    except ValueError:
        same = False
    if not same:
        raise ValueError(
            f"The frequency {offset!r} cannot be saved without pickle, only those that pandas "
            "knows by a name."
        )
    return text


def read_offset(text: str) -> Any:
    """Undo `offset_state`."""
    if len(text) > _LONGEST:
        raise ValueError("its frequency is no name of one.")
    return pd.tseries.frequencies.to_offset(text)


def _content(index: pd.Index) -> dict[str, Any]:
    if isinstance(index, pd.RangeIndex):
        return {"kind": "range", "range": [int(index.start), int(index.stop), int(index.step)]}
    if isinstance(index, pd.PeriodIndex):
        return {"kind": "period", "freq": offset_state(index.freq), "values": index.asi8}
    if isinstance(index, pd.DatetimeIndex | pd.TimedeltaIndex):
        freq = None if index.freq is None else offset_state(index.freq)
        content = {"unit": index.unit, "freq": freq, "values": index.asi8}
        if isinstance(index, pd.TimedeltaIndex):
            return {"kind": "timedelta", **content}
        return {"kind": "datetime", "tz": None if index.tz is None else str(index.tz), **content}
    if index.dtype.name in _INTEGERS:
        return {
            "kind": "integer",
            "dtype": index.dtype.name,
            "values": index.to_numpy(dtype=np.int64),
        }
    return {"kind": "labels", "dtype": str(index.dtype), "labels": index.to_list()}


_KINDS = ("range", "period", "datetime", "timedelta", "integer", "labels")


def read_index(state: State, n: int | None = None) -> pd.Index:
    """Make an index of its state, of `n` entries, or of any positive number."""
    return state.read(lambda state: _index(state, n))


def _index(state: State, n: int | None) -> pd.Index:
    name = state.plain("name", str, int, float, bool, tuple, type(None))
    kind = state.choice("kind", _KINDS)
    if kind == "range":
        index = pd.RangeIndex(*_integers(state.take("range", list)), name=name)
    elif kind == "labels":
        index = pd.Index(
            state.plain("labels", list), dtype=_label_dtype(state.take("dtype", str)), name=name
        )
    elif kind == "integer":
        dtype = state.choice("dtype", _INTEGERS)
        values = state.array("values", (n,), np.int64)
        index = pd.Index(values.astype(dtype), name=name)
    elif kind == "period":
        dtype = pd.PeriodDtype(read_offset(state.take("freq", str)))
        values = state.array("values", (n,), np.int64)
        index = pd.PeriodIndex(pd.arrays.PeriodArray(values, dtype=dtype), name=name)
    else:
        index = _times(state, kind, n).rename(name)
    if n is not None and len(index) != n:
        raise ValueError(f"its index must have {n} entries, and has {len(index)}.")
    if index.hasnans:
        raise ValueError("its index lacks times.")
    return index


def _integers(values: list[Any]) -> list[int]:
    if len(values) != 3 or not all(type(v) is int and abs(v) < 2**62 for v in values):
        raise ValueError("its range must be three integers.")
    return values


def _label_dtype(text: str) -> Any:
    if text == "object":
        return object
    if text.startswith("str"):
        return "str"
    if text in ("bool", "float64"):
        return text
    raise ValueError(f"its labels have the unknown dtype {text!r:.50}.")


def _times(state: State, kind: str, n: int | None) -> pd.Index:
    unit = state.choice("unit", _UNITS)
    freq = state.take("freq", str, type(None))
    values = state.array("values", (n,), np.int64)
    if kind == "timedelta":
        index = pd.TimedeltaIndex(values.view(f"m8[{unit}]"))
    else:
        index = pd.DatetimeIndex(values.view(f"M8[{unit}]"))
        tz = state.take("tz", str, type(None))
        if tz is not None:
            index = index.tz_localize("UTC").tz_convert(_zone(tz))
    if freq is not None:
        index.freq = read_offset(freq)
    return index


def _zone(name: str) -> str:
    """Refuse what pandas would look for in a file of that name."""
    from zoneinfo import available_timezones

    if _OFFSET.fullmatch(name) or name in available_timezones():
        return name
    raise ValueError(f"its time zone {name!r:.50} is unknown.")
