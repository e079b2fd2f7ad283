"""Forecasts of what is known by now, from each of many cutoffs or windows."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sktime.datatypes import VectorizedDF, convert_to
from sktime.forecasting.base._base import _format_moving_cutoff_predictions

from ..preparation.times import check_kind, step_of
from ._history import History, on_steps, read
from ._model import WindowModel
from ._sizes import Sizes

if TYPE_CHECKING:
    from ._prediction import _Prediction


def moving_cutoff(
    forecaster: "_Prediction", y: Any, cv: Any, X: Any, *, update_params: bool, reset: bool
) -> Any:
    """Forecast and update in turns, as sktime's ``update_predict`` does.

    Its own loop puts all earlier forecasts into the type of y again at every step.

    Parameters
    ----------
    forecaster : _Prediction
    y, X : in the types that are forecast inside, or VectorizedDF of them
    cv : splitter of sktime
    update_params : bool
        As of ``update``.
    reset : bool
        Leave the forecaster as it is.
    """
    going_on: Any = copy.deepcopy(forecaster) if reset else forecaster
    y, X = (data.X if isinstance(data, VectorizedDF) else data for data in (y, X))
    fh = cv.get_fh()
    forecasts, cutoffs = [], []
    for rows, _ in cv.split(y):
        going_on.update(y=y.iloc[rows], X=X, update_params=update_params)
        forecasts.append(going_on.predict(fh=fh, X=X))
        cutoffs.append(going_on.cutoff)
    kind, kept = forecaster._y_metadata["mtype"], {"store_behaviour": "freeze"}
    forecasts = [
        convert_to(one, kind, store=forecaster._converter_store_y, **kept) for one in forecasts
    ]
    return _format_moving_cutoff_predictions(forecasts, cutoffs)


def history_to_forecast(
    frame: pd.DataFrame, X: pd.DataFrame | None, model: WindowModel, known: pd.Index, *, gaps: bool
) -> History:
    """Check a series, at times like the `known` ones, of which every window is to be forecast.

    Parameters
    ----------
    frame : DataFrame of shape (n_times, n_channels)
    X : DataFrame or None
    model : WindowModel
    known : pd.Index
    gaps : bool
        Whether values and times may be missing.

    Raises
    ------
    ValueError
        If no window fits in, times are of another kind, X does not cover them, or there are
        gaps, which may not be.
    """
    history = read(frame, X, model.features.columns, gaps=gaps)
    if gaps:
        history, _ = on_steps(history, model.clock if model.clock.irregular else None)
    else:
        step_of(history.index)
    if len(history) < model.sizes.length:
        raise ValueError(model.sizes.too_short_for(len(history)))
    if model.features.calendar:
        check_kind(history.index, known, "y")
    return history


def dated(forecasts: np.ndarray, index: pd.Index, sizes: Sizes, columns: pd.Index) -> pd.DataFrame:
    """Give forecasts of every window, (n_windows, horizon, n_channels), by cutoff and time."""
    n_windows, horizon, n_channels = forecasts.shape
    cutoffs = np.arange(n_windows) + sizes.window_length - 1
    targets = cutoffs[:, None] + np.arange(1, horizon + 1)
    return pd.DataFrame(
        forecasts.reshape(-1, n_channels),
        index=pd.MultiIndex.from_arrays(
            [index[cutoffs.repeat(horizon)], index[targets.ravel()]], names=["cutoff", "time"]
        ),
        columns=columns,
    )
