"""What motions lose in a step, on the CPU, and regain on the way back.

Momentum and position pass half of a step's loss before it and half after. The share that goes,
1 - exp(-decay/2), is what is computed, not the share that stays: next to 1, float32 would
round away what a slow mode loses in all of a long series.

Written so that loops over modes are vectorised: no library's exponential, and no branch.
"""

import numpy as np

from ..strict import jit

# Rows: half the decay of a unit, and exp(-half) - 1 and exp(half) - 1; of the drive's dtype.
Rates = np.ndarray

_HALVINGS = 9
_LARGEST = 0.1 * 2**_HALVINGS  # exponents beyond leave nothing, or all there is


def rates_of(decay: np.ndarray, dtype: np.dtype) -> Rates:
    """Rows for a float64 `decay` (P,)."""
    half = decay / 2
    return np.stack([half, np.expm1(-half), np.expm1(half)]).astype(dtype)


@jit
def set_out(rates, rows):
    """Room for what half a step loses and what it regains, with those of half a unit in it."""
    if rates is not None:
        return rates[1:].copy()
    return rows[:2]


@jit
def lose(rates, s, shares):
    """Write what modes lose in half a step of size s, exp(-s decay / 2) - 1, and regain."""
    lost, again = shares[0], shares[1]
    one, two = lost.dtype.type(1), lost.dtype.type(2)
    c2, c3, c4 = lost.dtype.type(1 / 2), lost.dtype.type(1 / 3), lost.dtype.type(1 / 4)
    c5, c6, c7 = lost.dtype.type(1 / 5), lost.dtype.type(1 / 6), lost.dtype.type(1 / 7)
    c8, c9, c10 = lost.dtype.type(1 / 8), lost.dtype.type(1 / 9), lost.dtype.type(1 / 10)
    part, largest = lost.dtype.type(-1 / 2**_HALVINGS), lost.dtype.type(_LARGEST)
    half_decay = rates[0]
    for j in range(len(lost)):
        x = part * min(max(s * half_decay[j], -largest), largest)
        m = one + x * c6 * (one + x * c7 * (one + x * c8 * (one + x * c9 * (one + x * c10))))
        m = one + x * c2 * (one + x * c3 * (one + x * c4 * (one + x * c5 * m)))
        m *= x
        for _ in range(_HALVINGS):  # of exp(2x) - 1 from exp(x) - 1
            m *= two + m
        m += half_decay[j] - half_decay[j]  # what is no number stays none
        lost[j] = m
        again[j] = -m / (one + m)


@jit
def left_by(rates, j, units):
    """Share of momentum and position that `units` leave of mode j, in float64."""
    exponent = 2.0 * np.float64(rates[0, j]) * units
    return np.exp(-min(max(exponent, -2 * _LARGEST), 2 * _LARGEST))
