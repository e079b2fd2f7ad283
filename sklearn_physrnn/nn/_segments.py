"""Cores of forecasters: a normalised window in, the horizon out, each channel on its own.

The window is cut into segments, one recurrent step each; the horizon is made segment by
segment, all from the same last state and told apart by learned embeddings of their place
and channel (SegRNN, Lin et al., arXiv 2308.11200).
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from ._block import Block, check_loops
from ._check import check_at_least_one
from ._dropout import Dropout
from ._gaps import N_TOLD
from ._members import MemberHead
from .dynpmnn import DynPMNN


class ForecastCore(nn.Module):
    """What all cores have: the sizes of their data.

    Parameters
    ----------
    n_channels, window_length, horizon, n_features, n_quantiles : int
    told : bool
        Whether it is told of every value of a window how long before one was last there.

    Raises
    ------
    ValueError
        If one but the number of features is no integer of at least 1.
    """

    def __init__(
        self,
        n_channels: int,
        window_length: int,
        horizon: int,
        n_features: int,
        n_quantiles: int,
        told: bool = False,
    ) -> None:
        super().__init__()
        check_at_least_one(
            n_channels=n_channels,
            window_length=window_length,
            horizon=horizon,
            n_quantiles=n_quantiles,
        )
        self.n_channels, self.n_features = n_channels, n_features
        self.window_length, self.horizon = window_length, horizon
        self.n_quantiles = n_quantiles
        self.told = told

    def check(self, x: torch.Tensor, features: torch.Tensor | None) -> None:
        """Raise ValueError where a batch is not of these sizes."""
        shape = (self.window_length, self.n_channels)
        if x.ndim != 3 or x.shape[1:] != shape:
            raise ValueError(
                f"x must have shape (batch, {shape[0]}, {shape[1]}), got {tuple(x.shape)}."
            )
        if not self.n_features:
            return
        length = self.window_length + self.horizon
        if features is None or features.shape != (len(x), length, self.n_features):
            raise ValueError(
                f"features must have shape (batch, {length}, {self.n_features}), got "
                f"{None if features is None else tuple(features.shape)}."
            )


class Segments(nn.Module):
    """Embed a window's segments, and the places of the horizon's segments.

    Parameters
    ----------
    n_channels, window_length, horizon, n_features : int
        Sizes of the data.
    segment_length : int
        Steps of a segment; at most the window's, and for the horizon at most its own. A
        window's first segment is padded at the front with zeros; what the horizon's last
        one has too much is cut off.
    hidden_size : int
        Width of the embeddings.
    told : bool
        Embed, too, what of a segment is missing; at first it changes nothing.
    """

    def __init__(
        self,
        n_channels: int,
        window_length: int,
        horizon: int,
        segment_length: int,
        hidden_size: int,
        n_features: int,
        told: bool = False,
    ) -> None:
        super().__init__()
        check_at_least_one(segment_length=segment_length)
        self.window_length, self.horizon = window_length, horizon
        self.length_in = min(segment_length, window_length)
        self.length_out = min(segment_length, horizon)
        self.n_in = -(-window_length // self.length_in)
        self.n_out = -(-horizon // self.length_out)
        self.values = nn.Linear(self.length_in, hidden_size)
        self.places = nn.Parameter(torch.randn(self.n_out, hidden_size))
        self.channels = (
            nn.Parameter(torch.randn(n_channels, hidden_size)) if n_channels > 1 else None
        )
        self.past = self.future = None
        if n_features:
            self.past = nn.Linear(self.length_in * n_features, hidden_size, bias=False)
            self.future = nn.Linear(self.length_out * n_features, hidden_size, bias=False)
        self.gaps = None
        if told:
            self.gaps = nn.Linear(self.length_in * N_TOLD, hidden_size, bias=False)
            nn.init.zeros_(self.gaps.weight)

    def context(
        self,
        z: torch.Tensor,
        features: torch.Tensor | None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Embed z (batch, time, channels) as (batch, channels, n_in, hidden_size).

        What is `told` of its gaps is of shape (batch, time, channels, N_TOLD).
        """
        missing = self.n_in * self.length_in - self.window_length
        cut = F.pad(z.transpose(1, 2), (missing, 0)).unflatten(2, (self.n_in, -1))
        embedded = self.values(cut)
        if self.past is not None:
            assert features is not None
            past = F.pad(features[:, : self.window_length], (0, 0, missing, 0))
            rows = past.unflatten(1, (self.n_in, -1)).flatten(2)
            embedded = embedded + self.past(rows).unsqueeze(1)
        if self.gaps is not None:
            assert told is not None
            cells = F.pad(told.transpose(1, 2), (0, 0, missing, 0))
            embedded = embedded + self.gaps(cells.unflatten(2, (self.n_in, -1)).flatten(3))
        return embedded.relu()

    def targets(self, n_batch: int, features: torch.Tensor | None) -> torch.Tensor:
        """Embed the horizon's segments, (batch, channels, n_out, hidden_size)."""
        embedded: torch.Tensor = self.places.expand(n_batch, 1, -1, -1)
        if self.channels is not None:
            embedded = embedded + self.channels.unsqueeze(1)
        if self.future is not None:
            assert features is not None
            missing = self.n_out * self.length_out - self.horizon
            future = F.pad(features[:, self.window_length :], (0, 0, 0, missing))
            embedded = (
                embedded + self.future(future.unflatten(1, (self.n_out, -1)).flatten(2))[:, None]
            )
        return embedded


