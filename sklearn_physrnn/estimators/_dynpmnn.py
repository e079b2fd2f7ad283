"""DynPMNN estimators for tables."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..nn import DynPMNN
from ..nn._solvers import SOLVERS
from ..nn.vector_fields import VECTOR_FIELDS
from ._classification import _BaseClassifier
from ._regression import _BaseRegressor
from ._tabular import _TabularInputs

_OWN_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_size": [Interval(Integral, 1, None, closed="left")],
    "num_layers": [Interval(Integral, 1, None, closed="left")],
    "dynamics": [StrOptions(set(VECTOR_FIELDS)), nn.Module, callable],
    "solver": [StrOptions(set(SOLVERS))],
    "n_steps": [Interval(Integral, 1, None, closed="left")],
    "t_end": [Interval(Real, 0, None, closed="neither")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
}


class _DynPMNNModel(_TabularInputs):
    """What regressor and classifier share: the module, and a look at its step."""

    num_layers: int
    dynamics: Any
    solver: str
    n_steps: int
    t_end: float
    dropout: float

    def _make_module(self, n_outputs: int) -> DynPMNN:
        return DynPMNN(
            self.n_features_in_,
            n_outputs,
            hidden_size=self.hidden_size,
            num_layers=self.num_layers,
            dynamics=self.dynamics,
            solver=self.solver,
            n_steps=self.n_steps,
            t_end=self.t_end,
            dropout=self.dropout,
        )

    def _examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> None:
        assert isinstance(module, DynPMNN)
        module.check_stability(inputs["x"].to(next(module.parameters())))


class DynPMNNRegressor(_DynPMNNModel, _BaseRegressor):
    """Regression by layers of FitzHugh-Nagumo neurons or other ordinary differential equations.

    DOCSTRING
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseRegressor._parameter_constraints,
        **_OWN_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_size: int = 26,
        num_layers: int = 2,
        *,
        dynamics: str | nn.Module | Any = "fitzhugh_nagumo",
        solver: str = "semi_implicit_euler",
        n_steps: int = 8,
        t_end: float = 1.0,
        dropout: float = 0.0,
        loss: str = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.01,
        learning_rate: str = "one_cycle",
        alpha: float = 0.15,
        batch_size: int | str = "auto",
        max_iter: int = 80,
        max_grad_norm: float | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 80,
        tol: float = 0.0,
        scale_inputs: str | bool = "quantile",
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
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
        self.random_state = random_state
        self.verbose = verbose


class DynPMNNClassifier(_DynPMNNModel, _BaseClassifier):
    """Classification by layers of FitzHugh-Nagumo neurons or other differential equations.

    DOCSTRING
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **_OWN_CONSTRAINTS,
    }

    def __init__(
        self,
        hidden_size: int = 26,
        num_layers: int = 2,
        *,
        dynamics: str | nn.Module | Any = "fitzhugh_nagumo",
        solver: str = "semi_implicit_euler",
        n_steps: int = 8,
        t_end: float = 1.0,
        dropout: float = 0.0,
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.01,
        learning_rate: str = "one_cycle",
        alpha: float = 0.15,
        batch_size: int | str = "auto",
        max_iter: int = 80,
        max_grad_norm: float | None = None,
        early_stopping: bool | str = "auto",
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 80,
        tol: float = 0.0,
        scale_inputs: str | bool = "quantile",
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
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
        self.random_state = random_state
        self.verbose = verbose
