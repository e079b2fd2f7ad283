"""Intervals and quantiles of regressors."""

from collections.abc import Sequence
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from .._warnings import warn
from ..preparation.arrays import naming
from ..preparation.calibration import Calibration, Middle
from ..preparation.number_targets import NumberTargets
from ..preparation.prepared import Rows
from ._base import _BaseEstimator
from ._cross_fitting import calibrated_on, check_answers, cross_fitted, n_trainings


class Calibrated(_BaseEstimator):
    """Knows how wrong it is, from rows that its training has not seen."""

    interval: str | None
    interval_cv: Any
    calibration_: Calibration

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseEstimator._parameter_constraints,
        "interval": [StrOptions({"conformal"}), None],
        "interval_cv": ["cv_object"],
    }

    def _fit(
        self, X, y, sample_weight=None, validation=None, *, resume=False, max_iter=None, **options
    ):
        if self.interval is not None:
            self._check_interval(resume=resume, stream=max_iter is not None)
        super()._fit(X, y, sample_weight, validation, resume=resume, max_iter=max_iter, **options)
        self.__dict__.pop("calibration_", None)  # of another model
        if self.interval is not None:
            self.calibration_ = cross_fitted(self, X, y, sample_weight, validation)
        return self

    def _check_interval(self, *, resume: bool, stream: bool) -> None:
        check_answers(self, self._new_targets())
        if resume or stream:
            way = "partial_fit" if stream else "warm_start=True"
            raise ValueError(
                f"interval='conformal' trains anew without each fold of all rows, which {way} "
                "does not: set interval=None, and call calibrate with rows that were held out."
            )

    def _deadline(self, share: float = 1.0) -> float | None:
        if self.interval is None or self.max_time is None:
            return super()._deadline(share)
        return super()._deadline(share / (1 + n_trainings(self.interval_cv)))

    def calibrate(self, X, y, sample_weight=None):
        """Learn from further rows how wrong predictions are, for intervals.

        The model stays as it is. Where these rows and later ones are exchangeable, and training
        has seen none of them, an interval covers y with a probability of `coverage`
        or more, however few the rows and whatever the model.

        Parameters
        ----------
        X, y : as in ``fit``
            Rows that training has not seen. From 200 on every second one serves to learn how
            the size of errors depends on X, unless ``fit`` has learned that.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError, TypeError
            If X, y or the weights are not as described, or the readout is "sequence".
        """
        check_is_fitted(self)
        check_answers(self, self._prepared.targets)
        rows = self._prepared.read(X, y, self)
        weights = self._check_weights(sample_weight, rows)
        rows = Rows(rows.X, rows.y, weights)
        self.calibration_ = calibrated_on(self, rows)
        return self

    def predict_interval(self, X, coverage: float | Sequence[float] = 0.9):
        """Predict between which bounds the targets of X lie.

        Parameters
        ----------
        X : as in ``fit``
        coverage : float or list of float, default=0.9
            Share of targets that shall lie between the bounds, each of several targets by itself;
            as many lie below as above.

        Returns
        -------
        bounds : ndarray of shape (n_samples, 2) or (n_samples, n_targets, 2)
            Lower and upper, float64. For a list of coverages
            (n_samples, [n_targets,] n_coverages, 2).

        Raises
        ------
        NotFittedError
            If the estimator is not fitted, or not calibrated: neither was `interval`
            "conformal" in ``fit``, nor was ``calibrate`` called since.
        ValueError, TypeError
            If X is not as described, or `coverage` not between 0 and 1.

        Warns
        -----
        UserWarning
            If there are too few calibration rows for a bound, which is then infinite.

        Examples
        --------
        >>> from sklearn.datasets import load_diabetes
        >>> from sklearn_physrnn import DynPMNNRegressor
        >>> X, y = load_diabetes(return_X_y=True)
        >>> model = DynPMNNRegressor(interval="conformal", max_iter=10, random_state=0)
        >>> model.fit(X[:400], y[:400]).predict_interval(X[400:], coverage=0.8).shape
        (42, 2)
        """
        shares = _shares(coverage, "coverage")
        levels = np.stack([(1 - shares) / 2, (1 + shares) / 2], axis=1)
        bounds = self._quantiles(X, levels.ravel())
        bounds = bounds.reshape(*bounds.shape[:-1], *levels.shape)
        return bounds[..., 0, :] if isinstance(coverage, Real) else bounds

    def predict_quantiles(
        self, X, quantiles: float | Sequence[float] = (0.05, 0.25, 0.5, 0.75, 0.95)
    ):
        """Predict quantiles of the targets' distribution, which never cross.

        Parameters
        ----------
        X : as in ``fit``
        quantiles : float or list of float
            Levels between 0 and 1, in any order.

        Returns
        -------
        values : ndarray of shape (n_samples, n_quantiles) or (n_samples, n_targets, n_quantiles)
            float64; without the last axis for a single number.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted, or not calibrated; see ``predict_interval``.
        ValueError, TypeError
            If X is not as described, or a level not between 0 and 1.

        Warns
        -----
        UserWarning
            If there are too few calibration rows for a quantile, which is then infinite.

        Notes
        -----
        Unlike ``loss="quantile"``, whose quantiles are those of the training rows, these are held
        against rows that training has not seen; with that loss and a list of quantiles,
        its outermost say how wide the distribution is on either side.
        """
        values = self._quantiles(X, _shares(quantiles, "quantiles"))
        return values[..., 0] if isinstance(quantiles, Real) else values

    def _quantiles(self, X, levels: np.ndarray) -> np.ndarray:
        check_is_fitted(self)
        check_answers(self, self._prepared.targets)
        calibration: Calibration | None = getattr(self, "calibration_", None)
        if calibration is None:
            raise NotFittedError(
                f"This {type(self).__name__} has not seen how wrong it is: fit it with "
                "interval='conformal', or call calibrate(X, y) with rows that training has not "
                "seen."
            )
        X = self._read_inputs(X)
        reached = calibration.reaches(levels)
        if not reached.all():
            far = levels[~reached]
            need = int(np.ceil(1 / np.minimum(far, 1 - far).min() - 1e-9)) - 1
            warn(
                f"{len(calibration)} calibration rows are too few for the quantile "
                f"{far[np.argmin(np.minimum(far, 1 - far))]:.6g}, which needs {need}: such bounds "
                "are infinite."
            )
        middle = self._middle_of(X)
        if calibration.spread is not None:
            features = self._features_of(X)
            assert features is not None
            middle = middle.scaled(calibration.spread.of(features))
        values = middle.at(calibration.quantiles(levels))
        targets = self._prepared.targets
        assert isinstance(targets, NumberTargets)
        return values.reshape(len(values), *targets.shape, len(levels))

    # -- what the model says -----------------------------------------------------

    def _middle(self, X: Any) -> Middle:
        return self._middle_of(self._read_inputs(X))

    def _middle_of(self, X: Any) -> Middle:
        """Give middles and widths, without a spread, of checked X."""
        targets = self._prepared.targets
        assert isinstance(targets, NumberTargets)
        predictions = targets.decode(self._outputs(X), X)
        if targets.several and len(targets.levels) > 1:
            shape = len(predictions), targets.n_targets, len(targets.levels)
            return Middle.of_quantiles(predictions.reshape(shape), targets.levels)
        return Middle.of_points(predictions.reshape(len(predictions), -1))

    def _features_of(self, X: Any) -> np.ndarray | None:
        """Give what the network's head sees of checked X; None where it has no such head."""
        bare = self._family.without_head(self.module_)
        return None if bare is None else self._outputs(X, bare).astype(np.float64)


def _shares(values: Any, name: str) -> np.ndarray:
    with naming(name):
        shares = np.atleast_1d(np.asarray(values, dtype=float))
    if shares.ndim != 1 or not len(shares) or not ((shares > 0) & (shares < 1)).all():
        raise ValueError(
            f"{name} must be a number, or a list of numbers, in (0, 1), got {values}."
        )
    return shares
