"""Nonlinear oscillators on the CPU: the free run, its adjoint and the two echoes.

Shape letters: B batch, T time steps of the arrays at hand (a chunk, perhaps), P modes.

The step and the echoes' pair of coordinates stand in ``parameters.py``, gaps in ``gap.py``:
their steps are taken as any others. The adjoint
does not need the position before its first step.
"""

import math

import numpy as np
import torch

from ..cpu import Drivers, Loop, numpy_dtype
from ..strict import jit
from .functions import atanh, tanh
from .parameters import RELATIVE_NUDGE as RELATIVE_NUDGE
from .parameters import chain

N_KEPT = 2  # trajectories the adjoint needs: positions, and positions at the kick
FORGETS = False
_STEPS = 16  # of a gap that are run at a time


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> np.ndarray:
    """Rows stiff, what stiff lost in rounding, pull, w, 1 / w, and the drive in gaps."""
    w, c, alpha, rest, step = (x.double().numpy() for x in parameters)
    kind = numpy_dtype(dtype)
    with np.errstate(all="ignore"):  # parameters may be zero or not finite
        gain = step * step
        stiff = gain * alpha
        high = stiff.astype(kind)
        rows = [high, stiff - high, gain * c, w, 1 / w, rest]
        return np.stack([row.astype(kind) for row in rows])


