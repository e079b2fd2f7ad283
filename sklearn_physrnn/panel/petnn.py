"""PETNN for panels."""

import os
from collections.abc import Sequence
from typing import Any

from ..estimators._parameters import set_parameters
from ..estimators._petnn import PETNNClassifier, PETNNRegressor
from ._classifier import BaseSeriesClassifier
from ._docstrings import documented
from ._regressor import BaseSeriesRegressor

_TEST_PARAMS: list[dict[str, Any]] = [
    {"hidden_size": 4},
    {"hidden_size": 3, "readout": "last", "early_stopping": True},
]


@documented
class PETNNSeriesClassifier(BaseSeriesClassifier):
    """Classification of panels by a physics-inspired energy transition network.

    {family}

    {panel}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classifier_ : sklearn_physrnn.PETNNClassifier
        The fitted estimator, with ``module_``, ``loss_curve_`` and the rest of its
        attributes. Missing where y holds a single class, which sktime then predicts.
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    n_classes_ : int
        Number of labels.
    fit_time_ : int
        Milliseconds that ``fit`` took.

    See Also
    --------
    sklearn_physrnn.PETNNClassifier : The same for scikit-learn's data containers.

    Examples
    --------
    >>> from sktime.datasets import load_japanese_vowels
    >>> from sklearn_physrnn.classification import PETNNSeriesClassifier
    >>> X, y = load_japanese_vowels(split="train")  # of unequal length
    >>> PETNNSeriesClassifier(8, max_iter=5, random_state=0).fit(X, y).predict(X[:3]).shape
    (3,)
    """

    _wrapped = PETNNClassifier
    _test_params = _TEST_PARAMS

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 1,
        *,
        release: str = "soft",
        increment: str = "linear",
        time_decay: bool = True,
        ground_state: bool = True,
        readout: str = "max",
        dropout: float = 0.0,
        time_channel: int | None = None,
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.01,
        learning_rate: str = "one_cycle",
        alpha: float = 0.01,
        batch_size: int | str = "auto",
        chunk_size: int | str | None = "auto",
        max_iter: int = 100,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        tol: float = 0.0,
        scale_inputs: str | bool = "standard",
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())
        super().__init__()


@documented
class PETNNSeriesRegressor(BaseSeriesRegressor):
    """Regression of panels by a physics-inspired energy transition network.

    {family}

    {panel}

    y may hold several targets; one network then predicts them all.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    regressor_ : sklearn_physrnn.PETNNRegressor
        The fitted estimator, with ``module_``, ``loss_curve_`` and the rest of its
        attributes.
    fit_time_ : int
        Milliseconds that ``fit`` took.

    See Also
    --------
    sklearn_physrnn.PETNNRegressor : The same for scikit-learn's data containers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn.regression import PETNNSeriesRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 2, 12))
    >>> y = X[:, 0].sum(axis=1)
    >>> PETNNSeriesRegressor(8, max_iter=5, random_state=0).fit(X, y).predict(X[:3]).shape
    (3,)
    """

    _wrapped = PETNNRegressor
    _test_params = _TEST_PARAMS

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 1,
        *,
        release: str = "soft",
        increment: str = "linear",
        time_decay: bool = True,
        ground_state: bool = True,
        readout: str = "last",
        dropout: float = 0.0,
        time_channel: int | None = None,
        loss: str = "squared_error",
        quantile: float = 0.5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.01,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = "auto",
        chunk_size: int | str | None = "auto",
        max_iter: int = 100,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        tol: float = 0.0,
        scale_inputs: str | bool = "standard",
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())
        super().__init__()
