"""tanh, erf and their relatives in float64, inside compiled loops: vectorised, to a last place.

libm's are a call an element, which keeps the loop around them from being vectorised.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.polynomial import chebyshev
from scipy.special import erfcx

# Without leave to reassociate: adding and subtracting a large number is how a number is rounded.
_FASTMATH = {"contract", "arcp", "nsz", "afn"}
OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _FASTMATH}

_ROUNDER = 1.5 * 2.0**52  # above which a float64's last bit is a unit
_LOG2E = 1 / math.log(2)
_LN2_HIGH = float.fromhex("0x1.62e42fefap-1")  # whose products with small integers are exact
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b39p-40")
_EXPONENT = np.int64(52)
_ONE = np.int64(1023 << 52)
_E2, _E3, _E4, _E5, _E6, _E7 = (1 / math.factorial(n) for n in range(2, 8))
_E8, _E9, _E10, _E11, _E12, _E13 = (1 / math.factorial(n) for n in range(8, 14))
_LARGEST = 19.1  # tanh is one from here on
_FARTHEST = 26.0  # erfc is nothing, and exp(-z^2) still normal
_ROOT_HALF = math.sqrt(0.5)


@numba.njit(**OPTIONS)
def _power(x):
    """2**k, and e**r - 1, where x = k log 2 + r, |r| at most half of log 2."""
    shifted = x * _LOG2E + _ROUNDER
    k = shifted - _ROUNDER
    r = (x - k * _LN2_HIGH) - k * _LN2_LOW
    power = np.int64((np.float64(shifted).view(np.int64) << _EXPONENT) + _ONE).view(np.float64)
    p = _E13 * r + _E12
    p = p * r + _E11
    p = p * r + _E10
    p = p * r + _E9
    p = p * r + _E8
    p = p * r + _E7
    p = p * r + _E6
    p = p * r + _E5
    p = p * r + _E4
    p = p * r + _E3
    p = p * r + _E2
    return power, (p * r) * r + r


@numba.njit(**OPTIONS)
def tanh64(x):
    """Hyperbolic tangent of a float64."""
    # Both comparisons are false for NaN, which so comes through.
    x = _LARGEST if x > _LARGEST else (-_LARGEST if x < -_LARGEST else x)
    power, rest = _power(2.0 * x)
    grown = power * rest + (power - 1.0)
    return grown / (grown + 2.0)


def _scaled_erfc(w):
    return erfcx(2 * (1 + w) / np.maximum(1 - w, 1e-300))


# erfc(z) exp(z^2) as a polynomial of w = (z - 2) / (z + 2), within 1e-14 for z >= 0.
_P = tuple(chebyshev.cheb2poly(chebyshev.chebinterpolate(_scaled_erfc, 20)).tolist())


@numba.njit(**OPTIONS)
def gelu_plane(plane):
    """Times the standard normal's distribution function, of every element, in place."""
    for j in range(len(plane)):  # all in one loop: more would not be inlined into it
        x: float = np.float64(plane[j])
        z = abs(x) * _ROOT_HALF
        z = _FARTHEST if z > _FARTHEST else z
        w = (z - 2.0) / (z + 2.0)
        p = _P[20] * w + _P[19]
        p = p * w + _P[18]
        p = p * w + _P[17]
        p = p * w + _P[16]
        p = p * w + _P[15]
        p = p * w + _P[14]
        p = p * w + _P[13]
        p = p * w + _P[12]
        p = p * w + _P[11]
        p = p * w + _P[10]
        p = p * w + _P[9]
        p = p * w + _P[8]
        p = p * w + _P[7]
        p = p * w + _P[6]
        p = p * w + _P[5]
        p = p * w + _P[4]
        p = p * w + _P[3]
        p = p * w + _P[2]
        p = p * w + _P[1]
        p = p * w + _P[0]
        power, rest = _power(-z * z)
        tail = 0.5 * p * (power * rest + power)
        plane[j] = x * (1.0 - tail if x > 0.0 else tail)
