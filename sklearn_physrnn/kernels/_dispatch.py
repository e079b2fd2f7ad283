"""Which implementation of a recurrence serves a tensor."""

import os
from functools import cache
from importlib.util import find_spec

import torch

from .._warnings import warn

BACKENDS = ("cpu", "cuda", "reference")
_COMPILED_DTYPES = (torch.float32, torch.float64)


@cache
def has_triton() -> bool:
    """Tell whether Triton, which PyTorch's CUDA builds bring along, can be imported."""
    return find_spec("triton") is not None


@cache
def triton_works() -> bool:
    """Tell whether Triton can launch kernels; if it is there and cannot, warn.

    It compiles a launcher when it is first used, and needs a C compiler, Python's headers
    and a folder to keep the result in.
    """
    if not has_triton():
        return False
    try:
        from triton.runtime import driver

        driver.active.get_current_target()
    except Exception as error:  # a missing compiler, or whatever it says of our headers
        warn(
            f"Triton cannot run here; recurrences run on the GPU step by step, slowly: {error}",
            RuntimeWarning,
        )
        return False
    return True


@cache
def numba_compiles() -> bool:
    """Tell whether Numba compiles; if it was told not to, warn.

    What it has of kernels would then run in Python, as far as it can run there at all.
    """
    from numba.core import config

    if not config.DISABLE_JIT:  # type: ignore[attr-defined]
        return True
    warn(
        "NUMBA_DISABLE_JIT is set: recurrences run on the CPU step by step in PyTorch, slowly.",
        RuntimeWarning,
    )
    return False


def interpreted() -> bool:
    """Tell whether Triton runs its kernels on the CPU, slowly, for tests."""
    return os.environ.get("TRITON_INTERPRET") == "1"


def choose_backend(tensor: torch.Tensor, backend: str | None) -> str:
    """Name of the implementation to run, ``"cpu"``, ``"cuda"`` or ``"reference"``.

    Parameters
    ----------
    tensor : torch.Tensor
        The recurrence's main input; its device and dtype decide.
    backend : {"cpu", "cuda", "reference"} or None
        An explicit choice, for tests and benchmarks. "cuda" also takes a CPU tensor if
        Triton was started with ``TRITON_INTERPRET=1``.
    """
    kind = tensor.device.type
    if backend is None:
        if tensor.dtype not in _COMPILED_DTYPES:
            return "reference"
        if kind == "cuda" and triton_works():
            return "cuda"
        return "cpu" if kind == "cpu" and numba_compiles() else "reference"
    if backend not in BACKENDS:
        raise ValueError(f"backend must be 'cpu', 'cuda', 'reference' or None, got {backend!r}.")
    if backend == "cuda" and not (has_triton() and (kind == "cuda" or interpreted())):
        raise ValueError(
            "backend='cuda' needs Triton, and a tensor on a GPU or TRITON_INTERPRET=1 in the "
            f"environment; the tensor is on {tensor.device}."
        )
    if backend == "cpu" and kind != "cpu":
        raise ValueError(f"backend='cpu' needs a tensor on the CPU, got one on {tensor.device}.")
    return backend
