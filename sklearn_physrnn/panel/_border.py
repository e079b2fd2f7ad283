"""The border to sktime, whose panels are (instance, channel, time): turned here, nowhere else."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from .._warnings import warn


def _numbered(names: Sequence[Hashable]) -> bool:
    """Tell what pandas or sktime call channels that nobody has named."""
    n = len(names)
    return list(names) in (list(range(n)), [f"var_{i}" for i in range(n)])


@dataclass(frozen=True)
class Channels:
    """The channels of the panel that a model was fitted to.

    Attributes
    ----------
    names : tuple or None
        Their names, in order; None where X was an array, which has none.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn.panel._border import Channels
    >>> X = np.zeros((10, 3, 50))
    >>> Channels.of(X).sequences(X, "Model").shape
    (10, 50, 3)
    """

    names: tuple[Hashable, ...] | None = None

    @classmethod
    def of(cls, X: np.ndarray | list[pd.DataFrame]) -> Self:
        """Give those of a panel, of sktime's type "numpy3D" or "df-list"."""
        return cls(None if isinstance(X, np.ndarray) else tuple(X[0].columns))

    def sequences(
        self, X: np.ndarray | list[pd.DataFrame], model: str
    ) -> np.ndarray | list[np.ndarray]:
        """Turn a panel into sequences as this package's estimators take them.

        Parameters
        ----------
        X : ndarray of shape (n_instances, n_channels, n_timesteps), or list of DataFrame
            sktime's types "numpy3D" and "df-list".
        model : str
            What messages call the estimator.

        Returns
        -------
        sequences : ndarray of shape (n_instances, n_timesteps, n_channels), or list of ndarray
            A list has an array of shape (n_timesteps, n_channels) for each DataFrame. Channels
            are in the order of these, if both have names.

        Raises
        ------
        ValueError
            If the DataFrames of a list differ in their columns, or their columns from these.
        """
        if isinstance(X, np.ndarray):
            self._warn_where_one_has_names(None, model)
            return X.transpose(0, 2, 1)
        names = X[0].columns
        for i, frame in enumerate(X):
            if len(frame.columns) != len(names) or set(frame.columns) != set(names):
                raise ValueError(
                    f"X[{i}] has the columns {list(frame.columns)}, but X[0] has {list(names)}."
                )
        order = self._in_order(list(names), model)
        return [frame[order].to_numpy() for frame in X]

    def _in_order(self, names: list[Hashable], model: str) -> list[Hashable]:
        """Give `names` in the order of these, or as they are where one side has none."""
        fitted = list(self.names or ())
        given, known = set(names), set(fitted)
        lacking = [name for name in fitted if name not in given]
        besides = [name for name in names if name not in known]
        if not lacking and not besides:
            return fitted
        if lacking == fitted and (_numbered(fitted) or _numbered(names)):
            self._warn_where_one_has_names(names, model)
            return names
        found = []
        if lacking:
            found.append(f"lacks {lacking}")
        if besides:
            found.append(f"has {besides} besides")
        raise ValueError(
            f"X must have the channels that {model} was fitted to, in any order; it "
            f"{' and '.join(found)}."
        )

    def _warn_where_one_has_names(self, names: list[Hashable] | None, model: str) -> None:
        """Warn where only one of the panels has names, as scikit-learn does for tables."""
        fitted = self.names or ()
        if not _numbered(fitted) and (names is None or _numbered(names)):
            warn(
                f"The channels of X have no names, but {model} was fitted to "
                f"{list(fitted)}: they are taken in that order."
            )
        elif names is not None and not _numbered(names):
            warn(
                f"The channels of X are called {names}, but {model} was fitted to channels "
                "without names: they are taken in the order of X."
            )
