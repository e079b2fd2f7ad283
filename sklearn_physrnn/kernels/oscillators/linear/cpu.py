"""Linear oscillators on the CPU: the free run, its adjoint and the two echoes.

Shape letters: B batch, T time steps of the arrays at hand (a chunk, perhaps), P modes.

The step in the kernels' own variables stands in ``parameters.py``.

The two echoes run as their mean and half difference, the same pair of runs in other
coordinates. Kept apart, they would have to be subtracted, and at a nudge of one size
lose digits in a mode that answers weakly, at another in one that answers strongly: the
float32 gradient of a two-block model over 50,000 steps was then 1e-6 from the exact
one's cosine, 20 times as far as back-propagation's. As it is the nudge's size cancels.

Power and a second trajectory, which nonlinear oscillators have, are not for these.
"""

import numpy as np
import torch

from ..cpu import Drivers, Loop, numpy_dtype
from ..strict import jit
from .cpu_turn import Angles, turn, turn_echoes
from .parameters import chain
from .turn import constants

N_KEPT = 1  # trajectories the adjoint needs: the positions
RELATIVE_NUDGE: float | None = None  # its size cancels


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> tuple[np.ndarray, Angles]:
    """Rows kappa, what kappa lost in rounding, gain; and in float64 those of gaps."""
    stiffness, step = (x.double().numpy() for x in parameters)
    kind = numpy_dtype(dtype)
    with np.errstate(all="ignore"):  # parameters may be zero or not finite
        gain = step * step
        kappa = gain * stiffness
        high = kappa.astype(kind)
        rows = np.stack([high, (kappa - high).astype(kind), gain.astype(kind)])
        return rows, np.stack(constants(kappa, np))


def parameter_gradients(sums: np.ndarray, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of (stiffness, step), given in float64, from those of kappa and gain."""
    grads = chain(sums, *(x.numpy() for x in parameters))
    return [torch.from_numpy(grad) for grad in grads]


@jit
def _run(rows, z, y, drive, sizes, out):
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    for t in range(len(out)):
        u, o = drive[t], out[t]
        if sizes.size > 0:
            s = sizes[t]
        h = half * s
        for j in range(len(kappa)):
            y_half = y[j] + h * z[j]
            z_next = z[j] + s * (gain[j] * u[j] - kappa_low[j] * y_half)
            z_next -= s * kappa[j] * y_half
            y_next = y_half + h * z_next
            z[j] = z_next
            y[j] = y_next
            o[j] = y_next


@jit
def _advance(coefs, momentum, position, power, drive, dt, lengths, first, out, rest):
    n_rows, n_steps, _ = drive.shape
    for row in range(n_rows):
        z, y = momentum[row], position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        if dt.size == 0:
            _run(coefs[0], z, y, drive[row], dt.ravel(), out[row, :n_run])
        elif dt.shape[1] == 1:
            _run(coefs[0], z, y, drive[row], dt[row, 0, first:], out[row, :n_run])
        else:  # from gap to gap: a branch in the loop over steps would slow it down
            sizes, gaps = dt[row, 0, first:], dt[row, 1, first:]
            t = 0
            while t < n_run:
                if gaps[t] != 0:
                    turn(z, y, gaps[t], coefs[1])
                stop = t + 1
                while stop < n_run and gaps[stop] == 0:
                    stop += 1
                _run(coefs[0], z, y, drive[row, t:], sizes[t:], out[row, t:stop])
                t = stop
        out[row, n_run:] = 0


@jit
def _adjoint(
    coefs, grad_momentum, grad_position, drive, positions, before, dt, lengths, first,
    grad, grad_drive, sums,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    kappa, kappa_low, gain = coefs[0][0], coefs[0][1], coefs[0][2]
    sum_kappa, sum_gain = sums[0], sums[1]
    half = drive.dtype.type(0.5)
    one = drive.dtype.type(1)
    s = one
    for row in range(n_rows):
        p, q = grad_momentum[row], grad_position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        for t in range(n_run - 1, -1, -1):
            u, g, du = drive[row, t], grad[row, t], grad_drive[row, t]
            now = positions[row, t]
            last = positions[row, t - 1] if t > 0 else before[row]
            if dt.size > 0:
                s = dt[row, 0, first + t]
            h = half * s
            hh = h * h
            for j in range(n_modes):
                # The kick's position follows from those before and after the step.
                middle = half * (now[j] + last[j]) - hh * (gain[j] * u[j])
                y_half = middle / (one - hh * kappa[j])
                q_next = q[j] + g[j]
                p_next = p[j] + h * q_next
                sp = s * p_next
                q_next -= kappa_low[j] * sp
                q_next -= kappa[j] * sp
                du[j] = gain[j] * sp
                sum_kappa[j] -= sp * y_half
                sum_gain[j] += sp * u[j]
                p[j] = p_next + h * q_next
                q[j] = q_next
        grad_drive[row, n_run:] = 0


@jit
def _echo(
    coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt, lengths, first,
    grad, grad_drive, middle, sums,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    kappa, kappa_low, gain = coefs[0][0], coefs[0][1], coefs[0][2]
    sum_kappa, sum_gain = sums[0], sums[1]
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    for row in range(n_rows):
        zm, zd, ym, yd = z_mean[row], z_diff[row], y_mean[row], y_diff[row]
        size, scale = nudge[row], contrast[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        for t in range(n_run - 1, -1, -1):
            u, g, du, mid = drive[row, t], grad[row, t], grad_drive[row, t], middle[row, t]
            if dt.size > 0:
                s = dt[row, 0, first + t]
            h = half * s
            for j in range(n_modes):
                mid[j] = ym[j]
                z = zm[j]
                dz = zd[j] + size[j] * g[j]
                y = ym[j] + h * z
                dy = yd[j] + h * dz
                z += s * (gain[j] * u[j] - kappa_low[j] * y)
                z -= s * kappa[j] * y
                dz -= s * kappa_low[j] * dy
                dz -= s * kappa[j] * dy
                zm[j] = z
                zd[j] = dz
                ym[j] = y + h * z
                yd[j] = dy + h * dz
                # dL/dtheta = -sum contrast(dH/dtheta), H = kappa/2 y_half^2 - gain u y_half
                shift = s * scale[j] * dy
                du[j] = gain[j] * shift
                sum_kappa[j] -= shift * y
                sum_gain[j] += shift * u[j]
            if dt.size > 0 and dt.shape[1] > 1 and dt[row, 1, first + t] > 0:
                gap = dt[row, 1, first + t]
                turn_echoes(zm, zd, ym, yd, scale, gap, coefs[1], sum_kappa)
        grad_drive[row, n_run:] = 0
        middle[row, n_run:] = 0


_drivers = Drivers(Loop(_advance, 1), Loop(_adjoint, 2), Loop(_echo, 3), n_sums=2)
advance, adjoint, echo = _drivers.advance, _drivers.adjoint, _drivers.echo

run_row = _run  # one step of a stream is a run, too
