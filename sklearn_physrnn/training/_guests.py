"""skorch's callbacks, as users bring them: what cannot do its work here is refused by name."""

from collections.abc import Sequence
from typing import Any

from skorch import callbacks as skorch

# Those that ask skorch's datasets or its own losses for what there is not, and what does
# their work here.
_SCORES = (
    "give fit X_val and y_val, or set early_stopping=True, and read validation_scores_ and "
    "validation_loss_curve_ afterwards"
)
_OTHERWISE = {
    "EpochScoring": _SCORES,
    "BatchScoring": "loss_curve_ and validation_loss_curve_ have the mean over an epoch's batches",
    "PassthroughScoring": "loss_curve_ and validation_loss_curve_ have the mean over an epoch's "
    "batches",
    "InputShapeSetter": "fit builds a network that fits X and y; leave it out",
}

# Those that write or print and leave training as it is.
_REPORTERS = (
    skorch.Checkpoint,
    skorch.MlflowLogger,
    skorch.NeptuneLogger,
    skorch.PrintLog,
    skorch.ProgressBar,
    skorch.SacredLogger,
    skorch.TensorBoard,
    skorch.TrainEndCheckpoint,
    skorch.WandbLogger,
)

# What makes their hook of batches do nothing.
_IDLE = (
    (skorch.LRScheduler, "step_every", "epoch"),
    (skorch.MlflowLogger, "log_on_batch_end", False),
    (skorch.NeptuneLogger, "log_on_batch_end", False),
    (skorch.SacredLogger, "log_on_batch_end", False),
)


def invited(
    callbacks: Sequence[Any], *, schedule: str, validated: bool, refits: bool = False
) -> list[Any]:
    """Check the callbacks that a user gave, as skorch takes them.

    Parameters
    ----------
    callbacks : sequence
        Callbacks, classes of them, or (name, callback).
    schedule : str
        Of the learning rate.
    validated : bool
        Whether there are validation data.
    refits : bool
        Whether a last training, on all data, has none whatever the user does.

    Raises
    ------
    TypeError
        If one is no callback.
    ValueError
        If one cannot work here.
    """
    for callback in map(_itself, callbacks):
        name = type(callback).__name__
        for base, otherwise in _OTHERWISE.items():
            if isinstance(callback, getattr(skorch, base)):
                if refits and otherwise is _SCORES:
                    otherwise = "score forecasts afterwards, as sktime's evaluate does"
                raise ValueError(f"callbacks: {name} does not work here: {otherwise}.")
        if isinstance(callback, skorch.LRScheduler) and schedule != "constant":
            raise ValueError(
                f"callbacks: {name} sets the learning rate, and so does "
                f"learning_rate={schedule!r}. Set learning_rate='constant' with it, or leave it "
                "out."
            )
        watched = _watched(callback)
        if watched.startswith("valid_") and (refits or not validated):
            way = (
                "a forecaster's last training, on all windows, has none. Set early_stopping=True, "
                "which finds out how long to train"
                if refits
                else "give fit X_val and y_val, or set early_stopping=True, which also stops in "
                "time and restores the best weights"
            )
            raise ValueError(
                f"callbacks: {name} watches {watched!r}, which is known with validation data "
                f"alone: {way}. {name} may watch 'train_loss' or 'train_loss_best' without."
            )
    return list(callbacks)


def silent(callbacks: Sequence[Any]) -> list[Any]:
    """Leave out those of skorch's that only write or print, which another process does."""
    return [each for each in callbacks if not isinstance(_itself(each), _REPORTERS)]


def wants_batches(callbacks: Sequence[Any]) -> bool:
    """Tell whether one reads what the history says of single batches."""
    return any(
        getattr(callback, "log_on_batch_end", False)
        or getattr(callback, "step_every", None) == "batch"
        or isinstance(callback, skorch.ProgressBar)
        for callback in map(_itself, callbacks)
    )


def idle_in_batches(callback: Any) -> bool:
    """Tell whether it is one of skorch's, whose ``on_batch_end`` does nothing as it is set."""
    return any(
        isinstance(callback, kind)
        and type(callback).on_batch_end is kind.on_batch_end
        and getattr(callback, setting) == idle
        for kind, setting, idle in _IDLE
    )


def prints(callbacks: Sequence[Any]) -> bool:
    """Tell whether one prints as a talkative net lets it."""
    return any(isinstance(callback, skorch.PrintLog) for callback in map(_itself, callbacks))


def _itself(entry: Any) -> Any:
    callback = entry[1] if isinstance(entry, tuple) and len(entry) == 2 else entry
    if isinstance(callback, type) and issubclass(callback, skorch.Callback):
        callback = callback()  # as skorch does
    if not callable(getattr(callback, "on_train_begin", None)):
        raise TypeError(f"callbacks must hold skorch callbacks, got {entry!r}.")
    return callback


def _watched(callback: Any) -> str:
    if isinstance(callback, skorch.WandbLogger) and callback.save_model:
        return "valid_loss_best"
    monitored = isinstance(callback, skorch.EarlyStopping | skorch.Checkpoint | skorch.LRScheduler)
    monitor = callback.monitor if monitored else None
    if isinstance(callback, skorch.LRScheduler) and not _on_a_plateau(callback):
        return ""
    return monitor if isinstance(monitor, str) else ""


def _on_a_plateau(callback: Any) -> bool:
    return getattr(callback.policy, "__name__", callback.policy) == "ReduceLROnPlateau"
