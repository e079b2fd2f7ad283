"""Vector fields: the physics a DynPMNN layer integrates.

A vector field is an ``nn.Module`` with an attribute ``n_states`` and

``forward(state, drive) -> derivative``
    state of shape (..., hidden, n_states), drive of shape (..., hidden), and a
    derivative like the state.

Any such module can be given to :class:`~sklearn_physrnn.nn.DynPMNN`. More methods are
used where a field has them, else those of :class:`VectorField`: ``initial_state(raw)``,
which maps unbounded numbers to a physical state; ``observe(state)``, which maps the state
to what the next layer sees; ``constants()``, for those who look at what was learned; and
``integrator(solver)``, a faster way to take a solver's steps.
"""

import math
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from ..kernels.neuron import fitzhugh_nagumo_packed
from ._check import check_at_least_one
from ._field import VectorField, calls_forward_alone, runs
from ._solvers import EULER, SEMI_IMPLICIT_EULER, Integrator, Solver

__all__ = ["FitzHughNagumo", "HodgkinHuxley", "Kuramoto", "VanDerPol", "VectorField"]


# Schemes that have a kernel, and whether it is the semi-implicit one.
_SEMI_IMPLICIT = {EULER.step: False, SEMI_IMPLICIT_EULER.step: True}


def checked_size(hidden_size: int) -> int:
    """Give it back, or raise ValueError unless it is an integer of at least 1."""
    check_at_least_one(hidden_size=hidden_size)
    return int(hidden_size)


def _inverse_softplus(value: torch.Tensor) -> torch.Tensor:
    return value + torch.log(-torch.expm1(-value))


def _uniform(hidden_size: int, low: float, high: float) -> torch.Tensor:
    return torch.empty(hidden_size).uniform_(low, high)


class _Positive(nn.Module):
    """A positive constant a neuron, softplus of a free parameter."""

    def __init__(self, value: torch.Tensor) -> None:
        super().__init__()
        self.raw = nn.Parameter(_inverse_softplus(value))

    def forward(self) -> torch.Tensor:
        return F.softplus(self.raw)


