"""PETNN estimators for sequences."""

import os
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._warnings import warn
from ..kernels.petnn import INCREMENTS, RELEASES
from ..nn._recurrent import READOUTS, RecurrentModel
from ..nn.petnn import PETNN
from ..preparation.inputs import Inputs
from ..preparation.sequences import SequenceInputs
from ..preparation.tokens import TokenInputs
from ..storage.format import Spec
from ._classification import _BaseClassifier
from ._docstrings import documented
from ._family import Family
from ._regression import _BaseRegressor

# Of initial embeddings. A rare token keeps most of its first one, which at torch's deviation
# of 1.0 is loud noise beside what is learned.
_EMBEDDING_DEVIATION = 0.1

_OWN_CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_size": [Interval(Integral, 1, None, closed="left")],
    "num_layers": [Interval(Integral, 1, None, closed="left")],
    "release": [StrOptions(set(RELEASES))],
    "increment": [StrOptions(set(INCREMENTS))],
    "time_decay": ["boolean"],
    "ground_state": ["boolean"],
    "readout": [StrOptions(set(READOUTS))],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "time_channel": [Integral, None],
    "vocabulary_size": [Interval(Integral, 1, None, closed="left"), None],
    "embedding_dim": [Interval(Integral, 1, None, closed="left")],
}


_FAMILY = """
PETNN is a recurrent cell whose memory is an atom's energy: each neuron stores energy
from its input until a timer, learned too, runs out; then it releases that energy into
its candidate state and falls back to its ground state (arXiv 2505.03281; the equations
are in :class:`sklearn_physrnn.nn.PETNN`).

X may be of shape (n_samples, n_timesteps, n_channels), where trailing steps that are
NaN in every channel are padding; a list of arrays of shape (n_timesteps, n_channels)
and unequal length; or of shape (n_samples, n_timesteps), one channel. With
`vocabulary_size` it holds integer tokens instead: a list of 1-D arrays, or an array of
shape (n_samples, n_timesteps) padded at the end with -1.

Parameters
----------
hidden_size : int
    Neurons in a layer.
num_layers : int
    Number of recurrent layers.
release : {"soft", "surrogate", "hard"}
    How a release is differentiated: "soft" puts a sigmoid in its place, forward too;
    "surrogate" releases all or nothing, and goes back through that sigmoid; "hard", as in
    the paper, has no gradient. The default of the classifiers and regressors is the one
    that won in cross-validation; forecasters have "surrogate", with which their other
    defaults were chosen.
increment : {"linear", "tanh"}
    Time increment; with "tanh" the timer dies at its first release.
time_decay : bool
    Learn how fast time runs, from the input.
ground_state : bool
    Learn what energy is left after a release, from the input.
readout : {"last", "mean", "max"}
    What of the hidden states the head sees.
dropout : float
    Share dropped in training: of embeddings, between layers and around the head.
time_channel : int or None
    Channel of X that holds time stamps, for series sampled unevenly. The timers then
    count elapsed time, in units of its median in training, instead of steps.
vocabulary_size : int or None
    Number of token ids, for X of tokens.
embedding_dim : int
    Width of the learned embedding of tokens.
"""


def release_rate(model: RecurrentModel, inputs: dict[str, Any]) -> torch.Tensor:
    """Share of all steps of the model's inputs at which each neuron of a PETNN releases."""
    recurrent = model.recurrent
    assert isinstance(recurrent, PETNN)
    released, n_steps = torch.zeros(()), torch.zeros(())
    for x, dt, lengths in model.sequences(**inputs)[1]:
        n = x.shape[0] * x.shape[1] if lengths is None else lengths.sum()
        released = released + n * recurrent.release_rate(x, dt=dt, lengths=lengths)
        n_steps = n_steps + n
    return released / n_steps


