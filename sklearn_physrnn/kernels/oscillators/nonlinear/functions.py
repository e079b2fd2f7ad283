"""The functions of a kick, for use inside kernels: fast in float32, exact in float64."""

import math
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from ..strict import OPTIONS
from .parameters import TANH_LIMIT, TANH_P, TANH_Q

_P0, _P1, _P2, _P3, _P4 = map(np.float32, TANH_P)
_Q0, _Q1, _Q2, _Q3, _Q4 = map(np.float32, TANH_Q)
_OVERLOAD: Any = OPTIONS
_LIMIT = np.float32(TANH_LIMIT)
_ONE = np.float32(1)
_HALF = np.float32(0.5)
_LOG_2 = np.float32(math.log(2))
_C3, _C5, _C7, _C9 = (np.float32(1 / k) for k in (3, 5, 7, 9))
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_EXPONENT_BITS = np.int32(23)
_ONE_BITS = np.int32(0x3F800000)


@numba.njit(**OPTIONS)
def _tanh32(x):
    # Comparisons are written so that a NaN passes both.
    x = _LIMIT if x > _LIMIT else x
    x = -_LIMIT if x < -_LIMIT else x
    z = x * x
    p = (((_P4 * z + _P3) * z + _P2) * z + _P1) * z + _P0
    q = (((_Q4 * z + _Q3) * z + _Q2) * z + _Q1) * z + _Q0
    t = x * (p / q)
    t = _ONE if t > _ONE else t
    return -_ONE if t < -_ONE else t


@numba.njit(**OPTIONS)
def _atanh32(p):
    # (1 + p) / (1 - p) = 2^k m with m in [0.7, 1.4], and log m is a series in
    # s = (m - 1) / (m + 1). Where k = 0, s is p itself: small arguments lose nothing.
    ratio = np.float32((_ONE + p) / (_ONE - p))
    k = np.int32((ratio.view(np.int32) - _SQRT_HALF_BITS) >> _EXPONENT_BITS)
    power = np.int32((k << _EXPONENT_BITS) + _ONE_BITS).view(np.float32)
    above, below = _ONE + p, power * (_ONE - p)
    s = p if k == 0 else (above - below) / (above + below)
    z = s * s
    series = s + s * z * (_C3 + z * (_C5 + z * (_C7 + z * _C9)))
    return _HALF * np.float32(k) * _LOG_2 + series


def tanh(x):
    """Hyperbolic tangent."""
    raise NotImplementedError("inside kernels only")


def atanh(p):
    """Inverse hyperbolic tangent of -1 < p < 1."""
    raise NotImplementedError("inside kernels only")


@overload(tanh, jit_options=_OVERLOAD)
def _tanh(x):
    return (lambda x: _tanh32(x)) if x == types.float32 else (lambda x: math.tanh(x))


@overload(atanh, jit_options=_OVERLOAD)
def _atanh(p):
    return (lambda p: _atanh32(p)) if p == types.float32 else (lambda p: math.atanh(p))
