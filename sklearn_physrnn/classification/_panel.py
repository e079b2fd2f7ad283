"""What the sktime estimators of panels share: the border to the scikit-learn ones.

Each wraps an estimator of sequences of this package, which validates, trains and predicts.
Here sktime's panels are turned into that estimator's sequences, and its description of the
parameters is passed on.
"""

from typing import Any, ClassVar, TypeVar

import numpy as np
import pandas as pd
from sklearn.utils import get_tags
from sklearn.utils._param_validation import validate_parameter_constraints

from ..estimators._docstrings import filled, parameters_like

_PANEL = """
X may be any panel that sktime knows, of one channel or several and of equal or unequal
length: a 3-D array of shape (n_instances, n_channels, n_timesteps), a DataFrame with an index
of instances and time, a nested DataFrame, a list of DataFrames. Time points in an index are
not looked at; series sampled unevenly have them in a channel, `time_channel`. A panel with
missing values is refused.
"""

_EARLY_STOPPING = """
early_stopping : bool
    Hold out a part of the training data, stop when its loss has not improved for
    `n_iter_no_change` epochs, and restore the best weights. Without it training takes all
    data and all of `max_iter`, and keeps the last weights.
"""


class _SeriesEstimator:
    """An sktime estimator whose work a scikit-learn estimator of sequences does."""

    # The estimator that does the work. Its constructor takes all parameters of ours.
    _wrapped: ClassVar[type]
    # Parameters of which sktime's interface allows less than the wrapped estimator does.
    _narrower_constraints: ClassVar[dict[str, list[Any]]] = {}
    # Parameters for sktime's checks, small enough for a fit in 30 ms.
    _test_params: ClassVar[list[dict[str, Any]]]

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "sklearn_physrnn developers",
        "maintainers": "sklearn_physrnn developers",
        "python_dependencies": ["numba", "skorch", "torch"],
        # Lists come first: what is no array already may be of unequal length.
        "X_inner_mtype": ["df-list", "numpy3D"],
        "capability:multivariate": True,
        "capability:unequal_length": True,
        "capability:missing_values": False,
        "capability:categorical_in_X": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def _make_estimator(self):
        """Give the unfitted estimator that does the work; refuse wrong parameters."""
        params = self.get_params(deep=False)  # type: ignore[attr-defined]
        validate_parameter_constraints(
            self._wrapped._parameter_constraints  # type: ignore[attr-defined]
            | self._narrower_constraints,
            params,
            caller_name=type(self).__name__,
        )
        return self._wrapped(**params)

    def __sklearn_tags__(self):
        # sktime's bases have none, and scikit-learn's searches do not run without.
        return get_tags(self._wrapped())

    def reset(self):
        """Give up what was learned, as ``fit`` does first.

        Returns
        -------
        self : object
        """
        # scikit-learn's searches put this on an estimator for the time of its fit and
        # take it back afterwards; sktime's reset would delete it.
        context = vars(self).get("_parent_callback_ctx")
        super().reset()  # type: ignore[misc]
        if context is not None:
            self._parent_callback_ctx = context
        return self

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Give parameters for sktime's checks of an estimator.

        Parameters
        ----------
        parameter_set : str, default="default"
            Ignored: there is one collection of sets.

        Returns
        -------
        params : list of dict
            Arguments of small models.
        """
        return [{"max_iter": 2, "random_state": 0, **params} for params in cls._test_params]


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
    >>> from sklearn_physrnn.classification._panel import time_before_channels
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


_Class = TypeVar("_Class", bound=type[_SeriesEstimator])


def documented(**entries: str):
    """Fill ``{panel}`` and ``{parameters}`` in a docstring.

    Parameters
    ----------
    **entries : str
        Descriptions of parameters, in numpydoc's form, that take the place of those in
        the wrapped estimator's docstring.
    """

    def fill(cls: _Class) -> _Class:
        if cls.__doc__ is None:  # python -OO
            return cls
        own = {"early_stopping": _EARLY_STOPPING, **entries}
        parameters = parameters_like(cls, cls._wrapped, **own)
        cls.__doc__ = filled(cls.__doc__, panel=_PANEL, parameters=parameters)
        return cls

    return fill
