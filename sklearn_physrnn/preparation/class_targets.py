"""Labels as targets."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from torch import nn

from .._warnings import warn
from ..storage.plain import Fields, NotPlainError, from_json, to_json
from ..training._losses import CrossEntropy
from .arrays import check_targets, checking_targets, naming, ordered_labels, plain_labels
from .label_sets import LabelSets, are_label_sets
from .links import log_softmax, softmax
from .stored_scalers import Arrays
from .targets import Targets


def one_label_each(y: np.ndarray) -> np.ndarray:
    """Check that y holds labels, in one column; give it 1-D."""
    y = plain_labels(y)
    if y.dtype == object and y.ndim == 1:
        ordered_labels(y, "y")  # which says what is wrong with mixed ones
    check_classification_targets(y)
    if type_of_target(y).startswith("multilabel"):
        one_hot = " Of one-hot labels, give y.argmax(axis=1)." * bool((y.sum(1) == 1).all())
        raise ValueError(
            "y must hold one label each, or, of whole samples, be a matrix of 0 and 1 with a "
            "column for each label." + one_hot
        )
    return column_or_1d(y, warn=True)


@dataclass(frozen=True, eq=False)
class ClassTargets(Targets):
    """One label a sample, of two classes or more; encoded as indices of the classes.

    Attributes
    ----------
    class_weight : dict, "balanced" or None
    classes : ndarray of shape (n_classes,)
        In order.
    weights : ndarray of shape (n_classes,) or None
        Of the classes in the loss, as `class_weight` and the training targets have it.
    """

    class_weight: dict | str | None = None
    classes: np.ndarray | tuple = ()
    weights: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """One a class."""
        return len(self.classes)

    def of_classes(self, classes: np.ndarray, caller: Any) -> Self:
        """Give targets of these classes, in order."""
        if len(classes) < 2:
            raise ValueError(
                f"{type(caller).__name__} needs at least two classes, got one class: "
                f"{classes.tolist()}."
            )
        return replace(self, classes=classes)

    def checked(self, y: Any, X: Any, caller: Any) -> np.ndarray:
        """Check y, its length, and that it holds one label a sample, or sets of them."""
        y = super().checked(y, X, caller)
        return y if are_label_sets(y) else one_label_each(y)

    def learned(self, y: np.ndarray, caller: Any) -> "ClassTargets | LabelSets":  # type: ignore[override]
        """Learn the classes, unless they are known; of sets of labels their number."""
        if y.ndim == 2:
            if len(self.classes) and not np.array_equal(self.classes, np.arange(y.shape[1])):
                raise ValueError(
                    f"classes must be 0 to {y.shape[1] - 1} for a y of {y.shape[1]} columns, got "
                    f"{np.asarray(self.classes).tolist()[:10]}."
                )
            if (y.sum(axis=1) == 1).all():
                warn(
                    "Every row of y has one label, and is learned as a set of labels even so. If "
                    "they exclude each other, give y.argmax(axis=1)."
                )
            return LabelSets(self.class_weight, y.shape[1])
        if len(self.classes):
            return self
        return self.of_classes(ordered_labels(y, "y"), caller)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Turn labels into indices of the classes."""
        if y.ndim == 2:
            raise ValueError(
                f"y must hold one label a sample, as in the first fit, got shape {y.shape}."
            )
        classes = np.asarray(self.classes)
        given = ordered_labels(y, "y")
        with naming("y must hold labels like the classes"):
            unknown = np.setdiff1d(given, classes)
        if len(unknown):
            raise ValueError(
                f"y contains labels not seen before: {unknown.tolist()[:5]}; "
                f"the classes are {classes.tolist()[:10]}."
            )
        return np.searchsorted(classes, y)

    def with_options_of(self, new: "ClassTargets") -> Self:
        """Take another `class_weight`."""
        return replace(self, class_weight=new.class_weight)

    def balanced(self, y: np.ndarray) -> Self:
        """Learn from encoded training targets what each class weighs."""
        return self.balanced_by(np.bincount(y, minlength=len(self.classes)))

    def balanced_by(self, counts: np.ndarray) -> Self:
        """Learn from the counts of the classes (n_classes,) what each weighs."""
        if self.class_weight is None:
            return replace(self, weights=None)
        given, present = self.class_weight, counts > 0
        weights = np.ones(len(self.classes))
        if isinstance(given, dict):
            # By index: scikit-learn takes labels that are digits, as sktime's are, for integers.
            classes = np.asarray(self.classes).tolist()
            unknown = [label for label in given if label not in classes]
            given = {i: given[label] for i, label in enumerate(classes) if label in given}
            if unknown and len(given) < len(classes):
                raise ValueError(f"class_weight names {unknown}, but the classes are {classes}.")
            weights[list(given)] = list(given.values())
        else:
            weights[present] = counts.sum() / (np.count_nonzero(present) * counts[present])
        if not (np.isfinite(weights) & (weights >= 0)).all() or not (weights[present] > 0).any():
            raise ValueError(
                "class_weight must hold finite weights of 0 or more, one of them positive, "
                f"got {self.class_weight}."
            )
        return replace(self, weights=weights)

    def weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Multiply the classes' weights to those of samples."""
        if self.weights is None:
            return weights
        return self.weights[y] if weights is None else weights * self.weights[y]

    def settled(self) -> Self:
        """Forget the weights, which are of one training."""
        return replace(self, weights=None)

    def strata(self, y: np.ndarray) -> np.ndarray:
        """Give the classes."""
        return y

    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Give indices, whatever the dtype of inputs."""
        return torch.as_tensor(y, dtype=torch.long)

    def criterion(self) -> nn.Module:
        """Build the cross-entropy."""
        return CrossEntropy()

    def decode(self, outputs: np.ndarray, X: Any = None) -> np.ndarray:
        """Give the most probable class of each sample."""
        return np.asarray(self.classes)[outputs.argmax(axis=1)]

    def probabilities(
        self, outputs: np.ndarray, X: Any = None, *, log: bool = False
    ) -> np.ndarray:
        """Turn outputs into the probability (n_samples, n_classes) of each class."""
        return log_softmax(outputs) if log else softmax(outputs)

    def score_given(self, y, predictions, X, weights, caller) -> float:
        """Check y, and score predictions against it."""
        with checking_targets(caller, y) as y:
            y = plain_labels(column_or_1d(check_targets(caller, y, predictions)))
            ordered_labels(y, "y")
        with naming("y"):
            return self.score(y, predictions, weights)

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Give the share of labels that are predicted rightly."""
        return accuracy_score(y, predictions, sample_weight=weights)

    def score_outputs(self, outputs, y, weights) -> float:
        """Give the share of classes that are most probable."""
        return accuracy_score(y, outputs.argmax(axis=1), sample_weight=weights)

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give the classes."""
        classes = np.asarray(self.classes)
        try:
            return {"classes_": to_json(classes)}, {}
        except NotPlainError as error:
            raise ValueError(
                f"Labels of the dtype {classes.dtype} cannot be saved without pickle; fit to "
                "numbers, booleans or text, or use joblib.dump."
            ) from error

    def described(self, fields: Fields, longest: int) -> "ClassTargets | LabelSets":  # type: ignore[override]
        """Take the classes."""
        if fields.has("n_labels"):
            return LabelSets(self.class_weight, 2).described(fields, longest)
        classes = from_json(fields.take("classes_", dict))
        ordered = isinstance(classes, np.ndarray) and len(classes) > 1
        if not ordered or not (classes[:-1] < classes[1:]).all():
            raise ValueError("its classes must be two labels or more, in order.")
        return replace(self, classes=classes)
