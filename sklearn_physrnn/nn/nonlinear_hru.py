"""A layer of nonlinear oscillators."""

import torch
from torch import nn
from torch.nn.functional import softplus

from ..kernels.oscillators import nonlinear_oscillator_unit, undo_nonlinear_oscillator_unit
from ..kernels.oscillators.nonlinear import one_step, reference
from ._check import check_numbers
from ._hru import HRU, STABLE, bounded, unbounded, uniform

_MIN_W = 0.1
_MIN_ALPHA = 1e-3
_STEP = 1e-4, 2.0


class NonlinearHRU(HRU):
    r"""Nonlinear Hamiltonian recurrent unit, after UnICORNN, between two linear maps.

    Each of `state_size` modes has a momentum z and a position y, at rest at first, and
    a Hamiltonian that the input drives,

    .. math::
        H(z, y; u) = \tfrac12 z^2 + \tfrac\alpha2 y^2
        + \tfrac cw \log\cosh(w y + B u + b),

    integrated by leapfrog steps of size d (drift, kick, drift); the output is
    :math:`o_t = C y_t + D u_t` with diagonal D (arXiv 2506.05259, section on nonlinear
    units).

    The parameters may take any value: :math:`w > 0.1`, :math:`\alpha > 0.001`,
    :math:`0 < c < 1`, and

    .. math::
        d = s / \sqrt{1 + s^2 (\alpha + c w) / 3.96}, \quad s = 2\,\sigma(\text{step\_raw}),

    which is s as long as that is small, keeps :math:`d^2 (\alpha + c w) < 4`, also where
    `dt` makes steps smaller. Steps that vary in rhythm with an oscillator can drive it even so
    (see :class:`LinearHRU`).

    A `dt` above 1 is a gap. How long a swing takes hangs on how wide it is, so that a gap has to
    be walked through: what is above one unit passes in as few equal steps as keep to one
    unit, in which nothing arrives and :math:`B u = 0`; a driven step of one unit follows. So a
    gap of n whole units is n steps without an input. It costs their time and no memory, may be
    of up to 1,000 units, and can be undone. Its gradient is that of echoes, by either way.

    Driven hard for long, these oscillators are chaotic: with a step of 0.5 and 18,000
    steps, a gradient in float32 has nothing to do with one in float64, by whatever
    method. The horizon, step times length, decides.

    Parameters
    ----------
    input_size : int
        Number of inputs, and of outputs.
    state_size : int
        Number of modes.
    gradient : {"bptt", "rhel"}, default="bptt"
        Back-propagation through time, or recurrent Hamiltonian echo learning: three
        runs, one forward and two back in time, and nothing kept that grows with the
        number of steps except the input.
    epsilon : float or "auto", default="auto"
        Size of the nudge under "rhel", whose gradient has an error of the order of its
        square. "auto" takes 1e-8 times the ratio of the positions' root mean square
        to the norm of the loss gradient, per sample and mode.
    initial_step : float, default=0.03
        The step sizes start spread over a decade below this, even in logarithm, since
        one size hears one band of frequencies only. The default keeps chaos away over
        ten thousand steps and more; 0.1 suits a thousand better (see Notes).

    Attributes
    ----------
    B : Parameter of shape (state_size, input_size)
    b : Parameter of shape (state_size,)
    C : Parameter of shape (input_size, state_size)
    D : Parameter of shape (input_size,)
    w_raw, c_raw, step_raw : Parameter of shape (state_size,)
    alpha_raw : Parameter of shape (), shared by the layer's modes

    Notes
    -----
    NOTE[paper]: the released unit kicks with y in place of the position half a step
    on, which is neither reversible nor symplectic, passes c through its sigmoid twice,
    leaves w, alpha and d unconstrained, and starts at d = 1e-4, where a series of a
    thousand steps is a tenth of a time unit. Here w ~ U(0.5, 1), b = 0,
    c = sigmoid(U(-1, 1)) and alpha ~ U(0.1, 1) start as in the paper, and log d as
    measured: with d = 0.02 throughout, two blocks told one to four oscillations of a
    noisy series of 896 steps apart, with 0.1 nine to fifteen, with 0.01 to 0.1 both.
    Over 17,984 steps their gradient in float32 was right with d spread up to 0.03; up to
    0.05 one model of three was chaotic.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import NonlinearHRU
    >>> layer = NonlinearHRU(3, 8, gradient="rhel")
    >>> o, state = layer(torch.randn(2, 100, 3))
    >>> o.shape, state.shape
    (torch.Size([2, 100, 3]), torch.Size([2, 2, 8]))
    """

    _unit = staticmethod(nonlinear_oscillator_unit)
    kind = reference
    one_step = one_step
    _undo = staticmethod(undo_nonlinear_oscillator_unit)

    def __init__(
        self,
        input_size: int,
        state_size: int,
        *,
        gradient: str = "bptt",
        epsilon: float | str = "auto",
        initial_step: float = 0.03,
    ):
        super().__init__(input_size, state_size, gradient, epsilon)
        w = uniform(state_size, low=0.5, high=1.0)
        self.w_raw = nn.Parameter((w - _MIN_W).expm1().log())
        self.c_raw = nn.Parameter(uniform(state_size, low=-1.0, high=1.0))
        alpha = uniform(low=0.1, high=1.0)
        self.alpha_raw = nn.Parameter((alpha - _MIN_ALPHA).expm1().log())
        check_numbers(initial_step=initial_step)
        if not 0.01 <= initial_step <= 1:
            raise ValueError(f"initial_step must be within [0.01, 1], got {initial_step!r}.")
        step = initial_step * 10 ** uniform(state_size, low=-1.0, high=0.0)
        self.step_raw = nn.Parameter(unbounded(step, *_STEP))
        scale_in, scale_out = input_size**-0.5, state_size**-0.5
        self.B = nn.Parameter(uniform(state_size, input_size, low=-scale_in, high=scale_in))
        self.b = nn.Parameter(torch.zeros(state_size))
        self.C = nn.Parameter(uniform(input_size, state_size, low=-scale_out, high=scale_out))
        self.D = nn.Parameter(torch.randn(input_size))

    def dynamics(self) -> tuple[torch.Tensor, ...]:
        """w, c, alpha and step size d of every mode, in float64.

        A rounding error of theirs would grow with time, so they are never float32.
        """
        w = _MIN_W + softplus(self.w_raw.double())
        c = torch.sigmoid(self.c_raw.double())
        alpha = (_MIN_ALPHA + softplus(self.alpha_raw.double())).expand_as(w)
        step = bounded(self.step_raw, *_STEP)
        return w, c, alpha, step / torch.sqrt(1 + step**2 * (alpha + c * w) / STABLE)

    def stiffnesses(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Second derivative of the potential of each mode, about rest and far out."""
        w, c, alpha, _ = self.dynamics()
        return alpha + c * w / torch.cosh(self.b) ** 2, alpha

    def driven(self, u: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Give the drive (..., n_oscillators) of an input u, and the oscillators' parameters."""
        drive, (*shape, step) = super().driven(u)
        return drive, (*shape, self.b, step)

    def _arguments(self, w, c, alpha, step):
        into, out = {"b_matrix": self.B, "bias": self.b}, {"c_matrix": self.C, "skip": self.D}
        return into, out, {"w": w, "c": c, "alpha": alpha, "step": step}

    def _of_kernel(self, into, parameters):
        *shape, step = parameters
        own = {name: parameters[name] for name in shape}
        return own | {"rest": into["bias"], step: parameters[step]}
