"""One step of energy-transition neurons in plain torch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import linear

from ..kernels.petnn import Switches
from ..kernels.petnn.reference import advanced
from ._one_step import kept, numbers
from ._walk import Tensors

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register

_WEIGHTS = ("weight_ih", "weight_hh", "bias")


class PETNNStep(nn.Module):
    """One step of layers of neurons, each fed by the one before.

    Parameters
    ----------
    layers : sequence of (Tensor, Tensor, Tensor)
        Weights as :class:`.petnn.PETNN` has them.
    switches : Switches
    """

    names = ("S", "C", "T")  # of the state, (num_layers, n_samples, hidden_size) each

    def __init__(self, layers: Sequence[Sequence[torch.Tensor]], switches: Switches) -> None:
        super().__init__()
        self.switches = switches
        self.num_layers = len(layers)
        for k, weights in enumerate(layers):
            named = {f"{name}_l{k}": w for name, w in zip(_WEIGHTS, weights, strict=True)}
            kept(self, **named)

    def weights(self, k: int) -> Tensors:
        """Give the weights of a layer."""
        return tuple(self.get_buffer(f"{name}_l{k}") for name in _WEIGHTS)

    def forward(
        self, x: torch.Tensor, state: Tensors, dt: torch.Tensor | None
    ) -> tuple[torch.Tensor, Tensors]:
        """Map x (n_samples, input_size) to the last layer's S, and the state after the step."""
        after = []
        for k in range(self.num_layers):
            weight_ih, weight_hh, bias = self.weights(k)
            s, c, t = (part[k] for part in state)
            now, elapsed = linear(x, weight_ih, bias), 1.0 if dt is None else dt
            x, c, t, _ = advanced(now, weight_hh, s, c, t, elapsed, self.switches)
            after.append((x, c, t))
        return x, tuple(torch.stack(part) for part in zip(*after, strict=True))

    def emit(self, program: "Program", x: "Register", at: Sequence[int]) -> "Register":
        """Write it to a program."""
        for k in range(self.num_layers):
            weights = [numbers(w) for w in self.weights(k)]
            size = weights[1].shape[1]
            own = [first + k * size for first in at]
            x = program.neurons(x, weights, self.switches, own)
        return x
