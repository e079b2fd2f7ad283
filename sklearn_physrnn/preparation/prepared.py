"""What fit knows before it trains, and what it trains on."""

from collections.abc import Sized
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils import column_or_1d
from sklearn.utils.validation import _check_sample_weight

from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._data import Samples
from ..training._recorded import RecordedSamples
from .arrays import naming, real_numbers
from .inputs import Inputs
from .recordings import Recordings
from .series import Series
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
    folds : ndarray of shape (n_samples,) or None
        Of rows that tell of each other: those of one number do not.
    groups : ndarray of shape (n_samples,) or None
        Which rows belong together, and are held out together.
    """

    X: Any
    y: np.ndarray
    weights: np.ndarray | None = None
    folds: np.ndarray | None = None
    groups: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, rows: Any) -> "Rows":
        by_row = (self.weights, self.folds, self.groups)
        return Rows(self.X[rows], self.y[rows], *(None if x is None else x[rows] for x in by_row))

    def with_weight(self, total: np.ndarray | None) -> "Rows":
        """Leave out rows of no `total` weight: from scaling, class balance, normalisation."""
        if total is None or (total > 0).all():
            return self
        return self[np.flatnonzero(total > 0)]


def check_weights(sample_weight: Any, rows: Sized) -> np.ndarray | None:
    """Check that there is a weight for each of `rows`; give them with a largest of 1.

    Raises
    ------
    ValueError, TypeError
        If they are not finite numbers, one a row and none negative, or all are zero.
    """
    if sample_weight is None:
        return None
    with naming("sample_weight"):
        if isinstance(sample_weight, str):
            sample_weight = [sample_weight]  # refused as text
        weights = _check_sample_weight(
            real_numbers(sample_weight, "sample_weight"),
            np.empty((len(rows), 0)),
            dtype=np.float64,
        )
    if (weights < 0).any():
        first = int(np.argmax(weights < 0))
        raise ValueError(
            f"sample_weight must hold numbers of 0 or more, got {weights[first]:g} for sample "
            f"{first}. Weight 0 leaves a sample out."
        )
    if not (weights > 0).any():
        raise ValueError("sample_weight: at least one weight must be positive, all are zero.")
    return weights / weights.max()  # so that no sum of them overflows


def check_groups(groups: Any, rows: Sized) -> np.ndarray | None:
    """Check that there is a group for each of `rows`; give their numbers.

    Raises
    ------
    ValueError, TypeError
        If they are not one a row, or cannot be told apart.
    """
    if groups is None:
        return None
    with naming("groups"):
        groups = column_or_1d(groups)
        if len(groups) != len(rows):
            raise ValueError(f"groups must be {len(rows)}, one a sample, got {len(groups)}.")
        return np.unique(groups, return_inverse=True)[1]


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
        if len(X) < self.targets.fewest:
            raise ValueError(
                "Found n_samples=1 in X; fitting needs a minimum of 2."
                + (
                    " One long record is learned from with readout='sequence', its y at every "
                    "step, or cut in windows."
                    if isinstance(X, Series | Recordings)
                    else ""
                )
            )
        targets, y = self.targets.first(y, X, caller)
        return replace(self, inputs=inputs, targets=targets), Rows(X, y)

    def read(self, X: Any, y: Any, caller: Any) -> Rows:
        """Check that X and y are like those that were learned from."""
        X = self.inputs.read(X, caller)
        return Rows(X, self.targets.read(y, X, caller))

    def with_options_of(self, new: Targets) -> Self:
        """Take the options of targets of today, where training goes on.

        Raises
        ------
        ValueError
            If they ask for another number of outputs.
        """
        known, targets = self.targets, self.targets.with_options_of(new)
        if targets.n_outputs != known.n_outputs:
            raise ValueError(
                f"loss, quantile and classes now ask for {targets.n_outputs} outputs; "
                "the fitted model, which warm_start or partial_fit continues, has "
                f"{known.n_outputs}."
            )
        return replace(self, targets=targets)

    def balanced(self, rows: Rows) -> Self:
        """Learn what classes weigh."""
        return replace(self, targets=self.targets.balanced(rows.y))

    def weigh(self, rows: Rows) -> np.ndarray | None:
        """Give weights in training and in the validation loss, but not in scores."""
        return self.targets.weigh(rows.y, rows.weights)

    def fit(self, rows: Rows) -> Self:
        """Learn the scale of inputs and targets."""
        weights = self.weigh(rows)
        inputs, targets = self.inputs.fit(rows.X, weights), self.targets.fit(rows.y, rows.weights)
        return replace(self, inputs=inputs.with_targets(rows, targets, weights), targets=targets)

    def revised(self, rows: Rows) -> Self:
        """Take in further data, where training goes on."""
        targets = self.targets.revised(rows.y, rows.weights)
        inputs = self.inputs.with_targets(rows, targets, self.weigh(rows))
        return replace(self, inputs=inputs, targets=targets)

    def settled(self) -> Self:
        """Forget what only the training needed."""
        return replace(self, targets=self.targets.settled())

    def samples(self, rows: Rows, dtype: torch.dtype, *, known: bool) -> Samples | RecordedSamples:
        """Turn checked rows into what is trained on (`known`), or validated on."""
        targets, total = self.targets.tensor(rows.y, dtype), self.weigh(rows)
        weights = None if total is None else torch.as_tensor(total / total.mean()).to(dtype)
        if isinstance(rows.X, Recordings):
            read = partial(self.inputs.stretch, rows.X)
            return RecordedSamples(read, rows.X.lengths, targets, dtype, weights)
        tensors = self.inputs.tensors_of(rows, dtype) if known else None
        return Samples(tensors or self.inputs.tensors(rows.X, dtype), targets, weights)

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
