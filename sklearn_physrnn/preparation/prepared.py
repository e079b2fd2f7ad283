"""What fit knows before it trains, and what it trains on."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._data import Samples
from .inputs import Inputs
from .stored_scalers import Arrays
from .targets import Targets


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked samples.

    Attributes
    ----------
    X : ndarray or Series
    y : ndarray
        Encoded.
    weights : ndarray of shape (n_samples,) or None
    """

    X: Any
    y: np.ndarray
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Any) -> "Rows":
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.X[rows], self.y[rows], weights)

    def with_weight(self, total: np.ndarray | None) -> "Rows":
        """Leave out rows of no `total` weight: from scaling, class balance, normalisation."""
        if total is None or (total > 0).all():
            return self
        return self[np.flatnonzero(total > 0)]


@dataclass(frozen=True)
class Prepared:
    """What is known of inputs and targets.

    Attributes
    ----------
    inputs : Inputs
    targets : Targets
    """

    inputs: Inputs
    targets: Targets

    def first(self, X: Any, y: Any, caller: Any) -> tuple[Self, Rows]:
        """Check the data that are to be learned from; return what is known then, too."""
        inputs, X = self.inputs.first(X, caller)
        if len(X) < 2:
            raise ValueError("Found n_samples=1 in X; fitting needs a minimum of 2.")
        targets, y = self.targets.first(y, X, caller)
        return replace(self, inputs=inputs, targets=targets), Rows(X, y)

    def read(self, X: Any, y: Any, caller: Any) -> Rows:
        """Check that X and y are like those that were learned from."""
        X = self.inputs.read(X, caller)
        return Rows(X, self.targets.read(y, X, caller))

    def balanced(self, rows: Rows) -> Self:
        """Learn what classes weigh."""
        return replace(self, targets=self.targets.balanced(rows.y))

    def weigh(self, rows: Rows) -> np.ndarray | None:
        """Give weights in training and in the validation loss, but not in scores."""
        return self.targets.weigh(rows.y, rows.weights)

    def fit(self, rows: Rows) -> Self:
        """Learn the scale of inputs and targets."""
        return replace(
            self,
            inputs=self.inputs.fit(rows.X, self.weigh(rows)),
            targets=self.targets.fit(rows.y, rows.weights),
        )

    def revised(self, rows: Rows) -> Self:
        """Take in further data, where training goes on."""
        return replace(self, targets=self.targets.revised(rows.y, rows.weights))

    def settled(self) -> Self:
        """Forget what only the training needed."""
        return replace(self, targets=self.targets.settled())

    def samples(self, rows: Rows, dtype: torch.dtype) -> Samples:
        """Turn checked rows into what is trained on."""
        inputs = self.inputs.tensors(rows.X, dtype)
        targets, total = self.targets.tensor(rows.y, dtype), self.weigh(rows)
        if total is None:
            return Samples(inputs, targets)
        return Samples(inputs, targets, torch.as_tensor(total / total.mean()).to(dtype))

    # -- in files ----------------------------------------------------------------

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give what was learned as JSON and arrays."""
        states = self.inputs.to_state(), self.targets.to_state()
        fields, arrays = ({**a, **b} for a, b in zip(*states, strict=True))
        return fields, arrays

    def described(self, fields: Fields, n_features: int) -> Self:
        """Take what `to_state` gave as JSON, all but the scaler of inputs."""
        inputs = self.inputs.described(fields, n_features)
        targets = self.targets.described(fields, inputs.longest)
        return replace(self, inputs=inputs, targets=targets)

    def specs(self, input_scaler: Any) -> dict[str, Spec]:
        """Say which arrays belong to it, and to the scaler of inputs that a file describes."""
        return {**self.inputs.specs(input_scaler), **self.targets.specs()}

    def filled(self, input_scaler: Any, arrays: Arrays) -> Self:
        """Take the arrays that `to_state` gave."""
        own = {
            name.removeprefix("input_scaler."): array
            for name, array in arrays.items()
            if name.startswith("input_scaler.")
        }
        return replace(
            self,
            inputs=self.inputs.filled(input_scaler, own),
            targets=self.targets.filled(arrays),
        )
