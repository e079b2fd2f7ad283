"""PETNN for panels."""

from typing import Any, ClassVar

from ..estimators._petnn import PETNNClassifier, PETNNRegressor
from ..families import PETNN
from ._classifier import BaseSeriesClassifier
from ._constructor import constructor
from ._docstrings import documented
from ._estimator import pooled
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
    _narrower: ClassVar = {**BaseSeriesClassifier._narrower, **pooled(PETNN)}
    _test_params = _TEST_PARAMS

    __init__ = constructor(
        PETNNClassifier,
        "carry_state",
        "every",
        "vocabulary_size",
        "embedding_dim",
        "embedding",
        "freeze_embedding",
        "warm_start",
    )


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
    _narrower: ClassVar = {**BaseSeriesRegressor._narrower, **pooled(PETNN)}
    _test_params = _TEST_PARAMS

    __init__ = constructor(
        PETNNRegressor,
        "carry_state",
        "every",
        "vocabulary_size",
        "embedding_dim",
        "embedding",
        "freeze_embedding",
        "warm_start",
        "interval",
        "interval_cv",
        quantile=float,
    )
