"""Fitted models for programs without Python.

The modules of this room need the package onnx, which an installation may lack: whoever is
above it imports this one, and this one the others when they are needed.
"""

from typing import Any


def to_onnx_bytes(estimator: Any, dtype: str = "float32", *, step: bool = False) -> bytes:
    """Give a fitted estimator as the bytes of an ONNX file.

    Raises
    ------
    ImportError
        If the package onnx is missing.
    ValueError
        If something in the estimator has no form there.
    """
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "to_onnx needs the package onnx: pip install 'sklearn-physrnn[onnx]'."
        ) from error
    from ._model import packed

    return packed(estimator, dtype, step=step)
