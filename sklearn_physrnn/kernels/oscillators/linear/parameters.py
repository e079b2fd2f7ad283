"""What the kernels take for a and d, and gradients on the way back.

A step of the kernels reads, with Z = d z in the place of the momentum z and s the factor
of a step of varying size,

    y_half = y + s/2 Z,   Z <- Z + s (gain u - kappa y_half),   y <- y_half + s/2 Z,

with kappa = d^2 a and gain = d^2. The drifts have lost every parameter: the gradients
of kappa and gain, both from the kick, hold all there is to know about a and d, so the
echoes need to contrast nothing but the kick's potential. kappa alone sets the
frequency, and an error in it grows with time, so float32 carries it in two parts.
"""

from typing import Any


def chain(sums: Any, stiffness: Any, step: Any) -> tuple[Any, Any]:
    """Chain gradients of (kappa, gain) to those of (stiffness, step), arrays or tensors."""
    kappa, gain = sums
    return step * step * kappa, 2 * step * (stiffness * kappa + gain)
