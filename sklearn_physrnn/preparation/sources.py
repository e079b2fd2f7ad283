"""Sequences, wherever they are: in files, or in other libraries' arrays."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .files import File, part_of_file


class Source(Protocol):
    """One sequence, wherever it is."""

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read steps `start` to `stop`, (steps, channels) or (steps,), as an array."""


@dataclass(frozen=True)
class Slices:
    """A sequence of what can be sliced.

    Attributes
    ----------
    array : object with `shape`, `dtype` and slices
    row : int or None
        Which one along the first axis; None where all of it is one sequence.
    file : File or None
        What it is mapped from.
    """

    array: Any
    row: int | None = None
    file: File | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read steps `start` to `stop`.

        Raises
        ------
        ValueError
            If they are not there, or are not of the shape and the kind that was announced.
        """
        if self.file is not None:
            self.file.check()
        rows = self.array[start:stop] if self.row is None else self.array[self.row, start:stop]
        values = np.asarray(rows)
        expected = (stop - start, *self.array.shape[1 if self.row is None else 2 :])
        if values.ndim and len(values) != stop - start:
            raise ValueError(
                f"An array gave {len(values)} time steps where {stop - start} were asked for: it "
                "has become shorter since it was first looked at."
            )
        if values.shape != expected or values.dtype.kind != np.dtype(self.array.dtype).kind:
            raise ValueError(
                f"An array of the dtype {self.array.dtype} was to give steps {start} to {stop} in "
                f"the shape {expected}, and gave {values.dtype} of shape {values.shape}."
            )
        return values


@dataclass(frozen=True)
class Later:
    """What a sequence has from a step on.

    Attributes
    ----------
    source : Source
    first : int
    """

    source: Source
    first: int

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read steps `start` to `stop`, counted from the first."""
        return self.source.read(self.first + start, self.first + stop)


def source_of(array: Any, row: int | None = None) -> Source:
    """Say where a sequence is: all of `array`, or a row of it."""
    if not isinstance(array, np.memmap):
        return Slices(array, row)
    file = File.of(array)
    part = None if file is None else part_of_file(array if row is None else array[row], file)
    return part or Slices(array, row, file)
