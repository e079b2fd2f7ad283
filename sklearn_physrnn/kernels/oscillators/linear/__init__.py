"""Driven linear oscillators, as callers see them."""

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


def oscillator(
    drive: torch.Tensor,
    stiffness: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor | None = None,
    **options: Unpack[Options],
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Positions of driven harmonic oscillators, by leapfrog steps.

    .. math::
        H(z, y; u) = \tfrac12 z^2 + \tfrac12 a y^2 - u y, \qquad
        y_½ = y + \tfrac d2 z, \quad
        z \leftarrow z - d (a y_½ - u), \quad
        y \leftarrow y_½ + \tfrac d2 z

    (arXiv 2506.05259, the linear Hamiltonian recurrent unit). A step is stable if
    :math:`0 < d^2 a < 4`; this function does not look. A `dt` above 1 is a gap: the
    oscillators turn undriven through what is above one unit (``turn.py``), and a step of one
    unit follows.

    Differentiable once with respect to `drive`, `stiffness`, `step` and `state`, either by
    back-propagation through time or by recurrent Hamiltonian echo learning (RHEL, the
    paper's section 3): with the momentum reversed the system runs back, once nudged
    by plus, once by minus `epsilon` times the loss gradient, and the contrast of the
    Hamiltonian's parameter gradient between the two echoes is the loss's. For these
    oscillators the two agree to rounding. Back-propagation keeps `drive` and the
    result, the echoes keep `drive` and the final state. Over gaps both are had by echoes.

    A sequence may be fed in pieces, with the state carried on: values and gradients are
    those of the whole. A gradient of the last state is there for the echoes to begin with,
    that of a position as a nudge of the momentum, that of a momentum as one of the position,
    and what they end with is the gradient of the first state.

    Parameters
    ----------
    drive : Tensor of shape (batch, time, modes)
        Force u on each oscillator.
    stiffness : Tensor of shape (modes,)
        a, per unit of time squared.
    step : Tensor of shape (modes,)
        Step size d, in units of time. A float64 `stiffness` and `step` are not
        rounded with a float32 `drive`.
    state : Tensor of shape (2, batch, modes), optional
        Where the oscillators are at first, as an earlier call returned it; at rest in the
        origin by default. Differentiable like `drive`.
    **options
        dt, lengths, gradient, epsilon, backend: see :class:`..seam.Options`. Any `epsilon` is
        exact but for rounding, and compiled, where the echoes run as their mean and half
        difference, it cancels; the reference's "auto" gives each sample and mode the root mean
        square of its positions over the norm of its loss gradient.

    Returns
    -------
    y : Tensor of shape (batch, time, modes)
        Positions after each step.
    state : Tensor of shape (2, batch, modes)
        After each sample's last step: the momenta times the step size, d z, by which a step
        without a force moves the positions, and the positions. Of the dtype of the
        computation, float32 at least.

    Raises
    ------
    TypeError
        If `drive`, `state` or `dt` is not real or `lengths` not integer.
    ValueError
        If a shape does not fit, a length is out of range, or `epsilon` is not positive.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.kernels.oscillators import oscillator
    >>> drive = torch.zeros(1, 4, 1)
    >>> drive[0, 0] = 1.0
    >>> y, state = oscillator(drive, torch.ones(1), torch.ones(1))
    >>> y.flatten()
    tensor([ 0.5000,  1.0000,  0.5000, -0.5000])
    >>> y, state = oscillator(drive, torch.ones(1), torch.ones(1), state)
    """
    parameters = {"stiffness": stiffness, "step": step}
    return _KIND.positions(drive, parameters, state, **options)


def oscillator_unit(
    u: torch.Tensor,
    b_matrix: torch.Tensor,
    c_matrix: torch.Tensor,
    skip: torch.Tensor,
    stiffness: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor | None = None,
    *,
    checked: bool = False,
    **options: Unpack[Options],
) -> tuple[torch.Tensor, torch.Tensor]:
    """``C y + D u`` where ``y = oscillator(B u)``, with neither drive nor y kept whole.

    Compiled, for a CPU or a GPU, `gradient` "rhel" keeps nothing that grows with time but
    `u`, and "bptt" nothing but `u` and the positions. Elsewhere this is the composition it
    says.

    Parameters
    ----------
    u : Tensor of shape (batch, time, inputs)
        Input. Past `lengths` it must be finite, and is not masked by ``D u``.
    b_matrix : Tensor of shape (modes, inputs)
        B.
    c_matrix : Tensor of shape (inputs, modes)
        C.
    skip : Tensor of shape (inputs,)
        The diagonal D.
    stiffness, step, state, **options
        As in :func:`oscillator`.
    checked : bool, default=False
        The caller has passed `u`, `dt` and `lengths` to
        :func:`~sklearn_physrnn.kernels.oscillators.check_sequence`: do not check them again.

    Returns
    -------
    o : Tensor of shape (batch, time, inputs)
    state : Tensor of shape (2, batch, modes)
        As of :func:`oscillator`.
    """
    maps = {"b_matrix": b_matrix, "c_matrix": c_matrix, "skip": skip}
    parameters = {"stiffness": stiffness, "step": step}
    return _KIND.outputs(u, maps, parameters, state, checked=checked, **options)


def undo_oscillator_unit(
    u: torch.Tensor,
    b_matrix: torch.Tensor,
    stiffness: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor,
    *,
    checked: bool = False,
    **way: Unpack[Way],
) -> torch.Tensor:
    """The state from which :func:`oscillator_unit` comes to `state` through the inputs `u`.

    The oscillators run back in time: with their momenta reversed, through the inputs from
    each sample's last to its first. What is off is rounding, which grows with the root of
    the number of steps. Without a gradient, and in memory that does not grow with time.

    Parameters
    ----------
    u : Tensor of shape (batch, time, inputs)
        Input.
    b_matrix : Tensor of shape (modes, inputs)
        B.
    stiffness, step
        As in :func:`oscillator`.
    state : Tensor of shape (2, batch, modes)
        After each sample's last step.
    checked : bool, default=False
        As in :func:`oscillator_unit`.
    **way
        dt, lengths, backend: see :class:`..seam.Way`.

    Returns
    -------
    state : Tensor of shape (2, batch, modes)
        Before each sample's first step.
    """
    parameters = {"stiffness": stiffness, "step": step}
    return _KIND.undone(u, {"b_matrix": b_matrix}, parameters, state, checked=checked, **way)
