"""The file format: a JSON object and named arrays to bytes and back.

A safetensors file whose metadata have one entry, the JSON text. In it stands a hash of the
whole file, taken with zeros in the hash's own place.
"""

import hashlib
import json
import math
import os
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

Spec = tuple[str, tuple[int, ...]]  # dtype, as safetensors calls it, and shape

SCHEMA = 1

_KEY = "sklearn_physrnn"
_NO_HASH = "0" * 64
_DTYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64}
_NAMES = {np.dtype(dtype): name for name, dtype in _DTYPES.items()}
# JSON takes some twenty times its size as Python objects.
_MAX_HEADER = 16_000_000


@dataclass(frozen=True)
class Header:
    """What a file says about itself.

    Attributes
    ----------
    model : dict
        The JSON object.
    sha256 : str
        The hash that the file names.
    specs : dict of str to (str, tuple of int)
        Dtype and shape of each array.
    """

    model: dict[str, Any]
    sha256: str
    specs: dict[str, Spec]
    _raw: bytes
    _n_bytes: int

    @property
    def writer(self) -> str | None:
        """Version of the package that the file names, if it does."""
        versions = self.model.get("versions")
        version = versions.get(_KEY) if isinstance(versions, dict) else None
        return version if isinstance(version, str) else None


def spec_of(array: np.ndarray) -> Spec:
    """Give an array's dtype and shape as a header does."""
    return _NAMES[array.dtype], array.shape


def pack(model: dict[str, Any], arrays: dict[str, np.ndarray]) -> bytes:
    """Turn a JSON object and arrays of float32, float64 or int64 into a file's bytes."""
    text = json.dumps({"sha256": _NO_HASH, "schema": SCHEMA, **model}, allow_nan=False)
    data = safetensors.numpy.save(arrays, {_KEY: text})
    if int.from_bytes(data[:8], "little") > _MAX_HEADER:
        raise ValueError(
            f"The names and labels of this model take more than {_MAX_HEADER} bytes, too many "
            "for a file's header."
        )
    # The first zeros are the hash's: the metadata come first, and in them "sha256".
    digest = hashlib.sha256(data).hexdigest()
    return data.replace(_NO_HASH.encode(), digest.encode(), 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name occurs twice in its JSON.")
    return unique


def _parse(text: bytes | str) -> dict[str, Any]:
    try:
        parsed = json.loads(text, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        raise ValueError(f"its header is not valid JSON ({error}).") from error
    if not isinstance(parsed, dict):
        raise ValueError("its header is not a JSON object.")
    return parsed


def read_header(file: BinaryIO) -> Header:
    """Read what the file holds, and check that it can hold that, without reading arrays.

    Raises
    ------
    ValueError
        If the file is not one of ours, of a newer schema, or shorter or longer than it says.
    """
    size = os.fstat(file.fileno()).st_size
    start = file.read(8)
    length = int.from_bytes(start, "little")
    if len(start) < 8 or length > min(size - 8, _MAX_HEADER):
        raise ValueError("it is truncated, or not a safetensors file.")
    raw = file.read(length)
    entries = _parse(raw)
    metadata = entries.pop("__metadata__", None)
    if not isinstance(metadata, dict) or not isinstance(metadata.get(_KEY), str):
        raise ValueError("it was not saved by sklearn_physrnn.")
    model = _parse(metadata[_KEY])
    _check_schema(model.pop("schema", None))
    sha256 = model.pop("sha256", None)
    if not isinstance(sha256, str) or len(sha256) != len(_NO_HASH) or not sha256.isascii():
        raise ValueError("it names no hash of its contents.")
    specs = {name: _spec(name, entry) for name, entry in entries.items()}
    n_bytes = sum(
        math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize for dtype, shape in specs.values()
    )
    if n_bytes != size - 8 - length:
        raise ValueError(
            f"it is truncated or damaged: {size - 8 - length} bytes of arrays where its header "
            f"lists {n_bytes}."
        )
    return Header(model, sha256, specs, start + raw, n_bytes)


def _check_schema(schema: Any) -> None:
    if type(schema) is not int or schema < 1:
        raise ValueError(f"its schema must be a positive integer, got {schema!r}.")
    if schema > SCHEMA:
        raise ValueError(
            f"it is of schema {schema}, and this version of sklearn_physrnn reads schemas up to "
            f"{SCHEMA}. Install a newer version."
        )


def _spec(name: str, entry: Any) -> Spec:
    dtype, shape = (entry.get(k) if isinstance(entry, dict) else None for k in ("dtype", "shape"))
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"the array {name!r} has the dtype {dtype!r}, not one of {[*_DTYPES]}.")
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise ValueError(f"the array {name!r} has no valid shape.")
    return dtype, tuple(shape)


def read_arrays(file: BinaryIO, header: Header) -> dict[str, np.ndarray]:
    """Read the arrays that `header` lists, right after `read_header`.

    Raises
    ------
    ValueError
        If the file's hash is not the one it names, or its arrays are not as listed.
    """
    body = file.read(header._n_bytes)
    unnamed = header._raw.replace(header.sha256.encode(), _NO_HASH.encode(), 1)
    digest = hashlib.sha256(unnamed)
    digest.update(body)
    if digest.hexdigest() != header.sha256:
        raise ValueError("it is damaged: its contents do not match the hash it names.")
    try:
        arrays = safetensors.numpy.load(header._raw + body)
    except SafetensorError as error:
        raise ValueError(f"it is not a valid safetensors file ({error}).") from error
    if {name: spec_of(array) for name, array in arrays.items()} != header.specs:
        raise ValueError("its arrays are not as its header lists them.")
    return {name: np.array(array) for name, array in arrays.items()}
