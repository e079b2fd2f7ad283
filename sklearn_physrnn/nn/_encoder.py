"""What comes before the blocks: from a step's channels to the blocks' width."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import glu

from ._one_step import emitted

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register


class GatedEncoder(nn.Module):
    r"""Products of the channels of a step, before anything is spread over time.

    :math:`W_3 (W_1 u \cdot \sigma(W_2 u))`, with biases. A linear encoder can only add a
    value and its mark; oscillators then spread both over time, and a product that is taken
    later no longer knows which mark was whose.

    Parameters
    ----------
    input_size, hidden_size : int
    """

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gate = nn.Linear(input_size, 2 * hidden_size)
        self.mix = nn.Linear(hidden_size, hidden_size)

    def forward(self, u: torch.Tensor) -> torch.Tensor:
        """Map (..., input_size) to (..., hidden_size)."""
        mixed: torch.Tensor = self.mix(glu(self.gate(u)))
        return mixed

    def emit(self, program: "Program", u: "Register") -> "Register":
        """Write it to a program of one step."""
        return emitted(self.mix, program, program.gated(emitted(self.gate, program, u)))


ENCODERS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": nn.Linear,
    "gated": GatedEncoder,
}
