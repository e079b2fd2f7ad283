"""HSSM for panels."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from ..estimators._hssm import HSSMClassifier, HSSMRegressor
from ..estimators._parameters import set_parameters
from ._classifier import BaseSeriesClassifier
from ._docstrings import documented
from ._estimator import Narrower
from ._regressor import BaseSeriesRegressor

_TEST_PARAMS: list[dict[str, Any]] = [
    {"hidden_size": 4, "state_size": 4, "num_blocks": 1},
    {"hidden_size": 3, "state_size": 2, "num_blocks": 1, "dynamics": "nonlinear"},
]


@documented
class HSSMSeriesClassifier(BaseSeriesClassifier):
    """Classification of panels by a Hamiltonian state space model.

    {family}

    {panel}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    classifier_ : sklearn_physrnn.HSSMClassifier
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
    sklearn_physrnn.HSSMClassifier : The same for scikit-learn's data containers.

    Examples
    --------
    >>> from sktime.datasets import load_italy_power_demand
    >>> from sktime.transformations.compose import FitInTransform
    >>> from sktime.transformations.series.difference import Differencer
    >>> from sklearn_physrnn.classification import HSSMSeriesClassifier
    >>> X, y = load_italy_power_demand(split="train", return_type="numpy3D")
    >>> differences = FitInTransform(Differencer())  # of each series by itself
    >>> model = differences * HSSMSeriesClassifier(max_iter=5, random_state=0)
    >>> model.fit(X, y).predict_proba(X[:3]).shape
    (3, 2)
    """

    _wrapped = HSSMClassifier
    _test_params = _TEST_PARAMS

    def __init__(
        self,
        hidden_size: int = 64,
        state_size: int = 64,
        num_blocks: int = 2,
        *,
        fitter: str = "rhel",
        dynamics: str = "linear",
        epsilon: float | str = "auto",
        norm: str | None = "batch",
        dropout: float = 0.1,
        readout: str = "mean",
        time_channel: int | None = None,
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = 32,
        chunk_size: int | str | None = "auto",
        max_iter: int = 60,
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
class HSSMSeriesRegressor(BaseSeriesRegressor):
    """Regression of panels by a Hamiltonian state space model.

    {family}

    {panel}

    y may hold several targets; one network then predicts them all.

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    regressor_ : sklearn_physrnn.HSSMRegressor
        The fitted estimator, with ``module_``, ``loss_curve_`` and the rest of its
        attributes.
    fit_time_ : int
        Milliseconds that ``fit`` took.

    See Also
    --------
    sklearn_physrnn.HSSMRegressor : The same for scikit-learn's data containers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn.regression import HSSMSeriesRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 2, 12))
    >>> y = X[:, 0].sum(axis=1)
    >>> HSSMSeriesRegressor(8, max_iter=5, random_state=0).fit(X, y).predict(X[:3]).shape
    (3,)
    """

    _wrapped = HSSMRegressor
    _narrower: ClassVar[dict[str, Narrower]] = {
        **BaseSeriesRegressor._narrower,
        # A prediction at every step has no place in sktime's regressors.
        "readout": Narrower(
            HSSMClassifier._parameter_constraints["readout"],
            'readout : {"mean", "last"}\n'
            "    What the head sees: the mean over steps, or the last step.",
        ),
    }
    _test_params = _TEST_PARAMS

    def __init__(
        self,
        hidden_size: int = 64,
        state_size: int = 64,
        num_blocks: int = 2,
        *,
        fitter: str = "rhel",
        dynamics: str = "linear",
        epsilon: float | str = "auto",
        norm: str | None = "batch",
        dropout: float = 0.1,
        readout: str = "mean",
        time_channel: int | None = None,
        loss: str = "squared_error",
        quantile: float = 0.5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = 32,
        chunk_size: int | str | None = "auto",
        max_iter: int = 60,
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
