"""DynPMNN estimators for tables."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..nn import DynPMNN
from ..nn._solvers import SOLVERS
from ..nn.vector_fields import VECTOR_FIELDS
from ..preparation.tables import TableInputs
from ..training._losses import PerMember
from ._classification import _BaseClassifier
from ._docstrings import documented
from ._family import Family
from ._regression import _BaseRegressor

_OWN_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_size": [Interval(Integral, 1, None, closed="left")],
    "num_layers": [Interval(Integral, 1, None, closed="left")],
    # The tables' own keys, so that what is added to them is an option, too.
    "dynamics": [StrOptions(VECTOR_FIELDS.keys()), nn.Module, callable],
    "solver": [StrOptions(SOLVERS.keys())],
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    "t_end": [Interval(Real, 0, None, closed="neither")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "n_frequencies": [Interval(Integral, 1, None, closed="left"), None],
    "embedding_dim": [Interval(Integral, 1, None, closed="left")],
    "frequency_scale": [Interval(Real, 0, None, closed="neither")],
}


_FAMILY = """
Each hidden layer is a set of small physical systems, FitzHugh-Nagumo neurons unless told
otherwise: an affine map of the layer's input sets their initial state and drive, and
the layer's output is their state after `t_end`. Weights and physical constants are
trained together (arXiv 2605.08176; the equations are in
:class:`sklearn_physrnn.nn.DynPMNN`).

Parameters
----------
hidden_size : int
    Neurons in a layer.
num_layers : int
    Number of layers.
dynamics : str, nn.Module or callable
    "fitzhugh_nagumo", "van_der_pol", "hodgkin_huxley" or "kuramoto"; or a vector field
    of your own, to be copied for every layer; or a callable that makes one from
    ``hidden_size``.
solver : {"euler", "semi_implicit_euler", "heun", "rk4"}
    Scheme that integrates the equations.
n_steps : int
    Number of steps.
t_end : float
    Integration time, in the unit of the dynamics.
dropout : float
    Share of each layer's outputs dropped in training.
n_members : int
    Networks in one, which share their weights up to scales (arXiv 2410.24210); the
    prediction is their mean. More cost more time and overfit less.
n_frequencies : int or None
    Give each column a periodic embedding with so many frequencies, for targets that
    change fast along a column (arXiv 2203.05556).
embedding_dim : int
    Width of that embedding, a column.
frequency_scale : float
    Standard deviation of its initial frequencies, in periods a unit of scaled X.
"""


class DynPMNNFamily(Family):
    """What regressor and classifier share."""

    parameters = tuple(_OWN_CONSTRAINTS)
    remedies = (
        "a smaller learning_rate_init, max_grad_norm, t_end or frequency_scale, or with more "
        "n_steps"
    )

    def inputs(self, estimator: Any) -> TableInputs:
        return TableInputs(estimator.scale_inputs)

    def module(self, estimator: Any, inputs: TableInputs, n_outputs: int) -> DynPMNN:
        return DynPMNN(
            inputs.n_columns,
            n_outputs,
            hidden_size=estimator.hidden_size,
            num_layers=estimator.num_layers,
            dynamics=estimator.dynamics,
            solver=estimator.solver,
            n_steps=estimator.n_steps,
            t_end=estimator.t_end,
            dropout=estimator.dropout,
            n_members=estimator.n_members,
            n_frequencies=estimator.n_frequencies,
            embedding_dim=estimator.embedding_dim,
            frequency_scale=estimator.frequency_scale,
        )

    def criterion(self, estimator: Any, criterion: nn.Module) -> nn.Module:
        return criterion if estimator.n_members == 1 else PerMember(criterion)

    def examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        assert isinstance(module, DynPMNN)
        module.check_stability(inputs["x"].to(next(module.parameters())))
        return {}


@documented(sequences=False, family=_FAMILY)
class DynPMNNRegressor(_BaseRegressor):
    """Regression by layers of FitzHugh-Nagumo neurons or other differential equations.

    {family}
    {targets}
    {training}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> DynPMNNRegressor(random_state=0).fit(X, y).predict(X[:2]).shape
    (2,)
    """

    _family = DynPMNNFamily()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseRegressor._parameter_constraints,
        **_OWN_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_size: int = 24,
        num_layers: int = 2,
        *,
        dynamics: str | nn.Module | Any = "fitzhugh_nagumo",
        solver: str = "semi_implicit_euler",
        n_steps: int = 8,
        t_end: float = 1.0,
        dropout: float = 0.0,
        n_members: int = 1,
        n_frequencies: int | None = None,
        embedding_dim: int = 8,
        frequency_scale: float = 1.0,
        loss: str = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.02,
        learning_rate: str = "one_cycle",
        alpha: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 80,
        max_grad_norm: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        scale_inputs: str | bool = "quantile",
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dynamics = dynamics
        self.solver = solver
        self.n_steps = n_steps
        self.t_end = t_end
        self.dropout = dropout
        self.n_members = n_members
        self.n_frequencies = n_frequencies
        self.embedding_dim = embedding_dim
        self.frequency_scale = frequency_scale
        self.loss = loss
        self.quantile = quantile
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_grad_norm = max_grad_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scale_inputs = scale_inputs
        self.warm_start = warm_start
        self.dtype = dtype
        self.device = device
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose


@documented(sequences=False, family=_FAMILY)
class DynPMNNClassifier(_BaseClassifier):
    """Classification by layers of FitzHugh-Nagumo neurons or other differential equations.

    {family}
    {targets}
    {training}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_physrnn import DynPMNNClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> DynPMNNClassifier(random_state=0).fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """

    _family = DynPMNNFamily()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **_OWN_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_size: int = 24,
        num_layers: int = 2,
        *,
        dynamics: str | nn.Module | Any = "fitzhugh_nagumo",
        solver: str = "semi_implicit_euler",
        n_steps: int = 8,
        t_end: float = 1.0,
        dropout: float = 0.0,
        n_members: int = 1,
        n_frequencies: int | None = None,
        embedding_dim: int = 8,
        frequency_scale: float = 1.0,
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.02,
        learning_rate: str = "one_cycle",
        alpha: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 80,
        max_grad_norm: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        scale_inputs: str | bool = "quantile",
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dynamics = dynamics
        self.solver = solver
        self.n_steps = n_steps
        self.t_end = t_end
        self.dropout = dropout
        self.n_members = n_members
        self.n_frequencies = n_frequencies
        self.embedding_dim = embedding_dim
        self.frequency_scale = frequency_scale
        self.class_weight = class_weight
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.learning_rate = learning_rate
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_grad_norm = max_grad_norm
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.scale_inputs = scale_inputs
        self.warm_start = warm_start
        self.dtype = dtype
        self.device = device
        self.callbacks = callbacks
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.verbose = verbose