class FitzHughNagumo(VectorField):
    r"""FitzHugh-Nagumo neurons (arXiv 2605.08176, the paper's instance).

    .. math::
        \dot v = I - v (v - a)(v - 1) - w, \qquad \dot w = b (v - g w)

    with membrane potential v, recovery w and drive I, all dimensionless. The paper
    names a = 0.2, b = 0.02, g = 3 for every neuron; here 0 < a < 1, b > 0 and g > 0 are
    trained, one each a neuron.

    Parameters
    ----------
    hidden_size : int
        Number of neurons.

    Attributes
    ----------
    a, b, g : Tensor of shape (hidden_size,)
        Threshold, recovery rate, recovery damping.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import FitzHughNagumo
    >>> field = FitzHughNagumo(4)
    >>> field(torch.zeros(3, 4, 2), torch.ones(3, 4)).shape
    torch.Size([3, 4, 2])
    """

    n_states = n_observed = 2
    state_names = ("v", "w")
    constant_names: ClassVar[dict[str, str]] = {
        "a": "threshold $a$",
        "b": "recovery rate $b$",
        "g": "recovery damping $g$",
    }

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = checked_size(hidden_size)
        # NOTE[paper]: b starts near 1 instead of 0.02, so that recovery acts within an
        # integration time of order 1; the spread gives neurons different time scales.
        self._a = nn.Parameter(torch.logit(_uniform(hidden_size, 0.0, 0.4), eps=0.02))
        self._b = _Positive(_uniform(hidden_size, 0.5, 1.5))
        self._g = _Positive(_uniform(hidden_size, 0.5, 1.5))

    @property
    def a(self) -> torch.Tensor:
        """Threshold, between the resting and the excited state at 0 and 1."""
        return torch.sigmoid(self._a)

    @property
    def b(self) -> torch.Tensor:
        """Recovery rate, positive."""
        return self._b()

    @property
    def g(self) -> torch.Tensor:
        """Recovery damping, positive."""
        return self._g()

    def forward(self, state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
        """Time derivative of ``(v, w)``."""
        self._check(state, drive)
        v, w = state.unbind(-1)
        a = self.a
        return torch.stack((drive - v * (v - a) * (v - 1) - w, self.b * (v - self.g * w)), -1)

    def constants(self) -> dict[str, Any]:
        """Threshold, recovery rate and recovery damping."""
        return {"a": self.a, "b": self.b, "g": self.g}

    def integrator(self, solver: Solver) -> Integrator | None:
        """Give the kernel for the Euler schemes, where it does what ``forward`` says."""
        semi_implicit = _SEMI_IMPLICIT.get(solver.step)
        if semi_implicit is None or not runs(self, "forward", _FITZHUGH_NAGUMO):
            return None
        if not calls_forward_alone(self):
            return None
        a, b, g = constants = self.a, self.b, self.g
        # `forward` takes any that broadcast; a subclass may have such.
        shape, dtype = (self.hidden_size,), getattr(a, "dtype", None)
        for x in constants:
            if not isinstance(x, torch.Tensor) or x.shape != shape or x.dtype is not dtype:
                return None

        def run(start: torch.Tensor, n_steps: int, dt: float) -> torch.Tensor:
            return fitzhugh_nagumo_packed(
                start, a, b, g, dt=dt, n_steps=n_steps, semi_implicit=semi_implicit
            )

        return run


_FITZHUGH_NAGUMO = FitzHughNagumo.forward


class VanDerPol(VectorField):
    r"""Driven Van der Pol oscillators.

    .. math::
        \dot x = y, \qquad \dot y = \mu (1 - x^2) y - x + I

    with damping :math:`\mu > 0`, one a neuron, dimensionless (B. van der Pol, Phil. Mag.
    2, 978, 1926). The states start within (-2, 2), the size of the limit cycle.

    Parameters
    ----------
    hidden_size : int
        Number of oscillators.
    """

    n_states = n_observed = 2
    state_names = ("x", "y")
    constant_names: ClassVar[dict[str, str]] = {"mu": r"damping $\mu$"}

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = checked_size(hidden_size)
        self._mu = _Positive(_uniform(hidden_size, 0.5, 1.5))

    @property
    def mu(self) -> torch.Tensor:
        """Damping, positive."""
        return self._mu()

    def initial_state(self, raw: torch.Tensor) -> torch.Tensor:
        """Map unbounded numbers to (-2, 2)."""
        return 2 * torch.tanh(raw)

    def constants(self) -> dict[str, Any]:
        """Damping."""
        return {"mu": self.mu}

    def forward(self, state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
        """Time derivative of ``(x, y)``."""
        self._check(state, drive)
        x, y = state.unbind(-1)
        return torch.stack((y, self.mu * (1 - x * x) * y - x + drive), -1)


def _x_over_one_minus_exp(x: torch.Tensor) -> torch.Tensor:
    """x / (1 - exp(-x)), which is 1 + x/2 near zero."""
    small = x.abs() < 1e-3
    safe = torch.where(small, torch.ones_like(x), x)
    return torch.where(small, 1 + x / 2, safe / -torch.expm1(-safe))


class HodgkinHuxley(VectorField):
    r"""Hodgkin-Huxley neurons, time in ms, potential in mV.

    .. math::
        C \dot V = 10 I - g_{Na} m^3 h (V - 50) - g_K n^4 (V + 77) - g_L (V + 54.387)

    and :math:`\dot x = \alpha_x(V)(1 - x) - \beta_x(V) x` for the gates m, h, n, with
    C = 1 µF/cm² and the rates of Hodgkin and Huxley, J. Physiol. 117, 500 (1952),
    shifted to a resting potential of -65 mV. A drive of 1 is 10 µA/cm², enough to spike.
    The conductances (mS/cm²) are positive and trained, one each a neuron, from 120, 36
    and 0.3. With all channels open the membrane's rate is near 160 per ms: keep a step
    near 0.01 ms.

    Parameters
    ----------
    hidden_size : int
        Number of neurons.
    """

    n_states = n_observed = 4
    state_names = ("V", "m", "h", "n")
    constant_names: ClassVar[dict[str, str]] = {
        "g_Na": r"$g_\mathrm{Na}$ (mS/cm$^2$)",
        "g_K": r"$g_\mathrm{K}$ (mS/cm$^2$)",
        "g_L": r"$g_\mathrm{L}$ (mS/cm$^2$)",
    }

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = checked_size(hidden_size)
        self._g_na, self._g_k, self._g_l = (
            _Positive(torch.full((hidden_size,), value)) for value in (120.0, 36.0, 0.3)
        )

    def initial_state(self, raw: torch.Tensor) -> torch.Tensor:
        """Map unbounded numbers to potentials in (-95, -35) mV and gates in (0, 1)."""
        v = -65 + 30 * torch.tanh(raw[..., :1])
        return torch.cat((v, torch.sigmoid(raw[..., 1:])), -1)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Potential about rest in units of 50 mV, and the gates."""
        return torch.cat(((state[..., :1] + 65) / 50, state[..., 1:]), -1)

    def constants(self) -> dict[str, Any]:
        """Conductances, in mS/cm²."""
        return {"g_Na": self._g_na(), "g_K": self._g_k(), "g_L": self._g_l()}

    def forward(self, state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
        """Time derivative of ``(V, m, h, n)``, in mV/ms and 1/ms."""
        self._check(state, drive)
        v, m, h, n = state.unbind(-1)
        current = (
            10 * drive
            - self._g_na() * m**3 * h * (v - 50)
            - self._g_k() * n**4 * (v + 77)
            - self._g_l() * (v + 54.387)
        )
        alpha_m, beta_m = _x_over_one_minus_exp((v + 40) / 10), 4 * torch.exp(-(v + 65) / 18)
        alpha_h, beta_h = 0.07 * torch.exp(-(v + 65) / 20), torch.sigmoid((v + 35) / 10)
        alpha_n = 0.1 * _x_over_one_minus_exp((v + 55) / 10)
        beta_n = 0.125 * torch.exp(-(v + 65) / 80)
        return torch.stack(
            (
                current,
                alpha_m * (1 - m) - beta_m * m,
                alpha_h * (1 - h) - beta_h * h,
                alpha_n * (1 - n) - beta_n * n,
            ),
            -1,
        )


class Kuramoto(VectorField):
    r"""Kuramoto phase oscillators, each coupled to the mean field of its layer.

    .. math::
        \dot\theta_i = \omega_i + I_i + \frac{K}{N} \sum_j \sin(\theta_j - \theta_i)

    (Y. Kuramoto, Lect. Notes Phys. 39, 420, 1975). Frequencies :math:`\omega_i` and the
    coupling K are trained; the next layer sees :math:`\sin\theta` and
    :math:`\cos\theta`, so that whole turns do not count.

    Parameters
    ----------
    hidden_size : int
        Number of oscillators N.
    """

    n_states = 1
    n_observed = 2
    state_names = (r"\theta",)
    constant_names: ClassVar[dict[str, str]] = {
        "omega": r"frequency $\omega$",
        "K": "coupling $K$",
    }

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = checked_size(hidden_size)
        self.omega = nn.Parameter(_uniform(hidden_size, -1.0, 1.0))
        self.coupling = nn.Parameter(torch.ones(()))

    def initial_state(self, raw: torch.Tensor) -> torch.Tensor:
        """Map unbounded numbers to phases in (-pi, pi)."""
        return math.pi * torch.tanh(raw)

    def observe(self, state: torch.Tensor) -> torch.Tensor:
        """Sine and cosine of the phase."""
        return torch.cat((state.sin(), state.cos()), -1)

    def constants(self) -> dict[str, Any]:
        """Frequencies and the coupling."""
        return {"omega": self.omega, "K": self.coupling}

    def forward(self, state: torch.Tensor, drive: torch.Tensor) -> torch.Tensor:
        """Time derivative of the phase."""
        self._check(state, drive)
        theta = state.squeeze(-1)
        sine, cosine = theta.sin(), theta.cos()
        # The sum over j, expanded: N instead of N^2 sines.
        pull = sine.mean(-1, keepdim=True) * cosine - cosine.mean(-1, keepdim=True) * sine
        return (self.omega + drive + self.coupling * pull).unsqueeze(-1)


VECTOR_FIELDS = {
    "fitzhugh_nagumo": FitzHughNagumo,
    "van_der_pol": VanDerPol,
    "hodgkin_huxley": HodgkinHuxley,
    "kuramoto": Kuramoto,
}
