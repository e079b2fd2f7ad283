"""What the displays of DynPMNN compute: states along the integration, and constants."""

from typing import Any, cast

import numpy as np
import pandas as pd
import torch
from torch import nn

from ..estimators._dynpmnn import DynPMNNClassifier, DynPMNNRegressor
from ..nn._field import constants_of
from ..nn._stability import SLACK, Trial
from ..nn.dynpmnn import DynPMNN
from ..nn.vector_fields import VECTOR_FIELDS
from ..training._random import seeded
from ._models import check_family, checked, exact_copy, exact_inputs

_N_INITIAL = 5000  # neurons drawn to show what constants are like before training
_N_CANDIDATES = 25


def network(estimator) -> DynPMNN:
    """Copy the fitted network in float64.

    Raises
    ------
    TypeError, NotFittedError
        If `estimator` is no fitted DynPMNN.
    """
    classes = (DynPMNNClassifier, DynPMNNRegressor)
    check_family(estimator, classes, "a DynPMNNClassifier or DynPMNNRegressor")
    return cast(DynPMNN, exact_copy(estimator))


def layer_inputs(estimator, module: DynPMNN, X) -> list[torch.Tensor]:
    """What each layer is given for the rows of X."""
    inputs = exact_inputs(estimator, checked(estimator, X))
    return module.layer_inputs(inputs["x"])


@torch.no_grad()
def _columns(field: nn.Module, hidden_size: int) -> dict[str, np.ndarray]:
    constants = {
        name: torch.as_tensor(value).detach().numpy()
        for name, value in constants_of(field).items()
    }
    return {
        name: np.broadcast_to(value, hidden_size).astype(float)
        for name, value in constants.items()
        if value.size in (1, hidden_size)
    }


def physical_parameters(estimator, X=None) -> pd.DataFrame:
    """Physical constants that a DynPMNN has learned, and the drive that X gives its neurons.

    Parameters
    ----------
    estimator : DynPMNNClassifier or DynPMNNRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features), default=None
        Rows to compute the drives of; a few hundred are plenty.

    Returns
    -------
    DataFrame
        A row a neuron with the columns "layer", "neuron", the constants (for
        FitzHugh-Nagumo "a", "b", "g", dimensionless; for Van der Pol "mu"; for
        Hodgkin-Huxley "g_Na", "g_K", "g_L" in mS/cm²; for Kuramoto "omega" and "K"; for
        your own vector field what its method ``constants`` gives, by default its
        parameters) and, with X, the mean and standard deviation of the drive, "I_mean"
        and "I_std".

    Raises
    ------
    TypeError, NotFittedError, ValueError
        If `estimator` is no fitted DynPMNN, or X not what it takes.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import physical_parameters
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DynPMNNRegressor(max_iter=5, random_state=0).fit(X, y)
    >>> table = physical_parameters(model, X)
    >>> table.columns.to_list()
    ['layer', 'neuron', 'a', 'b', 'g', 'I_mean', 'I_std']
    >>> bool(table["a"].between(0, 1).all())
    True
    """
    module = network(estimator)
    inputs = None if X is None else layer_inputs(estimator, module, X)
    tables = []
    for index, layer in enumerate(cast(Any, module.layers)):
        size = layer.hidden_size
        columns = {"layer": np.full(size, index), "neuron": np.arange(size)}
        columns.update(_columns(layer.field, size))
        if inputs is not None:
            with torch.no_grad():
                drive = layer.start(inputs[index])[1]
            columns["I_mean"] = drive.mean(0).numpy()
            columns["I_std"] = drive.std(0, correction=0).numpy()
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def _first_field(estimator) -> nn.Module:
    return cast(Any, estimator.module_).layers[0].field


def initial_constants(estimator) -> dict[str, np.ndarray]:
    """Constants of many untrained neurons, of a field that the package can make anew."""
    kind: Any = type(_first_field(estimator))
    if kind not in VECTOR_FIELDS.values():  # who knows what a user's own asks for
        return {}
    with seeded(0):
        return _columns(kind(_N_INITIAL), _N_INITIAL)


def constant_names(estimator) -> dict[str, str]:
    """How displays name the constants of the estimator's field, as far as it says."""
    return getattr(_first_field(estimator), "constant_names", {})


def _growth(trial: Trial, n_steps: int) -> tuple[float, float]:
    """Largest factor of a decaying mode in a step, and the share of states where one grows."""
    jacobian, eigenvalues, escaped = trial.visit(n_steps)
    growth = trial.growth(jacobian, eigenvalues, n_steps)
    if not len(growth):
        return np.inf, 1.0
    unstable = float((growth > 1 + SLACK).double().mean())
    return np.inf if escaped else float(growth.max()), unstable


def step_stability(estimator, X, *, n_steps=None) -> pd.DataFrame:
    """How a DynPMNN's solver treats decaying modes, at the chosen step and at others.

    A mode of a neuron's linearised dynamics that decays must not grow under the scheme; if
    the largest factor by which such a mode changes in one step exceeds 1, the numbers that
    a layer gives are the scheme's and not the physics'.

    Parameters
    ----------
    estimator : DynPMNNClassifier or DynPMNNRegressor
        Fitted.
    X : array-like of shape (n_samples, n_features)
        Rows whose states are looked at; a few dozen will do.
    n_steps : sequence of int, default=None
        Numbers of steps to try over the same integration time. None tries 25 at most,
        from a single step to eight times the estimator's number.

    Returns
    -------
    DataFrame
        A row for each layer and number of steps with the columns "layer", "n_steps", "dt"
        (in the unit of the dynamics), "worst_growth" (largest factor of a decaying mode,
        infinite where states escape), "unstable_fraction" (share of the visited states
        with a mode that grows and should not) and "chosen" (whether these are the steps
        that the estimator takes).

    Raises
    ------
    TypeError, NotFittedError, ValueError
        If `estimator` is no fitted DynPMNN, X not what it takes, or `n_steps` not
        positive.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import step_stability
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DynPMNNRegressor(max_iter=5, random_state=0).fit(X, y)
    >>> table = step_stability(model, X, n_steps=[4, 8])
    >>> table.loc[table["chosen"], ["layer", "n_steps", "unstable_fraction"]].values.tolist()
    [[0.0, 8.0, 0.0], [1.0, 8.0, 0.0]]
    """
    module = network(estimator)
    own = estimator.n_steps
    if n_steps is None:
        candidates = np.geomspace(1, 8 * own, _N_CANDIDATES).round().astype(int)
        n_steps = np.unique(np.append(candidates, own))
    steps = [int(n) for n in n_steps]
    if not steps or min(steps) < 1:
        raise ValueError(f"n_steps must hold integers of at least 1, got {steps}.")
    rows = []
    inputs = layer_inputs(estimator, module, X)
    for index, (layer, x) in enumerate(zip(cast(Any, module.layers), inputs, strict=True)):
        x = x[torch.isfinite(x).flatten(1).all(1)]
        if not len(x):  # an unstable layer below has blown up
            break
        with torch.no_grad():
            state, drive = layer.start(x)
            trial = Trial(layer.field, state, drive, layer.solver, layer.t_end)
            for n in steps:
                rows.append((index, n, layer.t_end / n, *_growth(trial, n), n == own))
    columns = ["layer", "n_steps", "dt", "worst_growth", "unstable_fraction", "chosen"]
    return pd.DataFrame(rows, columns=columns)
