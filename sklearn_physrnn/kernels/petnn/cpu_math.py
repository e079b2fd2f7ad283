"""Activations for the compiled loops: fast in float32, exact in float64."""

import math

from numba import float32
from numba.extending import overload

from .._exponentials import tanh64
from .._numba import inline, jit

# Numerator and denominator of a rational tanh on [-7.9, 7.9], beyond which float32
# tanh is one; a minimax fit widely used for float32, error below 4e-7. libm's tanh
# is a call for every element, which keeps the loop around it from being vectorised.
_LIMIT = float32(7.90531110763549805)
_A1 = float32(4.89352455891786e-03)
_A3 = float32(6.37261928875436e-04)
_A5 = float32(1.48572235717979e-05)
_A7 = float32(5.12229709037114e-08)
_A9 = float32(-8.60467152213735e-11)
_A11 = float32(2.00018790482477e-13)
_A13 = float32(-2.76076847742355e-16)
_B0 = float32(4.89352518554385e-03)
_B2 = float32(2.26843463243900e-03)
_B4 = float32(1.18534705686654e-04)
_B6 = float32(1.19825839466702e-06)
_HALF = float32(0.5)


def tanh(x):
    """Hyperbolic tangent, inside compiled code only."""
    return math.tanh(x)


@overload(tanh)
def _overload_tanh(x):
    if x != float32:
        return lambda x: tanh64(x)

    def rational(x):
        # Both comparisons are false for NaN, which so comes through.
        y = _LIMIT if x > _LIMIT else (-_LIMIT if x < -_LIMIT else x)
        q = y * y
        p = _A13 * q + _A11
        p = p * q + _A9
        p = p * q + _A7
        p = p * q + _A5
        p = p * q + _A3
        p = p * q + _A1
        return y * p / (((_B6 * q + _B4) * q + _B2) * q + _B0)

    return rational


@inline
def sigmoid(x):
    """Logistic function by way of tanh, which cannot overflow."""
    half = type(x)(0.5)
    return half + half * tanh(half * x)


# Loops over a plane are functions of their own: inlined into a long one, LLVM stops
# inlining what they call, and then does not vectorise them.


@jit
def drop(plane, least):
    """Set to zero what is smaller in size than `least`, in place."""
    zero = plane.dtype.type(0)
    for j in range(len(plane)):
        plane[j] = zero if abs(plane[j]) < least else plane[j]  # a NaN stays one


@jit
def squash(plane):
    """Sigmoid of every element, in place."""
    for j in range(len(plane)):
        plane[j] = sigmoid(plane[j])


@jit
def bound(plane):
    """Hyperbolic tangent of every element, in place."""
    for j in range(len(plane)):
        plane[j] = tanh(plane[j])
