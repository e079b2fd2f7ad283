"""Plain Python values to JSON and back: no code, no classes, only what is listed here.

JSON's own values stand for themselves; what JSON lacks is an object of one entry that names
the kind: ``{"float": "inf"}``, ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``,
``{"array": [dtype, values]}``.
"""

import math
from typing import Any

import numpy as np

# Of arrays. Text has no width here: it gets that of its longest entry, so that a small file
# cannot ask for wide arrays.
_ARRAY_DTYPES = {
    *("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
    *("float16", "float32", "float64", "str", "object"),
}


class NotPlainError(Exception):
    """Raised for a value that is not data of the listed kinds; holds that value."""


def to_json(value: Any) -> Any:
    """Turn a value into what ``json`` can write.

    Raises
    ------
    NotPlainError
        If the value, or a part of it, is not of a kind that can be kept.
    """
    if isinstance(value, np.generic) and not isinstance(value, np.longdouble | np.datetime64):
        value = value.item()
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"float": str(value)}
    if type(value) is list:
        return [to_json(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [to_json(item) for item in value]}
    if type(value) is dict:
        return {"dict": [[to_json(key), to_json(item)] for key, item in value.items()]}
    if type(value) is np.ndarray and value.ndim == 1:
        dtype = "str" if value.dtype.kind == "U" else value.dtype.name
        texts = value.dtype != object or all(type(item) is str for item in value)
        if dtype in _ARRAY_DTYPES and texts:
            return {"array": [dtype, [to_json(item) for item in value.tolist()]]}
    raise NotPlainError(value)


def from_json(data: Any) -> Any:
    """Undo `to_json`.

    Raises
    ------
    ValueError
        If `data` is not something that `to_json` gives.
    """
    if isinstance(data, list):
        return [from_json(item) for item in data]
    if not isinstance(data, dict):
        return data
    if len(data) == 1:
        [(kind, content)] = data.items()
        if kind == "float" and content in ("inf", "-inf", "nan"):
            return float(content)
        if isinstance(content, list):
            if kind == "tuple":
                return tuple(from_json(item) for item in content)
            if kind == "dict":
                return _dict(content)
            if kind == "array" and len(content) == 2:
                return _array(*content)
    raise ValueError("it holds a value of an unknown kind.")


def _dict(pairs: list[Any]) -> dict[Any, Any]:
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise ValueError("it holds a dict without pairs.")
    keys = [from_json(key) for key, _ in pairs]
    if not all(key is None or isinstance(key, bool | int | float | str) for key in keys):
        raise ValueError("it holds a dict whose keys are neither numbers nor text.")
    return dict(zip(keys, (from_json(item) for _, item in pairs), strict=True))


def _array(dtype: Any, items: Any) -> np.ndarray:
    if dtype not in [*_ARRAY_DTYPES] or not isinstance(items, list):
        raise ValueError("it holds an array of an unknown kind.")
    items = [from_json(item) for item in items]
    kinds = {"b": (bool,), "i": (int,), "u": (int,), "f": (int, float)}
    allowed = kinds.get(np.dtype(dtype).kind, (str,))
    if not all(type(item) in allowed for item in items):
        raise ValueError(f"it holds an array of {dtype} with an item that is none.")
    return np.array(items, dtype=dtype)  # an integer out of range is an OverflowError


class Fields:
    """A JSON object that is taken apart: each field once, and of the kind asked for."""

    def __init__(self, data: Any, what: str) -> None:
        if not isinstance(data, dict):
            raise ValueError(f"its {what} must be a JSON object, got {type(data).__name__}.")
        self._left = dict(data)
        self._what = what

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, *kinds: type) -> Any:
        """Take the field `name`, of one of `kinds` exactly."""
        if name not in self._left:
            raise ValueError(f"its {self._what} lack the field {name!r}.")
        value = self._left.pop(name)
        if type(value) not in kinds:
            raise ValueError(
                f"the field {name!r} of its {self._what} must be "
                f"{' or '.join(kind.__name__ for kind in kinds)}, got {type(value).__name__}."
            )
        return value

    def has(self, name: str) -> bool:
        """Tell whether there is a field `name` that was not taken yet."""
        return name in self._left

    def integer(self, name: str, minimum: int = 1) -> int:
        """Take an integer of at least `minimum` that 64 bits can hold."""
        return self._checked(self.take(name, int), name, minimum)

    def integers(self, name: str, minimum: int = 1) -> list[int]:
        """Take a list of such integers."""
        return [self._checked(n, name, minimum) for n in self.take(name, list)]

    def _checked(self, value: Any, name: str, minimum: int) -> int:
        if type(value) is not int or not minimum <= value < 2**63:
            raise ValueError(
                f"the field {name!r} of its {self._what} must hold integers of at least "
                f"{minimum}, got {value!r:.50}."
            )
        return value

    def close(self) -> None:
        """Refuse fields that nobody took."""
        if self._left:
            raise ValueError(
                f"its {self._what} have the unknown field {next(iter(self._left))!r:.100}."
            )
