"""What is asked of the code of one kind of oscillator: compiled, and in plain torch.

Shape letters: B batch, T time steps of the tensors at hand (a chunk, perhaps), P modes.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import torch

from ..one_step.codes import Code
from .borders import Borders

Tensor = torch.Tensor
Coefficients = Any  # what an engine's loops read of the parameters: its own affair
Sums = Any  # gradients of the coefficients in float64, as an engine adds them up


class Engine(Protocol):
    """Compiled loops of one kind of oscillator on one kind of device; a module is one.

    It takes and gives contiguous torch tensors of one dtype, and waits for no device.
    They may be a chunk of a longer series: `first` is the time of their first step, and
    the state (2, B, P) passes from one call to the next, momenta times the step size, by
    which a free step moves the positions, and positions. `dt` (B, 1 or 2, T of the whole
    series) holds the sizes of steps and, if there are any, the gaps before these (``steps.py``),
    of at most the reference's LONGEST; it is empty where every step has the same size.
    `lengths` (B,), of int64, counts the steps of each sample. What lies past them is neither
    read nor written, but for zeros in outputs.
    """

    N_KEPT: int  # trajectories that `adjoint` needs, the positions first
    RELATIVE_NUDGE: float | None  # the automatic nudge by the motion; None if its size cancels
    FORGETS: bool  # whether motions decay, at the rates of the last parameter but the step size

    def coefficients(self, parameters: list[Tensor], dtype: torch.dtype) -> Coefficients:
        """What the loops read of the parameters, (P,) each, for a drive of `dtype`."""

    def parameter_gradients(self, sums: Sums, parameters: list[Tensor]) -> Sequence[Tensor]:
        """Gradients of `parameters`, which are given in float64, from a way back's sums."""

    def advance(
        self, coefs: Coefficients, state: Tensor, power: Tensor, drive: Tensor, dt: Tensor,
        lengths: Tensor, first: int, kept: Tensor, borders: Borders | None = None,
    ) -> None:  # fmt: skip
        """Run freely through `drive` (B, T, P), from and to `state` (2, B, P), in place.

        ``kept[0]`` (B, T, P) receives the positions, the others, if there are any, what
        `adjoint` needs besides. `power` (B, P) gains the positions' squares, unless it is
        empty or the engine's RELATIVE_NUDGE is None. The states of `borders`, of the whole
        series, are filled where they are met.
        """

    def adjoint(
        self, coefs: Coefficients, grad_state: Tensor, drive: Tensor, kept: Tensor,
        before: Tensor, dt: Tensor, lengths: Tensor, first: int, grad: Tensor,
        grad_drive: Tensor,
    ) -> Sums:  # fmt: skip
        """Back-propagate `grad` (B, T, P), the gradient of the positions.

        `grad_state` (2, B, P) is updated in place, `grad_drive` written. `kept` is what
        `advance` left there, `before` (B, P) the position before the first step. `dt` has
        no gaps: over them `echo` gives the same gradient.
        """

    def echo(
        self, coefs: Coefficients, states: Tensor, nudge: Tensor, drive: Tensor, dt: Tensor,
        lengths: Tensor, first: int, grad: Tensor, grad_drive: Tensor, middle: Tensor | None,
        borders: Borders | None = None,
    ) -> Sums:  # fmt: skip
        """Run both echoes back through `drive`, nudged by plus and minus `nudge` times `grad`.

        `states` (4, B, P) is updated in place; `nudge` (2, B, P) holds the nudges of Z and
        the factor of the contrasts of half differences. `middle` (B, T, P), or None,
        receives the mean of the two echoes' positions, which begins anew at every border.
        """


class Reference(Protocol):
    """One kind of oscillator in plain torch, for ``reference.py``; a module is one.

    `force` and `potential` take positions y, drives u, and the parameters but the last, the
    step size.
    """

    LONGEST: float  # gap, in units
    RELATIVE_NUDGE: float  # the automatic nudge by the motion

    @property
    def force(self) -> Callable[..., Tensor]:
        """Slope of the potential."""

    @property
    def potential(self) -> Callable[..., tuple[Tensor, ...]]:
        """Energy, and its derivatives by the drive and by each of the parameters."""

    @property
    def gap(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """Momentum and position after a time without a drive.

        Takes momentum and position (..., P), the time (..., 1), which is negative where it
        goes back, and all parameters.
        """

    @property
    def left(self) -> Callable[..., Tensor] | None:
        """Share of momentum and position that a time leaves, if motions decay.

        Takes the time in units, and all parameters, the last but one of which is the rate.
        """


class OneStep(Protocol):
    """One step of one kind of oscillator in plain torch; a module is one.

    Where :class:`Reference` follows the paper's variables, this has those of the compiled
    loops, which keep their digits in float32, and nothing but operations that a graph of
    torch's can hold.
    """

    CODE: Code  # of a compiled step

    @property
    def coefficients(self) -> Callable[..., tuple[np.ndarray, ...]]:
        """What the compiled loop reads: takes the parameters in float64, and a dtype."""

    @property
    def constants(self) -> Callable[..., dict[str, Tensor]]:
        """What steps read of the parameters: takes a dtype, and the parameters in float64."""

    @property
    def advanced(self) -> Callable[..., tuple[Tensor, Tensor]]:
        """State (B, P) each after a step: takes Z, y, drive, dt (B, 1 or 2) and `constants`."""
