"""DynPMNN: hidden layers that are ordinary differential equations."""

import copy
from collections.abc import Callable

import torch
from torch import nn

from .._warnings import warn
from ..kernels._check import check_tensors
from ._check import check_at_least_one, check_dropout, check_names, check_numbers
from ._dropout import Dropout
from ._embedding import PeriodicEmbedding
from ._members import MemberHead, MemberLinear
from ._solvers import SOLVERS, fused, integrate, path
from ._stability import StabilityWarning, StepStability, step_stability
from .vector_fields import VECTOR_FIELDS, maps_plainly

__all__ = ["DynPMNN"]

Map = Callable[[torch.Tensor], torch.Tensor]
Dynamics = str | nn.Module | Callable[[int], nn.Module]


def make_field(dynamics: Dynamics, hidden_size: int) -> nn.Module:
    """Build a layer's vector field from a name, a module to copy, or a factory.

    Raises
    ------
    ValueError
        If the name is unknown, or the module's output is not like its state.
    TypeError
        If it is no module, or lacks ``n_states``.
    """
    if isinstance(dynamics, str):
        if dynamics not in VECTOR_FIELDS:
            raise ValueError(
                f"dynamics must be one of {sorted(VECTOR_FIELDS)} or a vector field, "
                f"got {dynamics!r}."
            )
        return VECTOR_FIELDS[dynamics](hidden_size)
    if not callable(dynamics):
        raise TypeError(
            f"dynamics must be a name, a vector field or a callable, got {dynamics!r}."
        )
    if isinstance(dynamics, nn.Module):
        field = copy.deepcopy(dynamics)
    else:
        try:
            field = dynamics(hidden_size)
        except TypeError as error:
            raise TypeError(
                f"dynamics={dynamics!r} made no vector field from hidden_size={hidden_size}: "
                f"{error}."
            ) from error
    if not isinstance(field, nn.Module):
        raise TypeError(
            "dynamics must be a name, an nn.Module or a callable hidden_size -> nn.Module, "
            f"got {type(field).__name__}."
        )
    n_states = getattr(field, "n_states", None)
    if not isinstance(n_states, int) or n_states < 1:
        raise TypeError(
            f"The vector field {type(field).__name__} must have an integer attribute n_states "
            f">= 1, got {n_states!r}."
        )
    _check_shapes(field, hidden_size, n_states)
    return field


def _check_shapes(field: nn.Module, hidden_size: int, n_states: int) -> None:
    state, drive = torch.zeros(2, hidden_size, n_states), torch.zeros(2, hidden_size)
    own = next(field.parameters(), None)
    if own is not None:
        state, drive = state.to(own), drive.to(own)
    try:
        with torch.no_grad():
            derivative = field(state, drive)
    except (RuntimeError, IndexError, TypeError, ValueError) as error:
        raise ValueError(
            f"The vector field {type(field).__name__} does not take a state of shape "
            f"{tuple(state.shape)} (batch, hidden_size, n_states) and a drive of shape "
            f"{tuple(drive.shape)}: {error}"
        ) from error
    shape = tuple(getattr(derivative, "shape", ()))
    if shape != tuple(state.shape):
        raise ValueError(
            f"The vector field {type(field).__name__} must return a derivative like its state, "
            f"of shape {tuple(state.shape)}, got {shape}."
        )


class DynPMNNLayer(nn.Module):
    """An affine map to initial state and drive, then an integration to ``t_end``."""

    n_states: int

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        dynamics: Dynamics,
        solver: str,
        n_steps: int,
        t_end: float,
        n_members: int,
        diverse: bool,
    ) -> None:
        super().__init__()
        self.hidden_size, self.solver = hidden_size, solver
        self.n_steps, self.t_end = n_steps, t_end
        self.n_members = n_members
        self.field = make_field(dynamics, hidden_size)
        self.n_states = int(self.field.n_states)  # type: ignore[arg-type]  # checked above
        # NOTE[paper]: the drive depends on the input; the release keeps it at zero.
        n_raw = hidden_size * (self.n_states + 1)
        self.project = (
            nn.Linear(input_size, n_raw)
            if n_members == 1
            else MemberLinear(input_size, n_raw, n_members, diverse=diverse)
        )
        nn.init.normal_(self.project.weight, std=input_size**-0.5)
        nn.init.uniform_(self.project.bias, -0.3, 0.3)
        with torch.no_grad():
            state = torch.zeros(1, hidden_size, self.n_states)
            self.output_size = self._observe(state.to(self.project.weight)).shape[-1]

    def _method(self, name: str, default: Map) -> Map:
        """Give the field's own method where it has one."""
        return getattr(self.field, name, default)

    def _observe(self, state: torch.Tensor) -> torch.Tensor:
        observe = self._method("observe", lambda state: state)
        return observe(state).transpose(-1, -2).flatten(-2)

    def _raw(self, x: torch.Tensor) -> torch.Tensor:
        rows = self.project(x).flatten(0, -2)
        return rows.unflatten(-1, (self.n_states + 1, self.hidden_size))

    def start(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map x (batch, [n_members,] input_size) to a bounded initial state and drive.

        Returns
        -------
        state : Tensor of shape (rows, hidden_size, n_states)
            One row a sample and member.
        drive : Tensor of shape (rows, hidden_size)
        """
        raw = self._raw(x).transpose(-1, -2)
        initial_state = self._method("initial_state", torch.tanh)
        # Bounded, both: an explicit scheme has a stable region only so large.
        return initial_state(raw[..., :-1]), torch.tanh(raw[..., -1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x (batch, [n_members,] input_size) to features (batch, ..., output_size)."""
        # Without unpacking, where the field leaves all three parts to us.
        run = fused(self.field, SOLVERS[self.solver]) if maps_plainly(self.field) else None
        if run is not None:
            features = run(torch.tanh(self._raw(x)), self.n_steps, self._dt).flatten(1)
        else:
            state, drive = self.start(x)
            state = integrate(self.field, state, drive, self.solver, self.n_steps, self._dt)
            features = self._observe(state)
        if self.n_members > 1:
            return features.unflatten(0, (-1, self.n_members))
        return features

    @property
    def _dt(self) -> float:
        return self.t_end / self.n_steps

    @torch.no_grad()
    def path(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Every state on the way, step by step, for those who look at the layer.

        Parameters
        ----------
        x : Tensor of shape (batch, [n_members,] input_size)

        Returns
        -------
        states : Tensor of shape (rows, n_steps + 1, hidden_size, n_states)
            One row a sample and member.
        drive : Tensor of shape (rows, hidden_size)
        """
        state, drive = self.start(x)
        states = path(self.field, state, drive, self.solver, self.n_steps, self._dt)
        return torch.stack(list(states), 1), drive

    def stability(self, x: torch.Tensor) -> StepStability:
        """What the step does at the states that x leads to."""
        with torch.no_grad():
            state, drive = self.start(x)
        return step_stability(self.field, state, drive, self.solver, self.n_steps, self.t_end)


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
        x = self.head(x)
        return x if self.training or self.n_members == 1 else x.mean(1)

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
        features = self.layers[index](x)
        residual = index > 0 and features.shape == x.shape
        return self.dropout(x + features if residual else features)

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
