"""What every kind of targets does, whatever y is."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import nn

from ..storage.format import Spec
from ..storage.plain import Fields
from .arrays import check_targets, checking_targets
from .stored_scalers import Arrays


class Targets(ABC):
    """What is known of y: before fitting its options, then its shape or classes, then its scale.

    Values of a subclass are frozen: whoever learns more gets another value. `caller` is the
    scikit-learn estimator that asks, `X` what was checked of its inputs. *Encoded* targets
    are arrays with the sample as their first axis, which rows are taken from.
    """

    fewest: ClassVar[int] = 2  # samples to learn from

    @property
    @abstractmethod
    def n_outputs(self) -> int:
        """Outputs of the module."""

    def first(self, y: Any, X: Any, caller: Any) -> tuple[Self, np.ndarray]:
        """Check and encode the y that is to be learned from; return targets of its kind too."""
        with checking_targets(caller, y) as y:
            y = self.checked(y, X, caller)
        known = self.learned(y, caller)
        return known, known.encode(y)

    def read(self, y: Any, X: Any, caller: Any) -> np.ndarray:
        """Check that y is like the y that was learned from, and encode it."""
        with checking_targets(caller, y) as y:
            y = self.checked(y, X, caller)
        return self.encode(y)

    def checked(self, y: Any, X: Any, caller: Any) -> np.ndarray:
        """Check y and its length."""
        return check_targets(caller, y, X)

    @abstractmethod
    def learned(self, y: np.ndarray, caller: Any) -> Self:
        """Learn what y must be like from now on."""

    @abstractmethod
    def encode(self, y: np.ndarray) -> np.ndarray:
        """Turn checked y into what the other methods take."""

    @abstractmethod
    def with_options_of(self, new: Any) -> Self:
        """Take the options of targets that were not fitted, and keep what was learned."""

    def balanced(self, y: np.ndarray) -> Self:
        """Learn from encoded training targets what each class weighs."""
        return self

    def weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Give weights in the loss, but not in scores; None where all are equal."""
        return weights

    def settled(self) -> Self:
        """Forget what only the training needed."""
        return self

    def strata(self, y: np.ndarray) -> np.ndarray | None:
        """Give what a validation split keeps in proportion."""
        return None

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the scale of encoded training targets, with positive weights if any."""
        return self

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Take in further encoded targets, where training goes on."""
        return self

    @abstractmethod
    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Turn encoded targets into what the loss takes."""

    @abstractmethod
    def criterion(self) -> nn.Module:
        """Build the loss, one value a sample."""

    @abstractmethod
    def decode(self, outputs: np.ndarray, X: Any) -> np.ndarray:
        """Turn the module's outputs for checked X into predictions."""

    @abstractmethod
    def score_given(
        self, y: Any, predictions: np.ndarray, X: Any, weights: np.ndarray | None, caller: Any
    ) -> float:
        """Check y, and score predictions for checked X against it."""

    @abstractmethod
    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Score predictions against y that is checked, not encoded."""

    @abstractmethod
    def score_outputs(
        self, outputs: np.ndarray, y: np.ndarray, weights: np.ndarray | None
    ) -> float:
        """Score the module's outputs for encoded y as predictions would be scored."""

    # -- in files ----------------------------------------------------------------

    @abstractmethod
    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give what was learned as JSON and arrays."""

    @abstractmethod
    def described(self, fields: Fields, longest: int) -> Self:
        """Take what `to_state` gave as JSON; the longest X in training had `longest` steps.

        Raises
        ------
        ValueError
            If a field is missing, or is not as `to_state` gives it.
        """

    def specs(self) -> dict[str, Spec]:
        """Say which arrays belong to these targets."""
        return {}

    def filled(self, arrays: Arrays) -> Self:
        """Take the arrays that `to_state` gave."""
        return self
