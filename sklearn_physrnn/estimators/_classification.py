"""What a classifier adds to the base: class labels, their weights, probabilities."""

from typing import Any, ClassVar, cast

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.metadata_routing import UNUSED
from sklearn.utils.multiclass import _check_partial_fit_first_call

from ..preparation.arrays import naming, ordered_labels
from ..preparation.class_targets import ClassTargets
from ..preparation.label_sets import LabelSets
from ..preparation.prepared import Prepared
from ..preparation.step_classes import StepClasses
from ._base import _BaseEstimator
from ._exporting import Exporting
from ._out import write_steps, written

_Labels = ClassTargets | LabelSets | StepClasses


class _BaseClassifier(ClassifierMixin, Exporting, _BaseEstimator):
    """Classification of one label a sample, of two classes or more, or of sets of labels."""

    __metadata_request__predict: ClassVar[dict[str, str]] = {"out": UNUSED}
    __metadata_request__predict_proba: ClassVar[dict[str, str]] = {"out": UNUSED}

    class_weight: dict | str | None
    classes_: np.ndarray

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _new_targets(self) -> ClassTargets | StepClasses:
        targets = self._family.targets(self, ClassTargets(self.class_weight))
        return cast(ClassTargets | StepClasses, targets)

    def _set_prepared(self, prepared: Prepared) -> None:
        super()._set_prepared(prepared)
        targets = cast(_Labels, prepared.targets)
        self.classes_ = np.asarray(targets.classes)

    def _auto_decay(self, n_samples: int) -> tuple[float, float]:
        # Where classes overlap, cross-entropy is left however well they are learned.
        return 8.0, 24.0 * min(1.0, 1024 / max(n_samples, 1))

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on a part of the data, at a constant learning rate.

        Parameters
        ----------
        X, y : as in ``fit``
        classes : array-like of shape (n_classes,), default=None
            All labels that will ever come; needed in the first call.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        self : object

        Notes
        -----
        The first call learns the scaling of X, so let it see a typical batch.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' needs all of y at once and does not work with "
                "partial_fit; give the weights as a dict, or use sample_weight."
            )
        with self._unchanged_on_error():
            resume = hasattr(self, "module_")
            if classes is not None:
                classes = ordered_labels(classes, "classes")
            with naming("classes"):
                first = _check_partial_fit_first_call(self, classes)
            targets = self._new_targets().of_classes(self.classes_, self) if first else None
            return self._fit(X, y, sample_weight, resume=resume, max_iter=1, targets=targets)

    def predict_proba(self, X, *, out=None):
        """Predict the probability of each class.

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
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; float32 where X is, else float64. With readout
            "sequence" of shape (n_samples, n_steps, n_classes), NaN past a sample's end. Of sets
            of labels each label's own: rows do not add up to 1.
        """
        X = self._read_inputs(X)
        targets = cast(_Labels, self._prepared.targets)
        if out is not None and isinstance(targets, StepClasses):
            return write_steps(self, X, targets.answer_of_probabilities(), out)
        return written(targets.probabilities(self._outputs(X), X), out)

    def predict_log_proba(self, X):
        """Predict the logarithm of each class's probability.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        log_probabilities : ndarray
            Like ``predict_proba``'s; finite also where a probability is too small for its
            dtype.
        """
        X = self._read_inputs(X)
        targets = cast(_Labels, self._prepared.targets)
        return targets.probabilities(self._outputs(X), X, log=True)

    def predict(self, X, *, out=None):
        """Predict the most probable class.

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
        y : ndarray of shape (n_samples,)
            Labels from ``classes_``; of sets of labels a matrix (n_samples, n_labels) of 0 and
            1, which are the labels of a probability above 1/2. With readout "sequence" of shape
            (n_samples, n_steps);
            past a shorter sample's end NaN, -1 or an empty text, as suits the labels, or
            None where that is a label itself or none suits (booleans).
        """
        X = self._read_inputs(X)
        targets = cast(_Labels, self._prepared.targets)
        if out is not None and isinstance(targets, StepClasses):
            return write_steps(self, X, targets.answer(), out)
        return written(targets.decode(self._outputs(X), X), out, self.classes_.tolist())

    def score(self, X, y, sample_weight=None):
        """Share of labels that are predicted rightly, over all steps that have one.

        Of sets of labels, the share of samples all of whose labels are right.

        Parameters
        ----------
        X : as in ``fit``
        y : as in ``fit``
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
        """
        X = self._read_inputs(X)
        weights = self._check_weights(sample_weight, X)
        targets = self._prepared.targets
        predicted = targets.decode(self._outputs(X), X)
        return targets.score_given(y, predicted, X, weights, self)
