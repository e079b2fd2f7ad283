"""Errors of a model's forecasts, for the width of intervals."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ._gaps import cut
from ._history import History
from ._horizon import Carry, blocks
from ._intervals import Scores
from ._model import WindowModel
from ._spreads import power_of

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


def in_units_of_errors(
    judged: WindowModel, history: History, boundary: int, size: int, final: WindowModel
) -> WindowModel:
    """Give the `final` model, with intervals in units that the errors of the one `judged` go by.

    Parameters
    ----------
    judged, history, boundary, size, final
        As in :func:`calibrated`.
    """
    sizes = final.sizes
    history = history[max(boundary, len(history) - size) - sizes.window_length :]
    forecasts, units = judged.from_every_time(history, final)
    values = final.scaler.transform(history.values[sizes.window_length :])
    n = len(values)
    if not n:
        return final
    targets = np.pad(values, ((0, sizes.horizon), (0, 0)), constant_values=np.nan)
    targets = cut(targets, sizes.horizon)[:n]
    middle = forecasts[:n, ..., forecasts.shape[-1] // 2]
    errors = (targets - middle) / units[:n, None]
    return final.with_power(power_of(errors, units[:n] / final.typical))


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
        carry=fresh.carry,
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


def carried(model: WindowModel, history: History) -> Carry:
    """Estimate how errors go on past the horizon.

    It is by how much forecasts rolled out are worse than those made at once, of the same
    targets. Whether those were trained on matters little, as it does so for both. They are
    rolled out until forecasts are all that a window holds, if the history is that long.
    """
    horizon, length = model.sizes.horizon, model.sizes.length
    enough = (len(history) - length - _LEAST_ROLLED_OUT + 1) // horizon
    n_more = min(blocks(model.sizes.window_length, horizon), enough)
    if n_more < 1:
        return Carry.all_of_it(horizon, model.n_channels)
    history = history[-(_MOST_ROLLED_OUT - 1 + length + n_more * horizon) :]
    return carry_of(
        [_mean_there(np.abs(errors)) for errors in model.errors_ahead(history, n_more)]
    )


def _mean_there(errors: np.ndarray) -> np.ndarray:
    """Give the mean of errors (n, horizon, n_channels) that are known; of all steps where none."""
    known = ~np.isnan(errors)
    if known.all():
        return errors.mean(axis=0)
    total, n = np.where(known, errors, 0.0).sum(axis=0), known.sum(axis=0)
    overall = total.sum(axis=0) / np.maximum(n.sum(axis=0), 1)
    return np.where(n > 0, total / np.maximum(n, 1), overall)


def carry_of(errors: Sequence[np.ndarray]) -> Carry:
    """Tell how errors go on, from their mean sizes (horizon, n_channels) in each horizon.

    The first is of forecasts made at once, the others of those rolled out ever further, all
    of the same targets.
    """
    end = errors[0][-1]
    relative = np.stack(errors) ** 2 / np.where(end > 0, end, 1.0) ** 2
    added = relative[1:] - relative[0]
    # Neighbouring steps carry about as much, and one alone is a noisy estimate.
    padded = np.pad(added, ((0, 0), (1, 1), (0, 0)), mode="edge")
    added = (padded[:, :-2] + padded[:, 1:-1] + padded[:, 2:]) / 3
    most = _LARGEST_CARRY * np.arange(1, len(added) + 1)[:, None, None]
    added = np.maximum.accumulate(np.clip(added, 0.0, most))
    added = np.where(end > 0, added, np.arange(1.0, len(added) + 1)[:, None, None])
    total = added.mean(axis=1)
    if len(total) == 1:
        return Carry(added, np.minimum(total[0], 1.0))
    last, before = total[-1] - total[-2], total[-2] - (total[-3] if len(total) > 2 else 0.0)
    through = np.divide(last, before, out=np.zeros_like(last), where=before > 0)
    return Carry(added, np.minimum(through, 1.0))
