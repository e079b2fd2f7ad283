"""Sets of labels as targets: any number of labels a sample."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from sklearn.utils.multiclass import type_of_target
from torch import nn

from ..storage.plain import Fields
from ..training._losses import LabelwiseCrossEntropy
from .arrays import check_targets, checking_targets
from .links import log_sigmoid, sigmoid
from .stored_scalers import Arrays
from .targets import Targets


def are_label_sets(y: np.ndarray) -> bool:
    """Tell a matrix of zeros and ones, one column a label, from labels in one column."""
    if y.ndim != 2 or y.shape[1] < 2 or not type_of_target(y).startswith("multilabel"):
        return False
    return bool(((y == 0) | (y == 1)).all())


@dataclass(frozen=True, eq=False)
class LabelSets(Targets):
    """Labels that a sample has or has not, each by itself; encoded as (n_samples, n_labels).

    Attributes
    ----------
    class_weight : dict, "balanced" or None
        What each label counts in the loss; or, balanced, those who have it and those who have not
        count alike.
    n_labels : int
    weights : ndarray of shape (2, n_labels) or None
        In the loss: of those who have a label not, and of those who have it.
    """

    class_weight: dict | str | None
    n_labels: int
    weights: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        """One a label."""
        return self.n_labels

    @property
    def classes(self) -> np.ndarray:
        """Numbers of the labels, which are columns of y."""
        return np.arange(self.n_labels)

    def checked(self, y: Any, X: Any, caller: Any) -> np.ndarray:
        """Check y, its length, and that it says of each label whether a sample has it."""
        y = super().checked(y, X, caller)
        if not are_label_sets(y) or y.shape[1] != self.n_labels:
            raise ValueError(
                f"y must be a matrix of 0 and 1 of shape (n_samples, {self.n_labels}), as in the "
                f"first fit, got {type_of_target(y)} targets of shape {y.shape}."
            )
        return y

    def learned(self, y: np.ndarray, caller: Any) -> Self:
        """Nothing is to be learned but the number of labels."""
        return self

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Give truth values."""
        return np.asarray(y, dtype=bool)

    def with_options_of(self, new: Any) -> Self:
        """Take another `class_weight`."""
        return replace(self, class_weight=new.class_weight)

    def balanced(self, y: np.ndarray) -> Self:
        """Learn from encoded training targets what each label weighs."""
        given = self.class_weight
        if given is None:
            return replace(self, weights=None)
        weights = np.ones((2, self.n_labels))
        if isinstance(given, dict):
            unknown = [label for label in given if label not in range(self.n_labels)]
            if unknown:
                raise ValueError(
                    f"class_weight names {unknown}, but the labels are the columns of y, 0 to "
                    f"{self.n_labels - 1}."
                )
            weights[:, [int(label) for label in given]] = list(given.values())
        else:
            counts = np.stack(((~y).sum(axis=0), y.sum(axis=0)))
            kinds = (counts > 0).sum(axis=0)
            weights = np.where(counts > 0, len(y) / (kinds * np.maximum(counts, 1)), 1.0)
        if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.any():
            raise ValueError(
                "class_weight must hold finite weights of 0 or more, one of them positive, "
                f"got {given}."
            )
        return replace(self, weights=weights)

    def settled(self) -> Self:
        """Forget the weights, which are of one training."""
        return replace(self, weights=None)

    def strata(self, y: np.ndarray) -> np.ndarray:
        """Give which rows have the same labels."""
        return np.unique(y, axis=0, return_inverse=True)[1].ravel()

    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Give zeros and ones."""
        return torch.as_tensor(y).to(dtype)

    def criterion(self) -> nn.Module:
        """Build the mean over labels of the cross-entropy of each."""
        return LabelwiseCrossEntropy(self.weights)

    def decode(self, outputs: np.ndarray, X: Any = None) -> np.ndarray:
        """Give 1 where a label is more probable than not."""
        return (outputs > 0).astype(np.int64)

    def probabilities(
        self, outputs: np.ndarray, X: Any = None, *, log: bool = False
    ) -> np.ndarray:
        """Turn outputs into the probability (n_samples, n_labels) of each label."""
        return log_sigmoid(outputs) if log else sigmoid(outputs)

    def score_given(self, y, predictions, X, weights, caller) -> float:
        """Check y, and score predictions against it."""
        with checking_targets(caller, y) as y:
            y = check_targets(caller, y, predictions)
            return self.score(y, predictions, weights)

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Give the share of samples all of whose labels are predicted rightly."""
        return float(accuracy_score(y, predictions, sample_weight=weights))

    def score_outputs(self, outputs, y, weights) -> float:
        """Give the share of samples all of whose outputs are on the right side."""
        return float(np.average(((outputs > 0) == y).all(axis=1), weights=weights))

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give the number of labels."""
        return {"n_labels": self.n_labels}, {}

    def described(self, fields: Fields, longest: int) -> Self:
        """Take the number of labels."""
        n_labels = fields.integer("n_labels", 2)
        return replace(self, n_labels=n_labels)
