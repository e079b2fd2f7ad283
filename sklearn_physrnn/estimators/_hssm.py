"""HSSM estimators for sequences."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from ..families import HSSM
from ._classification import _BaseClassifier
from ._docstrings import documented
from ._parameters import set_parameters
from ._regression import _BaseRegressor
from ._sequences import ReadsSequences


@documented(sequences=True)
class HSSMRegressor(ReadsSequences, _BaseRegressor):
    """Regression of sequences by a Hamiltonian state space model.

    {family}
    {targets}
    {training}

    Attributes
    ----------
    return_error_ : float
        With `way_back` "undone", how far from rest the oscillators came back to, by the size
        of their motion: the largest of all steps of training, zero where nothing was cut.
        A gradient is off by about as much.
    {attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 30, 2))
    >>> y = X[:, :, 0].cumsum(axis=1)
    >>> model = HSSMRegressor(8, 8, readout="sequence", max_iter=5, random_state=0)
    >>> model.fit(X, y).predict(X[:3]).shape
    (3, 30)
    """

    _family = HSSM

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseRegressor._parameter_constraints,
        **HSSM.estimator_constraints,
        **HSSM.training,
    }

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
        every: int = 1,
        memory: float | str | None = None,
        encoder: str = "linear",
        num_loops: int = 1,
        patch_size: int = 1,
        bidirectional: bool = False,
        time_channel: int | str | None = None,
        missing: str = "auto",
        loss: str = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        interval: str | None = None,
        interval_cv: Any = 5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = 32,
        chunk_size: int | str | None = "auto",
        way_back: str = "kept",
        carry_state: bool = False,
        max_iter: int = 60,
        max_time: float | None = None,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        tol: float = 0.0,
        scale_inputs: str | bool = "standard",
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())


@documented(sequences=True)
class HSSMClassifier(ReadsSequences, _BaseClassifier):
    """Classification of sequences by a Hamiltonian state space model.

    {family}
    {targets}
    {training}

    Attributes
    ----------
    return_error_ : float
        With `way_back` "undone", how far from rest the oscillators came back to, by the size
        of their motion: the largest of all steps of training, zero where nothing was cut.
        A gradient is off by about as much.
    {attributes}

    Examples
    --------
    >>> from sktime.datasets import load_basic_motions
    >>> from sklearn_physrnn import HSSMClassifier
    >>> X, y = load_basic_motions(split="train", return_type="numpy3D")
    >>> X = X.transpose(0, 2, 1)  # sktime puts channels before time
    >>> HSSMClassifier(8, 8, max_iter=5, random_state=0).fit(X, y).predict(X[:2]).shape
    (2,)
    """

    _family = HSSM

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **HSSM.estimator_constraints,
        **HSSM.training,
    }

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
        every: int = 1,
        memory: float | str | None = None,
        encoder: str = "linear",
        num_loops: int = 1,
        patch_size: int = 1,
        bidirectional: bool = False,
        time_channel: int | str | None = None,
        missing: str = "auto",
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = 32,
        chunk_size: int | str | None = "auto",
        way_back: str = "kept",
        carry_state: bool = False,
        max_iter: int = 60,
        max_time: float | None = None,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 20,
        tol: float = 0.0,
        scale_inputs: str | bool = "standard",
        warm_start: bool = False,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())
