"""A layer of harmonic oscillators whose motion decays."""

import math

import torch
from torch import nn

from ..kernels.oscillators import damped_oscillator_unit, undo_damped_oscillator_unit
from ..kernels.oscillators.borders import FASTEST
from ..kernels.oscillators.damped import one_step, reference
from ._hru import bounded, unbounded, uniform
from .linear_hru import LinearHRU

_DECAY = math.log(1e-5), math.log(FASTEST)
_FIRST_DECAY = math.log(1e-4), math.log(1e-1)
_FIRST_SHARE = 0.5  # of a mode's decay in the angle it turns by, where memory says both


class DampedHRU(LinearHRU):
    r"""Linear Hamiltonian recurrent unit with damping: oscillators that forget.

    A :class:`LinearHRU` whose momenta and positions lose the share
    :math:`1 - e^{-\lambda}` in every step, half of it before and half of it after the leapfrog
    step. This approximates

    .. math::
        \ddot y + \gamma \dot y + (a + \gamma^2 / 4) y = B u, \quad \gamma = 2 \lambda / d,

    an oscillator that swings with the frequency of :math:`a` alone and fades to 1/e within
    :math:`1 / \lambda` steps: the two are learned apart, as in D-LinOSS (arXiv 2505.12171).
    No mode is overdamped. Phase space shrinks by :math:`e^{-2\lambda}` a step exactly, and the
    unit is stable for every value of its parameters: :math:`\lambda = \exp(\cdot)` of a bounded
    number is within 1e-5 and 0.5. A smaller `dt` loses less, in proportion, and a gap of g
    units leaves the share :math:`e^{-\lambda g}` of what turns in it.

    With `gradient` "rhel" what was lost is given back on the way back (arXiv 2506.06248), and
    the gradient is that of back-propagation. But rounding grows with what is given back, and
    the echoes begin anew, from states that the run keeps, before the fastest mode has grown a
    thousandfold: every 14 steps if one fades within two, every 690 if none fades within a
    hundred. Beyond that many steps no float32 could be undone by any means, and
    :meth:`undo` and :meth:`return_error`, which have no such states, say so.

    Parameters
    ----------
    input_size, state_size, gradient, epsilon, complex
        As of :class:`LinearHRU`.
    memory : float, optional
        As of :class:`LinearHRU`; each mode then fades to 1/e at first while it turns by two
        radians, the slowest within twice as many steps.

    Attributes
    ----------
    B, C, D, stiffness_raw, step_raw : Parameter
        As of :class:`LinearHRU`.
    decay_raw : Parameter of shape (state_size,)

    Notes
    -----
    The start values are those of :class:`LinearHRU`, and without `memory` decays spread evenly
    in logarithm over 1e-4 to 0.1.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import DampedHRU
    >>> layer = DampedHRU(3, 8, gradient="rhel")
    >>> o, state = layer(torch.randn(2, 100, 3))
    >>> o.shape, state.shape
    (torch.Size([2, 100, 3]), torch.Size([2, 2, 16]))
    """

    _unit = staticmethod(damped_oscillator_unit)
    kind = reference
    one_step = one_step
    _undo = staticmethod(undo_damped_oscillator_unit)
    _names = "stiffness", "decay", "step"

    def __init__(
        self,
        input_size: int,
        state_size: int,
        *,
        gradient: str = "bptt",
        epsilon: float | str = "auto",
        complex: bool = True,
        memory: float | None = None,
    ):
        super().__init__(
            input_size, state_size, gradient=gradient, epsilon=epsilon, complex=complex,
            memory=memory,
        )  # fmt: skip
        if memory is None:
            first = uniform(state_size, low=_FIRST_DECAY[0], high=_FIRST_DECAY[1])
        else:
            stiffness, step = super().dynamics()
            first = (_FIRST_SHARE * stiffness.detach().sqrt() * step.detach()).log().float()
        self.decay_raw = nn.Parameter(unbounded(first, *_DECAY))

    def dynamics(self) -> tuple[torch.Tensor, ...]:
        """Stiffness a, decay and step size d of every mode, in float64."""
        stiffness, step = super().dynamics()
        return stiffness, self.decays(), step

    def decays(self) -> torch.Tensor:
        """Rate at which each mode decays, per step of full size, in float64."""
        return bounded(self.decay_raw, *_DECAY).exp()
