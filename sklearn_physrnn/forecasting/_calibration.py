"""Errors of a model's forecasts, for conformal intervals."""

import numpy as np

from ._history import History
from ._intervals import Scores
from ._model import WindowModel


def calibrated(model: WindowModel, history: History, boundary: int, size: int) -> Scores:
    """Score the forecasts of a history's times from `boundary` on.

    Parameters
    ----------
    model : WindowModel
    history : History
    boundary : int
        At least `window_length`.
    size : int
        Times to keep the scores of.
    """
    scores = Scores.empty(model.sizes.horizon, model.n_channels, size)
    values = model.scaler.transform(history.values[boundary:])
    return _observed(model, scores, history, values)


def updated(model: WindowModel, scores: Scores, history: History, n_new: int) -> Scores:
    """Score the earlier forecasts of a history's last `n_new` values."""
    if not n_new:
        return scores.interrupted()
    values = model.scaler.transform(history.values[-n_new:])
    if model.features.columns is None:
        forecasts, spreads = model.from_every_time(
            history[-n_new - model.sizes.window_length + 1 :]
        )
        return scores.observe(values, forecasts, spreads)
    # The exogenous values over the horizon were not known when the forecasts were made.
    return _observed(model, scores.interrupted(), history, values)


def _observed(model: WindowModel, scores: Scores, history: History, values: np.ndarray) -> Scores:
    """Make the forecasts of a history's last `values` anew and score them."""
    known = len(history) - len(values)
    first = max(known - model.sizes.horizon, model.sizes.window_length - 1)
    start = first - model.sizes.window_length + 1
    forecasts, spreads = model.from_every_time(history[start:])
    earlier = known - first
    scores = scores.opened(forecasts[:earlier], spreads[:earlier])
    return scores.observe(values, forecasts[earlier:], spreads[earlier:])
