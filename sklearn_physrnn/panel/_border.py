"""The border to sktime, whose panels are (instance, channel, time): turned here, nowhere else."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from ..preparation.names import in_order, warn_where_one_has_names
from ..storage.state import State


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

    def to_state(self) -> dict[str, Any]:
        """Give what they are kept as."""
        return {"names": None if self.names is None else list(self.names)}

    @classmethod
    def from_state(cls, state: State) -> Self:
        """Make them of their state."""
        names = state.plain("names", list, type(None))
        if names is not None and not all(isinstance(name, Hashable) for name in names):
            raise ValueError("its channels must have names.")
        return cls(None if names is None else tuple(names))

    def sequences(
        self, X: np.ndarray | list[pd.DataFrame], model: str, *, timed: bool = False
    ) -> np.ndarray | list[np.ndarray] | list[pd.DataFrame]:
        """Turn a panel into sequences as this package's estimators take them.

        Parameters
        ----------
        X : ndarray of shape (n_instances, n_channels, n_timesteps), or list of DataFrame
            sktime's types "numpy3D" and "df-list".
        model : str
            What messages call the estimator.
        timed : bool
            Leave DataFrames as such, since their index or a name in them tells the time.

        Returns
        -------
        sequences : ndarray of shape (n_instances, n_timesteps, n_channels), or list
            A list has an array of shape (n_timesteps, n_channels), or a DataFrame, for each
            DataFrame. Channels are in the order of these, if both have names.

        Raises
        ------
        ValueError
            If the DataFrames of a list differ in their columns, or their columns from these.
        """
        if isinstance(X, np.ndarray):
            warn_where_one_has_names(
                None, self.names or (), data="X", parts="channels", model=model
            )
            return X.transpose(0, 2, 1)
        names = X[0].columns
        for i, frame in enumerate(X):
            if len(frame.columns) != len(names) or set(frame.columns) != set(names):
                raise ValueError(
                    f"X[{i}] has the columns {list(frame.columns)}, but X[0] has {list(names)}."
                )
        order = in_order(names, self.names or (), data="X", parts="channels", model=model)
        return [frame[order] if timed else frame[order].to_numpy() for frame in X]
