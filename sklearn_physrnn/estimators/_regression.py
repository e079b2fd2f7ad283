"""What a regressor adds to the base: real targets, scaled, and their losses."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

from sklearn.base import RegressorMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.metadata_routing import UNUSED

from ..preparation.log_targets import LOG_LOSSES, LogTargets
from ..preparation.number_targets import NumberTargets
from ..preparation.step_numbers import StepNumbers
from ..preparation.targets import Targets
from ..preparation.user_targets import UserTargets
from ..training._losses import REGRESSION_LOSSES, Loss
from ._exporting import Exporting
from ._intervals import Calibrated
from ._out import write_steps, written


class _BaseRegressor(RegressorMixin, Exporting, Calibrated):
    """Regression of one or several targets, by mean, median, quantiles or a loss of your own."""

    __metadata_request__predict: ClassVar[dict[str, str]] = {"out": UNUSED}

    loss: str | Loss
    quantile: float | Sequence[float]

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Calibrated._parameter_constraints,
        "loss": [StrOptions(set(REGRESSION_LOSSES)), callable],
        "quantile": [Interval(Real, 0, 1, closed="neither"), "array-like"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _new_targets(self) -> Targets:
        loss: Any = self.loss
        if isinstance(loss, type):
            raise ValueError(
                f"loss must be a function, got the class {loss.__name__}: make one of it."
            )
        if callable(loss):
            own = UserTargets.of("callable", 0.5)
            return self._family.targets(self, replace(own, function=loss))
        kind = LogTargets if loss in LOG_LOSSES else NumberTargets
        return self._family.targets(self, kind.of(loss, self.quantile))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, sample_weight=None):
        """Train for one epoch on a part of the data, at a constant learning rate.

        Parameters
        ----------
        X, y : as in ``fit``
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Notes
        -----
        The first call learns the scaling of X and y, so let it see a typical batch.
        """
        with self._unchanged_on_error():
            resume = hasattr(self, "module_")
            return self._fit(X, y, sample_weight, resume=resume, max_iter=1)

    def predict(self, X, *, out=None):
        """Predict the targets of X.

        Parameters
        ----------
        X : as in ``fit``
        out : array, default=None
            Where to write the answer instead: what has the shape that it would have, a dtype
            that holds its values, and takes slices, such as a mapped file. With readout
            "sequence" it is written piece by piece, and never held whole. An error on the way
            leaves what was written before.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_targets)
            In the units of the y that was fitted; float32 where X is and float32 can
            hold the values and tell them apart, else float64; or `out`. With ``loss="quantile"``
            and a list of quantiles, a last axis holds one value a quantile, in
            increasing order. Where y had a time axis, so have predictions, NaN past a
            sample's end.

        Raises
        ------
        ValueError, TypeError
            If X or `out` is not as described, or the model's output for X is not finite.
        """
        X = self._read_inputs(X)
        targets = self._prepared.targets
        if out is not None and isinstance(targets, StepNumbers):
            return write_steps(self, X, targets.answer(), out)
        return written(targets.decode(self._outputs(X), X), out)

    def score(self, X, y, sample_weight=None):
        """Coefficient of determination R², or D² where several quantiles are predicted.

        Parameters
        ----------
        X, y : as in ``fit``
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        score : float
            R² averaged over targets; for a list of quantiles the mean over quantiles of
            scikit-learn's ``d2_pinball_score``. At best 1; 0 for a constant prediction.
        """
        X = self._read_inputs(X)
        weights = self._check_weights(sample_weight, X)
        targets = self._prepared.targets
        predictions = targets.decode(self._outputs(X), X)
        return targets.score_given(y, predictions, X, weights, self)
