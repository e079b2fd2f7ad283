"""Descriptions that all estimators of panels share; those of parameters are scikit-learn's."""

from typing import TypeVar

from ..estimators._docstrings import filled, parameters_like
from ._estimator import SeriesEstimator

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

_Class = TypeVar("_Class", bound=type[SeriesEstimator])


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
