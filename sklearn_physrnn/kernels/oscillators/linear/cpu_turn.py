"""The turn of a gap (``turn.py``) on the CPU, of all modes of a sample.

Written so that loops over modes are vectorised: no library's sine, and no branch.
"""

import math

import numpy as np

from ..strict import jit
from .cpu_decay import left_by
from .turn import SMALL, SPAN

Angles = np.ndarray  # rows kappa, turns a unit, q, of float64

_QUARTER = 0.5 * math.pi
_FULL = 2 * math.pi
_S3, _S5, _S7, _S9 = (1 / math.factorial(n) for n in (3, 5, 7, 9))
_S11, _S13, _S15, _S17 = (1 / math.factorial(n) for n in (11, 13, 15, 17))


@jit
def _cos_sin(turns):
    """Cosine and sine of so many turns, to some last places of float64."""
    x = _QUARTER * (turns - np.floor(turns + 0.5))  # a quarter of the angle, up to pi / 4
    x2 = x * x
    s = _S9 - x2 * (_S11 - x2 * (_S13 - x2 * (_S15 - x2 * _S17)))
    s = x * (1.0 - x2 * (_S3 - x2 * (_S5 - x2 * (_S7 - x2 * s))))
    c = np.sqrt(1.0 - s * s)
    s, lost = 2.0 * s * c, 2.0 * s * s  # twice the quarter, and 1 - its cosine
    return 1.0 - 2.0 * s * s, 2.0 * s * (1.0 - lost)


@jit
def turn(momentum, position, gap, angles, rates=None):
    """Turn one sample's modes, in place, and let them fade if there are rates."""
    turns, q = angles[1], angles[2]
    for j in range(len(turns)):
        c, r = _cos_sin(turns[j] * gap)
        r /= np.sqrt(q[j])
        if rates is not None:
            share = left_by(rates, j, gap)
            c, r = share * c, share * r
        z, y = momentum[j], position[j]
        momentum[j] = c * z - q[j] * r * y
        position[j] = c * y + r * z


@jit
def turn_echoes(
    z_mean, z_diff, y_mean, y_diff, contrast, gap, angles, rates, sums, states, slot
):  # fmt: skip
    """Turn both echoes of one sample's modes, and add the gradients of kappa and the rate.

    From number `slot` of the `states` before steps the mean goes on, if it is not negative.
    """
    kappas, turns, qs = angles[0], angles[1], angles[2]
    sum_kappa, sum_rate = sums[0], sums[2]
    for j in range(len(turns)):
        kappa, q = kappas[j], qs[j]
        c, r = _cos_sin(turns[j] * gap)
        r /= np.sqrt(q)
        pull_y, pull_z = contrast[j] * z_diff[j], contrast[j] * y_diff[j]
        z, y = z_mean[j], y_mean[j]
        by_c, by_r, by_qr = _slopes(c, r, gap, kappa, q, turns[j])
        if rates is not None:
            share = left_by(rates, j, gap)
            z, y = z / share, y / share
        z, y = c * z - q * r * y, c * y + r * z
        if rates is not None:
            c, r = share * c, share * r
            by_c, by_r, by_qr = share * by_c, share * by_r, share * by_qr
            if states is not None and slot >= 0:
                z, y = -np.float64(states[slot, 0, j]), np.float64(states[slot, 1, j])
        dz, dy = z_diff[j], y_diff[j]
        z_diff[j] = c * dz - q * r * dy
        y_diff[j] = c * dy + r * dz
        z_mean[j] = z
        y_mean[j] = y
        if rates is not None:  # read off where nothing has faded yet
            sum_rate[j] -= gap * contrast[j] * (z_diff[j] * y - y_diff[j] * z)
        z = -z  # as it was before the gap
        sum_kappa[j] += pull_y * (by_c * y + by_r * z) + pull_z * (by_c * z - by_qr * y)


@jit
def _slopes(c, r, gap, kappa, q, turns):
    """Derivatives by kappa of c, r and q r, as far as they count."""
    share = min(1.0, SPAN / gap) ** 2
    axis = 1.0 / (1.0 - 0.25 * kappa)
    angle = _FULL * turns * gap
    if angle * angle + kappa < SMALL:
        by_r = -gap * (1.0 + 2.0 * gap * gap) / 12.0
    else:
        by_r = (gap * c - axis * r) / (2.0 * kappa)
    by_qr = axis * axis * r + q * by_r
    return share * (-0.5 * axis * gap * r), share * by_r, share * by_qr
