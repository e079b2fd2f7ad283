"""PETNN, the energy-transition recurrent layer, with nn.LSTM's manners."""

import math

import torch
from torch import nn

from ..kernels._check import check_tensors
from ..kernels.petnn import (
    INCREMENTS,
    RELEASES,
    State,
    Switches,
    Trajectory,
    petnn,
    trajectory,
)
from ._check import check_at_least_one, check_dropout, check_flags, check_names, check_numbers
from ._dropout import Dropout, Masks
from ._petnn_step import PETNNStep
from ._steps import check_state, checked_dt, checked_lengths

# Initial values; see PETNN.reset_parameters.
_GATE_GAIN = 0.1
_INCREMENT_DEVIATION = 2.0  # of Z_t from step to step, for standardised input
_STATE_DEVIATION = 0.125  # of S from step to step, at least, as the next layer's input
# Ranges of the mean of Z_t. Without decay, T adds up Z_t - 1, and must tend downwards.
_INCREMENT_MEANS = {True: (-0.5, 1.7), False: (-1.0, 0.0)}
_CANDIDATE_GAIN = 0.3
_LOOKED_AT = 512  # steps of a trajectory that are held at once where it is only counted
_DECAY_BIAS = 1.0  # R = 0.73: T decays within a few steps


class PETNN(nn.Module):
    r"""Layers of energy-transition neurons.

    A neuron absorbs energy from its input, stays excited for a learned remaining time,
    and when that time has run out releases the energy and falls back to its ground
    state (arXiv 2505.03281). What a gate decides continuously in an LSTM is decided
    here by a timer. For each step, all products elementwise:

    .. math::
        Z_t &= W_t [x, S] + b_t, \quad Z_c = \sigma(W_c [x, S] + b_c), \quad
        Z_w = \sigma(W_w [x, S] + b_w) \\
        R &= \sigma(W_R x + b_R), \quad I = \sigma(W_I x + b_I) \\
        T' &= R \max(T + Z_t, 0) - dt, \quad m = [T' \le 0], \quad E = m C \\
        T &\leftarrow (1 - m) T', \quad C \leftarrow (1 - m) C + m I + Z_c \\
        H &= \tanh(W_h [x, S E] + b_h), \quad S \leftarrow \tanh((1 - Z_w) S + Z_w H)

    with the hidden state S, the energy C and the remaining time T, which begin as 0, 0
    and 1, the same in every call.

    Parameters
    ----------
    input_size : int
        Number of channels of the input.
    hidden_size : int
        Number of neurons in each layer.
    num_layers : int, default=1
        Number of layers, each fed with the output of the one before.
    release : {"surrogate", "hard", "soft"}, default="surrogate"
        How the release m is differentiated. "hard", as in the paper: not at all, so
        that W_t, b_t, W_R and b_R get a gradient of exactly zero and stay as they were
        initialised. "surrogate": m is 0 or 1, and its derivative is that of
        ``sigmoid(-T' / release_width)``. "soft": m is that sigmoid. The default is the
        paper's recurrence, with a gradient; the estimators' is "soft", which classifies
        better.
    increment : {"linear", "tanh"}, default="linear"
        Whether Z_t is used as it is, or its tanh. With "tanh", the released code's
        choice, a neuron that has released once releases in all later steps (of length
        1), since then T = 0 and ``R tanh(.) < 1``: the timer is dead by construction.
    time_decay : bool, default=True
        Whether the remaining time decays by the learned rate R; else R is 1.
    ground_state : bool, default=True
        Whether a release leaves the learned ground level I behind; else I is 0.
    dropout : float, default=0.0
        Probability that an output of any layer but the last is dropped in training.
    release_width : float, default=1.0
        Width of the sigmoid of "surrogate" and "soft", in units of T.
    memory : float, default=64.0
        Steps that the hidden states of the last layer remember at first: each neuron's are
        drawn between 1 and this, evenly by their logarithm.

    Attributes
    ----------
    weight_ih_l[k] : Parameter of shape (n_blocks * hidden_size, layer's input)
        The input's part of W_t, W_c, W_w, W_h, W_R, W_I, the last two as far as they
        are switched on.
    weight_hh_l[k] : Parameter of shape (4 * hidden_size, hidden_size)
        The state's part of W_t, W_c, W_w, W_h.
    bias_l[k] : Parameter of shape (n_blocks * hidden_size,)

    Notes
    -----
    ``time_decay=False, ground_state=False, increment="tanh", release="hard"`` is the
    cell of the paper's released code, but for its random initial states.

    The initial timers are spread over the neurons so that, for standardised input,
    each neuron releases at some steps and at others does not: a timer that always or
    never runs out hardly learns to do otherwise. :meth:`release_rate` tells.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn.petnn import PETNN
    >>> layer = PETNN(input_size=3, hidden_size=8)
    >>> output, state = layer(torch.randn(2, 50, 3))
    >>> output.shape, len(state), state[0].shape
    (torch.Size([2, 50, 8]), 3, torch.Size([1, 2, 8]))

    A sequence may be fed in pieces, with the state carried on:

    >>> output, state = layer(torch.randn(2, 10, 3), state)
    """

    # Of a step's time: training gives the threads to it, and not to torch.
    kernel_takes_most = True

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        release: str = "surrogate",
        increment: str = "linear",
        time_decay: bool = True,
        ground_state: bool = True,
        dropout: float = 0.0,
        release_width: float = 1.0,
        memory: float = 64.0,
    ) -> None:
        super().__init__()
        sizes = {"input_size": input_size, "hidden_size": hidden_size, "num_layers": num_layers}
        check_at_least_one(**sizes)
        check_names(release=release, increment=increment)
        check_flags(time_decay=time_decay, ground_state=ground_state)
        check_dropout(dropout)
        check_numbers(release_width=release_width, memory=memory)
        if release not in RELEASES:
            raise ValueError(f"release must be one of {RELEASES}, got {release!r}.")
        if increment not in INCREMENTS:
            raise ValueError(f"increment must be one of {INCREMENTS}, got {increment!r}.")
        if not release_width > 0:
            raise ValueError(f"release_width must be positive, got {release_width!r}.")
        if not memory >= 1:
            raise ValueError(f"memory must be a step or more, got {memory!r}.")
        input_size, hidden_size, num_layers = (int(size) for size in sizes.values())
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.release = release
        self.increment = increment
        self.time_decay = bool(time_decay)
        self.ground_state = bool(ground_state)
        self._dropout = Dropout(dropout)
        self.release_width = release_width

        n_outputs = self._switches.n_blocks * hidden_size
        for k in range(num_layers):
            n_inputs = input_size if k == 0 else hidden_size
            for name, shape in (
                ("weight_ih", (n_outputs, n_inputs)),
                ("weight_hh", (4 * hidden_size, hidden_size)),
                ("bias", (n_outputs,)),
            ):
                self.register_parameter(f"{name}_l{k}", nn.Parameter(torch.empty(shape)))
        self.reset_parameters(memory)

    @property
    def dropout(self) -> float:
        """Probability that an output between layers is dropped in training."""
        return self._dropout.p

    @property
    def _switches(self) -> Switches:
        return Switches(
            self.release, self.release_width, self.increment, self.time_decay, self.ground_state
        )

    def reset_parameters(self, memory: float = 64.0) -> None:
        """Draw all parameters anew from torch's global generator; `memory` as the class has it.

        The timers' constants were found by trial on standard normal input, one to 300
        channels wide, with 4 to 128 neurons and up to three layers.
        """
        H = self.hidden_size
        for k in range(self.num_layers):
            weight_ih, weight_hh, bias = self._weights(k)
            with torch.no_grad():
                # Unit variance for the candidates. The gates begin little more than
                # constant: coupled to the input as the candidate is, they would give S
                # a mean other than zero, and with it pin the next layer's timers.
                nn.init.normal_(weight_ih, std=_GATE_GAIN / math.sqrt(weight_ih.shape[1]))
                weight_ih[3 * H : 4 * H] /= _GATE_GAIN
                nn.init.uniform_(weight_hh, -1 / math.sqrt(H), 1 / math.sqrt(H))
                nn.init.zeros_(bias)
                # The timer: every neuron's increment varies equally much, about a mean
                # that differs from neuron to neuron.
                nn.init.normal_(weight_ih[:H])
                deviation = _INCREMENT_DEVIATION / (1.0 if k == 0 else _STATE_DEVIATION)
                weight_ih[:H] *= deviation / weight_ih[:H].norm(dim=1, keepdim=True)
                nn.init.zeros_(weight_hh[:H])
                nn.init.uniform_(bias[:H], *_INCREMENT_MEANS[self.time_decay])
                if k == self.num_layers - 1:
                    # Mixing weights from 1/2 down to 1/(1 + memory): neurons that remember
                    # one step to neurons that remember many (chrono initialisation, Tallec
                    # and Ollivier, arXiv 1804.11188). At 1/2 throughout, series of hundreds
                    # of steps are hardly learned. Not below: the next layer's timers need
                    # an input that changes from step to step.
                    nn.init.uniform_(bias[2 * H : 3 * H], -math.log(memory), 0.0)
                    # Memories come back scaled by the released energy, which exceeds one.
                    weight_hh[3 * H :] *= _CANDIDATE_GAIN
                if self.time_decay:
                    nn.init.constant_(bias[4 * H : 5 * H], _DECAY_BIAS)

    def _weights(self, k: int) -> tuple[nn.Parameter, nn.Parameter, nn.Parameter]:
        names = f"weight_ih_l{k}", f"weight_hh_l{k}", f"bias_l{k}"
        weight_ih, weight_hh, bias = (self.get_parameter(name) for name in names)
        return weight_ih, weight_hh, bias

    def rest(self, n_samples: int) -> State:
        """Give the state before the first step, as :meth:`forward` takes it."""
        weight = self._weights(0)[0]
        zeros = weight.new_zeros(self.num_layers, n_samples, self.hidden_size)
        return zeros, zeros, torch.ones_like(zeros)

    def forward(
        self,
        x: torch.Tensor,
        state: State | None = None,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
        masks: Masks | None = None,
    ) -> tuple[torch.Tensor, State]:
        """Run all layers over whole sequences.

        Parameters
        ----------
        x : Tensor of shape (batch, time, input_size)
            Of the parameters' dtype. May have no steps.
        state : tuple of three Tensors of shape (num_layers, batch, hidden_size), optional
            S, C and T to begin with, as an earlier call returned them.
        dt : Tensor of shape (batch, time), optional
            Time that passes in each step, not negative; 1 by default.
        lengths : integer Tensor of shape (batch,), optional
            Number of steps of each sample, 0 to time; whatever stands beyond them, NaN
            included, has no effect.
        masks : Masks, optional
            What dropout between the layers follows from; drawn anew by default.

        Returns
        -------
        output : Tensor of shape (batch, time, hidden_size)
            S of the last layer after every step; zero beyond a sample's length.
        state : tuple of three Tensors of shape (num_layers, batch, hidden_size)
            S, C and T of all layers after each sample's last step.

        Raises
        ------
        ValueError
            If an argument's shape, dtype or values are not as described.
        """
        x, state, dt, lengths = self._check(x, state, dt, lengths)
        finals = []
        for k in range(self.num_layers):
            if k > 0:
                x = self._dropout(x, masks)
            x, final = petnn(
                x,
                *self._weights(k),
                (state[0][k], state[1][k], state[2][k]),
                dt=dt,
                lengths=lengths,
                switches=self._switches,
            )
            finals.append(final)
        s, c, t = (torch.stack(part) for part in zip(*finals, strict=True))
        return x, (s, c, t)

    def as_step(self) -> nn.Module:
        """Give one step of all layers, as :class:`.._one_step.PartStep`."""
        layers = [self._weights(k) for k in range(self.num_layers)]
        return PETNNStep(layers, self._switches)

    def trajectory(
        self,
        x: torch.Tensor,
        state: State | None = None,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> list[Trajectory]:
        """What every neuron of each layer goes through, to look at.

        Parameters are those of :meth:`forward`. Without gradient and without dropout.

        Returns
        -------
        list of Trajectory, one a layer
            Named tuples (state, energy, remaining_time, released) of tensors of shape
            (batch, time, hidden_size), zero beyond a sample's length.
        """
        x, state, dt, lengths = self._check(x, state, dt, lengths)
        layers = []
        for k in range(self.num_layers):
            layers.append(
                trajectory(
                    x,
                    *self._weights(k),
                    (state[0][k], state[1][k], state[2][k]),
                    dt=dt,
                    lengths=lengths,
                    switches=self._switches,
                )
            )
            x = layers[-1].state
        return layers

    def release_rate(
        self,
        x: torch.Tensor,
        state: State | None = None,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Fraction of the steps in which each neuron releases, padding left out.

        With `release` "soft", in which it releases half of its energy or more: where its
        time has run out, as for the others.

        Parameters are those of :meth:`forward`. A neuron at 0 or at 1 has a dead timer.

        Returns
        -------
        Tensor of shape (num_layers, hidden_size)
            Of the precision of the states. NaN if there is no step at all.
        """
        x, state, dt, lengths = self._check(x, state, dt, lengths)
        released = x.new_zeros(self.num_layers, self.hidden_size, dtype=torch.int64)
        for start in range(0, x.shape[1], _LOOKED_AT):
            own = x[:, start : start + _LOOKED_AT]
            n = own.shape[1]
            passed = None if dt is None else dt[:, start : start + n]
            left = None if lengths is None else (lengths - start).clamp(0, n)
            layers = self.trajectory(own, state, dt=passed, lengths=left)
            released += torch.stack([(layer.released >= 0.5).sum(dim=(0, 1)) for layer in layers])
            # Zero where a sample has ended, which goes no further.
            ends = zip(*(layer[:3] for layer in layers), strict=True)
            s, c, t = (torch.stack([part[:, -1] for part in parts]) for parts in ends)
            state = s, c, t
        n_steps = x.shape[0] * x.shape[1] if lengths is None else lengths.sum()
        return released.to(state[0].dtype) / n_steps

    def _check(self, x, state, dt, lengths):
        weight, _, _ = self._weights(0)
        check_tensors(x=x, dt=dt)
        if x.ndim != 3 or x.shape[2] != self.input_size:
            raise ValueError(
                f"x must have shape (batch, time, {self.input_size}), got {tuple(x.shape)}."
            )
        if x.dtype != weight.dtype and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"x must have the parameters' {weight.dtype}, got {x.dtype}.")
        n_batch, n_steps, _ = x.shape
        shape = (self.num_layers, n_batch, self.hidden_size)
        if state is None:
            state = self.rest(n_batch)
        else:
            check_state(state, shape)
        over = None
        if lengths is not None:
            lengths = checked_lengths(lengths, n_batch, n_steps, x.device)
            over = torch.arange(n_steps, device=x.device) >= lengths[:, None]
            x = x.masked_fill(over[..., None], 0)
        if dt is not None:
            dt = checked_dt(dt, (n_batch, n_steps), weight.dtype, over)
        return x, state, dt, lengths

    def extra_repr(self) -> str:
        """Sizes and switches, for ``repr``."""
        parts = [f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}"]
        parts += [f"release={self.release!r}, increment={self.increment!r}"]
        parts += [f"time_decay={self.time_decay}, ground_state={self.ground_state}"]
        parts += [f"dropout={self.dropout}, release_width={self.release_width}"]
        return ", ".join(parts)