class SegmentHead(nn.Module):
    """Dropout and a linear map from a segment's state to its values."""

    def __init__(self, segments: Segments, hidden_size: int, n_quantiles: int, dropout: float):
        super().__init__()
        self.horizon = segments.horizon
        self.n_quantiles = n_quantiles
        self.dropout = Dropout(dropout)
        self.output = nn.Linear(hidden_size, segments.length_out * n_quantiles)
        # The forecast begins as what the core is added to, not as noise around it.
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, n_out, hidden) to (batch, horizon, channels, quantiles)."""
        values = self.output(self.dropout(states)).flatten(2)
        return values.unflatten(2, (-1, self.n_quantiles))[:, :, : self.horizon].transpose(1, 2)


class SegmentCore(ForecastCore):
    """A recurrence over segments, and one step more for each segment of the horizon.

    Parameters
    ----------
    recurrent : nn.Module
        Maps (batch, time, hidden_size) and a state to an output like it and a state: a
        tensor or tuple of tensors (num_layers, batch, hidden_size), as torch's LSTM does.
    hidden_size : int
    n_channels, window_length, horizon, segment_length, n_features, n_quantiles : int
    told : bool
        See :class:`ForecastCore`.
    dropout : float
        Before the output.
    """

    def __init__(
        self,
        recurrent: nn.Module,
        hidden_size: int,
        *,
        n_channels: int,
        window_length: int,
        horizon: int,
        segment_length: int,
        n_features: int = 0,
        n_quantiles: int = 1,
        told: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__(n_channels, window_length, horizon, n_features, n_quantiles, told)
        self.segments = Segments(
            n_channels, window_length, horizon, segment_length, hidden_size, n_features, told
        )
        self.recurrent = recurrent
        self.head = SegmentHead(self.segments, hidden_size, n_quantiles, dropout)

    # NOTE[paper]: PETNN's authors embed all channels together, map the window linearly along
    # time to window and horizon, and only then recur, over every step: by then each step
    # mixes the whole window, and little is left for a memory to do. Here the recurrence is
    # what reads the window, in order, and a few segments take the place of hundreds of steps.
    def forward(
        self,
        z: torch.Tensor,
        features: torch.Tensor | None = None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map normalised windows to (batch, horizon, channels, quantiles)."""
        context = self.segments.context(z, features, told)
        targets = self.segments.targets(len(z), features)
        _, state = self.recurrent(context.flatten(0, 1))
        n_out = self.segments.n_out
        if isinstance(state, tuple):
            state = tuple(part.repeat_interleave(n_out, 1) for part in state)
        else:
            state = state.repeat_interleave(n_out, 1)
        output, _ = self.recurrent(targets.flatten(0, 2).unsqueeze(1), state)
        return self.head(output.view_as(targets))


