"""Which training an estimator's checkpoint is of."""

from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch

from .._version import __version__
from ..preparation.prepared import Rows
from ..storage.checkpoint import Checkpoint, describe, digest

if TYPE_CHECKING:
    from ._base import _BaseEstimator

# Parameters that what is learned does not depend on.
_NOT_TRAINED_WITH = (
    *("checkpoint", "callbacks", "verbose", "device", "warm_start"),
    *("interval", "interval_cv"),
)


def described(estimator: Any, device: torch.device) -> dict[str, str]:
    """Describe a training, as far as it follows from class, version, parameters and device."""
    description = {"estimator": type(estimator).__name__, "version": __version__}
    for name, value in estimator.get_params(deep=False).items():
        if name not in _NOT_TRAINED_WITH:
            description[name] = describe(value)
    description["device"] = device.type
    if not isinstance(estimator.random_state, Integral):
        description["random_state"] = "not fixed"
    return description


def training_of(estimator: Any, device: torch.device) -> dict[str, str]:
    """Describe a training that several processes are to do together, before data are read."""
    further = {name: getattr(estimator, name, None) for name in ("checkpoint", "warm_start")}
    return described(estimator, device) | {name: str(x) for name, x in further.items()}


def open_checkpoint(
    estimator: "_BaseEstimator",
    rows: Rows,
    held_out: Rows | None,
    seeds: tuple[int, int],
    device: torch.device,
    *,
    resume: bool,
) -> Checkpoint:
    """Find where this very training has come to, and its seeds where they were drawn.

    Parameters
    ----------
    estimator : estimator with a `checkpoint`
    rows : Rows
        The training data, before a split.
    held_out : Rows or None
        Given validation data.
    seeds : tuple of int
        Of the split and of the training, unless the file holds others.
    device : torch.device
    resume : bool
        Whether the training goes on from the fitted module.

    Raises
    ------
    ValueError
        If the file is damaged or of another training.
    """
    assert estimator.checkpoint is not None
    description = described(estimator, device)
    if hasattr(estimator, "classes_"):
        description["classes"] = describe(estimator.classes_)
    for name, part in (("training data", rows), ("validation data", held_out)):
        description[name] = digest(() if part is None else (part.X, part.y, part.weights))
    if rows.groups is not None:
        description["groups"] = digest((rows.groups,))
    if resume:
        learned = [estimator.module_.state_dict(), *estimator._optimizer_state["state"].values()]
        description["fitted model"] = digest(x for state in learned for x in state.values())
    return Checkpoint(estimator.checkpoint, description, seeds)
