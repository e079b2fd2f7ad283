"""HSSM estimators for sequences."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from torch import nn

from .._warnings import warn
from ..families import HSSM, NetworkSizes
from ._classification import _BaseClassifier
from ._docstrings import documented
from ._per_step import _PerStepRegressor
from ._sequences import Preparation, _SequenceInputs

# Of the intervals in training, those that count in full: the unit of time is the longest of
# them, and any that is longer counts as one unit. A higher share slows the oscillators down, and
# loses frequencies near a cycle in six intervals; a lower one loses the pauses between bursts.
_UNIT_SHARE = 0.8


class _HSSMModel(_SequenceInputs):
    """What regressor and classifier share: the module."""

    _family = HSSM

    state_size: int
    num_blocks: int
    fitter: str
    dynamics: str
    epsilon: float | str
    norm: str | None
    dropout: float
    readout: str
    every = 1

    def _make_module(self, n_outputs: int) -> nn.Module:
        known = self._preparation
        sizes = NetworkSizes(self._n_channels(), n_outputs, known.longest, known.mean_dt)
        return self._family.module(self, sizes)

    def _fit_inputs(self, X, weights: np.ndarray | None) -> Preparation:
        preparation = super()._fit_inputs(X, weights)
        if (dt := self._module_inputs(X, preparation).get("dt")) is None:
            return preparation
        return replace(preparation, mean_dt=float(dt[X.mask].mean()))

    def _time_unit(self, elapsed: np.ndarray) -> float:
        return float(np.quantile(elapsed, _UNIT_SHARE, method="lower"))

    def _module_inputs(self, X, preparation) -> dict[str, np.ndarray]:
        inputs = super()._module_inputs(X, preparation)
        if "dt" in inputs:
            self._warn_of_standstill(inputs["dt"][:, 1:][X.mask[:, 1:]], preparation.time_unit)
            # NOTE[paper]: the oscillators' step is stable for dt up to 1 whatever is learned, and
            # time stands still in what is left of a longer interval. The paper has even steps.
            inputs["dt"] = np.minimum(inputs["dt"], 1)
        return inputs

    def _warn_of_standstill(self, elapsed: np.ndarray, unit: float) -> None:
        # In a few short intervals chance alone might exceed the unit.
        if np.count_nonzero(elapsed > 2) > len(elapsed) / 2:
            warn(
                f"Most intervals in channel {self.time_channel} of X are longer than twice "
                f"{unit:.4g}, which {_UNIT_SHARE:.0%} of those in training did not exceed, and "
                f"count as {unit:.4g}. "
                "Give time stamps in the unit of training, or fit to series as slow as these."
            )


@documented(sequences=True)
class HSSMRegressor(_HSSMModel, _PerStepRegressor):
    """Regression of sequences by a Hamiltonian state space model.

    {family}
    readout : {"mean", "last", "sequence"}
        What the head sees: the mean over steps, the last step, or, for "sequence", every
        `every`-th step by itself. y is then of shape (n_samples, n_timesteps // every) or
        (n_samples, n_timesteps // every, n_targets), NaN past a shorter sample's end, and
        so are predictions.
    every : int
        Distance of the steps that readout "sequence" predicts at: counting from one,
        steps `every`, 2 `every` and so on.
    time_channel : int or None
        Channel of X that holds time stamps, for series sampled unevenly. They then scale
        the oscillators' step, in units of an interval that 80 % of those in training do
        not exceed. A longer one, in training or later, counts as one unit: over more the
        oscillators might be unstable.
    {targets}
    {training}

    Attributes
    ----------
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_PerStepRegressor._parameter_constraints,
        **HSSM.estimator_constraints,
        **HSSM.per_step,
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
        time_channel: int | None = None,
        loss: str = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = 32,
        max_iter: int = 60,
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
        self.hidden_size = hidden_size
        self.state_size = state_size
        self.num_blocks = num_blocks
        self.fitter = fitter
        self.dynamics = dynamics
        self.epsilon = epsilon
        self.norm = norm
        self.dropout = dropout
        self.readout = readout
        self.every = every
        self.time_channel = time_channel
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


@documented(sequences=True)
class HSSMClassifier(_HSSMModel, _BaseClassifier):
    """Classification of sequences by a Hamiltonian state space model.

    {family}
    readout : {"mean", "last"}
        What the head sees: the mean over steps, or the last step.
    time_channel : int or None
        Channel of X that holds time stamps, for series sampled unevenly. They then scale
        the oscillators' step, in units of an interval that 80 % of those in training do
        not exceed. A longer one, in training or later, counts as one unit: over more the
        oscillators might be unstable.
    {targets}
    {training}

    Attributes
    ----------
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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **HSSM.estimator_constraints,
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
        time_channel: int | None = None,
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.003,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = 32,
        max_iter: int = 60,
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
        self.hidden_size = hidden_size
        self.state_size = state_size
        self.num_blocks = num_blocks
        self.fitter = fitter
        self.dynamics = dynamics
        self.epsilon = epsilon
        self.norm = norm
        self.dropout = dropout
        self.readout = readout
        self.time_channel = time_channel
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
