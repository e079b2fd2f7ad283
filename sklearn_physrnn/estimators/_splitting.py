"""Rows that are held out of training, by us or by the user."""

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from ..preparation.prepared import Rows, check_weights
from ..preparation.step_targets import StepTargets
from ..preparation.targets import Targets


def split_rows(rows: Rows, targets: Targets, fraction: float, seed: int) -> tuple[Rows, Rows]:
    """Hold out a `fraction` of checked rows, or of their groups.

    Of records too few for that, what is later in each.

    Returns
    -------
    training, held_out : Rows

    Raises
    ------
    ValueError
        If either would be empty.
    """
    if rows.groups is not None:
        training, held_out = split_groups(rows.groups, fraction, seed)
        return rows[training], rows[held_out]
    few = len(rows) == 1 or round(fraction * len(rows)) == 0
    if few and isinstance(targets, StepTargets):
        earlier, later = targets.cut(rows.X, rows.y, fraction)
        return replace(rows, X=earlier[0], y=earlier[1]), replace(rows, X=later[0], y=later[1])
    training, held_out = split(len(rows), fraction, seed, targets.strata(rows.y))
    return rows[training], rows[held_out]


def split(
    n: int, fraction: float, seed: int, strata: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a `fraction` of `n` rows, stratified where the strata are large enough for it.

    Returns
    -------
    training, held_out : ndarray of int

    Raises
    ------
    ValueError
        If either would be empty.
    """
    n_held_out = round(fraction * n)
    if not 0 < n_held_out < n:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} leaves "
            f"{n - n_held_out} of {n} samples for training and {n_held_out} for "
            "validation; both need at least one."
        )
    if strata is not None:
        counts = np.unique(strata, return_counts=True)[1]
        if counts.min() < 2 or len(counts) > min(n_held_out, n - n_held_out):
            strata = None
    return train_test_split(np.arange(n), test_size=n_held_out, stratify=strata, random_state=seed)


def split_groups(groups: np.ndarray, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Hold out a `fraction` of the groups, whole.

    Returns
    -------
    training, held_out : ndarray of int

    Raises
    ------
    ValueError
        If either would be empty.
    """
    n = len(np.unique(groups))
    n_held_out = max(1, round(fraction * n))
    if n_held_out >= n:
        raise ValueError(
            f"early_stopping with validation_fraction={fraction} needs at least 2 groups, and "
            f"leaves {n - n_held_out} of {n} for training."
        )
    splitter = GroupShuffleSplit(1, test_size=n_held_out, random_state=seed)
    ((training, held_out),) = splitter.split(groups, groups=groups)
    return training, held_out


def read_held_out(estimator: Any, X: Any, y: Any, sample_weight: Any) -> Rows:
    """Check validation data that the user gave, against what is known of the training data.

    Raises
    ------
    TypeError, ValueError
        If they are not like these, or count for nothing.
    """
    if X is None or y is None:
        raise ValueError("X_val and y_val must be given together, got only one of them.")
    prepared = estimator._prepared
    try:
        rows = prepared.read(X, y, estimator)
    except (TypeError, ValueError) as error:
        kind = ValueError if isinstance(error, ValueError) else TypeError
        raise kind(f"X_val, y_val: {error}") from error
    try:
        weights = check_weights(sample_weight, rows)
    except (TypeError, ValueError) as error:
        raise ValueError(f"sample_weight_val: {error}") from error
    rows = Rows(rows.X, rows.y, weights)
    if (total := prepared.weigh(rows)) is not None and not total.any():
        raise ValueError("X_val, y_val: class_weight is zero for every class among them.")
    return rows
