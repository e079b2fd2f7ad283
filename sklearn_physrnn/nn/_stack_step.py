"""One step of a stack of blocks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from ._one_step import emitted, fixed
from ._stack import Stack
from ._walk import Tensors

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register


class StackStep(nn.Module):
    """One step of encoder and blocks; the state has one part for each use of a block.

    Parameters
    ----------
    model : Stack
        That does not read from the end. Its patches are steps here.
    """

    def __init__(self, model: Stack) -> None:
        super().__init__()
        self.encoder = fixed(model.encoder)
        blocks = cast(list[Any], model.blocks)
        self.blocks = nn.ModuleList(block.as_step() for block in blocks)
        self.num_loops = model.num_loops
        self.names = tuple(f"block_{k}" for k in range(len(self.blocks) * model.num_loops))

    @property
    def _uses(self) -> list[Any]:
        return [*cast(list[Any], self.blocks)] * self.num_loops

    def forward(
        self, x: torch.Tensor, state: Tensors, dt: torch.Tensor | None
    ) -> tuple[torch.Tensor, Tensors]:
        """Map x (n_samples, channels of a step or patch) to what the readout gathers."""
        x, after = self.encoder(x), []
        for block, own in zip(self._uses, state, strict=True):
            x, own = block(x, own, dt)
            after.append(own)
        return x, tuple(after)

    def emit(self, program: "Program", x: "Register", at: Sequence[int]) -> "Register":
        """Write it to a program."""
        x = emitted(self.encoder, program, x)
        for block, own in zip(self._uses, at, strict=True):
            x = block.emit(program, x, own)
        return x
