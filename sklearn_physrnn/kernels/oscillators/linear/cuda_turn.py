"""The turn of a gap (``turn.py``) in Triton, in float64 and without a library's functions."""

import math

import triton
import triton.language as tl

from . import turn as by_hand

_TINY = tl.constexpr(by_hand.TINY)
_SPAN = tl.constexpr(by_hand.SPAN)
_SMALL = tl.constexpr(by_hand.SMALL)
_QUARTER = tl.constexpr(0.5 * math.pi)
_FULL = tl.constexpr(2 * math.pi)
_S3 = tl.constexpr(1 / math.factorial(3))
_S5 = tl.constexpr(1 / math.factorial(5))
_S7 = tl.constexpr(1 / math.factorial(7))
_S9 = tl.constexpr(1 / math.factorial(9))
_S11 = tl.constexpr(1 / math.factorial(11))
_S13 = tl.constexpr(1 / math.factorial(13))
_S15 = tl.constexpr(1 / math.factorial(15))
_S17 = tl.constexpr(1 / math.factorial(17))


@triton.jit
def _floor(x):
    """The greatest integer up to x, which is not large."""
    whole = x.to(tl.int64).to(tl.float64)
    return tl.where(whole > x, whole - 1.0, whole)


@triton.jit
def turn(turns, gap, kappa):
    """c, r and q of a gap, of modes that turn by `turns` a unit."""
    turned = turns * gap.to(tl.float64)
    x = _QUARTER * (turned - _floor(turned + 0.5))  # a quarter of the angle, up to pi / 4
    x2 = x * x
    s = _S9 - x2 * (_S11 - x2 * (_S13 - x2 * (_S15 - x2 * _S17)))
    s = x * (1.0 - x2 * (_S3 - x2 * (_S5 - x2 * (_S7 - x2 * s))))
    c = tl.sqrt(1.0 - s * s)
    lost = 2.0 * s * s
    s = 2.0 * s * c  # of twice the quarter; `lost` is 1 - its cosine
    kappa = tl.where(kappa == 0.0, _TINY, kappa)
    q = kappa / (1.0 - 0.25 * kappa)
    return 1.0 - 2.0 * s * s, 2.0 * s * (1.0 - lost) / tl.sqrt(q), q


@triton.jit
def after(z, y, c, r, q):
    """Z and y after the gap."""
    z_next, y_next = c * z - q * r * y, c * y + r * z
    return z_next.to(z.dtype), y_next.to(y.dtype)


@triton.jit
def slope(turns, gap, kappa, c, r, q, pull_z, pull_y, z, y):
    """Gradient of kappa, of the state (z, y) before the gap and the pulls on that after it."""
    gap = gap.to(tl.float64)
    kappa = tl.where(kappa == 0.0, _TINY, kappa)
    axis = 1.0 / (1.0 - 0.25 * kappa)
    angle = _FULL * turns * gap
    near = -gap * (1.0 + 2.0 * gap * gap) / 12.0
    by_r = tl.where(angle * angle + kappa < _SMALL, near, (gap * c - axis * r) / (2.0 * kappa))
    by_c = -0.5 * axis * gap * r
    by_qr = axis * axis * r + q * by_r
    share = tl.where(gap > _SPAN, _SPAN / gap, 1.0)
    return share * share * (pull_y * (by_c * y + by_r * z) + pull_z * (by_c * z - by_qr * y))
