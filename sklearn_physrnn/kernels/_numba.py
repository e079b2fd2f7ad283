"""Numba with the options of this package, imported only when a kernel is needed."""

from typing import Any

import numba

# Reassociation and contraction let LLVM vectorise sums. "nnan" and "ninf" stay
# out: a NaN or an infinity has to come through, so that training can notice it.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}


def jit(function):
    """Compile `function` without the GIL, vectorised, cached on disk where possible.

    ``error_model="numpy"`` drops the check for a zero divisor, which alone keeps a
    loop with a division from being vectorised.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FASTMATH}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache folder can be written.
        return numba.njit(**options)(function)


def inline(function):
    """Compile `function` for use inside other kernels only."""
    return numba.njit(inline="always", error_model="numpy", fastmath=_FASTMATH)(function)
