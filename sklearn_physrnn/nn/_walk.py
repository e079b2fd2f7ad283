"""A walk of a network through time: what passes from one piece of it to the next.

A network that reads sequences is one function of them, and is written as a walk:
``begin``, ``walk`` through a piece, and so on, ``conclude``. Its ``forward`` walks the whole
at once. Whatever the pieces, the outputs and their gradients are the same but for rounding.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

import torch

from ._dropout import Masks, step_places
from ._packing import Packing, Sequences

Tensors = tuple[torch.Tensor, ...]


class State(NamedTuple):
    """Where a walk has come to: all that the steps behind it are to those before it.

    Attributes
    ----------
    recurrent : tuple of Tensor of shape (..., n_samples, features)
        Of the recurrent layers.
    readout : Tensor of shape (n_samples, features) or None
        Sum, last or maximum of what the head is to see; None where it sees every step.
    position : int
        Steps of the longest sample so far.
    counts : int64 Tensor of shape (n_samples, 1) or None
        Steps of each sample so far; None where all have as many.
    key : int64 Tensor of shape () or None
        What dropout's masks follow from, in training.
    """

    recurrent: Tensors
    readout: torch.Tensor | None
    position: int = 0
    counts: torch.Tensor | None = None
    key: torch.Tensor | None = None

    @property
    def tensors(self) -> Tensors:
        """All that a gradient goes through."""
        return self.recurrent if self.readout is None else (*self.recurrent, self.readout)

    def with_tensors(self, tensors: Sequence[torch.Tensor]) -> "State":
        """Put others in their place."""
        if self.readout is None:
            return self._replace(recurrent=tuple(tensors))
        return self._replace(recurrent=tuple(tensors[:-1]), readout=tensors[-1])

    def after(self, piece: "Piece", recurrent: Tensors, readout: torch.Tensor | None) -> "State":
        """Give the state after a piece that left these."""
        counts = self.counts
        if piece.packing is not None:
            now = piece.packing.counts(recurrent[0].device)
            counts = now + (self.position if counts is None else counts) if self.position else now
        elif counts is not None:
            counts = counts + piece.n_steps
        return State(recurrent, readout, self.position + piece.n_steps, counts, self.key)


class Piece:
    """The steps of one piece of a walk, and where in the whole they are.

    Parameters
    ----------
    x : Tensor
        The piece's inputs as they came, packed or not.
    packing : Packing or None
    n_dims : int
        Dimensions of inputs that are not packed.
    state : State
        Before the piece.
    """

    def __init__(
        self, x: torch.Tensor, packing: Packing | None, n_dims: int, state: State
    ) -> None:
        self.packing = packing
        self.n_samples = len(x) if packing is None else len(packing)
        packed = packing is not None and x.ndim < n_dims
        self.n_steps = packing.longest if packing is not None and packed else x.shape[1]
        self.before = state.position
        self._key = state.key
        self._device = x.device
        self._places: torch.Tensor | None = None

    @property
    def empty(self) -> bool:
        """Whether no sample has a step in it."""
        return not (self.n_steps if self.packing is None else self.packing.n_steps)

    @property
    def dropping(self) -> bool:
        """Whether there are dropout masks."""
        return self._key is not None

    @property
    def places(self) -> torch.Tensor:
        """Number of every step, none of them alike: (n_samples, n_steps), or packed."""
        if self._places is None:
            self._places = step_places(
                self.n_samples, self.n_steps, self.before, self.packing, self._device
            )
        return self._places

    def masks(self, part: int = 0) -> Masks | None:
        """Dropout masks of all steps for a part of the network."""
        return None if self._key is None else Masks(self._key, self.places, part)

    def masks_of_groups(self, part: int) -> list[Masks] | None:
        """Give each group of sequences the masks of its steps."""
        if self._key is None:
            return None
        places = [self.places] if self.packing is None else self.packing.spread(self.places)
        return [Masks(self._key, group, part) for group in places]

    def chosen(self, x: torch.Tensor, every: int) -> torch.Tensor:
        """Of all steps, take `every`, 2 `every` and so on of the whole sequences."""
        if self.packing is not None:
            return self.packing.every(x, every, self.before)
        return x[:, (-self.before - 1) % every :: every]

    def masks_of_chosen(self, every: int, part: int) -> Masks | None:
        """Dropout masks of the steps that are chosen."""
        if self._key is None:
            return None
        return Masks(self._key, self.chosen(self.places, every), part)

    def laid_out(self, outputs: torch.Tensor, every: int) -> torch.Tensor:
        """Give outputs of the chosen steps as (n_samples, chosen, ...), zero past the end."""
        if self.packing is None:
            return outputs
        n_chosen = (self.before + self.n_steps) // every - self.before // every
        return self.packing.padded(outputs, every, n_chosen, self.before)


class Walker(Protocol):
    """A network that walks."""

    readout: str
    every: int

    @property
    def width(self) -> int:
        """Numbers that a layer has of a step."""

    def begin(self, n_samples: int) -> State:
        """Give the state before the first step; in training, with new dropout masks."""

    def walk(
        self,
        x: torch.Tensor,
        state: State,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> tuple[torch.Tensor | None, State]:
        """Go on through a piece of time, (batch, time, ...) or packed.

        `lengths` says how many steps of the piece each sample still has, from 0. The outputs
        are those of the piece's own steps with readout "sequence", else None.
        """

    def conclude(self, state: State) -> torch.Tensor:
        """Give the outputs (batch, output_size) of the steps so far; not for "sequence"."""


class WalksBack(Walker, Protocol):
    """One whose time can be undone."""

    def walk_back(
        self,
        x: torch.Tensor,
        state: State,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> tuple[torch.Tensor | None, State, State]:
        """Undo a piece from the state after it, and walk through it again.

        The outputs of :meth:`walk`, the state before, and again that after.
        """


def along_time(
    layers: Callable[..., tuple[torch.Tensor, Tensors]],
    sequences: Iterable[Sequences],
    packing: Packing | None,
    state: Tensors,
    masks: Sequence[Masks] | None = None,
) -> tuple[list[torch.Tensor], Tensors]:
    """Run recurrent layers over groups of sequences, from and to the samples' state.

    Parameters
    ----------
    layers : callable
        ``layers(x, state, dt=dt, lengths=lengths) -> (output, state)``.
    sequences : iterable of (x, dt, lengths)
    packing : Packing or None
    state : tuple of Tensor of shape (..., n_samples, features)
    masks : sequence of Masks or None
        Of each group, for layers that take them.

    Returns
    -------
    outputs : list of Tensor
        Of each group.
    state : tuple of Tensor
    """
    starts: list[Tensors] = [state]
    if packing is not None:
        starts = list(zip(*map(packing.shared, state), strict=True))
    others = [{}] * len(starts) if masks is None else [{"masks": part} for part in masks]
    outputs, ends = [], []
    for (x, dt, lengths), start, other in zip(sequences, starts, others, strict=True):
        output, end = layers(x, start, dt=dt, lengths=lengths, **other)
        outputs.append(output)
        ends.append(end)
    if packing is None:
        return outputs, tuple(ends[0])
    parts = zip(zip(*ends, strict=True), state, strict=True)
    return outputs, tuple(packing.in_order(part, before) for part, before in parts)