class PETNNFamily(Family):
    """What regressor and classifier share."""

    # NOTE[paper]: "soft" is the default `release`. The paper releases all or nothing, without a
    # gradient, and so leaves the timers untrained: mean accuracy 0.899 against 0.921 in
    # cross-validation on six data sets (docs/defaults.md).
    # NOTE[paper]: "max" is the default `readout` for classes. The paper reads the last state:
    # mean accuracy 0.864 against 0.899 on four data sets (docs/defaults.md).
    parameters = tuple(_OWN_CONSTRAINTS)

    def inputs(self, estimator: Any) -> SequenceInputs | TokenInputs:
        if estimator.vocabulary_size is not None:
            return TokenInputs(int(estimator.vocabulary_size))
        channel = estimator.time_channel
        return SequenceInputs(estimator.scale_inputs, None if channel is None else int(channel))

    def module(self, estimator: Any, inputs: Inputs, n_outputs: int) -> nn.Module:
        embedding, input_size = None, inputs.n_columns
        if isinstance(inputs, TokenInputs):
            input_size = estimator.embedding_dim
            embedding = nn.Embedding(inputs.vocabulary_size, input_size)
            nn.init.normal_(embedding.weight, std=_EMBEDDING_DEVIATION)
        return RecurrentModel(
            self.recurrent(estimator, input_size),
            estimator.hidden_size,
            n_outputs,
            embedding=embedding,
            readout=estimator.readout,
            dropout=estimator.dropout,
        )

    def recurrent(self, estimator: Any, input_size: int) -> nn.Module:
        """Build the layers that run along time."""
        return PETNN(
            input_size,
            estimator.hidden_size,
            estimator.num_layers,
            release=estimator.release,
            increment=estimator.increment,
            time_decay=estimator.time_decay,
            ground_state=estimator.ground_state,
            dropout=estimator.dropout,
        )

    @torch.no_grad()
    def examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        assert isinstance(module, RecurrentModel)
        rates = release_rate(module, inputs).cpu().numpy()
        for extreme, what in ((1.0, "releases at every step"), (0.0, "never releases")):
            if np.all(rates == extreme):
                warn(
                    f"Every neuron {what}: the timer is dead, and the memory it governs with "
                    "it. Try increment='linear', a smaller "
                    "learning_rate_init, or inputs of unit scale."
                )
        return {"release_rate_": rates}

    def attributes(self, estimator: Any, dtype: str) -> dict[str, Spec]:
        shape = (estimator.num_layers, estimator.hidden_size)
        return {"release_rate_": ("F32" if dtype == "float32" else "F64", shape)}


@documented(sequences=True, family=_FAMILY)
class PETNNRegressor(_BaseRegressor):
    """Regression of sequences by a physics-inspired energy transition network.

    {family}
    {targets}
    {training}

    Attributes
    ----------
    release_rate_ : ndarray of shape (num_layers, hidden_size)
        Share of steps at which each neuron released, over a few training samples.
    {attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import PETNNRegressor
    >>> X = np.random.default_rng(0).normal(size=(40, 12, 2))
    >>> y = X[:, :, 0].sum(axis=1)
    >>> PETNNRegressor(max_iter=5, random_state=0).fit(X, y).predict(X[:3]).shape
    (3,)
    """

    _family = PETNNFamily()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseRegressor._parameter_constraints,
        **_OWN_CONSTRAINTS,
    }

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
        vocabulary_size: int | None = None,
        embedding_dim: int = 64,
        loss: str = "squared_error",
        quantile: float | Sequence[float] = 0.5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.01,
        learning_rate: str = "one_cycle",
        alpha: float = 8.0,
        batch_size: int | str = "auto",
        max_iter: int = 100,
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
        self.num_layers = num_layers
        self.release = release
        self.increment = increment
        self.time_decay = time_decay
        self.ground_state = ground_state
        self.readout = readout
        self.dropout = dropout
        self.time_channel = time_channel
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
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
class PETNNClassifier(_BaseClassifier):
    """Classification of sequences by a physics-inspired energy transition network.

    {family}
    {targets}
    {training}

    Attributes
    ----------
    release_rate_ : ndarray of shape (num_layers, hidden_size)
        Share of steps at which each neuron released, over a few training samples.
    {attributes}

    Examples
    --------
    >>> from sktime.datasets import load_arrow_head
    >>> from sklearn_physrnn import PETNNClassifier
    >>> X, y = load_arrow_head(split="train", return_type="numpy2d")
    >>> PETNNClassifier(max_iter=5, random_state=0).fit(X, y).predict_proba(X[:2]).shape
    (2, 3)
    """

    _family = PETNNFamily()

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseClassifier._parameter_constraints,
        **_OWN_CONSTRAINTS,
    }

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
        vocabulary_size: int | None = None,
        embedding_dim: int = 64,
        class_weight: dict | str | None = None,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.01,
        learning_rate: str = "one_cycle",
        alpha: float = 0.01,
        batch_size: int | str = "auto",
        max_iter: int = 100,
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
        self.num_layers = num_layers
        self.release = release
        self.increment = increment
        self.time_decay = time_decay
        self.ground_state = ground_state
        self.readout = readout
        self.dropout = dropout
        self.time_channel = time_channel
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
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