def parameter_gradients(sums: np.ndarray, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of (w, c, alpha, rest, step) from those of w, pull, stiff and rest."""
    grads = chain(sums, *(x.numpy() for x in parameters))
    return [torch.from_numpy(grad) for grad in grads]


@jit
def _run(coefs, z, y, drive, sizes, out, half_out, power):
    stiff, stiff_low, pull, w = coefs[0], coefs[1], coefs[2], coefs[3]
    n_modes = len(z)
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    for t in range(len(out)):
        u, o = drive[t], out[t]
        if sizes.size > 0:
            s = sizes[t]
        h = half * s
        for j in range(n_modes):
            y_half = y[j] + h * z[j]
            force = stiff_low[j] * y_half + pull[j] * tanh(w[j] * y_half + u[j])
            force += stiff[j] * y_half
            z_next = z[j] - s * force
            y[j] = y_half + h * z_next
            z[j] = z_next
            o[j] = y_half
        if half_out.size > 0:
            half_out[t] = o
        for j in range(n_modes):
            o[j] = y[j]
        if power.size > 0:
            for j in range(n_modes):
                power[j] += y[j] * y[j]


@jit
def _advance(coefs, momentum, position, power, drive, dt, lengths, first, out, half_out):
    n_rows, n_steps, n_modes = drive.shape
    gaps_too = dt.size > 0 and dt.shape[1] > 1
    n_rest = _STEPS if gaps_too else 0
    rest, unseen = (
        np.empty((n_rest, n_modes), drive.dtype),
        np.empty((n_rest, n_modes), drive.dtype),
    )
    rest[:] = coefs[5]
    part = np.empty(n_rest, drive.dtype)
    for row in range(n_rows):
        z, y = momentum[row], position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        own, kicks = out[row], half_out[row]
        sizes = dt.ravel() if dt.size == 0 else dt[row, 0, first:]
        t = 0
        while t < n_run:
            stop = n_run
            if gaps_too:
                gaps = dt[row, 1, first:]
                n_gap = math.ceil(gaps[t])
                part[:] = gaps[t] / max(1, n_gap)
                for k in range(0, n_gap, _STEPS):
                    n = min(_STEPS, n_gap - k)
                    _run(coefs, z, y, rest, part, unseen[:n], kicks[:0], power[row, :0])
                stop = _next_gap(gaps, t + 1, n_run)
            _run(coefs, z, y, drive[row, t:], sizes[t:], own[t:stop], kicks[t:], power[row])
            t = stop
        own[n_run:] = 0


@jit
def _next_gap(gaps, t, stop):
    while t < stop and gaps[t] == 0:
        t += 1
    return t


@jit
def _adjoint(
    coefs, grad_momentum, grad_position, drive, y_halves, before, dt, lengths, first,
    grad, grad_drive, sums,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    stiff, stiff_low, pull, w = coefs[0], coefs[1], coefs[2], coefs[3]
    sum_w, sum_pull, sum_stiff = sums[0], sums[1], sums[2]
    half = drive.dtype.type(0.5)
    one = drive.dtype.type(1)
    s = one
    for row in range(n_rows):
        p, q = grad_momentum[row], grad_position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        for t in range(n_run - 1, -1, -1):
            u, g, du, y_half = drive[row, t], grad[row, t], grad_drive[row, t], y_halves[row, t]
            if dt.size > 0:
                s = dt[row, 0, first + t]
            h = half * s
            for j in range(n_modes):
                th = tanh(w[j] * y_half[j] + u[j])
                q_next = q[j] + g[j]
                p_next = p[j] + h * q_next
                sp = s * p_next
                slope = sp * pull[j] * ((one - th) * (one + th))
                du[j] = -slope
                sum_w[j] -= slope * y_half[j]
                sum_pull[j] -= sp * th
                sum_stiff[j] -= sp * y_half[j]
                q_next -= stiff_low[j] * sp + slope * w[j]
                q_next -= stiff[j] * sp
                p[j] = p_next + h * q_next
                q[j] = q_next
        grad_drive[row, n_run:] = 0


@jit
def _run_back(
    coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, row, drive, dt, first, grad,
    grad_drive, middle, at, start, stop, sums,
):  # fmt: skip
    n_modes = drive.shape[2]
    stiff, stiff_low, pull = coefs[0], coefs[1], coefs[2]
    w, w_inverse = coefs[3], coefs[4]
    sum_w, sum_pull, sum_stiff = sums[0], sums[1], sums[2]
    half = drive.dtype.type(0.5)
    one = drive.dtype.type(1)
    below_one = drive.dtype.type(1 - 2.0**-24 if drive.itemsize == 4 else 1 - 2.0**-53)
    s = one
    zm, zd, ym, yd = z_mean[row], z_diff[row], y_mean[row], y_diff[row]
    size, scale = nudge[row], contrast[row]
    for t in range(stop - 1, start - 1, -1):
        u, g, du, mid = drive[at, t], grad[at, t], grad_drive[at, t], middle[at, t]
        if dt.size > 0:
            s = dt[at, 0, first + t]
        h = half * s
        for j in range(n_modes):
            mid[j] = ym[j]
            z = zm[j]
            dz = zd[j] + size[j] * g[j]
            y = ym[j] + h * z
            dy = yd[j] + h * dz

            th_m = tanh(w[j] * y + u[j])
            th_h = tanh(w[j] * dy)
            th_h = below_one if th_h > below_one else th_h
            th_h = -below_one if th_h < -below_one else th_h
            product = th_m * th_h
            divisor = one / ((one - product) * (one + product))
            th = th_m * ((one - th_h) * (one + th_h)) * divisor
            dth = th_h * ((one - th_m) * (one + th_m)) * divisor
            dlog = atanh(product)

            z -= s * (stiff_low[j] * y + pull[j] * th)
            z -= s * (stiff[j] * y)
            dz -= s * (stiff_low[j] * dy + pull[j] * dth)
            dz -= s * (stiff[j] * dy)
            zm[j] = z
            zd[j] = dz
            ym[j] = y + h * z
            yd[j] = dy + h * dz

            # dL/dtheta = -sum contrast(dH/dtheta), with
            # H = stiff/2 y_half^2 + pull/w log cosh(w y_half + u)
            f = s * scale[j]
            du[j] = -f * pull[j] * w_inverse[j] * dth
            wells = f * w_inverse[j] * dlog
            tilt = f * (th * dy + dth * y)
            sum_w[j] -= pull[j] * w_inverse[j] * (tilt - wells)
            sum_pull[j] -= wells
            sum_stiff[j] -= f * y * dy


@jit
def _echo(
    coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt, lengths, first,
    grad, grad_drive, middle, sums,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    gaps_too = dt.size > 0 and dt.shape[1] > 1
    room = (1, _STEPS if gaps_too else 0, n_modes)
    rest, nothing = np.empty(room, drive.dtype), np.zeros(room, drive.dtype)
    rest[:] = coefs[5]
    by_rest, unseen = np.empty_like(rest), np.empty_like(rest)
    part = np.empty((1, 1, room[1]), drive.dtype)
    for row in range(n_rows):
        n_run = max(0, min(n_steps, lengths[row] - first))
        stop = n_run
        while stop > 0:
            t = _gap_before(dt[row, 1, first:], stop - 1) if gaps_too else 0
            _run_back(
                coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, row, drive, dt, first,
                grad, grad_drive, middle, row, t, stop, sums,
            )  # fmt: skip
            if gaps_too:  # back in time it comes after its step
                gap = dt[row, 1, first + t]
                n_gap = math.ceil(gap)
                part[:] = gap / max(1, n_gap)
                for k in range(0, n_gap, _STEPS):
                    n = min(_STEPS, n_gap - k)
                    _run_back(
                        coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, row, rest, part,
                        0, nothing, by_rest, unseen, 0, 0, n, sums,
                    )  # fmt: skip
                    for i in range(n):
                        for j in range(n_modes):
                            sums[3, j] += by_rest[0, i, j]
            stop = t
        grad_drive[row, n_run:] = 0
        middle[row, n_run:] = 0


@jit
def _gap_before(gaps, t):
    while t > 0 and gaps[t] == 0:
        t -= 1
    return t


_drivers = Drivers(Loop(_advance, 2), Loop(_adjoint, 3), Loop(_echo, 6), n_sums=4)
advance, adjoint, echo = _drivers.advance, _drivers.adjoint, _drivers.echo

run_rows = _advance  # one step of a stream is a run, too
