"""DynPMNN: layers of neurons that follow a differential equation, for tables."""

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn

from ..nn import dynpmnn
from ..nn._segments import DynPMNNCore
from ..nn._solvers import SOLVERS
from ..nn.vector_fields import VECTOR_FIELDS
from ..preparation.inputs import Inputs
from ..preparation.near_tables import NearTableInputs
from ..preparation.tables import MISSING, TableInputs
from ..training._losses import PerMember
from .base import AT_LEAST_ONE, POSITIVE, SHARE, Constraints, CoreSizes, Family


class DynPMNNFamily(Family):
    """The dynamical physics-modelled neural network (arXiv 2605.08176)."""

    recurrence: ClassVar[Constraints] = {
        "hidden_size": AT_LEAST_ONE,
        "num_layers": AT_LEAST_ONE,
        # The tables' own keys, so that what is added to them is an option, too.
        "dynamics": [StrOptions(VECTOR_FIELDS.keys()), nn.Module, callable],
        "solver": [StrOptions(SOLVERS.keys())],
        "n_steps": AT_LEAST_ONE,
        "t_end": POSITIVE,
    }
    network: ClassVar[Constraints] = {
        "dropout": SHARE,
        "n_members": AT_LEAST_ONE,
        "n_frequencies": [*AT_LEAST_ONE, None],
        "embedding_dim": AT_LEAST_ONE,
        "frequency_scale": POSITIVE,
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "missing": [StrOptions(set(MISSING))],
        "neighbors": ["array-like", StrOptions({"auto"}), None],
        "neighbors_cv": ["cv_object"],
    }
    forecasting: ClassVar[Constraints] = {}  # the whole window at once, without segments

    about = """
Each hidden layer is a set of small physical systems, FitzHugh-Nagumo neurons unless told
otherwise: an affine map of the layer's input sets their initial state and drive, and
the layer's output is their state after `t_end`. Weights and physical constants are
trained together (arXiv 2605.08176; the equations are in
:class:`sklearn_physrnn.nn.DynPMNN`).
"""

    entries = """
hidden_size : int
    Neurons in a layer.
num_layers : int
    Number of layers.
dynamics : str, nn.Module or callable
    "fitzhugh_nagumo", "van_der_pol", "hodgkin_huxley" or "kuramoto"; or a vector field
    of your own, to be copied for every layer; or a callable that makes one from
    ``hidden_size``.
solver : {"euler", "semi_implicit_euler", "heun", "rk4"}
    Scheme that integrates the equations.
n_steps : int
    Number of steps.
t_end : float
    Integration time, in the unit of the dynamics.
dropout : float
    Share of each layer's outputs dropped in training.
n_members : int
    Networks in one, which share their weights up to scales (arXiv 2410.24210); the
    prediction is their mean. More cost more time and overfit less.
n_frequencies : int or None
    Give each column a periodic embedding with so many frequencies, for targets that
    change fast along a column (arXiv 2203.05556).
embedding_dim : int
    Width of that embedding, a column.
frequency_scale : float
    Standard deviation of its initial frequencies, in periods a unit of scaled X.
categorical_features : "from_dtype", array-like of bool, int or str, or None
    Columns of X that hold categories, of any kind, and become one indicator for each that
    occurs in training: those of a categorical dtype of pandas or polars; a mask, positions
    or names; or none. Missing values are a category of their own. A category of fewer than
    five rows in training, or rarer than 255 others of its column, has all indicators at
    zero, as one that training has not seen. The first fit decides: later only the values
    matter, not their dtype.
missing : {"indicator", "middle", "error"}
    What becomes of NaN in columns of numbers. A missing number counts as 0 in units of
    `scale_inputs`, the column's middle; "indicator" adds an input that says where a
    number is missing, for each column of which one was missing in training; "error" refuses NaN,
    in columns of categories too. A column of NaN alone in training is not looked at.
neighbors : "auto", array-like of int or str, or None
    Columns of numbers that together say where a row is, such as longitude and latitude:
    positions or names. The weighted mean target of the 5, 15 and 50 nearest training rows
    there, by the inverse of their distance, become inputs; of classes, their shares. "auto"
    takes the best pair of columns, if there is one that helps; None none. Training rows are
    kept with the model. Not with ``partial_fit``, nor of sparse tables.
neighbors_cv : int or splitter
    In fitting, rows see near ones of other folds only, lest they learn to copy their own
    target: a number of folds, drawn at random; or a splitter or pairs of indices, whose test
    folds keep together what belongs together, such as ``PredefinedSplit(groups)``.
"""

    remedies = (
        "a smaller learning_rate_init, max_grad_norm, t_end or frequency_scale, or with more "
        "n_steps"
    )

    def module(self, params: Any, inputs: Inputs, n_outputs: int) -> dynpmnn.DynPMNN:
        return dynpmnn.DynPMNN(
            inputs.n_columns,
            n_outputs,
            n_members=params.n_members,
            n_frequencies=params.n_frequencies,
            embedding_dim=params.embedding_dim,
            frequency_scale=params.frequency_scale,
            **_layers(params),
        )

    def inputs(self, params: Any) -> TableInputs:
        option = params.categorical_features
        if option is not None and not isinstance(option, str):
            option = tuple(np.asarray(option).ravel().tolist())
        table = params.scale_inputs, params.missing, option
        near = params.neighbors
        if near is None:
            return TableInputs(*table)
        near = near if isinstance(near, str) else tuple(np.asarray(near).ravel().tolist())
        return NearTableInputs(*table, neighbors=near, neighbors_cv=params.neighbors_cv)

    def criterion(self, params: Any, criterion: nn.Module) -> nn.Module:
        return criterion if params.n_members == 1 else PerMember(criterion)

    def core(self, params: Any, sizes: CoreSizes) -> DynPMNNCore:
        return DynPMNNCore(**_layers(params), **sizes.of_data())

    def no_stream(self, params: Any) -> str | None:
        if params.neighbors is None:
            return None
        return (
            "neighbors needs all rows at once, which partial_fit does not have: use fit, or set "
            "neighbors=None."
        )

    def without_head(self, module: nn.Module) -> nn.Module | None:
        return module.without_head() if isinstance(module, dynpmnn.DynPMNN) else None

    # It costs more than a step on a few rows, and nothing but warnings follow from it.
    examines_often = False

    def examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        assert isinstance(module, dynpmnn.DynPMNN)
        module.check_stability(inputs["x"].to(next(module.parameters())))
        return {}


def _layers(params: Any) -> dict[str, Any]:
    names = ("hidden_size", "num_layers", "dynamics", "solver", "n_steps", "t_end", "dropout")
    return {name: getattr(params, name) for name in names}


DynPMNN = DynPMNNFamily()
