"""California Housing in the split of DynPMNN's authors."""

import os

import numpy as np
from sklearn.datasets import fetch_california_housing
from sklearn.utils import Bunch


def load_california_split(*, data_home: str | os.PathLike | None = None) -> Bunch:
    """Load California Housing as split in arXiv 2605.08176's experiments.

    With ``r = RandomState(42).rand(20640)``, rows of r <= 0.7 are for training, up to 0.9
    for validation, and above for testing.

    Parameters
    ----------
    data_home : path-like or None, default=None
        scikit-learn's own data home; see
        :func:`sklearn.datasets.fetch_california_housing`, which downloads the data where
        they are not there yet.

    Returns
    -------
    Bunch
        X_train, X_val, X_test: DataFrames of 8 columns; y_train, y_val, y_test: median
        house values in 100,000 $.

    Raises
    ------
    OSError
        If the data are not there and cannot be downloaded.
    """
    X, y = fetch_california_housing(data_home=data_home, return_X_y=True, as_frame=True)
    r = np.random.RandomState(42).rand(len(X))  # the authors' draw
    parts = {"train": r <= 0.7, "val": (r > 0.7) & (r <= 0.9), "test": r > 0.9}
    return Bunch(
        **{f"X_{name}": X[rows] for name, rows in parts.items()},
        **{f"y_{name}": y[rows] for name, rows in parts.items()},
    )
