"""Docstrings of estimators of panels; what scikit-learn's say, they take from there."""

import inspect
from typing import TypeVar

from ..estimators._docstrings import filled, parameters_like
from ._estimator import SeriesEstimator

_PANEL = """
X may be any panel that sktime knows, of one channel or several and of equal or unequal
length: a 3-D array of shape (n_instances, n_channels, n_timesteps), a DataFrame with an index
of instances and time, a nested DataFrame, a list of DataFrames. Trailing steps of the array that
are NaN in every channel are padding; any other NaN is a value that is missing, of which
`missing` says more. Series sampled unevenly have time points in a channel, `time_channel`, or in
their own index, of dates or numbers, with ``time_channel="index"``; else an index is not looked
at. Channels that have names go by them: ``predict`` puts another order right, and refuses other
channels.
"""

_Class = TypeVar("_Class", bound=type[SeriesEstimator])


def documented(cls: _Class) -> _Class:
    """Fill ``{family}``, ``{panel}`` and ``{parameters}`` in a docstring."""
    if cls.__doc__ is None:  # python -OO
        return cls
    narrower = {name: narrower.text for name, narrower in cls._narrower.items()}
    cls.__doc__ = filled(
        cls.__doc__,
        # The paragraph below the first line says what the model is.
        family=(inspect.getdoc(cls._wrapped) or "").split("\n\n")[1],
        panel=_PANEL,
        parameters=parameters_like(cls, cls._wrapped, **narrower),
    )
    return cls
