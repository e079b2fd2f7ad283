"""DynPMNN forecaster."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from ..estimators._parameters import set_parameters
from ..families import DynPMNN
from ._base import _BaseForecaster
from ._docstrings import documented


@documented()
class DynPMNNForecaster(_BaseForecaster):
    """Forecasts by layers of FitzHugh-Nagumo neurons or other differential equations.

    {family}

    Here the first layer's input is the whole window, and the output is the whole horizon.

    {data}

    Parameters
    ----------
    {parameters}

    Attributes
    ----------
    {attributes}

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from sklearn_physrnn.forecasting import DynPMNNForecaster
    >>> forecaster = DynPMNNForecaster(max_iter=5, random_state=0).fit(load_airline())
    >>> forecaster.predict(fh=[1, 2, 12]).shape
    (3,)
    >>> forecaster.predict_interval(fh=[1, 2, 12], coverage=0.8).shape
    (3, 2)
    """

    _family = DynPMNN

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseForecaster._parameter_constraints,
        **DynPMNN.forecaster_constraints,
    }

    def __init__(
        self,
        hidden_size: int = 64,
        num_layers: int = 2,
        *,
        dynamics: str | nn.Module | Any = "fitzhugh_nagumo",
        solver: str = "semi_implicit_euler",
        n_steps: int = 8,
        t_end: float = 1.0,
        window_length: int | str = "auto",
        horizon: int | str = "auto",
        calendar: str | Sequence[str] | None = None,
        past_covariates: Sequence[Any] | None = None,
        bounds: Sequence[float | None] | None = None,
        interval: str | None = "conformal",
        calibration_size: int = 500,
        normalization: str | None = "auto",
        linear: bool | str = "auto",
        dropout: float = 0.3,
        loss: str = "absolute_error",
        missing: str = "auto",
        refit: bool | str = "auto",
        stride: int | str = "auto",
        update_max_iter: int = 5,
        optimizer: str = "adamw",
        learning_rate_init: float = 0.006,
        learning_rate: str = "one_cycle",
        alpha: float = 0.01,
        batch_size: int | str = "auto",
        max_iter: int = 50,
        max_time: float | None = None,
        max_grad_norm: float | None = 1.0,
        early_stopping: bool = False,
        validation_fraction: float = 0.2,
        n_iter_no_change: int = 10,
        tol: float = 0.0,
        dtype: str = "float32",
        device: str = "auto",
        callbacks: Sequence[Any] | None = None,
        checkpoint: str | os.PathLike | None = None,
        random_state=None,
        verbose: int | bool = False,
    ) -> None:
        set_parameters(self, locals())
        super().__init__()
