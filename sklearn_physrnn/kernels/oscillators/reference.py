"""The leapfrog of any driven oscillator in plain torch, there and back: the truth.

The compiled kernels are held to it. It follows the paper's variables literally, momentum z
and position y, where they work in a rescaled momentum. What pulls an oscillator is its own
kind's affair, which :class:`.engine.Reference` describes.

Shape letters: B batch, T time, P modes.
"""

from collections.abc import Sequence

import torch

from .engine import Reference
from .steps import has_gaps

State = tuple[torch.Tensor, torch.Tensor]  # momentum and position, (B, P) each


def leapfrog(
    kind: Reference,
    drive: torch.Tensor,
    parameters: Sequence[torch.Tensor],
    steps: torch.Tensor | None,
    lengths: torch.Tensor | None,
    start: State | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Positions (B, T, P) from `start` or rest, and the final momentum and position (B, P).

    `steps` are those of :func:`.steps.as_steps`.
    """
    *shape, step = parameters
    if start is None:
        rest = drive.new_zeros(drive.shape[0], drive.shape[2])
        start = rest, rest
    z, y = start
    outputs = []
    for t in range(drive.shape[1]):
        d = step if steps is None else step * steps[:, 0, t, None]
        z_turned, y_turned = _after_gap(kind, z, y, parameters, steps, t)
        if kind.left is not None:
            units = 1.0 if steps is None else steps[:, 0, t, None]
            share = kind.left(units / 2, *parameters)
            z_turned, y_turned = share * z_turned, share * y_turned
        y_half = y_turned + d / 2 * z_turned
        z_next = z_turned - d * kind.force(y_half, drive[:, t], *shape)
        y_next = y_half + d / 2 * z_next
        if kind.left is not None:
            z_next, y_next = share * z_next, share * y_next
        output = y_next
        if lengths is not None:
            running = (t < lengths)[:, None]
            z_next = torch.where(running, z_next, z)
            y_next = torch.where(running, y_next, y)
            output = torch.where(running, y_next, torch.zeros_like(y))
        z, y = z_next, y_next
        outputs.append(output)
    return torch.stack(outputs, 1), z, y


def _after_gap(kind, z, y, parameters, steps, t):
    if not has_gaps(steps):
        return z, y
    return kind.gap(z, y, steps[:, 1, t, None], *parameters)


@torch.no_grad()
def echo(
    kind: Reference,
    drive: torch.Tensor,
    parameters: Sequence[torch.Tensor],
    steps: torch.Tensor | None,
    lengths: torch.Tensor | None,
    end: State,
    grad: torch.Tensor,
    grad_end: State | torch.Tensor | None,
    epsilon: torch.Tensor,
    begin: State | None = None,
) -> tuple[torch.Tensor, State, list[torch.Tensor]]:
    r"""Gradients of the drive, the start and the parameters by two echoes of the run to `end`.

    With the momentum reversed the oscillators run back, nudged by plus and minus `epsilon`
    (B, P) times the loss gradient: of every position, `grad`, and of the end, `grad_end` if
    there is one, whose part of y nudges the momentum, and that of z the position. Every
    sub-step's Hamiltonian is read at that sub-step's own state: :math:`z^2 / 4` in the half
    drift before and after the kick, the potential in the middle. Over a gap it is not read
    but had at once: the derivative of what the gap does to the mean of the echoes, times
    their half difference. The two are the same to the order that echoes are exact to.

    What decayed grows on the way back, and the two echoes drift apart too far: for the loss,
    to which all that follows decays, their difference counts for as much less as phase space
    has grown. Nudges are the larger for it, and contrasts the smaller. Over a gap before the
    first step nothing is undone if the state `begin` before it is given.
    """
    *shape, step = parameters
    sign = torch.tensor([1.0, -1.0], dtype=drive.dtype, device=drive.device)[:, None, None]
    z, y = -end[0].expand(2, *end[0].shape), end[1].expand(2, *end[1].shape)
    if grad_end is not None:
        grad_z, grad_y = grad_end
        z, y = z + sign * (epsilon * grad_y), y + sign * (epsilon * grad_z)
    grad_drive, grads = torch.zeros_like(drive), [torch.zeros_like(end[0]) for _ in parameters]
    weight = torch.ones_like(z[0])  # of phase space at the end, by that where the echoes are
    for t in range(drive.shape[1] - 1, -1, -1):
        u = drive[:, t]
        scale = torch.ones_like(z[0])
        if steps is not None:
            scale = steps[:, 0, t, None].expand_as(z[0])
        nudge = epsilon * grad[:, t] / weight
        if lengths is not None:
            running = (t < lengths)[:, None]
            scale, nudge = torch.where(running, scale, 0.0), torch.where(running, nudge, 0.0)
        d = step * scale
        z = z + sign * nudge
        if kind.left is not None:
            share = kind.left(scale / 2, *parameters)
            grads[-2] -= scale / 2 * weight * _product(z, y, epsilon)
            z, y, weight = z / share, y / share, weight * share**2
        contrast = -weight / (2 * epsilon)
        y_half = y + d / 2 * z
        z_next = z - d * kind.force(y_half, u, *shape)
        y = y_half + d / 2 * z_next
        potential, by_drive, *by_shape = kind.potential(y_half, u, *shape)
        energy = (z**2 + z_next**2) / 4 + potential
        z = z_next
        grad_drive[:, t] = contrast * d * (by_drive[0] - by_drive[1])
        for total, reading in zip(grads[:-1], by_shape, strict=True):
            total += contrast * d * (reading[0] - reading[1])
        grads[-1] += contrast * scale * (energy[0] - energy[1])
        if kind.left is not None:
            z, y, weight = z / share, y / share, weight * share**2
            grads[-2] -= scale / 2 * weight * _product(z, y, epsilon)
        if has_gaps(steps):
            gap = steps[:, 1, t, None]
            if lengths is not None:
                gap = torch.where(running, gap, 0.0)
            pull = _pulls(z, y, weight, epsilon)
            known = t == 0 and begin is not None
            if not known:
                z, y = kind.gap(z, y, gap, *parameters)
                if kind.left is not None:
                    share = kind.left(gap, *parameters)
                    z, y, weight = z / share**2, y / share**2, weight * share**2
            before = begin if known else (-z.mean(0), y.mean(0))
            *pull, parts = _gap_gradients(kind, before, gap, parameters, pull)
            for total, part in zip(grads, parts, strict=True):
                total += part
            if known:
                return grad_drive, pull, [total.sum(0) for total in grads]
    return grad_drive, _pulls(z, y, weight, epsilon), [total.sum(0) for total in grads]


def _pulls(z, y, weight, epsilon):
    """Gradient of momentum and of position, of which echoes are nudged the other way round."""
    return weight * (y[0] - y[1]) / (2 * epsilon), weight * (z[0] - z[1]) / (2 * epsilon)


def _product(z, y, epsilon):
    """Product of the state with its gradient."""
    by_z, by_y = _pulls(z, y, 1.0, epsilon)
    return by_y * y.mean(0) - by_z * z.mean(0)


def _gap_gradients(kind, before, gap, parameters, pull):
    """Gradients (B, P) of a state and of parameters from those of that after a gap, `pull`."""
    each = [x.detach().expand_as(before[0]).clone().requires_grad_() for x in parameters]
    state = [x.detach().requires_grad_() for x in before]
    with torch.enable_grad():
        after = kind.gap(*state, gap, *each)
    # Of no gap in steps not all parameters are part.
    by_z, by_y, *rest = torch.autograd.grad(after, [*state, *each], pull, materialize_grads=True)
    return by_z, by_y, rest
