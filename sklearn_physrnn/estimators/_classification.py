"""What a classifier adds to the base: class labels, their weights, probabilities."""

from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d, compute_class_weight
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.multiclass import (
    _check_partial_fit_first_call,
    check_classification_targets,
    type_of_target,
)
from torch import nn

from ..preparation.arrays import (
    check_finite,
    check_targets,
    checking_targets,
    naming,
    ordered_labels,
)
from ..training._losses import CrossEntropy
from ._base import _BaseEstimator


class _BaseClassifier(ClassifierMixin, _BaseEstimator):
    """Classification of one label a sample, two classes or more."""

    class_weight: dict | str | None
    classes_: np.ndarray

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **_BaseEstimator._parameter_constraints,
        "class_weight": [StrOptions({"balanced"}), dict, None],
    }

    def _encode_targets(self, y: np.ndarray, *, reset: bool) -> np.ndarray:
        with naming("y"):
            check_classification_targets(y)
            if type_of_target(y).startswith("multilabel"):
                raise ValueError(
                    "y must hold one label a sample; multilabel targets are not supported."
                )
            y = column_or_1d(y, warn=True)
        given = ordered_labels(y, "y")
        if reset:
            self.classes_ = given
            self._check_classes()
        with naming("y must hold labels like the classes"):
            unknown = np.setdiff1d(given, self.classes_)
        if len(unknown):
            raise ValueError(
                f"y contains labels not seen before: {unknown.tolist()[:5]}; "
                f"the classes are {self.classes_.tolist()[:10]}."
            )
        return np.searchsorted(self.classes_, y)

    def _check_classes(self) -> None:
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs at least two classes, got one class: "
                f"{self.classes_.tolist()}."
            )

    @staticmethod
    def _auto_decay(n_samples: int) -> tuple[float, float]:
        # Where classes overlap, cross-entropy is left however well they are learned.
        return 8.0, 24.0 * min(1.0, 1024 / max(n_samples, 1))

    def _class_weights(self, y: np.ndarray) -> np.ndarray | None:
        if self.class_weight is None:
            return None
        given, present = self.class_weight, np.unique(y)
        weights = np.ones(len(self.classes_))
        if isinstance(given, dict):
            # By index: scikit-learn takes labels that are digits, as sktime's are, for integers.
            classes = self.classes_.tolist()
            unknown = [label for label in given if label not in classes]
            given = {i: given[label] for i, label in enumerate(classes) if label in given}
            if unknown and len(given) < len(classes):
                raise ValueError(f"class_weight names {unknown}, but the classes are {classes}.")
            weights[list(given)] = list(given.values())
        else:
            weights[present] = compute_class_weight(given, classes=present, y=y)
        if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights[present] > 0).any():
            raise ValueError(
                "class_weight must hold finite weights of 0 or more, one of them positive, "
                f"got {self.class_weight}."
            )
        return weights

    def _stratify_by(self, y: np.ndarray) -> np.ndarray:
        return y

    def _fit_targets(self, y: np.ndarray, weights: np.ndarray | None) -> None:
        """Class indices have no scale."""

    def _target_tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        return torch.as_tensor(y, dtype=torch.long)

    def _criterion(self) -> nn.Module:
        return CrossEntropy()

    def _n_module_outputs(self) -> int:
        return len(self.classes_)

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Train for one epoch on a part of the data, at a constant learning rate.

        Parameters
        ----------
        X : as in ``fit``
        y : array-like of shape (n_samples,)
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
            if first:
                self._check_classes()
            return self._fit(X, y, sample_weight, resume=resume, max_iter=1, targets_known=True)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
            In the order of ``classes_``; float32 where X is, else float64.
        """
        outputs = check_finite(self._outputs(X), self._remedies)
        with np.errstate(over="ignore", under="ignore"):
            odds = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def predict(self, X):
        """Predict the most probable class.

        Parameters
        ----------
        X : as in ``fit``

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Labels from ``classes_``.
        """
        best = check_finite(self._outputs(X), self._remedies).argmax(axis=1)
        return self.classes_[best]

    def score(self, X, y, sample_weight=None):
        """Share of labels that are predicted rightly.

        Parameters
        ----------
        X : as in ``fit``
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        accuracy : float
        """
        predicted = self.predict(X)
        with checking_targets(self, y) as y:
            y = column_or_1d(check_targets(self, y, predicted))
            ordered_labels(y, "y")
        weights = self._check_weights(sample_weight, predicted)
        with naming("y"):
            return accuracy_score(y, predicted, sample_weight=weights)

    def _score_outputs(self, outputs, y, weights) -> float:
        return accuracy_score(y, outputs.argmax(axis=1), sample_weight=weights)
