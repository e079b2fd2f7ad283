"""PETNN: energy-transition neurons, for sequences and tokens."""

from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from .._warnings import warn
from ..kernels.petnn import INCREMENTS, RELEASES
from ..nn import petnn
from ..nn._embedding import FixedEmbedding
from ..nn._recurrent import READOUTS, RecurrentModel
from ..nn._segments import SegmentCore
from ..preparation.arrays import naming
from ..preparation.clock import Clock
from ..preparation.holes import MISSING, Holes
from ..preparation.inputs import Inputs
from ..preparation.sequences import SequenceInputs
from ..preparation.tokens import TokenInputs
from ..storage.format import Spec
from .base import (
    AT_LEAST_ONE,
    MISSING_IN_SEQUENCES,
    SHARE,
    WALKING,
    Constraints,
    CoreSizes,
    Family,
)

# Of initial embeddings. A rare token keeps most of its first one, which at torch's deviation
# of 1.0 is loud noise beside what is learned.
_EMBEDDING_DEVIATION = 0.1


class PETNNFamily(Family):
    """The physics-inspired energy transition network (arXiv 2505.03281)."""

    recurrence: ClassVar[Constraints] = {
        "hidden_size": AT_LEAST_ONE,
        "num_layers": AT_LEAST_ONE,
        "release": [StrOptions(set(RELEASES))],
        "increment": [StrOptions(set(INCREMENTS))],
        "time_decay": ["boolean"],
        "ground_state": ["boolean"],
    }
    network: ClassVar[Constraints] = {
        "readout": [StrOptions(set(READOUTS))],
        "memory": [Interval(Real, 1, None, closed="left")],
        "dropout": SHARE,
        "time_channel": [Integral, str, None],
        "missing": [StrOptions(set(MISSING))],
        "vocabulary_size": [*AT_LEAST_ONE, None],
        "embedding_dim": AT_LEAST_ONE,
        "freeze_embedding": ["boolean"],
    }
    per_step: ClassVar[Constraints] = {
        "readout": [StrOptions({*READOUTS, "sequence"})],
        "every": AT_LEAST_ONE,
    }
    training: ClassVar[Constraints] = {**WALKING, "embedding": ["array-like", None]}

    about = """
PETNN is a recurrent cell whose memory is an atom's energy: each neuron stores energy
from its input until a timer, learned too, runs out; then it releases that energy into
its candidate state and falls back to its ground state (arXiv 2505.03281; the equations
are in :class:`sklearn_physrnn.nn.PETNN`).
"""

    entries = """
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
memory : float
    Steps that neurons remember before training: each up to as many as are drawn for it,
    between 1 and this. Of what lies much farther back there is no gradient to learn it by;
    for a lag of thousands of steps set it to the lag.
readout : {"last", "mean", "max"}
    What of the hidden states the head sees: the last, their mean or maximum over steps.
dropout : float
    Share dropped in training: of embeddings, between layers and around the head.
time_channel : int, str or None
    Channel of X that holds time stamps, for series sampled unevenly: its position, or its
    name in a list of data frames, where it may hold dates; "index" takes the index of each
    data frame or Series of a list. The timers then
    count elapsed time, in units of its median in training, instead of steps.
vocabulary_size : int or None
    Number of token ids, for X of integer tokens in place of values: a list of 1-D arrays,
    or an array of shape (n_samples, n_timesteps) padded at the end with -1.
embedding_dim : int
    Width of the embedding of tokens.
embedding : array-like of shape (vocabulary_size, embedding_dim) or None
    Vectors that tokens begin with, such as pretrained ones; a token whose row holds NaN begins
    as without. None learns all of them from the data. The fitted model keeps its own: ``save``
    does not write the parameter.
freeze_embedding : bool
    Leave `embedding` as it is instead of training it further; rows with NaN are then zeros.
"""
    entries += MISSING_IN_SEQUENCES

    per_step_readout = """
readout : {"last", "mean", "max", "sequence"}
    What of the hidden states the head sees: the last, their mean or maximum over steps, or,
    for "sequence", every `every`-th by itself, with a y that has a time axis.
"""

    def recurrent(self, params: Any, input_size: int, dropout: float) -> nn.Module:
        """Build the recurrent layers, of nn.LSTM's manners."""
        own = {"memory": params.memory} if hasattr(params, "memory") else {}
        return petnn.PETNN(
            input_size,
            params.hidden_size,
            params.num_layers,
            release=params.release,
            increment=params.increment,
            time_decay=params.time_decay,
            ground_state=params.ground_state,
            dropout=dropout,
            **own,
        )

    def input_weight(self, recurrent: Any) -> nn.Parameter:
        """Give the weights that the inputs meet first."""
        return recurrent.weight_ih_l0

    def module(self, params: Any, inputs: Inputs, n_outputs: int) -> nn.Module:
        embedding, input_size = None, inputs.n_columns
        if params.vocabulary_size is not None:
            input_size = params.embedding_dim
            embedding = _token_embedding(params)
        recurrent = self.recurrent(params, input_size, params.dropout)
        if isinstance(inputs, SequenceInputs):
            inputs.holes.start_untold(self.input_weight(recurrent), inputs.n_columns)
        return RecurrentModel(
            recurrent,
            params.hidden_size,
            n_outputs,
            embedding=embedding,
            readout=params.readout,
            every=self.every(params),
            dropout=params.dropout,
        )

    def inputs(self, params: Any) -> SequenceInputs | TokenInputs:
        if params.vocabulary_size is not None:
            return TokenInputs(int(params.vocabulary_size))
        if getattr(params, "embedding", None) is not None:
            raise ValueError(
                "embedding holds vectors of tokens: set vocabulary_size, the number of their ids."
            )
        clock = Clock(params.time_channel)
        return SequenceInputs(
            params.scale_inputs,
            clock.position,
            clock=clock,
            holes=Holes.of(params.missing, whole=params.readout != "sequence"),
        )

    def takes_missing(self, params: Any) -> bool:
        return params.vocabulary_size is None and super().takes_missing(params)

    # NOTE[paper]: the recurrence is over segments of each channel; SegmentCore says why.
    def core(self, params: Any, sizes: CoreSizes) -> SegmentCore:
        between = params.dropout if params.num_layers > 1 else 0.0
        return SegmentCore(
            self.recurrent(params, params.hidden_size, between),
            params.hidden_size,
            segment_length=sizes.segment_length,
            dropout=params.dropout,
            **sizes.of_data(),
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

    def attributes(self, params: Any, dtype: str) -> dict[str, Spec]:
        shape = (params.num_layers, params.hidden_size)
        return {"release_rate_": ("F32" if dtype == "float32" else "F64", shape)}


def _token_embedding(params: Any) -> nn.Embedding:
    """Draw vectors of tokens, or take those that are given."""
    shape = int(params.vocabulary_size), int(params.embedding_dim)
    frozen = getattr(params, "freeze_embedding", False)
    embedding = FixedEmbedding(*shape) if frozen else nn.Embedding(*shape)
    nn.init.normal_(embedding.weight, std=_EMBEDDING_DEVIATION)
    if embedding.weight.is_meta:  # of a model that is loaded
        return embedding
    given = getattr(params, "embedding", None)
    if given is None:
        if frozen:
            raise ValueError("freeze_embedding=True needs an embedding, got None.")
        return embedding
    vectors = _vectors(given, shape)
    with torch.no_grad():
        known = ~torch.isnan(vectors).any(dim=1)
        embedding.weight[known] = vectors[known]
        if frozen:
            embedding.weight[~known] = 0
    return embedding


def _vectors(given: Any, shape: tuple[int, int]) -> torch.Tensor:
    with naming("embedding"):
        vectors = np.asarray(given, dtype=np.float32)
        if np.isinf(vectors).any():
            raise ValueError("it must hold no infinite value.")
    if vectors.shape != shape:
        raise ValueError(
            f"embedding must be of shape {shape}, which is (vocabulary_size, embedding_dim), got "
            f"{vectors.shape}."
        )
    return torch.as_tensor(vectors)


def release_rate(model: RecurrentModel, inputs: dict[str, Any]) -> torch.Tensor:
    """Share of all steps of the model's inputs at which each neuron of a PETNN releases."""
    recurrent = model.recurrent
    assert isinstance(recurrent, petnn.PETNN)
    released, n_steps = torch.zeros(()), torch.zeros(())
    for x, dt, lengths in model.sequences(**inputs)[1]:
        n = x.shape[0] * x.shape[1] if lengths is None else lengths.sum()
        released = released + n * recurrent.release_rate(x, dt=dt, lengths=lengths)
        n_steps = n_steps + n
    return released / n_steps


PETNN = PETNNFamily()
