"""Parts of mapped files, read without their pages' becoming part of the process."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class File:
    """A file as it was when first seen.

    Attributes
    ----------
    path : Path
    size, changed : int
        Its size in bytes and its time of change, in nanoseconds.
    """

    path: Path
    size: int
    changed: int

    @classmethod
    def of(cls, array: np.memmap) -> "File | None":
        """Look at the file that `array` is mapped from; None where it is gone, or has no name.

        Raises
        ------
        ValueError
            If it has become shorter since it was mapped: to read what is no longer there
            would end the process.
        """
        root = root_of(array)
        if root.filename is None:
            return None
        path = Path(root.filename)
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        if root.offset + root.nbytes > status.st_size:
            raise ValueError(
                f"{path}, which an array is mapped from, has become shorter since: "
                f"{status.st_size} bytes, and the array ends at {root.offset + root.nbytes}."
            )
        return cls(path, status.st_size, status.st_mtime_ns)

    def check(self, status: os.stat_result | None = None) -> None:
        """Check that it is what it was.

        Raises
        ------
        ValueError
            If it is gone, has become shorter or was written to since it was first seen.
        """
        try:
            status = status or self.path.stat()
        except FileNotFoundError:
            raise ValueError(f"{self.path}, which an array is mapped from, is gone.") from None
        if (status.st_size, status.st_mtime_ns) == (self.size, self.changed):
            return
        how = "has become shorter" if status.st_size < self.size else "was written to"
        raise ValueError(
            f"{self.path}, which an array is mapped from, {how} while it was read. Work on a "
            "file that nobody writes to."
        )


@dataclass(frozen=True)
class FilePart:
    """A contiguous array in a file.

    A pass over a mapped file leaves all its pages resident; what is read into an array of
    its own leaves with that.

    Attributes
    ----------
    file : File
    offset : int
        Of the first value, in bytes.
    shape : tuple of int
    dtype : dtype
    """

    file: File
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read ``[start:stop]`` of the array.

        Raises
        ------
        ValueError
            If the file is no longer what it was.
        """
        one = int(np.prod(self.shape[1:], dtype=int))
        path = self.file.path
        try:
            with open(path, "rb", buffering=0) as file:
                self.file.check(os.fstat(file.fileno()))
                offset = self.offset + start * one * self.dtype.itemsize
                values = np.fromfile(file, self.dtype, (stop - start) * one, offset=offset)
        except FileNotFoundError:
            raise ValueError(f"{path}, which an array is mapped from, is gone.") from None
        return values.reshape(stop - start, *self.shape[1:])


def root_of(array: np.memmap) -> np.memmap:
    """Give the array that was mapped, of which `array` is a part."""
    while isinstance(array.base, np.memmap):
        array = array.base
    return array


def part_of_file(array: np.memmap, file: File) -> FilePart | None:
    """Say where in its `file` a mapped array lies; None where it is no contiguous part of it."""
    root = root_of(array)
    # What a private copy changed is not in the file.
    if root.mode == "c" or not array.flags.c_contiguous:
        return None
    begin, own = (x.__array_interface__["data"][0] for x in (root, array))
    return FilePart(file, root.offset + own - begin, array.shape, array.dtype)
