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
from .cpu_decay import Rates, lose, set_out
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
def run_row(rows, rates, z, y, drive, sizes, out):
    """Run one sample through `drive` (T, P), in steps of `sizes` (T,) or of one unit."""
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    half = z.dtype.type(0.5)
    s = z.dtype.type(1)
    shares = set_out(rates, rows)
    lost = shares[0]
    for t in range(len(out)):
        u, o = drive[t], out[t]
        if sizes.size > 0:
            if rates is not None and (t == 0 or sizes[t] != s):
                lose(rates, sizes[t], shares)
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
        run_row(coefs[0], rates, z, y, drive[t:], sizes[t:], out[t:stop])
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


# Rows of the batch are inside: a loop over modes in a function of one row is not vectorised,
# and three times as slow.
@jit
def _adjoint_of(
    rows, rates, grad_momentum, grad_position, drive, positions, before, dt, lengths, first,
    grad, grad_drive, sums,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    sum_kappa, sum_gain, sum_rate = sums[0], sums[1], sums[2]
    half = drive.dtype.type(0.5)
    one = drive.dtype.type(1)
    s = one
    shares = set_out(rates, rows)
    lost, again = shares[0], shares[1]
    for row in range(n_rows):
        p, q = grad_momentum[row], grad_position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        for t in range(n_run - 1, -1, -1):
            u, g, du = drive[row, t], grad[row, t], grad_drive[row, t]
            now = positions[row, t]
            last = positions[row, t - 1] if t > 0 else before[row]
            if dt.size > 0:
                if rates is not None and dt[row, 0, first + t] != s:
                    lose(rates, dt[row, 0, first + t], shares)
                s = dt[row, 0, first + t]
            h = half * s
            hh = h * h
            for j in range(n_modes):
                # The kick's position follows from those before and after the step.
                if rates is None:
                    y_now, y_last = now[j], last[j]
                    p_next, q_next = p[j], q[j] + g[j]
                else:
                    y_now, y_last = now[j] + again[j] * now[j], last[j] + lost[j] * last[j]
                    p_next, q_next = p[j] + lost[j] * p[j], q[j] + g[j]
                    q_next += lost[j] * q_next
                middle = half * (y_now + y_last) - hh * (gain[j] * u[j])
                y_half = middle / (one - hh * kappa[j])
                if rates is not None:
                    # Twice the state's product with its gradient after the kick, where h times
                    # the momentum is what the position has moved by.
                    shrunk = (p_next + p_next) * (y_now - y_half) + s * q_next * y_now
                p_next = p_next + h * q_next
                sp = s * p_next
                q_next -= kappa_low[j] * sp
                q_next -= kappa[j] * sp
                push = gain[j] * sp
                du[j] = push
                sum_kappa[j] -= sp * y_half
                sum_gain[j] += sp * u[j]
                p_next = p_next + h * q_next
                if rates is not None:
                    sum_rate[j] -= shrunk - h * (push * u[j])
                    p_next += lost[j] * p_next
                    q_next += lost[j] * q_next
                p[j] = p_next
                q[j] = q_next
        grad_drive[row, n_run:] = 0


@jit
def _adjoint(
    coefs, grad_momentum, grad_position, drive, positions, before, dt, lengths, first,
    grad, grad_drive, sums,
):  # fmt: skip
    _adjoint_of(
        coefs[0], coefs[2], grad_momentum, grad_position, drive, positions, before, dt, lengths,
        first, grad, grad_drive, sums,
    )  # fmt: skip


@jit
def _begin_anew(zm, ym, states, row, slot):
    if states is not None:
        for j in range(len(zm)):
            zm[j] = -states[row, slot, 0, j]
            ym[j] = states[row, slot, 1, j]


@jit
def _echo_of(
    rows, angles, rates, z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt, lengths,
    first, grad, grad_drive, middle, sums, slots, states,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    kappa, kappa_low, gain = rows[0], rows[1], rows[2]
    sum_kappa, sum_gain, sum_rate = sums[0], sums[1], sums[2]
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    shares = set_out(rates, rows)
    lost, again = shares[0], shares[1]
    for row in range(n_rows):
        zm, zd, ym, yd = z_mean[row], z_diff[row], y_mean[row], y_diff[row]
        size, scale = nudge[row], contrast[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        for t in range(n_run - 1, -1, -1):
            u, g, du, mid = drive[row, t], grad[row, t], grad_drive[row, t], middle[row, t]
            if dt.size > 0:
                if rates is not None and dt[row, 0, first + t] != s:
                    lose(rates, dt[row, 0, first + t], shares)
                s = dt[row, 0, first + t]
            h = half * s
            for j in range(n_modes):
                mid[j] = ym[j]
                if rates is None:
                    z, y_now = zm[j], ym[j]
                    dz, dy_now = zd[j] + size[j] * g[j], yd[j]
                else:
                    z, y_now = zm[j] + again[j] * zm[j], ym[j] + again[j] * ym[j]
                    dz, dy_now = zd[j] + size[j] * g[j], yd[j] + lost[j] * yd[j]
                    dz += lost[j] * dz
                    shrunk = s * scale[j] * (dz * y_now - dy_now * z)
                y = y_now + h * z
                dy = dy_now + h * dz
                z += s * (gain[j] * u[j] - kappa_low[j] * y)
                z -= s * kappa[j] * y
                dz -= s * kappa_low[j] * dy
                dz -= s * kappa[j] * dy
                # dL/dtheta = -sum contrast(dH/dtheta), H = kappa/2 y_half^2 - gain u y_half
                shift = s * scale[j] * dy
                push = gain[j] * shift
                du[j] = push
                sum_kappa[j] -= shift * y
                sum_gain[j] += shift * u[j]
                y_now = y + h * z
                dy_now = dy + h * dz
                if rates is not None:
                    sum_rate[j] -= shrunk - h * (push * u[j])
                    z += again[j] * z
                    y_now += again[j] * y_now
                    dz += lost[j] * dz
                    dy_now += lost[j] * dy_now
                zm[j] = z
                zd[j] = dz
                ym[j] = y_now
                yd[j] = dy_now
            slot = _slot(slots, first + t)
            if dt.size > 0 and dt.shape[1] > 1 and dt[row, 1, first + t] > 0:
                turn_echoes(
                    zm, zd, ym, yd, scale, dt[row, 1, first + t], angles, rates, sums,
                    _states_of(states, row), slot,
                )  # fmt: skip
            elif slot >= 0:
                _begin_anew(zm, ym, states, row, slot)
        grad_drive[row, n_run:] = 0
        middle[row, n_run:] = 0


@jit
def _echo(
    coefs, z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt, lengths, first,
    grad, grad_drive, middle, sums, slots=None, states=None,
):  # fmt: skip
    _echo_of(
        coefs[0], coefs[1], coefs[2], z_mean, z_diff, y_mean, y_diff, nudge, contrast, drive, dt,
        lengths, first, grad, grad_drive, middle, sums, slots, states,
    )  # fmt: skip


drivers = Drivers(Loop(_advance, 1), Loop(_adjoint, 2), Loop(_echo, 3), n_sums=3)
advance, adjoint, echo = drivers.advance, drivers.adjoint, drivers.echo
