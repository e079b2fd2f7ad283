"""Rows that are held out of training."""

import numpy as np
from sklearn.model_selection import train_test_split


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
