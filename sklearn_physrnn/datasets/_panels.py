"""Panels of series with classes."""

import os
from collections.abc import Callable

import numpy as np
from sklearn.utils import Bunch

from ._files import find

# Those that sktime ships, by the names of its loaders.
_SHIPPED = {
    "ArrowHead": "load_arrow_head",
    "BasicMotions": "load_basic_motions",
    "ItalyPowerDemand": "load_italy_power_demand",
    "JapaneseVowels": "load_japanese_vowels",
    "OSULeaf": "load_osuleaf",
    "UnitTest": "load_unit_test",
}


def load_panel(name: str, *, data_home: str | os.PathLike | None = None) -> Bunch:
    """Load a set of the UCR and UEA archive in its official split.

    Parameters
    ----------
    name : str
        "ArrowHead", "BasicMotions", "ItalyPowerDemand", "JapaneseVowels", "OSULeaf" and
        "UnitTest" come with sktime. Any other is read from ``<name>.npz`` in the data
        home, with arrays X_train, X_test of shape (n_samples, n_timesteps, n_channels),
        y_train and y_test.
    data_home : path-like or None, default=None
        See :func:`get_data_home`.

    Returns
    -------
    Bunch
        X_train, y_train, X_test, y_test. X is an array of shape (n_samples, n_timesteps,
        n_channels), or, for series of unequal length, a list of arrays of shape
        (n_timesteps, n_channels).

    Raises
    ------
    FileNotFoundError
        If the file is not there; the message says where it comes from.

    Examples
    --------
    >>> from sklearn_physrnn.datasets import load_panel
    >>> load_panel("BasicMotions").X_train.shape
    (40, 100, 6)
    """
    if name in _SHIPPED:
        import sktime.datasets

        load = getattr(sktime.datasets, _SHIPPED[name])
        (X_train, y_train), (X_test, y_test) = (_shipped(load, s) for s in ("train", "test"))
        return Bunch(X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)
    path = find(
        f"{name}.npz",
        f"the set {name} of https://timeseriesclassification.com, saved by numpy.savez as "
        "X_train, y_train, X_test and y_test, time before channels",
        data_home,
    )
    with np.load(path, allow_pickle=False) as data:
        return Bunch(**{part: data[part] for part in ("X_train", "y_train", "X_test", "y_test")})


def _shipped(load: Callable, split: str) -> tuple[np.ndarray | list[np.ndarray], np.ndarray]:
    nested, y = load(split=split, return_type="nested_univ")
    series = [np.column_stack(list(row)) for row in nested.to_numpy()]
    equal = len({len(x) for x in series}) == 1
    return (np.stack(series) if equal else series), y
