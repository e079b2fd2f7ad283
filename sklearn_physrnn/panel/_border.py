"""The border to sktime, whose panels are (instance, channel, time): turned here, nowhere else."""

import numpy as np
import pandas as pd


def time_before_channels(X: np.ndarray | list[pd.DataFrame]) -> np.ndarray | list[np.ndarray]:
    """Turn an sktime panel into sequences as this package's estimators take them.

    Parameters
    ----------
    X : ndarray of shape (n_instances, n_channels, n_timesteps), or list of DataFrame
        sktime's types "numpy3D" and "df-list".

    Returns
    -------
    sequences : ndarray of shape (n_instances, n_timesteps, n_channels), or list of ndarray
        A list has an array of shape (n_timesteps, n_channels) for each DataFrame, with the
        columns of the first in their order.

    Raises
    ------
    ValueError
        If the DataFrames of a list differ in their columns.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn.panel._border import time_before_channels
    >>> time_before_channels(np.zeros((10, 3, 50))).shape
    (10, 50, 3)
    """
    if isinstance(X, np.ndarray):
        return X.transpose(0, 2, 1)
    names = X[0].columns
    for i, frame in enumerate(X):
        if len(frame.columns) != len(names) or set(frame.columns) != set(names):
            raise ValueError(
                f"X[{i}] has the columns {list(frame.columns)}, but X[0] has {list(names)}."
            )
    return [frame[names].to_numpy() for frame in X]
