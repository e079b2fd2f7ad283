"""What a value is kept as: fields and arrays, nested, and how they are taken apart again.

A value gives its state as a dict whose entries are arrays, plain Python values or further
such dicts. `split` parts it into a JSON object and arrays with dotted names, and `State`
takes those apart: each entry once, and only as what it must be.
"""

from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any, NamedTuple, TypeVar

import numpy as np

from .format import Spec, spec_of
from .plain import Fields, from_json, to_json

Arrays = dict[str, np.ndarray]
# Of an array: None stands for any positive number, an ellipsis also for none.
Shape = tuple[int | EllipsisType | None, ...]

_T = TypeVar("_T")


class Json(NamedTuple):
    """An entry of a state that is JSON already."""

    value: Any


def split(state: Mapping[str, Any]) -> tuple[dict[str, Any], Arrays]:
    """Part a state into a JSON object and arrays.

    Raises
    ------
    NotPlainError
        If an entry is neither an array, a plain value, nor a state.
    """
    fields: dict[str, Any] = {}
    arrays: Arrays = {}
    for name, value in state.items():
        if isinstance(value, Json):
            fields[name] = value.value
        elif isinstance(value, Mapping):
            fields[name], inner = split(value)
            arrays |= {f"{name}.{key}": array for key, array in inner.items()}
        elif isinstance(value, np.ndarray):
            arrays[name] = np.array(value, dtype=value.dtype.newbyteorder("="), order="C")
        else:
            fields[name] = to_json(value)
    return fields, arrays


class Store:
    """The arrays of a file: none is read before one is asked for, and each is taken once.

    Parameters
    ----------
    specs : dict of str to (str, tuple of int)
        Dtype and shape of every array that there is.
    read_arrays : callable
        Gives them.
    """

    def __init__(self, specs: Mapping[str, Spec], read_arrays: Callable[[], Arrays]) -> None:
        self.specs = dict(specs)
        self._read = read_arrays
        self._arrays: Arrays | None = None

    def take(self, name: str) -> np.ndarray:
        """Take an array that `specs` lists."""
        if self._arrays is None:
            self._arrays = self._read()
        del self.specs[name]
        return self._arrays.pop(name)

    def close(self) -> None:
        """Refuse arrays that nobody took."""
        if self.specs:
            raise ValueError(f"its array {next(iter(self.specs))!r:.200} must be absent.")


class State(Fields):
    """A value's state that is taken apart.

    Parameters
    ----------
    data : dict
        JSON, as `split` gives it.
    store : Store
    what : str
        What this is the state of, for messages.
    prefix : str
        Of the names of its arrays.
    """

    def __init__(self, data: Any, store: Store, what: str, prefix: str = "") -> None:
        super().__init__(data, what)
        self._store = store
        self._prefix = prefix

    def names(self) -> list[str]:
        """Name the fields that are left."""
        return list(self._left)

    def specs(self) -> dict[str, Spec]:
        """Give dtype and shape of the arrays that are left here, below their own names."""
        start = len(self._prefix)
        listed = self._store.specs.items()
        return {name[start:]: spec for name, spec in listed if name.startswith(self._prefix)}

    def array(
        self, name: str, shape: Shape, dtype: Any = np.float64, *, finite: bool = True
    ) -> np.ndarray:
        """Take an array of this shape."""
        self.check(name, shape, dtype)
        array = self._store.take(self._prefix + name)
        if finite and not np.isfinite(array).all():
            raise ValueError(f"its array {self._prefix + name!r:.200} is not finite.")
        return array

    def check(self, name: str, shape: Shape, dtype: Any = np.float64) -> tuple[int, ...]:
        """Check an array's dtype and shape without reading it, and give the shape."""
        found = self._store.specs.get(self._prefix + name)
        expected = spec_of(np.empty(0, dtype))[0]
        fits = found is not None and found[0] == expected and len(found[1]) == len(shape)
        if fits and found is not None:
            pairs = zip(found[1], shape, strict=True)
            fits = all(m is ... or (n > 0 if m is None else n == m) for n, m in pairs)
        if not fits or found is None:
            wanted = ("any" if n is None or n is ... else n for n in shape)
            there = "absent" if found is None else f"{found[0]} of shape {found[1]}"
            raise ValueError(
                f"its array {self._prefix + name!r:.200} must be {expected} of shape "
                f"({', '.join(map(str, wanted))}), and is {there}."
            )
        return found[1]

    def part(self, name: str) -> "State":
        """Take the state of a part."""
        return State(self.take(name, dict), self._store, name, f"{self._prefix}{name}.")

    def absent(self, name: str) -> bool:
        """Tell whether `name` is None, and take it then."""
        if not self.has(name) or self._left[name] is not None:
            return False
        self.take(name, type(None))
        return True

    def optional(self, name: str, read: Callable[["State"], _T]) -> _T | None:
        """Take the state of a part that may be None, and read it."""
        return None if self.absent(name) else read(self.part(name))

    def optional_array(self, name: str, shape: Shape, **options: Any) -> np.ndarray | None:
        """Take an array that may be None."""
        return None if self.absent(name) else self.array(name, shape, **options)

    def curve(self, name: str) -> list[float] | None:
        """Take a list of numbers, kept as an array, or None."""
        array = self.optional_array(name, (...,), finite=False)
        return None if array is None else array.tolist()

    def plain(self, name: str, *kinds: type) -> Any:
        """Take a plain value of one of `kinds` exactly."""
        value = from_json(self.take(name, bool, int, float, str, list, dict, type(None)))
        if type(value) not in kinds:
            raise ValueError(
                f"the field {name!r} of its {self._what} must be "
                f"{' or '.join(kind.__name__ for kind in kinds)}, got {type(value).__name__}."
            )
        return value

    def choice(self, name: str, known: Any) -> str:
        """Take one of the `known` texts."""
        value: str = self.take(name, str)
        if value not in known:
            raise ValueError(f"the field {name!r} of its {self._what}, {value!r:.50}, is unknown.")
        return value

    def read(self, build: Callable[["State"], _T]) -> _T:
        """Read all that there is: what is left is refused."""
        value = build(self)
        self.close()
        return value
