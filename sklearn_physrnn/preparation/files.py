"""Parts of mapped files, read without their pages' becoming part of the process."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class FilePart:
    """A contiguous array in a file.

    A pass over a mapped file leaves all its pages resident; what is read into an array of
    its own leaves with that.

    Attributes
    ----------
    path : Path
    offset : int
        Of the first value, in bytes.
    shape : tuple of int
    dtype : dtype
    size, changed : int
        The file's size in bytes and its time of change, in nanoseconds, at first sight.
    """

    path: Path
    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype
    size: int
    changed: int

    def read(self, start: int, stop: int) -> np.ndarray:
        """Read ``[start:stop]`` of the array.

        Raises
        ------
        ValueError
            If the file is gone, has become shorter or was written to since it was first seen.
        """
        one = int(np.prod(self.shape[1:], dtype=int))
        try:
            with open(self.path, "rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if (status.st_size, status.st_mtime_ns) == (self.size, self.changed):
                    offset = self.offset + start * one * self.dtype.itemsize
                    values = np.fromfile(file, self.dtype, (stop - start) * one, offset=offset)
                    return values.reshape(stop - start, *self.shape[1:])
        except FileNotFoundError:
            raise ValueError(f"{self.path}, which X is mapped from, is gone.") from None
        how = "has become shorter" if status.st_size < self.size else "was written to"
        raise ValueError(
            f"{self.path}, which X is mapped from, {how} while it was read. Work on a file that "
            "nobody writes to."
        )


def part_of_file(array: np.memmap) -> FilePart | None:
    """Say where in its file a mapped array lies; None where it is no contiguous part of it.

    Raises
    ------
    ValueError
        If the file has become shorter.
    """
    root = array
    while isinstance(root.base, np.memmap):
        root = root.base
    # What a private copy changed is not in the file.
    if root.filename is None or root.mode == "c" or not array.flags.c_contiguous:
        return None
    begin, own = (x.__array_interface__["data"][0] for x in (root, array))
    path = Path(root.filename)
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    offset = root.offset + own - begin
    if array.nbytes > status.st_size - offset:  # to touch what is missing would end Python
        raise ValueError(f"{path}, which X is mapped from, has become shorter since then.")
    return FilePart(path, offset, array.shape, array.dtype, status.st_size, status.st_mtime_ns)