class OscillatorCore(ForecastCore):
    """Hamiltonian blocks that hear the window and ring on over the horizon.

    The horizon's segments are further steps of the same sequence, driven by their
    embeddings in place of values.

    Parameters
    ----------
    n_channels, window_length, horizon, segment_length, n_features, n_quantiles : int
    told : bool
        See :class:`ForecastCore`.
    hidden_size, state_size, num_blocks, num_loops : int
    dropout : float
        In the blocks and before the output.
    dynamics, norm, gradient, epsilon, initial_step
        See :class:`HSSM`.
    """

    num_loops = 1  # of cores that were pickled before there was a choice

    def __init__(
        self,
        *,
        n_channels: int,
        window_length: int,
        horizon: int,
        segment_length: int,
        hidden_size: int,
        state_size: int = 64,
        num_blocks: int = 1,
        num_loops: int = 1,
        n_features: int = 0,
        n_quantiles: int = 1,
        told: bool = False,
        dropout: float = 0.0,
        dynamics: str = "linear",
        norm: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(n_channels, window_length, horizon, n_features, n_quantiles, told)
        check_at_least_one(hidden_size=hidden_size, num_blocks=num_blocks, num_loops=num_loops)
        check_loops(num_loops, norm)
        self.num_loops = num_loops
        self.segments = Segments(
            n_channels, window_length, horizon, segment_length, hidden_size, n_features, told
        )
        self.blocks = nn.ModuleList(
            Block(hidden_size, state_size, dynamics, norm, dropout, **options)
            for _ in range(num_blocks)
        )
        self.head = SegmentHead(self.segments, hidden_size, n_quantiles, dropout)

    def forward(
        self,
        z: torch.Tensor,
        features: torch.Tensor | None = None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map normalised windows to (batch, horizon, channels, quantiles)."""
        context = self.segments.context(z, features, told)
        targets = self.segments.targets(len(z), features)
        x = torch.cat((context, targets), 2).flatten(0, 1)
        for block in [*self.blocks] * self.num_loops:
            x, _ = block(x)
        return self.head(x[:, self.segments.n_in :].view_as(targets))


class DynPMNNCore(ForecastCore):
    """ODE layers that map a whole window to the whole horizon.

    Parameters
    ----------
    n_channels, window_length, horizon, n_features, n_quantiles : int
    told : bool
        See :class:`ForecastCore`.
    hidden_size, num_layers : int
    dropout : float
    embedding_dim : int
        Width of the embeddings of channels and of features.
    **options
        Of :class:`DynPMNN`.
    """

    def __init__(
        self,
        *,
        n_channels: int,
        window_length: int,
        horizon: int,
        hidden_size: int,
        num_layers: int = 2,
        n_features: int = 0,
        n_quantiles: int = 1,
        told: bool = False,
        dropout: float = 0.0,
        embedding_dim: int = 8,
        **options: Any,
    ) -> None:
        super().__init__(n_channels, window_length, horizon, n_features, n_quantiles, told)
        input_size = window_length
        self.channels = self.features = None
        if n_channels > 1:
            self.channels = nn.Parameter(torch.randn(n_channels, embedding_dim))
            input_size += embedding_dim
        if n_features:
            self.features = nn.Linear((window_length + horizon) * n_features, embedding_dim)
            input_size += embedding_dim
        if told:
            input_size += window_length * N_TOLD
        self.layers = DynPMNN(
            input_size,
            horizon * n_quantiles,
            hidden_size=hidden_size,
            num_layers=num_layers,
            dropout=dropout,
            **options,
        )
        head = self.layers.head
        assert isinstance(head, nn.Linear | MemberHead)
        nn.init.zeros_(head.weight)  # as in SegmentHead

    def forward(
        self,
        z: torch.Tensor,
        features: torch.Tensor | None = None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map normalised windows to (batch, horizon, channels, quantiles)."""
        rows = z.transpose(1, 2)
        parts = [rows]
        if self.channels is not None:
            parts.append(self.channels.expand(len(z), -1, -1))
        if self.features is not None:
            assert features is not None
            embedded = self.features(features.flatten(1))
            parts.append(embedded.unsqueeze(1).expand(-1, rows.shape[1], -1))
        if self.told:
            assert told is not None
            parts.append(told.transpose(1, 2).flatten(2))
        output = self.layers(torch.cat(parts, 2).flatten(0, 1))
        return output.view(*rows.shape[:2], self.horizon, -1).transpose(1, 2)
