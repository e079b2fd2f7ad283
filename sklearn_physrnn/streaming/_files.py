"""States of streams in files that hold data and no code, in the format of models."""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from .._version import __version__
from ..storage.atomic import write_atomically
from ..storage.format import pack, read_arrays, read_header
from ..storage.plain import Fields

_KIND = "stream"


def write_state(path: str | os.PathLike[str], state: Mapping[str, Any]) -> None:
    """Write a stream's state."""
    arrays = {name: part for name, part in state.items() if isinstance(part, np.ndarray)}
    model = {"versions": {"sklearn_physrnn": __version__}, "class": _KIND, "of": state["model"]}
    write_atomically(path, pack(model, arrays))


def read_state(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read a stream's state.

    Raises
    ------
    ValueError
        If the file is not as `write_state` writes it.
    """
    with open(path, "rb") as file:
        try:
            header = read_header(file)
            fields = Fields(header.model, "contents")
            fields.take("versions", dict)
            kind, of = fields.take("class", str), fields.take("of", str)
            fields.close()
            if kind != _KIND:
                raise ValueError(f"it holds a {kind:.50}, which `sklearn_physrnn.load` reads.")
            return {"model": of, **read_arrays(file, header)}
        except ValueError as error:
            raise ValueError(f"{os.fspath(path)} holds no stream's state: {error}") from error
