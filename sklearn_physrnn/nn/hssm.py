"""Deep state space model of Hamiltonian recurrent units."""

import torch
from torch import nn

from ..kernels._check import check_tensors
from ..kernels.oscillators import check_sequence
from ._block import UNITS, Block, check_loops
from ._check import check_dropout, check_flags, check_names, check_sizes
from ._encoder import ENCODERS, GatedEncoder
from ._norm import NORMS
from ._one_step import NetworkStep
from ._packing import Packing
from ._stack import Stack
from ._stack_step import StackStep
from ._walk import Piece, State

_READOUTS = ("mean", "last", "sequence")


class HSSM(Stack):
    r"""Hamiltonian state space model: a stack of oscillator layers for sequences.

    An encoder to `hidden_size`; then blocks of normalisation, a Hamiltonian
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
    memory : float, optional
        Of linear and damped oscillators: the steps, or patches, over which the slowest turns by
        one radian at first (see :class:`LinearHRU`).
    encoder : {"linear", "gated"}, default="linear"
        What maps a step to `hidden_size`: a linear map, or
        :math:`W_3 (W_1 u \cdot \sigma(W_2 u))`, which multiplies channels before anything
        is spread over time.
    num_loops : int, default=1
        How often the stack of blocks is gone through, with the same weights
        (arXiv 2605.16048), and a state for each use. Not with batch normalisation.
    patch_size : int, default=1
        Steps that the encoder reads as one; the oscillators' step is then of so many. What
        is left over at the end of a sequence is filled up with zeros, as one patch more;
        with readout "sequence", whose `every` must be a multiple of it, it comes after the
        last step that is read, and is not looked at. Of steps that take different times
        (`dt`), a patch has the mean.
    bidirectional : bool, default=False
        Let a second unit in each block read from the end, and add what both have. Then
        there is no walk in pieces: a sequence must be there as a whole.

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
        memory: float | None = None,
        encoder: str = "linear",
        num_loops: int = 1,
        patch_size: int = 1,
        bidirectional: bool = False,
    ):
        super().__init__()
        check_names(
            dynamics=dynamics, norm=norm, readout=readout, gradient=gradient, encoder=encoder
        )
        check_dropout(dropout)
        check_flags(bidirectional=bidirectional)
        sizes = {
            "input_size": input_size,
            "output_size": output_size,
            "hidden_size": hidden_size,
            "state_size": state_size,
            "num_blocks": num_blocks,
            "every": every,
            "num_loops": num_loops,
            "patch_size": patch_size,
        }
        check_sizes(**sizes)
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be a positive integer, got {size!r}.")
        for name, value, allowed in (
            ("dynamics", dynamics, tuple(UNITS)),
            ("norm", norm, tuple(NORMS)),
            ("readout", readout, _READOUTS),
            ("encoder", encoder, tuple(ENCODERS)),
        ):
            if value not in allowed:
                raise ValueError(f"{name} must be one of {allowed}, got {value!r}.")
        options = {"gradient": gradient, "epsilon": epsilon}
        if initial_step is not None:
            if dynamics != "nonlinear":
                raise ValueError("initial_step is for dynamics='nonlinear' only.")
            options["initial_step"] = initial_step
        if memory is not None:
            if dynamics == "nonlinear":
                raise ValueError("memory is for dynamics='linear' and 'damped' only.")
            options["memory"] = memory
        check_loops(num_loops, norm)
        if readout == "sequence" and every % patch_size:
            raise ValueError(
                f"every={every} must be a multiple of patch_size={patch_size}: between two "
                "patches there is nothing to read."
            )
        self.input_size = input_size
        self.readout = readout
        self.every = every
        self.num_loops = num_loops
        self.patch_size = patch_size
        self.bidirectional = bool(bidirectional)
        check_sizes(**{"patch_size * input_size": patch_size * input_size})
        self.encoder = ENCODERS[encoder](patch_size * input_size, hidden_size)
        self.blocks = nn.ModuleList(
            Block(
                hidden_size, state_size, dynamics, norm, dropout, bidirectional=bidirectional,
                **options,
            )
            for _ in range(num_blocks)
        )  # fmt: skip
        self.head = nn.Linear(hidden_size, output_size)

    @property
    def input_weight(self) -> torch.Tensor:
        """The weights that the inputs meet first, (width, patch_size * input_size)."""
        first = self.encoder.gate if isinstance(self.encoder, GatedEncoder) else self.encoder
        assert isinstance(first, nn.Linear)
        return first.weight

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
            Time that passes at every step, in units of the oscillators' steps; what is above
            one is a gap, of any length for linear and damped oscillators, of up to 1,000 units
            for nonlinear ones (see :class:`LinearHRU`, :class:`NonlinearHRU`). It gets no
            gradient. With a last axis as :meth:`LinearHRU.forward` takes it.
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
            If a shape does not fit, a length or a step is out of range, or a gap of nonlinear
            oscillators is too long.
        """
        self._check(u, dt, lengths, weights)
        n_samples = len(u) if lengths is None or u.ndim == 3 else len(lengths)
        state = self.begin(n_samples)
        outputs, state = self.through(u, state, dt, lengths, weights=weights, whole=True)
        return self.read_whole(state) if outputs is None else outputs

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
            steps at once, and if the model is bidirectional.
        """
        self._check(u, dt, lengths, None)
        self._check_walks()
        return self.through(u, state, dt, lengths)

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

        Raises
        ------
        TypeError, ValueError
            As of :meth:`walk`, and if the piece does not begin with a whole patch.
        """
        self._check(u, dt, lengths, None)
        self._check_walks()
        if isinstance(lengths, torch.Tensor):
            lengths = Packing.of(lengths, least=0)
        before = state._replace(position=state.position - Piece(u, lengths, 3, state).n_steps)
        if self.patch_size > 1:
            before = self.before_patches(before, lengths)
        undone: list[torch.Tensor] = []
        outputs, after = self.through(u, before, dt, lengths, undone=undone)
        undone += before.recurrent[len(undone) :]  # where there was no step, and what waited
        return outputs, before._replace(recurrent=tuple(undone)), after

    def as_step(self) -> NetworkStep:
        """Give one step of the model, as it is now and in evaluation, in plain torch.

        Of a model of patches it is a step of the recurrence: a patch.

        Raises
        ------
        ValueError
            If the model is bidirectional.
        """
        self._check_walks()
        return NetworkStep(self, StackStep(self), self.head)

    def _check_walks(self) -> None:
        if self.bidirectional:
            raise ValueError(
                "A bidirectional model reads sequences from their end, too, and needs them as a "
                "whole: set bidirectional=False for pieces of time."
            )
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
