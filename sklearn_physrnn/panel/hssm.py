"""HSSM for panels."""

from typing import Any, ClassVar

from ..estimators._hssm import HSSMClassifier, HSSMRegressor
from ..families import HSSM
from ._classifier import BaseSeriesClassifier
from ._constructor import constructor
from ._docstrings import documented
from ._estimator import pooled
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
    _narrower: ClassVar = {**BaseSeriesClassifier._narrower, **pooled(HSSM)}
    _test_params = _TEST_PARAMS

    __init__ = constructor(HSSMClassifier, "carry_state", "every", "warm_start")


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
    _narrower: ClassVar = {**BaseSeriesRegressor._narrower, **pooled(HSSM)}
    _test_params = _TEST_PARAMS

    __init__ = constructor(
        HSSMRegressor,
        "carry_state",
        "every",
        "warm_start",
        "interval",
        "interval_cv",
        quantile=float,
    )
