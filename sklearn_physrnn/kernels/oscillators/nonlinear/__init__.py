"""Driven nonlinear oscillators, as callers see them."""

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


def nonlinear_oscillator(
    drive: torch.Tensor,
    w: torch.Tensor,
    c: torch.Tensor,
    alpha: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor | None = None,
    *,
    rest: torch.Tensor | None = None,
    **options: Unpack[Options],
) -> tuple[torch.Tensor, torch.Tensor]:
    r"""Positions of driven nonlinear oscillators, by leapfrog steps.

    .. math::
        H(z, y; u) = \tfrac12 z^2 + \tfrac\alpha2 y^2 + \tfrac cw \log\cosh(w y + u),
        \quad
        y_½ = y + \tfrac d2 z, \quad
        z \leftarrow z - d\,[\alpha y_½ + c \tanh(w y_½ + u)], \quad
        y \leftarrow y_½ + \tfrac d2 z

    (arXiv 2506.05259, the nonlinear Hamiltonian recurrent unit, after UnICORNN,
    arXiv 2103.05487). A step is stable if :math:`d^2 (\alpha + c w) < 4`; this function
    does not look. A `dt` above 1 is a gap, of up to 1,000 units: what is above one unit passes
    in equal steps of at most one, under the drive `rest` (``gap.py``), and a step of one unit
    follows. A longer one is taken for 1,000.

    Differentiable once with respect to `drive`, the parameters and `state`, by
    back-propagation through time, or by recurrent Hamiltonian echo learning (RHEL; see
    :func:`sklearn_physrnn.kernels.oscillators.oscillator`), whose central difference has
    an error of the order of the nudge squared. In pieces every one has nudges by its own
    motion and gradient, which is of that order, too: 1e-12 of a gradient with "auto", whose
    nudges are that small. Over gaps both ways are the echoes, with "auto" for
    back-propagation.

    Parameters
    ----------
    drive : Tensor of shape (batch, time, modes)
        Input u to each oscillator, a bias included.
    w, c, alpha : Tensor of shape (modes,)
        Slope of the nonlinearity, its strength, and stiffness.
    step : Tensor of shape (modes,)
        Step size d, in units of time. Parameters in float64 are not rounded with a
        float32 `drive`.
    state : Tensor of shape (2, batch, modes), optional
        As in :func:`sklearn_physrnn.kernels.oscillators.oscillator`.
    rest : Tensor of shape (modes,), optional
        The drive in gaps, where nothing arrives: a bias; zero by default.
    **options
        dt, lengths, gradient, epsilon, backend: see :class:`..seam.Options`. An `epsilon` of
        "auto" gives each sample and mode 1e-8 (1e-3 in the reference, whose echoes run apart
        and then cancel) times the root mean square of its positions over the norm of its loss
        gradient.

    Returns
    -------
    y : Tensor of shape (batch, time, modes)
        Positions after each step.
    state : Tensor of shape (2, batch, modes)
        After each sample's last step: d z and the positions.

    Raises
    ------
    TypeError
        If `drive`, `state` or `dt` is not real or `lengths` not integer.
    ValueError
        If a shape does not fit, a length is out of range, or `epsilon` is not positive.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.kernels.oscillators import nonlinear_oscillator
    >>> one = torch.ones(1)
    >>> y, state = nonlinear_oscillator(-torch.ones(1, 3, 1), one, one, one, 0.1 * one)
    >>> bool((y > 0).all())
    True
    """
    rest = torch.zeros_like(w) if rest is None else rest
    parameters = {"w": w, "c": c, "alpha": alpha, "rest": rest, "step": step}
    return _KIND.positions(drive, parameters, state, **options)


def nonlinear_oscillator_unit(
    u: torch.Tensor,
    b_matrix: torch.Tensor,
    bias: torch.Tensor,
    c_matrix: torch.Tensor,
    skip: torch.Tensor,
    w: torch.Tensor,
    c: torch.Tensor,
    alpha: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor | None = None,
    *,
    checked: bool = False,
    **options: Unpack[Options],
) -> tuple[torch.Tensor, torch.Tensor]:
    """``C y + D u``, ``y = nonlinear_oscillator(B u + b)``, with neither drive nor y whole.

    Compiled, for a CPU or a GPU, `gradient` "rhel" keeps nothing that grows with time but
    `u`, and "bptt" nothing but `u` and two trajectories. Elsewhere this is the composition
    it says.

    Parameters
    ----------
    u : Tensor of shape (batch, time, inputs)
        Input. Past `lengths` it must be finite, and is not masked by ``D u``.
    b_matrix : Tensor of shape (modes, inputs)
        B.
    bias : Tensor of shape (modes,)
        b, which drives in gaps, too.
    c_matrix : Tensor of shape (inputs, modes)
        C.
    skip : Tensor of shape (inputs,)
        The diagonal D.
    w, c, alpha, step, state, **options
        As in :func:`nonlinear_oscillator`.
    checked : bool, default=False
        As in :func:`sklearn_physrnn.kernels.oscillators.oscillator_unit`.

    Returns
    -------
    o : Tensor of shape (batch, time, inputs)
    state : Tensor of shape (2, batch, modes)
        As of :func:`nonlinear_oscillator`.
    """
    maps = {"b_matrix": b_matrix, "bias": bias, "c_matrix": c_matrix, "skip": skip}
    parameters = {"w": w, "c": c, "alpha": alpha, "rest": bias, "step": step}
    return _KIND.outputs(u, maps, parameters, state, checked=checked, **options)


def undo_nonlinear_oscillator_unit(
    u: torch.Tensor,
    b_matrix: torch.Tensor,
    bias: torch.Tensor,
    w: torch.Tensor,
    c: torch.Tensor,
    alpha: torch.Tensor,
    step: torch.Tensor,
    state: torch.Tensor,
    *,
    checked: bool = False,
    **way: Unpack[Way],
) -> torch.Tensor:
    """The state from which :func:`nonlinear_oscillator_unit` comes to `state` through `u`.

    See :func:`sklearn_physrnn.kernels.oscillators.undo_oscillator_unit`. Where the
    oscillators are chaotic, rounding grows as fast going back as it does going forward.

    Parameters
    ----------
    u : Tensor of shape (batch, time, inputs)
        Input.
    b_matrix : Tensor of shape (modes, inputs)
        B.
    bias : Tensor of shape (modes,)
        b.
    w, c, alpha, step
        As in :func:`nonlinear_oscillator`.
    state : Tensor of shape (2, batch, modes)
        After each sample's last step.
    checked : bool, default=False
        As in :func:`nonlinear_oscillator_unit`.
    **way
        dt, lengths, backend: see :class:`..seam.Way`.

    Returns
    -------
    state : Tensor of shape (2, batch, modes)
        Before each sample's first step.
    """
    maps = {"b_matrix": b_matrix, "bias": bias}
    parameters = {"w": w, "c": c, "alpha": alpha, "rest": bias, "step": step}
    return _KIND.undone(u, maps, parameters, state, checked=checked, **way)
