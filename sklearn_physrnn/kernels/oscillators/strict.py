"""Numba for kernels whose rounding matters: every option of the package but one."""

from typing import Any

import numba

# Without leave to reassociate, ``kappa_low * y + kappa * y`` stays two products. LLVM
# would otherwise add the factors first, which rounds kappa_low away. The loops over
# modes are vectorised all the same, since none of them is a sum.
_FASTMATH = {"contract", "arcp", "nsz", "afn"}
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FASTMATH}


def jit(function):
    """Compile `function` without the GIL, cached on disk where possible."""
    try:
        return numba.njit(cache=True, **OPTIONS)(function)
    except RuntimeError:
        # Neither the package's folder nor the user's cache folder can be written.
        return numba.njit(**OPTIONS)(function)
