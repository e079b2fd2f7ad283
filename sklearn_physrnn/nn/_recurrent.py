"""A recurrent network for whole sequences: embedding, recurrent layers, readout, head."""

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import nn

from ._dropout import Dropout
from ._packing import Packing, Sequences, groups, pack

READOUTS = ("last", "mean", "max")  # that make one of many steps


class Recurrent(Protocol):
    """What the model needs of its recurrent layers: nn.LSTM's manners, and two keywords."""

    def __call__(
        self,
        x: torch.Tensor,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, object]: ...


def read_out(
    output: torch.Tensor, readout: str, lengths: torch.Tensor | None = None
) -> torch.Tensor:
    """Reduce outputs (batch, time, features) over each sample's own steps.

    Parameters
    ----------
    output : Tensor of shape (batch, time, features)
        Zero past a sample's length.
    readout : {"last", "mean", "max"}
    lengths : Tensor of shape (batch,) or None
        Steps of each sample; all of them if None.

    Returns
    -------
    Tensor of shape (batch, features)
    """
    if lengths is None:
        if readout == "last":
            return output[:, -1]
        return output.mean(1) if readout == "mean" else output.amax(1)
    if readout == "last":
        return output[torch.arange(len(output), device=output.device), lengths - 1]
    if readout == "mean":
        return output.sum(1) / lengths.unsqueeze(1).to(output)
    padding = torch.arange(output.shape[1], device=output.device) >= lengths.unsqueeze(1)
    return output.masked_fill(padding.unsqueeze(2), -torch.inf).amax(1)


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
        self.recurrent = recurrent
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
        packing, sequences = self.sequences(x, dt=dt, lengths=lengths)
        if self.readout == "sequence":
            heard = [self.recurrent(group, dt=dt, lengths=own)[0] for group, dt, own in sequences]
            return self._at_steps(heard, packing, None if x.ndim == self._n_packed else x.shape[1])
        read = []
        for group, steps, own in sequences:
            output, _ = self.recurrent(group, dt=steps, lengths=own)
            read.append(read_out(output, self.readout, own))
        hidden = read[0] if packing is None else packing.in_order(read)
        return self.head(self.dropout(hidden))

    @property
    def _n_packed(self) -> int:
        """Dimensions of packed inputs: one less than of others."""
        return 2 if self.embedding is None else 1

    def _at_steps(
        self, heard: list[torch.Tensor], packing: Packing | None, n_steps: int | None
    ) -> torch.Tensor:
        """Give the head's outputs at every `every`-th step of what the layers heard."""
        if packing is None:
            return self.head(self.dropout(heard[0][:, self.every - 1 :: self.every]))
        hidden = packing.every(packing.collect(heard), self.every)
        outputs = self.head(self.dropout(hidden))
        n_steps = packing.longest if n_steps is None else n_steps
        return packing.padded(outputs, self.every, n_steps // self.every)

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
        x, dt, packing = pack("x", x, dt, lengths, self._n_packed + 1)
        if self.embedding is not None:
            x = self.dropout(self.embedding(x))
        return packing, groups(x, dt, packing)
