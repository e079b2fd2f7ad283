"""Deep state space model of Hamiltonian recurrent units."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import gelu, glu

from ..kernels._check import check_tensors
from ..kernels.oscillators import check_sequence
from ._check import check_dropout, check_names, check_sizes
from ._dropout import Dropout
from ._hru import HRU
from ._norm import NORMS, SequenceNorm
from ._packing import Packing, groups, pack
from .linear_hru import LinearHRU
from .nonlinear_hru import NonlinearHRU

_UNITS: dict[str, Callable[..., HRU]] = {"linear": LinearHRU, "nonlinear": NonlinearHRU}
_READOUTS = ("mean", "last", "sequence")


class _Block(nn.Module):
    # Norm, oscillators, GELU, dropout, gated linear unit, dropout, around a skip.
    def __init__(self, hidden_size, state_size, dynamics, norm, dropout, **options):
        super().__init__()
        self.norm = NORMS[norm](hidden_size)
        self.hru = _UNITS[dynamics](hidden_size, state_size, **options)
        self.gate = nn.Linear(hidden_size, 2 * hidden_size)
        self.dropout = Dropout(dropout)

    def forward(self, x, dt=None, packing=None, weights=None):
        """Map steps (..., hidden_size), packed where there is a packing; weights one a step."""
        heard = [
            self.hru(sequences, dt=steps, lengths=lengths)[0]
            for sequences, steps, lengths in groups(self.norm(x, weights), dt, packing)
        ]
        h = heard[0] if packing is None else packing.collect(heard)
        h = glu(self.gate(self.dropout(gelu(h))))
        return x + self.dropout(h)


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
    dynamics : {"linear", "nonlinear"}, default="linear"
        :class:`LinearHRU` (with complex B and C) or :class:`NonlinearHRU`.
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
            ("dynamics", dynamics, tuple(_UNITS)),
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
            _Block(hidden_size, state_size, dynamics, norm, dropout, **options)
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
            Factor of the oscillators' step size at every step, at most about one: see
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
            step is unstable.
        """
        self._check(u, dt, lengths, weights)
        x, dt, packing = pack("u", u, dt, lengths, 3)
        if weights is not None:
            weights = (
                weights[:, None].expand(u.shape[:2])
                if packing is None
                else packing.repeat(weights)
            )
        x = self.encoder(x)
        for block in self.blocks:
            x = block(x, dt, packing, weights)
        if self.readout != "sequence":
            return self.head(self._read_out(x, packing))
        if packing is None:
            return self.head(x[:, self.every - 1 :: self.every])
        x = self.head(packing.every(x, self.every))
        n_steps = u.shape[1] if u.ndim == 3 else packing.longest
        return packing.padded(x, self.every, n_steps // self.every)

    def _read_out(self, x: torch.Tensor, packing: Packing | None) -> torch.Tensor:
        if packing is None:
            return x[:, -1] if self.readout == "last" else x.sum(1) / x.shape[1]
        if self.readout == "last":
            return packing.last(x)
        sums = [sequences.sum(1) for sequences in packing.spread(x)]
        return packing.in_order(sums) / packing.counts(x.device)

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
