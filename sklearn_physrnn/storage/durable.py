"""Bytes that are on the disk when the call returns, not only in the system's memory."""

import os
from collections.abc import Iterable
from typing import Any


def write_durably(
    path: str | os.PathLike[str], parts: Iterable[Any], *, new: bool = False
) -> None:
    """Write `parts`, bytes one after the other, into the file `path`; `new`: not over another."""
    with open(path, "xb" if new else "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Bring the names in `folder` to the disk too, where folders can be opened."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
