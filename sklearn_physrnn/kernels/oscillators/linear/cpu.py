"""Linear oscillators on the CPU: the free run, its adjoint and the two echoes.

Shape letters: B batch, T time steps of the arrays at hand (a chunk, perhaps), P modes.

The step in the kernels' own variables stands in ``parameters.py``.

The two echoes run as their mean and half difference, the same pair of runs in other
coordinates. Kept apart, they would have to be subtracted, and at a nudge of one size
lose digits in a mode that answers weakly, at another in one that answers strongly: the
float32 gradient of a two-block model over 50,000 steps was then 1e-6 from the exact
one's cosine, 20 times as far as back-propagation's. As it is the nudge's size cancels.

Tensors may be a chunk of a longer series: `first` is the time of their first step, and
the state passes from one call to the next. `dt` (B, T of the whole series) is empty
where every step has the same size; `lengths` (B,) counts the steps of each sample.
The functions that others call take and give torch tensors, contiguous, of one dtype.
"""

import numpy as np
import torch

from ..._threads import run, shards
from ..strict import jit
from .parameters import chain

N_KEPT = 1  # trajectories the adjoint needs: the positions
RELATIVE_NUDGE = None  # its size cancels
_N_SUMS = 2  # gradients of kappa and gain


def coefficients(parameters: list[torch.Tensor], dtype: torch.dtype) -> np.ndarray:
    """Rows kappa, what kappa lost in rounding, gain."""
    stiffness, step = (x.double().numpy() for x in parameters)
    kind = torch.empty(0, dtype=dtype).numpy().dtype
    with np.errstate(all="ignore"):  # parameters may be zero or not finite
        gain = step * step
        kappa = gain * stiffness
        high = kappa.astype(kind)
        return np.stack([high, (kappa - high).astype(kind), gain.astype(kind)])


def parameter_gradients(sums: np.ndarray, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
    """Gradients of (stiffness, step), given in float64, from those of kappa and gain."""
    grads = chain(sums, *(x.numpy() for x in parameters))
    return [torch.from_numpy(grad) for grad in grads]


@jit
def _advance(coefs, momentum, position, drive, dt, lengths, first, out):
    n_rows, n_steps, n_modes = drive.shape
    kappa, kappa_low, gain = coefs[0], coefs[1], coefs[2]
    half = drive.dtype.type(0.5)
    s = drive.dtype.type(1)
    for row in range(n_rows):
        z, y = momentum[row], position[row]
        n_run = max(0, min(n_steps, lengths[row] - first))
        for t in range(n_run):
            u, o = drive[row, t], out[row, t]
            if dt.size > 0:
                s = dt[row, first + t]
            h = half * s
            for j in range(n_modes):
                y_half = y[j] + h * z[j]
                z_next = z[j] + s * (gain[j] * u[j] - kappa_low[j] * y_half)
                z_next -= s * kappa[j] * y_half
                y_next = y_half + h * z_next
                z[j] = z_next
                y[j] = y_next
                o[j] = y_next
        out[row, n_run:] = 0


@jit
def _adjoint(
    coefs, grad_momentum, grad_position, drive, positions, before, dt, lengths, first,
    grad, grad_drive, sums,
):  # fmt: skip
    n_rows, n_steps, n_modes = drive.shape
    kappa, kappa_low, gain = coefs[0], coefs[1], coefs[2]
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
                s = dt[row, first + t]
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
    kappa, kappa_low, gain = coefs[0], coefs[1], coefs[2]
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
                s = dt[row, first + t]
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
        grad_drive[row, n_run:] = 0
        middle[row, n_run:] = 0


def advance(coefs, state, power, drive, dt, lengths, first, kept):
    """Run freely through `drive` (B, T, P), from and to `state` (2, B, P), in place.

    ``kept[0]`` (B, T, P) receives the positions. `power` stays empty: nobody needs it.
    """
    z, y = state.numpy()
    out = kept[0].numpy()
    drive, dt, lengths = drive.numpy(), dt.numpy(), lengths.numpy()

    def piece(_, start, stop):
        rows = slice(start, stop)
        _advance(coefs, z[rows], y[rows], drive[rows], dt[rows], lengths[rows], first, out[rows])

    run(piece, shards(len(drive), drive[0].size))


def adjoint(coefs, grad_state, drive, kept, before, dt, lengths, first, grad, grad_drive):
    """Back-propagate `grad` (B, T, P), the gradient of the positions.

    `grad_state` (2, B, P) is updated in place, `grad_drive` written. `before` (B, P)
    is the position before the first step. Returns the gradients of kappa and gain.
    """
    p, q = grad_state.numpy()
    positions = kept[0].numpy()
    drive, before, dt, lengths, grad, grad_drive = (
        x.numpy() for x in (drive, before, dt, lengths, grad, grad_drive)
    )
    pieces = shards(len(drive), 2 * drive[0].size)
    sums = np.zeros((len(pieces), _N_SUMS, drive.shape[2]), drive.dtype)

    def piece(index, start, stop):
        rows = slice(start, stop)
        _adjoint(
            coefs, p[rows], q[rows], drive[rows], positions[rows], before[rows], dt[rows],
            lengths[rows], first, grad[rows], grad_drive[rows], sums[index],
        )  # fmt: skip

    run(piece, pieces)
    return sums.sum(axis=0, dtype=np.float64)


def echo(coefs, states, nudge, drive, dt, lengths, first, grad, grad_drive, middle):
    """Run both echoes back through `drive`, nudged by plus and minus `nudge` times `grad`.

    `states` (4, B, P) is updated in place; `nudge` (2, B, P) holds the nudges of Z and
    the factor of the contrasts of half differences. `middle` (B, T, P), or None,
    receives the mean of the two echoes' positions, that is the free run's. Returns the
    gradients of kappa and gain.
    """
    if middle is None:
        middle = torch.empty_like(drive)
    states, (nudge, contrast) = states.numpy(), nudge.numpy()
    drive, dt, lengths, grad, grad_drive, middle = (
        x.numpy() for x in (drive, dt, lengths, grad, grad_drive, middle)
    )
    pieces = shards(len(drive), 3 * drive[0].size)
    sums = np.zeros((len(pieces), _N_SUMS, drive.shape[2]), drive.dtype)

    def piece(index, start, stop):
        rows = slice(start, stop)
        _echo(
            coefs, *states[:, rows], nudge[rows], contrast[rows], drive[rows], dt[rows],
            lengths[rows], first, grad[rows], grad_drive[rows], middle[rows], sums[index],
        )  # fmt: skip

    run(piece, pieces)
    return sums.sum(axis=0, dtype=np.float64)
