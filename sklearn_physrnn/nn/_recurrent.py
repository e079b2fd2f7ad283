"""A recurrent network for whole sequences: embedding, recurrent layers, readout, head."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

import torch
from torch import nn

from ._dropout import Dropout, Masks, drawn_key, sample_places
from ._one_step import NetworkStep, PartStep, fixed
from ._packing import Packing, Sequences, groups, pack
from ._readout import READOUTS, gathered, nothing_read, read, read_so_far
from ._walk import Piece, State, Tensors, along_time

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register

__all__ = ["READOUTS", "Recurrent", "RecurrentModel"]

_LAYERS, _HEAD = 1, 2  # parts with dropout masks of their own, beside the embedding


class Recurrent(Protocol):
    """What the model needs of its recurrent layers: nn.LSTM's manners, and more keywords.

    `masks` is given where a key for them was drawn, for dropout between the layers.
    """

    def rest(self, n_samples: int) -> Tensors:
        """Give the state before the first step: tensors (..., n_samples, features)."""

    def __call__(
        self,
        x: torch.Tensor,
        state: Tensors | None = None,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
        masks: Masks | None = None,
    ) -> tuple[torch.Tensor, Tensors]: ...


class RecurrentModel(nn.Module):
    """Recurrent layers between an optional token embedding and a two-layer head.

    Parameters
    ----------
    recurrent : nn.Module
        Maps (batch, time, features) to outputs (batch, time, hidden_size) and a state.
    hidden_size : int
        Width of its output.
    output_size : int
        Number of outputs.
    embedding : nn.Embedding or None
        Applied first, to integer tokens (batch, time).
    readout : {"last", "mean", "max", "sequence"}
        How a sequence of hidden states becomes one; with "sequence" the head sees every
        `every`-th by itself.
    every : int
        Distance of the steps that readout "sequence" reads: counting from one, steps
        `every`, 2 `every` and so on.
    dropout : float
        Of the embedding and before the head.
    """

    recurrent: Recurrent
    every = 1  # of models that were pickled before there was a choice

    def __init__(
        self,
        recurrent: nn.Module,
        hidden_size: int,
        output_size: int,
        *,
        embedding: nn.Embedding | None = None,
        readout: str = "last",
        every: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.recurrent = recurrent  # type: ignore[assignment]
        self.readout = readout
        self.every = every
        self.dropout = Dropout(dropout)
        # NOTE[paper]: the published head normalises over the batch. Normalising each
        # sample by itself does the same for training, and works for a batch of one.
        self.head = nn.Sequential(
            nn.Linear(hidden_size, hidden_size),
            nn.LayerNorm(hidden_size),
            nn.ReLU(),
            Dropout(dropout),
            nn.Linear(hidden_size, output_size),
        )

    def forward(
        self,
        x: torch.Tensor,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> torch.Tensor:
        """Map sequences to outputs.

        Parameters
        ----------
        x : Tensor of shape (batch, time, features), or (batch, time) of tokens
            With `lengths` also packed, one sequence after another: of shape
            (sum(lengths), features) or (sum(lengths),).
        dt : Tensor of shape (batch, time), or (sum(lengths),), or None
            Time elapsed before each step; 1 if None.
        lengths : Tensor of shape (batch,) or None
            Steps of each sample, at least one; all of them if None.

        Returns
        -------
        Tensor of shape (batch, output_size)
            With readout "sequence", of shape (batch, time // every, output_size), zero
            past a sample's length; of packed sequences, time is the longest length.
        """
        n_samples = len(x) if lengths is None or x.ndim == self._n_dims else len(lengths)
        outputs, state = self._walk(x, self.begin(n_samples), dt, lengths, least=1)
        return self.conclude(state) if outputs is None else outputs

    def begin(self, n_samples: int) -> State:
        """Give the state before the first step; in training, with new dropout masks."""
        weight = self._into_head.weight
        return State(
            self.recurrent.rest(n_samples),
            nothing_read(self.readout, n_samples, self.width, weight),
            key=drawn_key(*self._dropouts(), device=weight.device),
        )

    def as_step(self) -> NetworkStep:
        """Give one step of the model, as it is now and in evaluation, in plain torch.

        Raises
        ------
        TypeError
            If the recurrent layers have no step of their own.
        """
        own = getattr(self.recurrent, "as_step", None)
        if own is None:
            raise TypeError(
                f"One step of {type(self.recurrent).__name__} is not known: of recurrent layers "
                "it must have a method as_step."
            )
        head = [layer for layer in self.head if not isinstance(layer, Dropout)]
        return NetworkStep(self, _Embedded(self.embedding, own()), nn.Sequential(*head))

    def _dropouts(self) -> list[Dropout]:
        return [part for part in self.modules() if isinstance(part, Dropout)]

    def walk(
        self,
        x: torch.Tensor,
        state: State,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> tuple[torch.Tensor | None, State]:
        """Go on through a piece of the sequences.

        Parameters
        ----------
        x, dt
            As :meth:`forward` takes them, of the steps of the piece.
        state : State
            Of :meth:`begin`, or of the piece before.
        lengths : Tensor of shape (batch,) or None
            How many steps of this piece each sample still has, from 0.

        Returns
        -------
        outputs : Tensor or None
            With readout "sequence" those of the steps `every`, 2 `every` and so on of the
            sequences that are in this piece.
        state : State
        """
        return self._walk(x, state, dt, lengths, least=0)

    def conclude(self, state: State) -> torch.Tensor:
        """Map what the steps so far left to outputs (batch, output_size)."""
        hidden = read_so_far(self.readout, state)
        masks = None
        if state.key is not None:
            masks = Masks(state.key, sample_places(len(hidden), hidden.device), _HEAD)
        return self._headed(hidden, masks)

    def _walk(self, x, state, dt, lengths, *, least: int) -> tuple[torch.Tensor | None, State]:
        packed, dt, packing = pack("x", x, dt, lengths, self._n_dims, least)
        piece = Piece(x, packing, self._n_dims, state)
        x = self._embedded(packed, piece.masks())
        heard, recurrent, readout = None, state.recurrent, state.readout
        if not piece.empty:
            between = piece.masks_of_groups(_LAYERS) if self._drops_between else None
            sequences = groups(x, dt, packing)
            heard, recurrent = along_time(self.recurrent, sequences, packing, recurrent, between)
        if self.readout == "sequence":
            return self._at_steps(heard, piece), state.after(piece, recurrent, None)
        if heard is not None and readout is not None:
            readout = gathered(self.readout, readout, self._read(heard, packing, readout), packing)
        return None, state.after(piece, recurrent, readout)

    @property
    def width(self) -> int:
        """Width of the recurrent layers' output."""
        return self._into_head.in_features

    @property
    def _into_head(self) -> nn.Linear:
        layer = self.head[0]
        assert isinstance(layer, nn.Linear)
        return layer

    @property
    def _n_dims(self) -> int:
        """Dimensions of inputs that are not packed."""
        return 3 if self.embedding is None else 2

    @property
    def _drops_between(self) -> bool:
        return getattr(self.recurrent, "dropout", 0.0) > 0

    def _embedded(self, x: torch.Tensor, masks: Masks | None) -> torch.Tensor:
        return x if self.embedding is None else self.dropout(self.embedding(x), masks)

    def _read(self, heard, packing, before: torch.Tensor) -> torch.Tensor:
        if packing is None:
            return read(heard[0], self.readout)
        lengths = packing.group_lengths(before.device)
        found = [read(x, self.readout, own) for x, own in zip(heard, lengths, strict=True)]
        if self.readout == "mean":  # a sample without a step adds nothing
            before = torch.zeros_like(before)
        return packing.in_order(found, before)

    def _at_steps(self, heard: list[torch.Tensor] | None, piece: Piece) -> torch.Tensor:
        """Give the head's outputs at every `every`-th step of what the layers heard."""
        if heard is None:
            hidden = self._into_head.weight.new_empty(0, self.width)
        else:
            x = heard[0] if piece.packing is None else piece.packing.collect(heard)
            hidden = piece.chosen(x, self.every)
        outputs = self._headed(hidden, piece.masks_of_chosen(self.every, _HEAD))
        return piece.laid_out(outputs, self.every)

    def _headed(self, hidden: torch.Tensor, masks: Masks | None) -> torch.Tensor:
        hidden = self.dropout(hidden, masks)
        for layer in self.head:
            hidden = layer(hidden, masks) if isinstance(layer, Dropout) else layer(hidden)
        return hidden

    def sequences(
        self,
        x: torch.Tensor,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> tuple[Packing | None, Iterator[Sequences]]:
        """Give what the recurrent layers hear; arguments as in :meth:`forward`.

        Returns
        -------
        packing : Packing or None
            None where the sequences are all of one length.
        sequences : iterator of (x, dt, lengths)
            Groups of sequences, (batch, time, features).
        """
        x, dt, packing = pack("x", x, dt, lengths, self._n_dims)
        return packing, groups(self._embedded(x, None), dt, packing)


class _Embedded(nn.Module):
    """One step of recurrent layers, after an embedding if there is one."""

    def __init__(self, embedding: nn.Module | None, layers: PartStep) -> None:
        super().__init__()
        self.embedding = None if embedding is None else fixed(embedding)
        self.layers, self.names = layers, layers.names

    def forward(
        self, x: torch.Tensor, state: Tensors, dt: torch.Tensor | None
    ) -> tuple[torch.Tensor, Tensors]:
        return self.layers(x if self.embedding is None else self.embedding(x), state, dt)

    def emit(self, program: "Program", x: "Register", at: Sequence[int]) -> "Register":
        """Write it to a program; x are the inputs, or what is looked up for tokens."""
        return self.layers.emit(program, x, at)
