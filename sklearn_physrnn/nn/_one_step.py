"""One step of a network, in plain torch: what is exported, and what a compiled step is held to.

A network that walks (``_walk.py``) through pieces of a step each would do the same. This one is
made of nothing but torch's own operations, with the weights as they are and all that follows
from them worked out beforehand: a graph can hold it, whatever runs that graph.
"""

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn

from ._walk import State, Tensors, Walker

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register


class PartStep(Protocol):
    """One step of a part of a network; a torch module, as ``part.as_step()`` gives it.

    `names` are those of its state's tensors (..., n_samples, features), in order.
    """

    names: tuple[str, ...]

    def __call__(
        self, x: torch.Tensor, state: Tensors, dt: torch.Tensor | None
    ) -> tuple[torch.Tensor, Tensors]:
        """Map x (n_samples, features) and dt (n_samples, 1 or 2) to outputs and a state."""

    def emit(self, program: "Program", x: "Register", at: Sequence[int]) -> "Register":
        """Write the same to a program; `at` says where in a state each of `names` begins."""


def kept(module: nn.Module, **tensors: torch.Tensor) -> None:
    """Give `module` copies of `tensors` as buffers, none of which is for training."""
    for name, tensor in tensors.items():
        module.register_buffer(name, tensor.detach().clone())


def fixed(part: nn.Module) -> nn.Module:
    """Give a copy of a part without a state, in evaluation and without gradients."""
    return copy.deepcopy(part).eval().requires_grad_(False)


def emitted(part: nn.Module, program: "Program", x: "Register") -> "Register":
    """Write what a part without a state does to a program.

    Raises
    ------
    NotCompiledError
        If it is not of those that a program knows.
    """
    emit = getattr(part, "emit", None)
    if callable(emit):
        return emit(program, x)
    if isinstance(part, nn.Sequential):
        for layer in part:
            x = emitted(layer, program, x)
        return x
    if isinstance(part, nn.Linear):
        return program.affine(x, numbers(part.weight), numbers(part.bias))
    if isinstance(part, nn.LayerNorm):
        return program.normalised(x, part.eps, numbers(part.weight), numbers(part.bias))
    if isinstance(part, nn.ReLU):
        return program.rectified(x)
    raise NotCompiledError(type(part).__name__)


def numbers(tensor: torch.Tensor | None) -> Any:
    """Give a tensor as an array."""
    return None if tensor is None else tensor.detach().numpy()


class NotCompiledError(Exception):
    """Raised where a network has a part that no program knows: it is run in plain torch."""


class NetworkStep(nn.Module):
    """One step of a network: the inputs of one step and a state to its outputs and the next state.

    Parameters
    ----------
    network : Walker
        What it is a step of, in evaluation; readout, and the state before the first step.
    body : PartStep
        From inputs to what the readout gathers.
    head : nn.Module
        From that to outputs; without dropout.

    Attributes
    ----------
    readout : str
    every : int
        Of readout "sequence": which steps have an output that counts.
    patch_size : int
        Steps of a sequence that are one here, side by side in x.
    names : tuple of str
        Of the state's tensors, in order.
    """

    in_float64 = ("sum", "count")  # of the state, whatever the network's dtype

    def __init__(self, network: Walker, body: PartStep, head: nn.Module) -> None:
        super().__init__()
        self.readout, self.every = network.readout, network.every
        self.patch_size: int = getattr(network, "patch_size", 1)
        self.body, self.head = body, fixed(head)
        own: tuple[str, ...] = {"mean": ("sum", "count"), "max": ("largest",)}.get(
            self.readout, ()
        )
        self.names: tuple[str, ...] = (*body.names, *own)
        self._n_gathered = len(own)
        first = self.of_walk(network.begin(1))
        kept(self, **{f"rest_{name}": part for name, part in zip(self.names, first, strict=True)})

    @property
    def embedding(self) -> nn.Embedding | None:
        """Of inputs that are tokens."""
        return getattr(self.body, "embedding", None)

    def rest(self, n_samples: int) -> Tensors:
        """Give the state before the first step: tensors (..., n_samples, features)."""
        first = (self.get_buffer(f"rest_{name}") for name in self.names)
        return tuple(x.expand(*x.shape[:-2], n_samples, x.shape[-1]).clone() for x in first)

    def of_walk(self, state: State) -> Tensors:
        """Give the state that a walk of the network has come to; what waits is left out."""
        gathered: Tensors = ()
        if self._n_gathered:
            assert state.readout is not None
            gathered = (state.readout,)
        if self.readout == "mean":
            total = gathered[0].double()
            steps = total.new_full((len(total), 1), state.position)
            steps = steps if state.counts is None else state.counts.double()
            gathered = total, (steps / self.patch_size).floor()
        return (*state.recurrent[: len(self.names) - self._n_gathered], *gathered)

    def forward(
        self, x: torch.Tensor, state: Sequence[torch.Tensor], dt: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Tensors]:
        """Go on by one step.

        Parameters
        ----------
        x : Tensor of shape (n_samples, patch_size * n_channels), or of tokens (n_samples,)
        state : sequence of Tensor
            As `rest` or an earlier step gave it.
        dt : Tensor of shape (n_samples, 1) or (n_samples, 2), or None
            Time elapsed before the step, 1 if None; or what of it is the step's own, up to 1,
            and what is a gap before it.

        Returns
        -------
        outputs : Tensor of shape (n_samples, output_size)
            What the network would say of all steps up to this one.
        state : tuple of Tensor
        """
        features, state = self.features(x, state, dt)
        return self.head(features), state

    def features(
        self, x: torch.Tensor, state: Sequence[torch.Tensor], dt: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, Tensors]:
        """Do what `forward` does, up to what the head sees, (n_samples, width)."""
        n_recurrent = len(state) - self._n_gathered
        x, recurrent = self.body(x, tuple(state[:n_recurrent]), dt)
        x, gathered = self._gathered(x, state[n_recurrent:])
        return x, (*recurrent, *gathered)

    def _gathered(
        self, x: torch.Tensor, before: Sequence[torch.Tensor]
    ) -> tuple[torch.Tensor, Tensors]:
        if self.readout == "mean":  # in float64: a million steps are added up
            total, count = before[0] + x.double(), before[1] + 1.0
            return (total / count).to(x.dtype), (total, count)
        if self.readout == "max":
            (largest,) = before
            largest = torch.where((x > largest) | x.isnan(), x, largest)
            return largest, (largest,)
        return x, ()

    def emit(self, program: "Program", x: "Register", at: Sequence[int]) -> None:
        """Write all of it to a program; `at` says where in a state each of `names` begins."""
        n_recurrent = len(self.names) - self._n_gathered
        x = self.body.emit(program, x, at[:n_recurrent])
        if self.readout == "mean":
            x = program.mean(x)
        elif self.readout == "max":
            x = program.largest(x, at[n_recurrent])
        program.heard(x)
        program.said(emitted(self.head, program, x))
