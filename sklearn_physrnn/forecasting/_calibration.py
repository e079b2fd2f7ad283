"""Errors of a model's forecasts, for the width of intervals."""

from dataclasses import replace

import numpy as np

from ._history import History
from ._intervals import Scores
from ._model import WindowModel

# Forecasts rolled out that tell whether errors accumulate; with fewer than the least they
# are taken to.
_MOST_ROLLED_OUT, _LEAST_ROLLED_OUT = 500, 8

# Up to twice the error after twice the steps, as where a trend is misjudged.
_LARGEST_CARRY = 3.0


def calibrated(
    model: WindowModel,
    history: History,
    boundary: int,
    size: int,
    final: WindowModel | None = None,
) -> Scores:
    """Score the forecasts of a history's times from `boundary` on.

    Parameters
    ----------
    model : WindowModel
    history : History
    boundary : int
        At least `window_length`.
    size : int
        Times to keep the scores of.
    final : WindowModel, default=model
        What the scores are for, and in the units of.
    """
    final = model if final is None else final
    shape = model.sizes.horizon, model.n_channels, model.n_quantiles
    scores = replace(Scores.empty(shape, size), carry=carried(model, history))
    return _observed(model, scores, history, len(history) - boundary, final)


def updated(model: WindowModel, scores: Scores, history: History, n_new: int) -> Scores:
    """Score the earlier forecasts of a history's last `n_new` values."""
    if not n_new:
        return scores.interrupted()
    if model.features.columns is None:
        first = len(history) - n_new - model.sizes.window_length + 1
        return scores.observe(
            model.scaler.transform(history.values[-n_new:]),
            *model.from_every_time(history[first:]),
        )
    # The exogenous values over the horizon were not known when the forecasts were made.
    return _observed(model, scores.interrupted(), history, n_new, model)


def reawakened(
    model: WindowModel, scores: Scores, history: History, n_new: int, channels: np.ndarray
) -> Scores:
    """Score anew the `channels` (boolean) that have come to life in the last `n_new` values.

    The errors of the idle ones before say nothing of them.
    """
    first = max(model.sizes.window_length, len(history) - n_new if n_new else 0)
    fresh = calibrated(model, history, first, scores.size)
    rows = max(len(scores), len(fresh))

    def padded(errors: np.ndarray) -> np.ndarray:
        return np.pad(errors, ((rows - len(errors), 0), (0, 0), (0, 0)), constant_values=np.nan)

    return replace(
        scores,
        errors=np.where(channels, padded(fresh.errors), padded(scores.errors)),
        forecasts=np.where(channels[:, None], fresh.forecasts, scores.forecasts),
        spreads=np.where(channels, fresh.spreads, scores.spreads),
        carry=np.where(channels, fresh.carry, scores.carry),
    )


def _observed(
    model: WindowModel, scores: Scores, history: History, n_values: int, final: WindowModel
) -> Scores:
    """Make the forecasts of a history's last `n_values` anew and score them."""
    known = len(history) - n_values
    first = max(known - model.sizes.horizon, model.sizes.window_length - 1)
    start = first - model.sizes.window_length + 1
    forecasts, spreads = model.from_every_time(history[start:], final)
    earlier = known - first
    scores = scores.opened(forecasts[:earlier], spreads[:earlier])
    values = final.scaler.transform(history.values[known:])
    return scores.observe(values, forecasts[earlier:], spreads[earlier:])


def carried(model: WindowModel, history: History) -> np.ndarray:
    """Estimate which share of an error's square the next horizon starts with.

    It is by how much forecasts rolled out are worse than those made at once, of the same
    targets. Whether those were trained on matters little, as it does so for both.

    Returns
    -------
    ndarray of shape (horizon, n_channels)
    """
    horizon, length = model.sizes.horizon, model.sizes.length
    history = history[-(_MOST_ROLLED_OUT - 1 + length + horizon) :]
    n_origins = len(history) - length - horizon + 1
    if n_origins < _LEAST_ROLLED_OUT:
        return np.ones((horizon, model.n_channels))
    made_at_once, rolled_out = model.errors_ahead(history)
    return share_carried(made_at_once, rolled_out)


def share_carried(made_at_once: np.ndarray, rolled_out: np.ndarray) -> np.ndarray:
    """See `carried`, from errors of shape (n, horizon, n_channels), in units of the spread."""
    # The mean absolute errors, of which a few wild values rule less than squares.
    one, two = (np.abs(errors).mean(axis=0) ** 2 for errors in (made_at_once, rolled_out))
    end = np.where(one[-1] > 0, one[-1], 1.0)
    share = (two - one) / end
    # Neighbouring steps carry about as much, and one alone is a noisy estimate.
    padded = np.pad(share, ((1, 1), (0, 0)), mode="edge")
    share = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    return np.where(one[-1] > 0, np.clip(share, 0.0, _LARGEST_CARRY), 1.0)
