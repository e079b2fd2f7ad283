"""Errors of rows that training has not seen: cross-fitted in ``fit``, or given afterwards."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.base import clone
from sklearn.model_selection import KFold, PredefinedSplit, check_cv
from sklearn.utils import _safe_indexing

from ..preparation.arrays import naming
from ..preparation.calibration import (
    FEWEST_FOR_SPREAD,
    Calibration,
    Spread,
    spread_and_sizes,
)
from ..preparation.number_targets import NumberTargets
from ..preparation.prepared import Rows
from ..training._random import MAX_SEED
from ._running import outputs_of_arrays

if TYPE_CHECKING:
    from ._intervals import Calibrated

Part = tuple[np.ndarray, np.ndarray]


def n_trainings(cv: Any) -> int:
    """Say how many trainings an `interval_cv` asks for."""
    if isinstance(cv, int | np.integer):
        return int(cv)
    return int(cv.get_n_splits()) if hasattr(cv, "get_n_splits") else len(list(cv))


def cross_fitted(
    estimator: "Calibrated", X: Any, y: Any, sample_weight: Any, validation: Any
) -> Calibration:
    """Train a copy of the estimator for each fold, and collect its errors in the fold.

    Parameters
    ----------
    estimator : estimator
        Fitted to all.
    X, y, sample_weight
        As the user gave them.
    validation : tuple or None
        Of X_val, y_val and sample_weight_val.
    """
    prepared = estimator._prepared
    rows = prepared.read(X, y, estimator)
    weights = estimator._check_weights(sample_weight, rows)
    later = {} if validation is None else dict(zip(_VALIDATION, validation, strict=True))
    errors: list[np.ndarray] = []
    found: list[np.ndarray] = []
    folds: list[np.ndarray] = []
    with naming("interval_cv"):
        parts = list(_parts(estimator.interval_cv, len(rows)))
    near = _folds_of_neighbors(estimator, rows)
    for fold, (train, test) in enumerate(parts):
        if weights is not None:
            train, test = (part[weights[part] > 0] for part in (train, test))
        if not len(test):
            continue
        copy = _copy(estimator, near, train)
        own = None if weights is None else weights[train]
        copy.fit(_rows(X, train), _rows(y, train), own, **later)
        errors.append(copy._middle(_rows(X, test)).errors(rows.y[test]))
        found.append(test)
        folds.append(np.full(len(test), fold))
    if not errors:
        raise ValueError("interval_cv has no test fold with a row of positive weight.")
    chosen, apart = np.concatenate(found), np.concatenate(folds)
    off, own = np.concatenate(errors), None if weights is None else weights[chosen]
    several = _several(estimator) or len(np.unique(apart)) < 2
    features = None if several else _features_of_training(estimator, rows, weights)
    features = None if features is None else features[chosen]
    if features is None or len(off) < FEWEST_FOR_SPREAD:
        return Calibration.of(off, own, None)
    spread, sizes = spread_and_sizes(features, off, own, apart)
    return Calibration.of(off / sizes, own, spread)


_VALIDATION = ("X_val", "y_val", "sample_weight_val")


def calibrated_on(estimator: "Calibrated", rows: Rows) -> Calibration:
    """Collect errors of rows that the estimator was not trained on, with their weights.

    A spread is learned from every second of them, drawn at random, unless there is one.
    """
    rows = rows.with_weight(rows.weights)
    known: Calibration | None = getattr(estimator, "calibration_", None)
    spread = None if known is None else known.spread
    middle = estimator._middle_of(rows.X)
    off, weights = middle.errors(rows.y), rows.weights
    features = None if _several(estimator) else estimator._features_of(rows.X)
    if features is None:
        return Calibration.of(off, weights, None)
    if spread is None and len(off) >= 2 * FEWEST_FOR_SPREAD:
        order = np.random.default_rng(0).permutation(len(off))
        first, rest = order[::2], order[1::2]
        parts = (None, None) if weights is None else (weights[first], weights[rest])
        spread = Spread.learned(features[first], off[first], parts[0])
        return Calibration.of(off[rest] / spread.of(features[rest]), parts[1], spread)
    return Calibration.of(off if spread is None else off / spread.of(features), weights, spread)


def _parts(cv: Any, n: int) -> Iterator[Part]:
    if isinstance(cv, int | np.integer):
        if n < cv:
            raise ValueError(f"{n} rows cannot be in {cv} folds.")
        cv = KFold(cv, shuffle=True, random_state=0)
    for train, test in check_cv(cv).split(np.zeros((n, 1))):
        yield np.sort(np.arange(n)[train]), np.sort(np.arange(n)[test])


def _copy(estimator: "Calibrated", near: np.ndarray | None, train: np.ndarray) -> Any:
    """Make an unfitted estimator like this, for training rows of it."""
    silent = {"interval": None, "callbacks": None, "checkpoint": None, "verbose": False}
    copy = clone(estimator).set_params(**silent)
    for name in ("_skl_callbacks", "_parent_callback_ctx"):
        copy.__dict__.pop(name, None)
    copy.set_params(random_state=estimator._split_seed % MAX_SEED)
    if copy.max_time is not None:
        copy.set_params(max_time=copy.max_time / (1 + n_trainings(estimator.interval_cv)))
    if near is not None:
        copy.set_params(neighbors_cv=PredefinedSplit(near[train]))
    return copy


def _folds_of_neighbors(estimator: Any, rows: Rows) -> np.ndarray | None:
    """Give what fold neighbours are in, where not a number says it, which any rows follow."""
    cv = getattr(estimator, "neighbors_cv", 0)
    if isinstance(cv, int | np.integer) or estimator.neighbors is None:
        return None
    prepared = estimator._prepared
    folds: np.ndarray = prepared.inputs.folds(rows, prepared.targets)
    return folds


def _rows(values: Any, rows: np.ndarray) -> Any:
    try:
        return _safe_indexing(values, rows)
    except Exception as error:
        raise ValueError(
            f"interval='conformal' takes rows of X and y by their numbers, which a "
            f"{type(values).__name__} does not give ({type(error).__name__}: {error!s:.200}): set "
            "interval=None, and call calibrate with rows that were held out."
        ) from error


def _features_of_training(
    estimator: "Calibrated", rows: Rows, weights: np.ndarray | None
) -> np.ndarray | None:
    """Give features of rows that training has seen, none of which sees its own target."""
    inputs, targets = estimator._prepared.inputs, estimator._prepared.targets
    bare = estimator._family.without_head(estimator.module_)
    folds = inputs.folds(rows, targets)
    if bare is None or folds is None:
        return estimator._features_of(rows.X)
    counted = np.flatnonzero(np.ones(len(rows)) if weights is None else weights)
    rows = Rows(rows.X, rows.y, weights, folds)[counted]
    inputs = inputs.with_targets(rows, targets, rows.weights)
    arrays = {name: x.numpy() for name, x in inputs.tensors_of(rows, torch.float64).items()}
    found = outputs_of_arrays(estimator, arrays, bare)
    features = np.zeros((len(folds), found.shape[1]))
    features[counted] = found
    return features


def _several(estimator: "Calibrated") -> bool:
    """Tell whether learned quantiles say how wide distributions are."""
    targets = estimator._prepared.targets
    return isinstance(targets, NumberTargets) and targets.several and len(targets.levels) > 1


def check_answers(estimator: Any, targets: Any) -> None:
    """Refuse targets of every step, whose errors in one sample depend on each other."""
    if not isinstance(targets, NumberTargets):
        raise ValueError(
            f"{type(estimator).__name__} has intervals of one answer a sample; with "
            "readout='sequence' there is one at every step, and errors of one sample's steps "
            "are no independent rows. Set interval=None, or another readout."
        )
