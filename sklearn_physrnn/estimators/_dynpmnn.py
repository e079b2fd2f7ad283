"""DynPMNN estimators for tables."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from ..families import DynPMNN
from ._base import _BaseEstimator
from ._classification import _BaseClassifier
from ._docstrings import documented
from ._parameters import set_parameters
from ._regression import _BaseRegressor


class _OfTables(_BaseEstimator):
    """What scikit-learn may know of an estimator of tables."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.categorical = True
        return tags


@documented(sequences=False)
class DynPMNNRegressor(_OfTables, _BaseRegressor):
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

    _family = DynPMNN

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseRegressor._parameter_constraints,
        **DynPMNN.estimator_constraints,
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
        interval: str | None = None,
        interval_cv: Any = 5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.02,
        learning_rate: str = "one_cycle",
        alpha: float | str = "auto",
        batch_size: int | str = "auto",
        max_iter: int = 80,
        max_time: float | None = None,
        max_grad_norm: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        scale_inputs: str | bool = "quantile",
        categorical_features: Any = "from_dtype",
        missing: str = "indicator",
        neighbors: Any = None,
        neighbors_cv: Any = 5,
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())


@documented(sequences=False)
class DynPMNNClassifier(_OfTables, _BaseClassifier):
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

    _family = DynPMNN

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **DynPMNN.estimator_constraints,
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
        max_time: float | None = None,
        max_grad_norm: float | None = None,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        scale_inputs: str | bool = "quantile",
        categorical_features: Any = "from_dtype",
        missing: str = "indicator",
        neighbors: Any = None,
        neighbors_cv: Any = 5,
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())
