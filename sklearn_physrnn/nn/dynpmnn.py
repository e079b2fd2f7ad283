"""DynPMNN: hidden layers that are ordinary differential equations."""

import copy

import torch
from torch import nn

from .._warnings import warn
from ..kernels._check import check_tensors
from ._check import check_at_least_one, check_dropout, check_names, check_numbers
from ._dropout import Dropout
from ._dynpmnn_layer import Dynamics, DynPMNNLayer
from ._embedding import PeriodicEmbedding
from ._features import Open
from ._members import MemberHead
from ._solvers import SOLVERS
from ._stability import StabilityWarning, StepStability

__all__ = ["DynPMNN"]


class Bare(nn.Module):
    """What the head of a network sees, of several members the mean, and what the network does.

    Inputs beyond `MOST_INPUTS` are not given beside it.
    """

    MOST_INPUTS = 128

    def __init__(self, network: "DynPMNN") -> None:
        super().__init__()
        self.network = copy.copy(network)
        self.network._modules = dict(network._modules)
        self.network.head = Open.like(next(network.head.parameters()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, input_size) to features (batch, n_features)."""
        features = self.network(x)
        return torch.cat([features, x], dim=1) if x.shape[1] <= self.MOST_INPUTS else features


class DynPMNN(nn.Module):
    r"""Dynamical Physics-Modeled Neural Network (arXiv 2605.08176).

    Each hidden layer is a set of small physical systems. An affine map of the layer's
    input sets their bounded initial state :math:`s(0)` and constant drive :math:`I`; the
    layer's output is the observed state at time `t_end`,

    .. math::
        \dot s = f_\theta(s, I), \qquad s(0), I = \tanh(W x + b),

    integrated in `n_steps` equal steps. Physical parameters :math:`\theta`, one set a
    neuron, are trained together with the weights. A layer as wide as its input adds that
    input to its output; a linear head follows the last layer.

    Parameters
    ----------
    input_size : int
        Number of input features.
    output_size : int
        Number of outputs.
    hidden_size : int, default=24
        Neurons in a layer.
    num_layers : int, default=2
        Number of layers.
    dynamics : str, nn.Module or callable, default="fitzhugh_nagumo"
        ``"fitzhugh_nagumo"``, ``"van_der_pol"``, ``"hodgkin_huxley"`` or ``"kuramoto"``;
        a vector field to copy for every layer (see
        :mod:`sklearn_physrnn.nn.vector_fields`); or a callable that makes one from
        ``hidden_size``.
    solver : {"euler", "semi_implicit_euler", "heun", "rk4"}, default="semi_implicit_euler"
        The scheme, of order 1, 1, 2 and 4 in the step size.
    n_steps : int, default=8
        Number of steps.
    t_end : float, default=1.0
        Integration time, in the unit of the dynamics: dimensionless, or ms for
        Hodgkin-Huxley.
    dropout : float, default=0.0
        Share of each layer's outputs dropped in training.
    n_members : int, default=1
        Networks that share their weights up to scales (arXiv 2410.24210) and their
        physical parameters; the output is their mean.
    n_frequencies : int or None, default=None
        Give each feature a periodic embedding with so many frequencies.
    embedding_dim : int, default=8
        Width of that embedding, a feature.
    frequency_scale : float, default=1.0
        Standard deviation of its initial frequencies, in periods a unit of x.

    Raises
    ------
    ValueError
        For a size below 1, an unknown name, or a vector field of the wrong shape.

    Examples
    --------
    >>> import torch
    >>> from sklearn_physrnn.nn import DynPMNN
    >>> DynPMNN(3, 1, hidden_size=16)(torch.zeros(5, 3)).shape
    torch.Size([5, 1])
    """

    def __init__(
        self,
        input_size: int,
        output_size: int,
        *,
        hidden_size: int = 24,
        num_layers: int = 2,
        dynamics: Dynamics = "fitzhugh_nagumo",
        solver: str = "semi_implicit_euler",
        n_steps: int = 8,
        t_end: float = 1.0,
        dropout: float = 0.0,
        n_members: int = 1,
        n_frequencies: int | None = None,
        embedding_dim: int = 8,
        frequency_scale: float = 1.0,
    ) -> None:
        super().__init__()
        sizes = {
            "input_size": input_size,
            "output_size": output_size,
            "hidden_size": hidden_size,
            "num_layers": num_layers,
            "n_steps": n_steps,
            "n_members": n_members,
            "n_frequencies": 1 if n_frequencies is None else n_frequencies,
            "embedding_dim": embedding_dim,
        }
        check_at_least_one(**sizes)
        check_names(solver=solver)
        check_numbers(t_end=t_end, frequency_scale=frequency_scale)
        check_dropout(dropout)
        hidden_size, n_steps, n_members = int(hidden_size), int(n_steps), int(n_members)
        if not t_end > 0:
            raise ValueError(f"t_end must be positive, got {t_end}.")
        if solver not in SOLVERS:
            raise ValueError(f"solver must be one of {sorted(SOLVERS)}, got {solver!r}.")
        self.input_size = input_size
        self.embedding = None
        if n_frequencies is not None:
            self.embedding = PeriodicEmbedding(
                input_size, n_frequencies, embedding_dim, frequency_scale
            )
            input_size = self.embedding.output_size
        self.layers = nn.ModuleList()
        for index in range(num_layers):
            layer = DynPMNNLayer(
                input_size,
                hidden_size,
                dynamics,
                solver,
                n_steps,
                t_end,
                n_members,
                diverse=index == 0,
            )
            self.layers.append(layer)
            input_size = layer.output_size
        self.dropout = Dropout(dropout)
        self.n_members = n_members
        if n_members > 1:
            self.head: nn.Module = MemberHead(input_size, output_size, n_members)
        else:
            self.head = nn.Linear(input_size, output_size)
            nn.init.zeros_(self.head.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, input_size) to outputs (batch, output_size).

        In training mode with several members each gives its own, to learn from:
        (batch, n_members, output_size).

        Raises
        ------
        TypeError
            If x is no real floating-point tensor.
        ValueError
            If it is of another shape, or not of the parameters' dtype.
        """
        self._check(x)
        if self.embedding is not None:
            x = self.embedding(x)
        for index in range(len(self.layers)):
            x = self._advance(index, x)
        return self.conclude(x)

    @torch.no_grad()
    def layer_inputs(self, x: torch.Tensor) -> list[torch.Tensor]:
        """What each layer is given for x (batch, input_size)."""
        if self.embedding is not None:
            x = self.embedding(x)
        inputs = []
        for index in range(len(self.layers)):
            inputs.append(x)
            x = self._advance(index, x)
        return inputs

    def _check(self, x: torch.Tensor) -> None:
        check_tensors(x=x)
        if x.ndim != 2 or x.shape[1] != self.input_size:
            raise ValueError(
                f"x must have shape (batch, {self.input_size}), got {tuple(x.shape)}."
            )
        own = self.head.weight.dtype
        if x.dtype != own and not torch.is_autocast_enabled(x.device.type):
            raise ValueError(f"x must have the parameters' {own}, got {x.dtype}.")

    def _advance(self, index: int, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.passed_on(index, x, self.layers[index](x)))

    def passed_on(self, index: int, x: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Give what follows a layer, of its input and its features."""
        return x + features if index > 0 and features.shape == x.shape else features

    def conclude(self, x: torch.Tensor) -> torch.Tensor:
        """Map what the last layer passed on to outputs (batch, output_size)."""
        x = self.head(x)
        return x if self.training or self.n_members == 1 else x.mean(1)

    def without_head(self) -> nn.Module:
        """Give a network that ends before the head; see :class:`Bare`."""
        return Bare(self)

    def check_stability(self, x: torch.Tensor) -> list[StepStability]:
        """Check each layer's step at the states that x leads to, and warn if one fails.

        Parameters
        ----------
        x : Tensor of shape (batch, input_size)
            A few dozen typical inputs.

        Returns
        -------
        list of StepStability
            One a layer, up to the first whose inputs are not finite: step size, worst
            growth of a decaying mode, share of visited states where one grows, and the
            number of steps that would do.

        Warns
        -----
        StabilityWarning
            If a layer's step lies outside its scheme's stable region.
        """
        if self.embedding is not None:
            x = self.embedding(x)
        reports = []
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, DynPMNNLayer)
            x = x[torch.isfinite(x).flatten(1).all(1)]
            if not len(x):  # an unstable layer, already warned about, has blown up
                break
            report = layer.stability(x)
            reports.append(report)
            if not report.stable:
                warn(
                    f"Layer {index}: a step of {report.dt:.3g} with solver={layer.solver!r} is "
                    f"unstable. At {report.unstable_fraction:.1%} of the visited states a "
                    f"decaying mode grows, by up to {report.worst_growth:.3g} a step. Use "
                    f"n_steps >= {report.stable_n_steps} (now {layer.n_steps}) or a smaller "
                    f"t_end (now {layer.t_end:g}).",
                    StabilityWarning,
                )
            with torch.no_grad():
                x = self._advance(index, x)
        return reports
