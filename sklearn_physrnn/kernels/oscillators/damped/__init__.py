"""Driven damped linear oscillators, as callers see them."""

from typing import Unpack

import torch

from ..engine import Engine
from ..seam import Options, Oscillators, Way
from . import reference


def _engine(backend: str) -> Engine:
    if backend == "cuda":
        from . import cuda

        return cuda
    from . import cpu

    return cpu


_KIND = Oscillators(reference, _engine)


def damped_oscillator(
    drive: torch.Tensor,
    stiffness: torch.Tensor,
    decay: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor | None = None,
    **options: Unpack[Options],
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Positions of driven harmonic oscillators whose motion decays.

    Half of a step's decay, the step of :func:`~..oscillator`, and the other half:

    .. math::
        (z, y) \leftarrow e^{-\lambda/2} (z, y), \quad
        y_½ = y + \tfrac d2 z, \quad
        z \leftarrow z - d (a y_½ - u), \quad
        y \leftarrow y_½ + \tfrac d2 z, \quad
        (z, y) \leftarrow e^{-\lambda/2} (z, y)

    This approximates :math:`\ddot y + \gamma \dot y + (a + \gamma^2/4) y = u` with
    :math:`\gamma = 2 \lambda / d` and :math:`z = \dot y + \gamma y / 2`, which swings with the
    frequency that a alone sets, whatever its damping. Phase space shrinks by exactly
    :math:`e^{-2\lambda}` a step (it is conformally symplectic). With a decay of 0 or more it is
    stable where the undamped step is. A smaller step `dt` loses in proportion, a gap, which is
    as of :func:`~..oscillator`, too.

    Differentiable once with respect to `drive`, the parameters and `state`. Under RHEL what was
    lost is given back on the way back, and the echoes' difference, which grows with it, counts
    for as much less as phase space has grown. Rounding grows as well, by
    :math:`e^{\lambda}` a step: echoes therefore begin anew from states that the free run keeps
    before the fastest mode has grown a thousandfold (``..borders``), every
    :math:`\lfloor 6.9 / \lambda \rfloor` steps. On a GPU, whose values nobody waits for, these
    are 13 steps apart, which is enough for a decay up to 0.5, and one where there may be gaps.

    Parameters
    ----------
    drive : Tensor of shape (batch, time, modes)
        Force u on each oscillator.
    stiffness : Tensor of shape (modes,)
        a, per unit of time squared.
    decay : Tensor of shape (modes,)
        Rate :math:`\lambda` at which momentum and position decay, per step of full size: after
        1 / decay of them 1/e is left. It may differ in dtype as `stiffness` may.
    step : Tensor of shape (modes,)
        Step size d, in units of time.
    state, **options
        As of :func:`~..oscillator`.

    Returns
    -------
    y : Tensor of shape (batch, time, modes)
        Positions after each step.
    state : Tensor of shape (2, batch, modes)
        As of :func:`~..oscillator`.

    Raises
    ------
    TypeError, ValueError
        As of :func:`~..oscillator`.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.kernels.oscillators import damped_oscillator
    >>> drive = torch.zeros(1, 4, 1)
    >>> drive[0, 0] = 1.0
    >>> y, state = damped_oscillator(drive, torch.ones(1), torch.full((1,), 0.6931), torch.ones(1))
    >>> y.flatten()
    tensor([ 0.3536,  0.3536,  0.0884, -0.0442])
    """
    parameters = {"stiffness": stiffness, "decay": decay, "step": step}
    return _KIND.positions(drive, parameters, state, **options)


def damped_oscillator_unit(
    u: torch.Tensor,
    b_matrix: torch.Tensor,
    c_matrix: torch.Tensor,
    skip: torch.Tensor,
    stiffness: torch.Tensor,
    decay: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor | None = None,
    *,
    checked: bool = False,
    **options: Unpack[Options],
) -> tuple[torch.Tensor, torch.Tensor]:
    """``C y + D u`` where ``y = damped_oscillator(B u)``, see :func:`~..oscillator_unit`.

    Parameters
    ----------
    u, b_matrix, c_matrix, skip, checked
        As of :func:`~..oscillator_unit`.
    stiffness, decay, step, state, **options
        As of :func:`damped_oscillator`.

    Returns
    -------
    o : Tensor of shape (batch, time, inputs)
    state : Tensor of shape (2, batch, modes)
    """
    maps = {"b_matrix": b_matrix, "c_matrix": c_matrix, "skip": skip}
    parameters = {"stiffness": stiffness, "decay": decay, "step": step}
    return _KIND.outputs(u, maps, parameters, state, checked=checked, **options)


def undo_damped_oscillator_unit(
    u: torch.Tensor,
    b_matrix: torch.Tensor,
    stiffness: torch.Tensor,
    decay: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor,
    *,
    checked: bool = False,
    **way: Unpack[Way],
) -> torch.Tensor:
    """The state from which :func:`damped_oscillator_unit` comes to `state` through inputs `u`.

    Rounding grows on the way by exp(decay x steps): where that is 1e7, nothing in float32 is
    left of what a mode once did.

    Parameters
    ----------
    u, b_matrix, checked, **way
        As of :func:`~..undo_oscillator_unit`.
    stiffness, decay, step
        As of :func:`damped_oscillator`.
    state : Tensor of shape (2, batch, modes)
        After each sample's last step.

    Returns
    -------
    state : Tensor of shape (2, batch, modes)
        Before each sample's first step.
    """
    parameters = {"stiffness": stiffness, "decay": decay, "step": step}
    return _KIND.undone(u, {"b_matrix": b_matrix}, parameters, state, checked=checked, **way)
