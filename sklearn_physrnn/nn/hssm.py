"""Deep state space model of Hamiltonian recurrent units."""

from typing import cast

import torch
from torch import nn

from ..kernels._check import check_tensors
from ..kernels.oscillators import check_sequence
from ._block import UNITS, Block
from ._check import check_dropout, check_names, check_sizes
from ._dropout import drawn_key
from ._norm import NORMS, SequenceNorm
from ._packing import Packing, pack
from ._readout import gathered, nothing_read, read, read_so_far, summed
from ._walk import Piece, State

_READOUTS = ("mean", "last", "sequence")


class HSSM(nn.Module):
    r"""Hamiltonian state space model: a stack of oscillator layers for sequences.

    A linear encoder to `hidden_size`; then blocks of normalisation, a Hamiltonian
    recurrent unit, GELU, dropout, a gated linear unit
    :math:`W_1 x \cdot \sigma(W_2 x)` and dropout, each around a skip connection; then
    a linear head (arXiv 2506.05259, after LinOSS, arXiv 2410.03943).

    Parameters
    ----------
    input_size : int
        Number of channels.
    output_size : int
        Number of outputs: classes or targets.
    hidden_size : int
        Width of the blocks.
    state_size : int
        Modes in each block.
    num_blocks : int
        Number of blocks.
    dynamics : {"linear", "damped", "nonlinear"}, default="linear"
        :class:`LinearHRU` or :class:`DampedHRU` (with complex B and C), or
        :class:`NonlinearHRU`.
    gradient : {"bptt", "rhel"}, default="bptt"
        How the oscillators' gradient is computed; the rest is back-propagated.
    epsilon : float or "auto", default="auto"
        Size of the nudge under "rhel".
    norm : {"batch", "layer", None}, default="batch"
        Normalisation, without scale or shift. Statistics never see padding.
    dropout : float, default=0.0
        Probability of dropping an activation.
    readout : {"mean", "last", "sequence"}, default="mean"
        What the head reads: the mean over a sample's steps, its last step, or every
        `every`-th step.
    every : int, default=1
        Distance of the steps that readout "sequence" reads: counting from one, steps
        `every`, 2 `every` and so on.
    initial_step : float, optional
        Largest step size of :class:`NonlinearHRU` at the start. Its default is for
        series of ten thousand steps; 0.1 suits a thousand better.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import HSSM
    >>> x = torch.randn(2, 100, 3)
    >>> model = HSSM(3, 5, hidden_size=8, state_size=4, num_blocks=2)
    >>> model(x).shape
    torch.Size([2, 5])
    >>> model = HSSM(
    ...     3, 1, hidden_size=8, state_size=4, num_blocks=2, gradient="rhel",
    ...     readout="sequence", every=8,
    ... )
    >>> model(x).shape
    torch.Size([2, 12, 1])
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden_size: int,
        state_size: int,
        num_blocks: int,
        dynamics: str = "linear",
        gradient: str = "bptt",
        epsilon: float | str = "auto",
        norm: str | None = "batch",
        dropout: float = 0.0,
        readout: str = "mean",
        every: int = 1,
        initial_step: float | None = None,
    ):
        super().__init__()
        check_names(dynamics=dynamics, norm=norm, readout=readout, gradient=gradient)
        check_dropout(dropout)
        sizes = {
            "input_size": input_size,
            "output_size": output_size,
            "hidden_size": hidden_size,
            "state_size": state_size,
            "num_blocks": num_blocks,
            "every": every,
        }
        check_sizes(**sizes)
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be a positive integer, got {size!r}.")
        for name, value, allowed in (
            ("dynamics", dynamics, tuple(UNITS)),
            ("norm", norm, tuple(NORMS)),
            ("readout", readout, _READOUTS),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}.")
        options = {"gradient": gradient, "epsilon": epsilon}
        if initial_step is not None:
            if dynamics != "nonlinear":
                raise ValueError("initial_step is for dynamics='nonlinear' only.")
            options["initial_step"] = initial_step
        self.input_size = input_size
        self.readout = readout
        self.every = every
        self.encoder = nn.Linear(input_size, hidden_size)
        self.blocks = nn.ModuleList(
            Block(hidden_size, state_size, dynamics, norm, dropout, **options)
            for _ in range(num_blocks)
        )
        self.head = nn.Linear(hidden_size, output_size)

    @property
    def takes_weights(self) -> bool:
        """Whether training depends on sample weights other than through the loss."""
        return any(isinstance(block.norm, SequenceNorm) for block in self.blocks)

    def forward(
        self,
        u: torch.Tensor,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Run the model.

        Parameters
        ----------
        u : Tensor of shape (batch, time, input_size), or (sum(lengths), input_size)
            Input sequences; with `lengths` also packed, one after another.
        dt : Tensor of shape (batch, time), or (sum(lengths),), optional
            Time that passes at every step, in units of the oscillators' steps: of any
            length for linear and damped ones, at most about one for nonlinear ones; see
            :class:`LinearHRU`. It gets no gradient.
        lengths : Tensor of shape (batch,), optional
            Number of steps of each sample, at least one. Later steps of `u` and `dt`
            are ignored, NaN or not. Best kept on the CPU: of a tensor on a GPU every call
            waits for the values.
        weights : Tensor of shape (batch,), optional
            Sample weights, up to a common factor, for batch normalisation in training:
            whole numbers do what as many copies of the samples would.

        Returns
        -------
        output : Tensor of shape (batch, output_size)
            With readout "sequence", of shape (batch, time // every, output_size), zero
            past a sample's length; of packed sequences, time is the longest length.

        Raises
        ------
        TypeError
            If `u` or `dt` is not real or `lengths` not integer.
        ValueError
            If a shape does not fit, a length or a step is out of range, or the largest
            step of nonlinear oscillators is unstable.
        """
        self._check(u, dt, lengths, weights)
        n_samples = len(u) if lengths is None or u.ndim == 3 else len(lengths)
        state = self.begin(n_samples)
        outputs, state = self._walk(u, state, dt, lengths, weights=weights, least=1)
        return self.conclude(state) if outputs is None else outputs

    def begin(self, n_samples: int) -> State:
        """Give the state before the first step; in training, with new dropout masks."""
        weight = self.head.weight
        return State(
            tuple(block.rest(n_samples) for block in self._blocks),
            nothing_read(self.readout, n_samples, self.width, weight),
            key=drawn_key(self._blocks[0].dropout, device=weight.device),
        )

    def walk(
        self,
        u: torch.Tensor,
        state: State,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> tuple[torch.Tensor | None, State]:
        """Go on through a piece of the sequences.

        Parameters
        ----------
        u, dt
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

        Raises
        ------
        TypeError, ValueError
            As of :meth:`forward`; in training also with batch normalisation, which needs all
            steps at once.
        """
        self._check(u, dt, lengths, None)
        self._check_walks()
        return self._walk(u, state, dt, lengths)

    def walk_back(
        self,
        u: torch.Tensor,
        state: State,
        *,
        dt: torch.Tensor | None = None,
        lengths: torch.Tensor | Packing | None = None,
    ) -> tuple[torch.Tensor | None, State, State]:
        """Undo a piece of the sequences block by block, and walk through it again.

        Nothing is kept of a walk but its last state: what the oscillators heard in the first
        block is in `u`, what they heard in each other follows from the one below.

        Parameters
        ----------
        u, dt, lengths
            Of the piece.
        state : State
            After it. Its sum or last step is not undone.

        Returns
        -------
        outputs : Tensor or None
            As of :meth:`walk`.
        before : State
            Before the piece, but for rounding, and but for the readout. Gradients with
            respect to it are to be had.
        after : State
            Again after it.
        """
        self._check(u, dt, lengths, None)
        self._check_walks()
        if isinstance(lengths, torch.Tensor):
            lengths = Packing.of(lengths, least=0)
        before = state._replace(position=state.position - Piece(u, lengths, 3, state).n_steps)
        undone: list[torch.Tensor] = []
        outputs, after = self._walk(u, before, dt, lengths, undone=undone)
        return outputs, before._replace(recurrent=tuple(undone) or before.recurrent), after

    def conclude(self, state: State) -> torch.Tensor:
        """Map what the steps so far left to outputs (batch, output_size)."""
        return self.head(read_so_far(self.readout, state))

    def _walk(
        self, u, state, dt, lengths, *, weights=None, least=0, undone=None
    ) -> tuple[torch.Tensor | None, State]:
        x, dt, packing = pack("u", u, dt, lengths, 3, least)
        piece = Piece(u, packing, 3, state)
        if weights is not None:
            weights = (
                weights[:, None].expand(u.shape[:2])
                if packing is None
                else packing.repeat(weights)
            )
        x, recurrent = self.encoder(x), []
        masks = piece.masks()
        for block, own in zip(self._blocks, state.recurrent, strict=True):
            if not piece.empty:
                if undone is not None:
                    own = block.undo(x, own, dt=dt, packing=packing).requires_grad_()
                    undone.append(own)
                x, own = block(x, own, dt=dt, packing=packing, weights=weights, masks=masks)
            recurrent.append(own)
        if self.readout == "sequence":
            outputs = piece.laid_out(self.head(piece.chosen(x, self.every)), self.every)
            return outputs, state.after(piece, tuple(recurrent), None)
        readout = state.readout
        assert readout is not None
        if not piece.empty:
            readout = gathered(self.readout, readout, self._read(x, packing, readout), packing)
        return None, state.after(piece, tuple(recurrent), readout)

    @property
    def width(self) -> int:
        """Width of the blocks."""
        return self.head.in_features

    @property
    def _blocks(self) -> list[Block]:
        return cast(list[Block], self.blocks)

    def _read(self, x: torch.Tensor, packing: Packing | None, before: torch.Tensor):
        if packing is None:
            return read(x, self.readout)
        if self.readout == "last":
            return packing.last(x)
        sums = [summed(sequences) for sequences in packing.spread(x)]
        return packing.in_order(sums, torch.zeros_like(before))

    def _check_walks(self) -> None:
        if self.training and self.takes_weights:
            raise ValueError(
                "In training, batch normalisation needs all steps of a batch at once, and not a "
                "piece of them: set norm='layer' or norm=None, or call eval() first."
            )

    def _check(self, u, dt, lengths, weights) -> None:
        check_tensors(u=u, weights=weights)
        if lengths is None or u.ndim != 2:
            check_sequence("u", u, dt, None if isinstance(lengths, Packing) else lengths)
        if u.shape[-1] != self.input_size:
            raise ValueError(
                f"u must have shape (batch, time, input_size={self.input_size}), "
                f"got {tuple(u.shape)}."
            )
        own = self.head.weight.dtype
        if u.dtype != own and not torch.is_autocast_enabled(u.device.type):
            raise ValueError(f"u must have the parameters' {own}, got {u.dtype}.")
        if weights is not None:
            n_samples = len(u) if lengths is None else len(lengths)
            if weights.shape != (n_samples,):
                raise ValueError(
                    f"weights must have shape {(n_samples,)}, got {tuple(weights.shape)}."
                )
