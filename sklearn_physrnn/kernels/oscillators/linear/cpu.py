"""Linear oscillators on the CPU: the free run, its adjoint and the two echoes.

Shape letters: B batch, T time steps of the arrays at hand (a chunk, perhaps), P modes.

The step in the kernels' own variables stands in ``parameters.py``.

The two echoes run as their mean and half difference, the same pair of runs in other
coordinates. Kept apart, they would have to be subtracted, and at a nudge of one size
lose digits in a mode that answers weakly, at another in one that answers strongly: the
float32 gradient of a two-block model over 50,000 steps was then 1e-6 from the exact
one's cosine, 20 times as far as back-propagation's. As it is the nudge's size cancels.

Power and a second trajectory, which nonlinear oscillators have, are not for these.

The loops are those of damped oscillators (``..damped``), too, which then have `rates`
(``cpu_decay.py``). Of others these are None, and what is asked of them is left out when the
loops are compiled.
"""

import numpy as np
import torch

from ..cpu import Drivers, Loop, numpy_dtype
from ..strict import jit
from .cpu_decay import Rates, lose, regained, set_out
from .cpu_turn import Angles, turn, turn_echoes
from .parameters import chain
from .turn import constants

N_KEPT = 1  # trajectories the adjoint needs: the positions
RELATIVE_NUDGE: float | None = None  # its size cancels
FORGETS = False

Coefficients = tuple[np.ndarray, Angles, Rates | None]


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> Coefficients:
    """Rows kappa, what kappa lost in rounding, gain; in float64 those of gaps; no rates."""
    stiffness, step = (x.double().numpy() for x in parameters)
    kind = numpy_dtype(dtype)
    with np.errstate(all="ignore"):  # parameters may be zero or not finite
        gain = step * step
        kappa = gain * stiffness
        high = kappa.astype(kind)
        rows = np.stack([high, (kappa - high).astype(kind), gain.astype(kind)])
        return rows, np.stack(constants(kappa, np)), None


