"""A layer of harmonic oscillators."""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import nn

from ..kernels.oscillators import oscillator_unit, undo_oscillator_unit
from ..kernels.oscillators.engine import OneStep, Reference
from ..kernels.oscillators.linear import one_step, reference
from ._check import check_flags
from ._hru import HRU, STABLE, bounded, check_memory, turns, unbounded, uniform

_STEP = 1e-3, STABLE**0.5 / 2  # with stiffness below 4, step^2 stiffness < STABLE
_STIFFNESS = 1e-4, 4.0
_LARGEST_FIRST = 0.9  # step size that a mode begins with, away from the bound


class LinearHRU(HRU):
    r"""Linear Hamiltonian recurrent unit: oscillators between two linear maps.

    Each of `state_size` modes has a momentum z and a position y, at rest at first, and
    a Hamiltonian that the input drives,

    .. math::
        H(z, y; u) = \tfrac12 z^2 + \tfrac12 a y^2 - (B u) y,

    integrated by leapfrog steps of size d (drift, kick, drift); the output is
    :math:`o_t = \operatorname{Re}(C y_t) + D u_t` with diagonal D (arXiv 2506.05259,
    section on linear units). Energy is conserved and time can be reversed, which is
    what `gradient` "rhel" uses.

    The parameters `stiffness_raw` and `step_raw` may take any value: :math:`a` is
    bounded by 1e-4 and 4, :math:`d` by 0.001 and 0.995, so that :math:`0 < d^2 a < 4`,
    the condition for a stable step, always holds, also where `dt` makes steps smaller.
    Steps that vary in rhythm with an oscillator can drive it even so, as a swing is driven:
    with a = 1, six steps of 0.3 and six of 0.73 in turn grow by 1.06 every twelve.

    A `dt` above 1 is a gap, of any length. In what is above one unit nothing arrives: the
    oscillators turn, undriven, along the ellipses that steps of one unit keep to, by the
    angle of as many steps,

    .. math::
        \begin{pmatrix} y \\ d z \end{pmatrix} \leftarrow
        \begin{pmatrix} \cos \varphi & \sin \varphi / \omega \\
        -\omega \sin \varphi & \cos \varphi \end{pmatrix}
        \begin{pmatrix} y \\ d z \end{pmatrix}, \quad
        \varphi = 2 (dt - 1) \arcsin \frac{d \sqrt a}2, \quad
        \omega^2 = \frac{d^2 a}{1 - d^2 a / 4},

    and a driven step of one unit follows. A gap of whole units is so many undriven steps
    exactly; any is reversible and keeps the energy that steps of one unit keep. The phase
    after a gap is as steep in a and d as it is long: beyond 100 units their gradient over it,
    by either way, counts :math:`(100 / (dt - 1))^2` of what it is, or it would drown all else.
    That of the state is exact over any.

    Parameters
    ----------
    input_size : int
        Number of inputs, and of outputs.
    state_size : int
        Number of modes.
    gradient : {"bptt", "rhel"}, default="bptt"
        Back-propagation through time, or recurrent Hamiltonian echo learning: three
        runs, one forward and two back in time, and nothing kept that grows with the
        number of steps except the input. The gradients agree to rounding.
    epsilon : float or "auto", default="auto"
        Size of the nudge under "rhel". Any size gives the exact gradient, but for
        rounding; "auto" picks one that rounding does not mind.
    complex : bool, default=True
        Complex B and C, held as real tensors with a trailing axis of two: a mode is
        then two real oscillators of the same stiffness and step.
    memory : float, optional
        Steps over which the slowest mode turns by one radian at first. The frequencies are then
        spread evenly by their logarithm, from one radian in so many steps to one a step, and a
        unit kick moves each mode by one unit at most. By default they begin as in the paper,
        most of them within ten steps.

    Attributes
    ----------
    B : Parameter of shape (state_size, input_size[, 2])
    C : Parameter of shape (input_size, state_size[, 2])
    D : Parameter of shape (input_size,)
    stiffness_raw, step_raw : Parameter of shape (state_size,)

    Notes
    -----
    NOTE[paper]: the released unit has a = relu(A), which leaves the stable region in
    training. The start values are the paper's: A ~ U(0, 1), d = sigmoid(U(0, 1)). Modes that
    all turn within tens of steps tell when something was rather than what: of a constant answer
    to a kick, at any lag up to 1,000, the best weighted sum of 64 of them has 0.6 %, with
    `memory` 1,000 it has 99.0 %, and of damped ones 99.9 % (`examples/reproduce/time_scales.py`).
    For the integral of sin(w t) / w over all w is the same at any t above 0.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import LinearHRU
    >>> layer = LinearHRU(3, 8, gradient="rhel")
    >>> o, state = layer(torch.randn(2, 100, 3))
    >>> o.shape, state.shape
    (torch.Size([2, 100, 3]), torch.Size([2, 2, 16]))

    A sequence may be fed in pieces, with the state carried on:

    >>> o, state = layer(torch.randn(2, 10, 3), state)
    """

    _unit: Callable[..., tuple[torch.Tensor, torch.Tensor]] = staticmethod(oscillator_unit)
    kind: Reference = reference
    one_step: OneStep = one_step
    _undo: Callable[..., torch.Tensor] = staticmethod(undo_oscillator_unit)
    _names: ClassVar[tuple[str, ...]] = "stiffness", "step"

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
        super().__init__(input_size, state_size, gradient, epsilon)
        check_flags(complex=complex)
        check_memory(memory)
        self.complex = complex
        parts = (2,) if complex else ()
        stiffness, step = self._first(state_size, memory)
        self.stiffness_raw = nn.Parameter(unbounded(stiffness, *_STIFFNESS))
        self.step_raw = nn.Parameter(unbounded(step, *_STEP))
        scale_in, scale_out = input_size**-0.5, state_size**-0.5
        self.B = nn.Parameter(
            uniform(state_size, input_size, *parts, low=-scale_in, high=scale_in)
        )
        self.C = nn.Parameter(
            uniform(input_size, state_size, *parts, low=-scale_out, high=scale_out)
        )
        self.D = nn.Parameter(torch.randn(input_size))

    def _first(self, n: int, memory: float | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Stiffness and step size of n modes at the start."""
        if memory is None:
            stiffness = uniform(n, low=_STIFFNESS[0], high=1.0)
            return stiffness, torch.sigmoid(uniform(n, low=0.0, high=1.0))
        turn = turns(n, memory)
        step = turn.sqrt().clamp(max=_LARGEST_FIRST)
        return (turn / step).square(), step

    def dynamics(self) -> tuple[torch.Tensor, ...]:
        """Stiffness a and step size d of every mode, in float64.

        A rounding error of theirs would grow with time, so they are never float32.
        """
        return bounded(self.stiffness_raw, *_STIFFNESS), bounded(self.step_raw, *_STEP)

    def stiffnesses(self) -> tuple[torch.Tensor, ...]:
        """Second derivative of the potential of each mode, which is one everywhere."""
        return self.dynamics()[:1]

    @property
    def n_oscillators(self) -> int:
        """Oscillators of the state: two a complex mode, real parts first, else one."""
        return 2 * self.state_size if self.complex else self.state_size

    def _arguments(self, *dynamics):
        b_matrix: torch.Tensor = self.B
        c_matrix: torch.Tensor = self.C
        if self.complex:
            dynamics = tuple(x.repeat(2) for x in dynamics)
            b_matrix = torch.cat([self.B[..., 0], self.B[..., 1]])
            c_matrix = torch.cat([self.C[..., 0], -self.C[..., 1]], 1)
        out = {"c_matrix": c_matrix, "skip": self.D}
        return {"b_matrix": b_matrix}, out, dict(zip(self._names, dynamics, strict=True))
