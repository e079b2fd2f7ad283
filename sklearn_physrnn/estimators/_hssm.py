"""HSSM estimators for sequences."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from ..nn.hssm import HSSM
from ..preparation.number_targets import NumberTargets
from ..preparation.sequences import SequenceInputs
from ..preparation.step_targets import StepTargets
from ..preparation.targets import Targets
from ._classification import _BaseClassifier
from ._docstrings import documented
from ._family import Family
from ._regression import _BaseRegressor

_OWN_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_size": [Interval(Integral, 1, None, closed="left")],
    "state_size": [Interval(Integral, 1, None, closed="left")],
    "num_blocks": [Interval(Integral, 1, None, closed="left")],
    "fitter": [StrOptions({"rhel", "bptt"})],
    "dynamics": [StrOptions({"linear", "nonlinear"})],
    "epsilon": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
    "norm": [StrOptions({"batch", "layer"}), None],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "readout": [StrOptions({"mean", "last"})],
    "time_channel": [Integral, None],
}


_FAMILY = """
An HSSM is a stack of layers of oscillators that conserve energy, driven by the input
(arXiv 2506.05259; the equations are in :class:`sklearn_physrnn.nn.HSSM`). Because such a
system runs backward exactly, its gradient can be had by letting it run back and
reading it off the difference of two echoes (`fitter` "rhel"): nothing that grows with
the length of the sequence is stored but the layer's input. Back-propagation through
time ("bptt") gives the same gradient.

X may be of shape (n_samples, n_timesteps, n_channels), where trailing steps that are
NaN in every channel are padding; a list of arrays of shape (n_timesteps, n_channels)
and unequal length; or of shape (n_samples, n_timesteps), one channel.

Parameters
----------
hidden_size : int
    Width of the blocks.
state_size : int
    Oscillators in a block.
num_blocks : int
    Number of blocks.
fitter : {"rhel", "bptt"}
    How the oscillators' gradient is computed: by Hamiltonian echo, or by back-propagation
    through time.
dynamics : {"linear", "nonlinear"}
    Harmonic oscillators, or oscillators in a log cosh potential.
epsilon : float or "auto"
    Size of the echo's nudge; "auto" fits it to each sample and oscillator.
norm : {"batch", "layer"} or None
    Normalisation before each block; its statistics never see padding.
dropout : float
    Share of activations dropped in training.
"""


class HSSMFamily(Family):
    """What regressor and classifier share."""

    parameters = (*_OWN_CONSTRAINTS, "every")

    def inputs(self, estimator: Any) -> SequenceInputs:
        channel = estimator.time_channel
        return SequenceInputs(
            estimator.scale_inputs, None if channel is None else int(channel), bounded=True
        )

    def targets(self, estimator: Any, numbers: NumberTargets) -> Targets:
        if estimator.readout != "sequence":
            return numbers
        return StepTargets(numbers, estimator.every)

    def module(self, estimator: Any, inputs: SequenceInputs, n_outputs: int) -> nn.Module:
        return HSSM(
            inputs.n_columns,
            n_outputs,
            hidden_size=estimator.hidden_size,
            state_size=estimator.state_size,
            num_blocks=estimator.num_blocks,
            dynamics=estimator.dynamics,
            gradient=estimator.fitter,
            epsilon=estimator.epsilon,
            norm=estimator.norm,
            dropout=estimator.dropout,
            readout=estimator.readout,
            every=getattr(estimator, "every", 1),
            initial_step=_initial_step(estimator.dynamics, inputs),
        )


def _initial_step(dynamics: str, inputs: SequenceInputs) -> float | None:
    """Keep the horizon, step times length, where float32 can follow the dynamics.

    A driven nonlinear oscillator is chaotic: measured at up to 50,000 steps, this is
    where the gradients of both fitters still agree with float64.
    """
    if dynamics == "linear":
        return None
    return min(0.1, 3 / inputs.longest**0.5) / inputs.mean_dt


@documented(sequences=True, family=_FAMILY)
class HSSMRegressor(_BaseRegressor):
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

    _family = HSSMFamily()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseRegressor._parameter_constraints,
        **_OWN_CONSTRAINTS,
        "readout": [StrOptions({"mean", "last", "sequence"})],
        "every": [Interval(Integral, 1, None, closed="left")],
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


@documented(sequences=True, family=_FAMILY)
class HSSMClassifier(_BaseClassifier):
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

    _family = HSSMFamily()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **_OWN_CONSTRAINTS,
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