def parameter_gradients(sums: np.ndarray, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of (stiffness, step), given in float64, from those of kappa and gain."""
    grads = chain(sums[:2], *(x.numpy() for x in parameters))
    return [torch.from_numpy(grad) for grad in grads]


@jit
def _run(rows, rates, z, y, drive, sizes, out):
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    lost = set_out(rates, rows)
    for t in range(len(out)):
        u, o = drive[t], out[t]
        if sizes.size > 0:
            if rates is not None and (t == 0 or sizes[t] != s):
                lose(rates, sizes[t], lost)
            s = sizes[t]
        h = half * s
        for j in range(len(kappa)):
            z_now, y_now = z[j], y[j]
            if rates is not None:
                z_now += lost[j] * z_now
                y_now += lost[j] * y_now
            y_half = y_now + h * z_now
            z_next = z_now + s * (gain[j] * u[j] - kappa_low[j] * y_half)
            z_next -= s * kappa[j] * y_half
            y_next = y_half + h * z_next
            if rates is not None:
                z_next += lost[j] * z_next
                y_next += lost[j] * y_next
            z[j] = z_next
            y[j] = y_next
            o[j] = y_next


@jit
def _pause(t, n_run, gaps, slots, first):
    """The first step from t on before which there is a gap or a border."""
    while t < n_run:
        if gaps.size > 0 and gaps[t] != 0:
            return t
        if slots is not None and slots[first + t] >= 0:
            return t
        t += 1
    return n_run


@jit
def _keep(states, slot, z, y):
    if states is not None:
        states[slot, 0] = z
        states[slot, 1] = y


@jit
def _states_of(states, row):
    if states is not None:
        return states[row]
    return None


@jit
def _slot(slots, t):
    if slots is not None:
        return slots[t]
    return -1


@jit
def _go(coefs, rates, z, y, drive, sizes, gaps, first, out, slots, states):
    """Run one sample from pause to pause: a branch in the loop over steps would slow it down."""
    t = 0
    while t < len(out):
        slot = _slot(slots, first + t)
        if slot >= 0:
            _keep(states, slot, z, y)
        if gaps.size > 0 and gaps[t] != 0:
            turn(z, y, gaps[t], coefs[1], rates)
        stop = _pause(t + 1, len(out), gaps, slots, first)
        _run(coefs[0], rates, z, y, drive[t:], sizes[t:], out[t:stop])
        t = stop


@jit
def _advance(
    coefs, momentum, position, power, drive, dt, lengths, first, out, rest, slots=None, states=None
):
    n_rows, n_steps, _ = drive.shape
    none = dt.ravel()[:0]
    for row in range(n_rows):
        z, y = momentum[row], position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        mine = out[row, :n_run]
        if dt.size == 0:
            sizes, gaps = none, none
        elif dt.shape[1] == 1:
            sizes, gaps = dt[row, 0, first:], none
        else:
            sizes, gaps = dt[row, 0, first:], dt[row, 1, first:]
        kept = _states_of(states, row)
        _go(coefs, coefs[2], z, y, drive[row], sizes, gaps, first, mine, slots, kept)
        out[row, n_run:] = 0


@jit
def _adjoint_of(rows, rates, p, q, drive, positions, before, sizes, grad, grad_drive, sums):
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    sum_kappa, sum_gain, sum_rate = sums[0], sums[1], sums[2]
    half = drive.dtype.type(0.5)
    one = drive.dtype.type(1)
    s = one
    lost = set_out(rates, rows)
    for t in range(len(drive) - 1, -1, -1):
        u, g, du = drive[t], grad[t], grad_drive[t]
        now = positions[t]
        last = positions[t - 1] if t > 0 else before
        if sizes.size > 0:
            if rates is not None and (t == len(drive) - 1 or sizes[t] != s):
                lose(rates, sizes[t], lost)
            s = sizes[t]
        h = half * s
        hh = h * h
        for j in range(len(kappa)):
            # The kick's position follows from those before and after the step.
            y_now, y_last = now[j], last[j]
            if rates is not None:
                y_now += regained(lost[j]) * y_now
                y_last += lost[j] * y_last
            middle = half * (y_now + y_last) - hh * (gain[j] * u[j])
            y_half = middle / (one - hh * kappa[j])
            p_next, q_next = p[j], q[j] + g[j]
            if rates is not None:
                p_next += lost[j] * p_next
                q_next += lost[j] * q_next
                # Twice the state's product with its gradient after the kick, where h times the
                # momentum is what the position has moved by.
                shrunk = (p_next + p_next) * (y_now - y_half) + s * q_next * y_now
            p_next = p_next + h * q_next
            sp = s * p_next
            q_next -= kappa_low[j] * sp
            q_next -= kappa[j] * sp
            du[j] = gain[j] * sp
            sum_kappa[j] -= sp * y_half
            sum_gain[j] += sp * u[j]
            p_next, q_next = p_next + h * q_next, q_next
            if rates is not None:
                sum_rate[j] -= shrunk - h * (du[j] * u[j])
                p_next += lost[j] * p_next
                q_next += lost[j] * q_next
            p[j] = p_next
            q[j] = q_next


@jit
def _adjoint(
    coefs, grad_momentum, grad_position, drive, positions, before, dt, lengths, first,
    grad, grad_drive, sums,
):  # fmt: skip
    n_rows, n_steps, _ = drive.shape
    none = dt.ravel()[:0]
    for row in range(n_rows):
        n_run = max(0, min(n_steps, lengths[row] - first))
        sizes = dt[row, 0, first:] if dt.size > 0 else none
        _adjoint_of(
            coefs[0], coefs[2], grad_momentum[row], grad_position[row], drive[row, :n_run],
            positions[row], before[row], sizes, grad[row], grad_drive[row], sums,
        )  # fmt: skip
        grad_drive[row, n_run:] = 0


@jit
def _echo_of(
    coefs, rates, zm, zd, ym, yd, size, scale, drive, sizes, gaps, first, grad, grad_drive,
    middle, sums, slots, states,
):  # fmt: skip
    rows = coefs[0]
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    sum_kappa, sum_gain, sum_rate = sums[0], sums[1], sums[2]
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    lost = set_out(rates, rows)
    for t in range(len(drive) - 1, -1, -1):
        u, g, du, mid = drive[t], grad[t], grad_drive[t], middle[t]
        if sizes.size > 0:
            if rates is not None and (t == len(drive) - 1 or sizes[t] != s):
                lose(rates, sizes[t], lost)
            s = sizes[t]
        h = half * s
        for j in range(len(kappa)):
            mid[j] = ym[j]
            z, y = zm[j], ym[j]
            dz, dy = zd[j] + size[j] * g[j], yd[j]
            if rates is not None:
                z += regained(lost[j]) * z
                y += regained(lost[j]) * y
                dz += lost[j] * dz
                dy += lost[j] * dy
                shrunk = s * scale[j] * (dz * y - dy * z)
            y = y + h * z
            dy = dy + h * dz
            z += s * (gain[j] * u[j] - kappa_low[j] * y)
            z -= s * kappa[j] * y
            dz -= s * kappa_low[j] * dy
            dz -= s * kappa[j] * dy
            # dL/dtheta = -sum contrast(dH/dtheta), H = kappa/2 y_half^2 - gain u y_half
            shift = s * scale[j] * dy
            du[j] = gain[j] * shift
            sum_kappa[j] -= shift * y
            sum_gain[j] += shift * u[j]
            y = y + h * z
            dy = dy + h * dz
            if rates is not None:
                sum_rate[j] -= shrunk - h * (du[j] * u[j])
                z += regained(lost[j]) * z
                y += regained(lost[j]) * y
                dz += lost[j] * dz
                dy += lost[j] * dy
            zm[j] = z
            zd[j] = dz
            ym[j] = y
            yd[j] = dy
        slot = _slot(slots, first + t)
        if gaps.size > 0 and gaps[t] > 0:
            turn_echoes(zm, zd, ym, yd, scale, gaps[t], coefs[1], rates, sums, states, slot)
        elif slot >= 0:
            _begin_anew(zm, ym, states, slot)


@jit
def _begin_anew(zm, ym, states, slot):
    if states is not None:
        for j in range(len(zm)):
            zm[j] = -states[slot, 0, j]
            ym[j] = states[slot, 1, j]


@jit
def _echo(
    coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt, lengths, first,
    grad, grad_drive, middle, sums, slots=None, states=None,
):  # fmt: skip
    n_rows, n_steps, _ = drive.shape
    none = dt.ravel()[:0]
    for row in range(n_rows):
        n_run = max(0, min(n_steps, lengths[row] - first))
        sizes = dt[row, 0, first:] if dt.size > 0 else none
        gaps = dt[row, 1, first:] if dt.size > 0 and dt.shape[1] > 1 else none
        _echo_of(
            coefs, coefs[2], z_mean[row], z_diff[row], y_mean[row], y_diff[row], nudge[row],
            contrast[row], drive[row, :n_run], sizes, gaps, first, grad[row], grad_drive[row],
            middle[row], sums, slots, _states_of(states, row),
        )  # fmt: skip
        grad_drive[row, n_run:] = 0
        middle[row, n_run:] = 0


drivers = Drivers(Loop(_advance, 1), Loop(_adjoint, 2), Loop(_echo, 3), n_sums=3)
advance, adjoint, echo = drivers.advance, drivers.adjoint, drivers.echo
