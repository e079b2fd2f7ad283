"""What the two Hamiltonian recurrent units share."""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import linear

from ..kernels._check import check_values
from ..kernels.oscillators import check_epsilon, check_sequence
from ..kernels.oscillators.engine import OneStep, Reference
from ..kernels.oscillators.steps import elapsed
from ._check import check_names, check_numbers, check_sizes
from ._one_step import kept, numbers

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register

# d^2 a < 4 is the edge of stability. At 3.96 leapfrog magnifies an oscillation ten
# times at most, and rounding cannot carry a float32 parameter across.
STABLE = 3.96


def bounded(raw: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Map the real line onto (low, high), in float64."""
    return low + (high - low) * torch.sigmoid(raw.double())


def unbounded(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Inverse of :func:`bounded`, for start values."""
    share = (value.double() - low) / (high - low)
    return torch.logit(share, 1e-6).to(value.dtype)


def uniform(*shape: int, low: float, high: float) -> torch.Tensor:
    """A tensor of uniform random numbers, in torch's default dtype."""
    return torch.empty(shape).uniform_(low, high)


def turns(n: int, memory: float) -> torch.Tensor:
    """Angles that `n` modes turn by in a step, from 1 / `memory` to 1 and even by their logarithm.

    One is drawn in each of n equal shares, so that few modes leave no wide gap.
    """
    share = (torch.arange(n) + torch.rand(n)) / n
    return (-share * math.log(memory)).exp()


def check_memory(memory: float | None) -> None:
    """Raise ValueError unless it is None, or a step or more."""
    if memory is None:
        return
    check_numbers(memory=memory)
    if not 1 <= memory < math.inf:
        raise ValueError(f"memory must be a step or more, or None, got {memory!r}.")


Tensors = dict[str, torch.Tensor]


class _ZeroPast(torch.autograd.Function):
    # masked_fill would keep a mask as long as its input.
    @staticmethod
    def forward(ctx, x, lengths):
        ctx.save_for_backward(lengths)
        return _masked(x, lengths)

    @staticmethod
    def backward(ctx, grad):
        return zero_past(grad, *ctx.saved_tensors), None


def _masked(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    past = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
    return x.masked_fill(past[:, :, None], 0.0)


def zero_past(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """`x` (batch, time, channels) with zeros, NaN or not, past each sample's length."""
    return x if lengths is None else _ZeroPast.apply(x, lengths)


def return_error(returned: torch.Tensor, first: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
    """How far from where they began oscillators come back to, by the size of their motion.

    Parameters
    ----------
    returned, first, last : Tensor of shape (2, batch, modes)
        The first state as :meth:`HRU.undo` gives it, as it was, and the last.

    Returns
    -------
    Tensor of shape (batch,)
        Length of `returned` - `first`, over that of the longer one of `first` and `last`;
        zero where nothing moves.
    """
    off, *sizes = (
        torch.linalg.vector_norm(x.double(), dim=(0, 2)) for x in (returned - first, first, last)
    )
    size = torch.maximum(*sizes)
    return off / torch.where(size == 0, 1.0, size)


class HRU(nn.Module):
    """What Hamiltonian recurrent units do; their oscillators and maps are the subclasses'."""

    _unit: Callable[..., tuple[torch.Tensor, torch.Tensor]]
    _undo: Callable[..., torch.Tensor]
    kind: Reference  # its oscillators in plain torch
    one_step: OneStep  # and one step of theirs, with the digits of the compiled loops
    # Second derivatives of the potential of each mode: about rest, and far out if it differs.
    stiffnesses: Callable[[], tuple[torch.Tensor, ...]]
    dynamics: Callable[[], tuple[torch.Tensor, ...]]
    # Of `dynamics`, arguments of the two functions: input maps, output maps, parameters.
    _arguments: Callable[..., tuple[Tensors, Tensors, Tensors]]

    def __init__(self, input_size: int, state_size: int, gradient: str, epsilon: float | str):
        super().__init__()
        check_sizes(input_size=input_size, state_size=state_size)
        if input_size < 1 or state_size < 1:
            raise ValueError(
                "input_size and state_size must be positive, "
                f"got {input_size!r} and {state_size!r}."
            )
        check_names(gradient=gradient)
        if gradient not in ("bptt", "rhel"):
            raise ValueError(f"gradient must be 'bptt' or 'rhel', got {gradient!r}.")
        check_epsilon(epsilon)
        self.input_size = input_size
        self.state_size = state_size
        self.gradient = gradient
        self.epsilon = epsilon

    def decays(self) -> torch.Tensor:
        """Rate at which each mode decays, per step of full size: none does here."""
        return torch.zeros_like(self.dynamics()[-1])

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.state_size}, gradient={self.gradient!r}, "
            f"epsilon={self.epsilon!r}"
        )

    def driven(self, u: torch.Tensor) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
        """Give the drive (..., n_oscillators) of an input u, and the oscillators' parameters.

        As the functions of `kind` take them, and :func:`leapfrog`.
        """
        into, _, parameters = self._arguments(*self.dynamics())
        return u @ into["b_matrix"].T + into.get("bias", 0.0), tuple(parameters.values())

    @property
    def n_oscillators(self) -> int:
        """Oscillators of the state: two a complex mode, real parts first, else one."""
        return self.state_size

    def forward(
        self,
        u: torch.Tensor,
        state: torch.Tensor | None = None,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Run the oscillators.

        A sequence may be fed in pieces, with the state carried on: outputs and gradients are
        those of the whole.

        Parameters
        ----------
        u : Tensor of shape (batch, time, input_size)
            Input.
        state : Tensor of shape (2, batch, n_oscillators), optional
            Where they begin, as an earlier call returned it: momenta times step sizes, and
            positions. At rest in the origin by default.
        dt : Tensor of shape (batch, time), optional
            Time that passes at every step, in units of the step size; it gets no gradient.
            What is above one unit is a gap. A GPU is not waited for to see whether there are
            any: of shape (batch, time, 1) it has none, and of (batch, time, 2) it holds what
            is not a gap, of at most one unit, and then the gap before it.
            Steps past a sample's length are ignored.
        lengths : Tensor of shape (batch,), optional
            Number of steps of each sample, which may be none; later input is ignored.

        Returns
        -------
        o : Tensor of shape (batch, time, input_size)
            Zero past a sample's length.
        state : Tensor of shape (2, batch, n_oscillators)
            After each sample's last step; of a sample without steps, the one it began with.

        Raises
        ------
        TypeError
            If `u`, `state` or `dt` is not real or `lengths` not integer.
        ValueError
            If a shape does not fit, or a length or a step is out of range.
        """
        dynamics = self.dynamics()
        self._check(u, dt, lengths, dynamics)
        into, out, parameters = self._arguments(*dynamics)
        return self._unit(
            zero_past(u, lengths), **into, **out, **parameters, state=state, dt=dt,
            lengths=lengths, gradient=self.gradient, epsilon=self.epsilon, checked=True,
        )  # fmt: skip

    @torch.no_grad()
    def undo(
        self,
        u: torch.Tensor,
        state: torch.Tensor,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run time backwards, from the state after `u` to the one before.

        Exact but for rounding, which :meth:`return_error` measures. Without a gradient.

        Parameters
        ----------
        u, dt, lengths
            As of the :meth:`forward` that is undone.
        state : Tensor of shape (2, batch, n_oscillators)
            The last state, as it returned it.

        Returns
        -------
        Tensor of shape (2, batch, n_oscillators)
            The state it began with.

        Raises
        ------
        TypeError, ValueError
            As of :meth:`forward`.

        Examples
        --------
        >>> import torch
        >>> from sklearn_physrnn.nn import LinearHRU
        >>> layer, u = LinearHRU(3, 8), torch.randn(2, 100, 3)
        >>> o, state = layer(u)
        >>> bool((layer.undo(u, state).abs() < 1e-4).all())  # they began at rest
        True
        """
        dynamics = self.dynamics()
        self._check(u, dt, lengths, dynamics)
        into, _, parameters = self._arguments(*dynamics)
        return self._undo(
            u, **into, **parameters, state=state, dt=dt, lengths=lengths, checked=True
        )

    @torch.no_grad()
    def return_error(
        self,
        u: torch.Tensor,
        state: torch.Tensor | None = None,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """How far from the first state :meth:`undo` comes out, by the size of the motion.

        It says whether rounding, or chaos, has cut the thread between end and beginning: the
        dynamics magnify an error of a gradient as they do this one.

        Parameters
        ----------
        u, state, dt, lengths
            As of :meth:`forward`.

        Returns
        -------
        Tensor of shape (batch,)
            Distance of the two first states, over the length of the longer one of the first
            and the last.
        """
        _, last = self(u, state, dt=dt, lengths=lengths)
        first = torch.zeros_like(last) if state is None else state
        return return_error(self.undo(u, last, dt=dt, lengths=lengths), first, last)

    def as_step(self) -> nn.Module:
        """Give one step of it."""
        into, out, parameters = self._arguments(*self.dynamics())
        return _HRUStep(type(self), {**into, **out}, self._of_kernel(into, parameters))

    def _of_kernel(self, into: Tensors, parameters: Tensors) -> Tensors:
        """Parameters as the kernel takes them, in order."""
        return parameters

    def _check(self, u, dt, lengths, dynamics) -> None:
        check_sequence("u", u, dt, lengths)
        if u.shape[2] != self.input_size:
            raise ValueError(
                f"u must have shape (batch, time, input_size={self.input_size}), "
                f"got {tuple(u.shape)}."
            )
        if dt is None:
            return
        dt = elapsed(dt.detach())
        if lengths is not None:
            dt = zero_past(dt[:, :, None], lengths)[:, :, 0]
        smallest, largest = dt.aminmax()
        check_values(
            (smallest >= 0) & (largest < math.inf),
            lambda: ValueError("dt must be finite and not negative."),
            may_wait=True,
        )
        if math.inf > self.kind.LONGEST:
            check_values(
                largest <= 1 + self.kind.LONGEST,
                lambda: ValueError(_too_long(dt, self.kind.LONGEST)),
                may_wait=True,
            )


class _HRUStep(nn.Module):
    """One step of a unit: u (n_samples, input_size) and its state (2, n_samples, n_oscillators).

    Parameters
    ----------
    unit : type
        Of the unit, which knows its oscillators' step.
    maps : dict of str to Tensor
        b_matrix, c_matrix, skip and, if there is one, bias.
    parameters : dict of str to Tensor
        In float64.
    """

    b_matrix: torch.Tensor
    drive_b_matrix: torch.Tensor
    c_matrix: torch.Tensor
    skip: torch.Tensor

    def __init__(self, unit: type[HRU], maps: Tensors, parameters: Tensors) -> None:
        super().__init__()
        constants = unit.one_step.constants(maps["b_matrix"].dtype, *parameters.values())
        kept(self, **maps, **constants)
        self._unit, self._names = unit, tuple(constants)
        # A gain of the drive is part of the maps from the outset.
        self._in_drive = {name: None for name in constants if name == "gain"}
        drive = {name: x for name, x in maps.items() if name in ("b_matrix", "bias")}
        for name in self._in_drive:
            gain = constants[name]
            drive = {k: x.detach() * (gain[:, None] if x.ndim > 1 else gain)
                     for k, x in drive.items()}  # fmt: skip
        kept(self, **{f"drive_{name}": x for name, x in drive.items()})
        self._parameters_of_modes = {name: x.detach().clone() for name, x in parameters.items()}

    def forward(
        self, u: torch.Tensor, state: torch.Tensor, dt: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        drive = linear(u, self.drive_b_matrix, getattr(self, "drive_bias", None))
        constants = {name: self.get_buffer(name) for name in self._names} | self._in_drive
        z, y = state.chunk(2)  # with their first axis: a graph then has fewer nodes
        z, y = self._unit.one_step.advanced(z, y, drive, dt, **constants)
        heard = torch.addmm(self.skip * u, y.squeeze(0), self.c_matrix.T)
        return heard, torch.cat([z, y])

    def emit(self, program: "Program", u: "Register", at: int) -> "Register":
        """Write it to a program; the state begins at `at`."""
        drive = program.affine(u, numbers(self.b_matrix), numbers(getattr(self, "bias", None)))
        parameters = list(self._parameters_of_modes.values())
        kind = self._unit.one_step
        coefficients = kind.coefficients(parameters, self.b_matrix.dtype)
        y = program.oscillated(kind.CODE, drive, at, *coefficients)
        return program.added(u, program.affine(y, numbers(self.c_matrix)), numbers(self.skip))


def _too_long(dt: torch.Tensor, longest: float) -> str:
    sample, step = divmod(int(dt.argmax()), dt.shape[1])
    return (
        f"These oscillators take gaps of up to {longest:,.0f} units, in as many steps: sample "
        f"{sample} has one of {dt.max() - 1:,.6g} before step {step}. Cut the sequence there, "
        "give dt in a longer unit, or take linear oscillators, whose gaps may be of any length."
    )
