"""What the sktime estimators of panels share.

Each wraps an estimator of sequences of this package, which validates, trains and predicts.
"""

from typing import Any, ClassVar, NamedTuple

from sklearn.base import is_regressor
from sklearn.utils import get_tags
from sklearn.utils._param_validation import validate_parameter_constraints
from sktime.base import BaseEstimator

from ..estimators._docstrings import parameter_entries
from ..families import Family
from ..preparation.arrays import real_numbers
from ..preparation.no_arrays import refuse_no_array
from ..training._hints import hinting
from ._border import Channels

# No validation data come with X and y.
_EARLY_STOPPING = """
early_stopping : bool
    Hold out a part of the training data, stop when its loss has not improved for
    `n_iter_no_change` epochs, and restore the best weights. Without it training takes all
    data and all of `max_iter`, and keeps the last weights.
"""


class Narrower(NamedTuple):
    """A parameter of which sktime's interface allows less than the wrapped estimator does."""

    constraints: list[Any]
    text: str  # its description, in numpydoc's form


def pooled(family: Family) -> dict[str, Narrower]:
    """Leave out that every step is predicted, which sktime's estimators of panels have not."""
    text = parameter_entries(family.entries)["readout"]
    return {"readout": Narrower(list(family.network["readout"]), text)}


class SeriesEstimator(BaseEstimator):
    """An sktime estimator whose work a scikit-learn estimator of sequences does."""

    # The estimator that does the work. Its constructor takes all parameters of ours, and its
    # constraints and descriptions of them hold here, but for those that are narrower.
    _wrapped: ClassVar[type]
    _narrower: ClassVar[dict[str, Narrower]] = {
        "early_stopping": Narrower(["boolean"], _EARLY_STOPPING),
    }
    # A class attribute for models that were pickled before names were kept.
    _channels = Channels()
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
        "capability:missing_values": True,
        "capability:categorical_in_X": False,
        "capability:random_state": True,
        "property:randomness": "derandomized",
    }

    def fit(self, X, y):
        """Fit the model to a panel.

        Parameters
        ----------
        X : panel in a type of sktime
            An array of shape (n_instances, n_channels, n_timesteps), for example.
        y : array-like of shape (n_instances,), or a table in a type of sktime
            Labels, or numbers for a regressor.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError, TypeError
            If a parameter, X or y is not as described.
        """
        # What sktime has no words for.
        refuse_no_array(X, "X")
        refuse_no_array(y, "y")
        if is_regressor(self):
            real_numbers(y, "y")
        return super().fit(X, y)

    def _fitted_estimator(self, X, y):
        """Give the estimator that does the work, fitted; remember the channels of X."""
        estimator = self._make_estimator()
        self._channels = Channels.of(X)
        return estimator.fit(self._sequences(X), y)

    def _sequences(self, X):
        timed = isinstance(self.get_params(deep=False).get("time_channel"), str)
        return self._channels.sequences(X, type(self).__name__, timed=timed)

    def _make_estimator(self):
        """Give the unfitted estimator that does the work; refuse wrong parameters."""
        params = self.get_params(deep=False)
        constraints = dict(self._wrapped._parameter_constraints)  # type: ignore[attr-defined]
        constraints |= {name: narrower.constraints for name, narrower in self._narrower.items()}
        with hinting(params):
            validate_parameter_constraints(constraints, params, caller_name=type(self).__name__)
        return self._wrapped(**params)

    def _check_capabilities(self, X_metadata):
        # sktime has no word for padding, and would refuse every NaN where missing="error". The
        # wrapped estimator tells padding from missing values, and says where they are.
        super()._check_capabilities({**X_metadata, "has_nans": False})

    def __sklearn_tags__(self):
        # sktime's bases have none, and scikit-learn's searches do not run without.
        return get_tags(self._wrapped(**self.get_params(deep=False)))

    def reset(self):
        """Give up what was learned, as ``fit`` does first.

        Returns
        -------
        self : object
        """
        # scikit-learn's searches put this on an estimator for the time of its fit and
        # take it back afterwards; sktime's reset would delete it.
        context = vars(self).get("_parent_callback_ctx")
        super().reset()
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
