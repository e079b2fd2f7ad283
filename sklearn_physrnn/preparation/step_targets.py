"""Targets at every step of a sequence."""

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

import numpy as np
import torch
from torch import nn

from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._losses import PerStep
from .arrays import naming
from .class_targets import ClassTargets, one_label_each
from .number_targets import NumberTargets
from .recordings import Recordings
from .series import Series
from .step_values import values_at_steps
from .stored_scalers import Arrays
from .targets import Targets

_One = TypeVar("_One", NumberTargets, ClassTargets)


@dataclass(frozen=True, eq=False)
class StepTargets(Targets, Generic[_One]):
    """y with a time axis; encoded as (n_samples, n_steps, n_values), and empty past an end.

    What is learned of y is learned of its steps, one after another.

    Attributes
    ----------
    step : Targets
        What the targets of one step are.
    every : int
        Which steps have targets: counting from one, steps `every`, 2 `every` and so on.
    """

    step: _One
    every: int = 1

    fewest = 1

    @property
    def n_outputs(self) -> int:
        """Outputs a step."""
        return self.step.n_outputs

    def _with(self, step: Targets) -> Self:
        return replace(self, step=step)  # type: ignore[arg-type]

    @abstractmethod
    def _empty(self, shape: tuple[int, ...]) -> np.ndarray:
        """Make encoded targets of no step."""

    @abstractmethod
    def _present(self, y: np.ndarray) -> np.ndarray:
        """Tell where (n_samples, n_steps) encoded targets are."""

    def first(self, y: Any, X: Series | Recordings, caller: Any) -> tuple[Self, np.ndarray]:
        """Check and encode the y that is to be learned from; return targets of its kind too."""
        y = self.checked(y, X, caller)
        known = self.learned(y, caller)
        return known, known._laid_out(known.encode(y), X)

    def read(self, y: Any, X: Series | Recordings, caller: Any) -> np.ndarray:
        """Check that y is like the y that was learned from, and encode it."""
        return self._laid_out(self.encode(self.checked(y, X, caller)), X)

    def learned(self, y: np.ndarray, caller: Any) -> Self:
        """Learn what the targets of steps must be like from now on."""
        return self._with(self.step.learned(y, caller))

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Turn the checked targets of steps into what the other methods take."""
        return self.step.encode(y)

    def _inside(self, X: Series | Recordings, n_steps: int) -> np.ndarray:
        """Tell the steps (n_samples, n_steps) that belong to their samples."""
        return np.arange(n_steps) < (X.lengths // self.every)[:, None]

    def _laid_out(self, values: np.ndarray, X: Series | Recordings) -> np.ndarray:
        """Give encoded targets of steps the axes (n_samples, n_steps, n_values)."""
        values = values.reshape(len(values), -1)
        n_steps = X.longest // self.every
        y = self._empty((len(X), n_steps, values.shape[1]))
        y[self._inside(X, n_steps)] = values
        return y

    def cut(
        self, X: Series | Recordings, y: np.ndarray, fraction: float
    ) -> tuple[tuple[Any, np.ndarray], tuple[Any, np.ndarray]]:
        """Cut every series in two, with its targets: what is earlier, and a `fraction` after it.

        Raises
        ------
        ValueError
            If either would have no target.
        """
        counts = X.lengths // self.every
        later = np.round(fraction * counts).astype(np.int64)
        earlier = counts - later
        if min(later.min(), earlier.min()) < 1:
            raise ValueError(
                f"early_stopping with validation_fraction={fraction} cuts series of "
                f"{counts.min()} targets in {earlier.min()} for training and {later.min()} for "
                "validation; both need at least one."
            )
        first, second = X.cut(earlier * self.every)
        values = y[self._inside(X, y.shape[1])]
        mine = np.arange(y.shape[1]) < earlier[:, None]
        is_first = mine[self._inside(X, y.shape[1])]
        return (
            (first, self._laid_out(values[is_first], first)),
            (second, self._laid_out(values[~is_first], second)),
        )

    def with_options_of(self, new: "StepTargets") -> Self:
        """Take another loss, other quantiles, another `class_weight`."""
        return self._with(self.step.with_options_of(new.step))

    def settled(self) -> Self:
        """Forget what only the training needed."""
        return self._with(self.step.settled())

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the scale of each target over all steps."""
        return self._with(self.step.fit(*self._flat(y, weights)))

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Take in further targets."""
        return self._with(self.step.revised(*self._flat(y, weights)))

    def _flat(
        self, y: np.ndarray, weights: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Give the steps that have targets, with their samples' weights."""
        present = self._present(y)
        return y[present], None if weights is None else np.repeat(weights, present.sum(axis=1))

    def score_given(
        self,
        y: Any,
        predictions: np.ndarray,
        X: Series | Recordings,
        weights: np.ndarray | None,
        caller: Any,
    ) -> float:
        """Score predictions over all steps that have targets."""
        y = self.checked(y, X, caller)
        if weights is not None:
            weights = np.repeat(weights, X.lengths // self.every)
        return self.step.score(y, predictions[self._inside(X, predictions.shape[1])], weights)

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Score the predictions of steps, one after another."""
        return self.step.score(y, predictions, weights)

    def score_outputs(self, outputs, y, weights) -> float:
        """Score the module's outputs for encoded y as predictions would be scored."""
        # Validation batches are trimmed to their longest sequence.
        y = y[:, : outputs.shape[1]]
        present = self._present(y)
        if weights is not None:
            weights = np.repeat(weights, present.sum(axis=1))
        return self.step.score_outputs(outputs[present], self._of_steps(y[present]), weights)

    def _of_steps(self, values: np.ndarray) -> np.ndarray:
        """Give encoded targets of steps as `step` has them."""
        return values

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give what was learned of a step's targets."""
        return self.step.to_state()

    def described(self, fields: Fields, longest: int) -> Self:
        """Take what `to_state` gave as JSON."""
        if self.every > longest:
            raise ValueError(f"every={self.every} exceeds its longest series, {longest}.")
        return self._with(self.step.described(fields, longest))

    def specs(self) -> dict[str, Spec]:
        """Say which arrays belong to a step's targets."""
        return self.step.specs()

    def filled(self, arrays: Arrays) -> Self:
        """Take the arrays that `to_state` gave."""
        return self._with(self.step.filled(arrays))


class StepNumbers(StepTargets[NumberTargets]):
    """Real numbers at every step; NaN where there are none."""

    @property
    def several(self) -> bool:
        """Whether predictions have an axis for quantiles."""
        return self.step.several

    def _empty(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, np.nan)

    def _present(self, y: np.ndarray) -> np.ndarray:
        return ~np.isnan(y).any(axis=2)

    def checked(self, y: Any, X: Series | Recordings, caller: Any) -> np.ndarray:
        """Check y, and that it is finite where the series have steps."""
        y = values_at_steps(y, X, self.every, caller, real=True, depth=(2, 3))
        bad = ~np.isfinite(y.reshape(len(y), -1)).all(axis=1)
        if bad.any():
            counts = X.lengths // self.every
            at = int(bad.argmax())
            sample = int(np.searchsorted(counts.cumsum(), at, side="right"))
            what = "NaN" if np.isnan(y[at]).any() else "infinity"
            step = at - int(counts[:sample].sum())
            raise ValueError(f"Input y contains {what}: sample {sample}, step {step}.")
        return y

    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Give scaled targets, NaN where there are none."""
        # Scaled where there are any: of one long series among short ones most are padding.
        present = self._present(y)
        targets = torch.full(y.shape, torch.nan, dtype=dtype)
        targets[torch.from_numpy(present)] = self.step.tensor(y[present], dtype)
        return targets

    def criterion(self) -> nn.Module:
        """Build the loss, a mean over a sample's steps."""
        return PerStep(self.step.criterion())

    def decode(self, outputs: np.ndarray, X: Series | Recordings) -> np.ndarray:
        """Turn outputs (n, n_steps, n_outputs) into predictions, NaN past a sample's end."""
        decoded = self.step.decode(outputs[self._inside(X, outputs.shape[1])])
        shape = (len(X), X.width // self.every, *decoded.shape[1:])
        values = np.full(shape, np.nan, decoded.dtype)
        values[self._inside(X, shape[1])] = decoded
        return values

    def decode_tensor(self, outputs: torch.Tensor) -> torch.Tensor:
        """Do what `decode` does, for gradients."""
        return self.step.decode_tensor(outputs)


class StepClasses(StepTargets[ClassTargets]):
    """A label at every step, encoded as an index of the classes, -1 where there is none."""

    @property
    def classes(self) -> np.ndarray | tuple:
        """The classes, in order."""
        return self.step.classes

    def of_classes(self, classes: np.ndarray, caller: Any) -> Self:
        """Give targets of these classes, in order."""
        return self._with(self.step.of_classes(classes, caller))

    def _empty(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, -1, dtype=np.int64)

    def _present(self, y: np.ndarray) -> np.ndarray:
        return y[:, :, 0] >= 0

    def _of_steps(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0]

    def checked(self, y: Any, X: Series | Recordings, caller: Any) -> np.ndarray:
        """Check y, and that the series have a label at every step."""
        labels = values_at_steps(y, X, self.every, caller, real=False, depth=(2,))
        with naming("y"):
            return one_label_each(labels)

    def balanced(self, y: np.ndarray) -> Self:
        """Learn from encoded training targets what each class weighs."""
        return self._with(self.step.balanced(self._of_steps(y[self._present(y)])))

    def weigh(self, y: np.ndarray, weights: np.ndarray | None) -> np.ndarray | None:
        """Multiply the mean weight of its steps' classes to each sample's.

        How they are shared among the steps, the loss knows.
        """
        if self.step.weights is None:
            return weights
        present = self._present(y)
        of_classes = np.where(present, self.step.weights[y[:, :, 0]], 0)
        means = of_classes.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        return means if weights is None else weights * means

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Labels have no scale."""
        return self

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Labels have no scale."""
        return self

    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Give indices, -1 where there are none, whatever the dtype of inputs."""
        return torch.as_tensor(y)

    def criterion(self) -> nn.Module:
        """Build the cross-entropy, a mean over a sample's steps by the weights of classes."""
        return PerStep(self.step.criterion(), self.step.weights)

    def decode(self, outputs: np.ndarray, X: Series | Recordings) -> np.ndarray:
        """Give the most probable class of each step.

        Past a sample's end there is NaN, -1 or an empty text, as suits the labels; None where
        that is a label itself, or none suits.
        """
        labels = self.step.decode(outputs[self._inside(X, outputs.shape[1])])
        shape = (len(X), X.width // self.every)
        inside = self._inside(X, shape[1])
        if inside.all():
            return labels.reshape(shape)
        past: Any = {"f": np.nan, "i": -1, "U": ""}.get(labels.dtype.kind)
        if past is None or (np.asarray(self.classes) == past).any():
            values = np.full(shape, None, dtype=object)
        else:
            values = np.full(shape, past, dtype=labels.dtype)
        values[inside] = labels
        return values

    def probabilities(self, probabilities: np.ndarray, X: Series | Recordings) -> np.ndarray:
        """Put NaN past a sample's end (n_samples, n_steps, n_classes)."""
        shape = (len(X), X.width // self.every, probabilities.shape[2])
        values = np.full(shape, np.nan, probabilities.dtype)
        inside = self._inside(X, shape[1])
        values[inside] = probabilities[self._inside(X, probabilities.shape[1])]
        return values


def at_every_step(step: Targets, every: int) -> StepTargets:
    """Give targets of which every `every`-th step has one like `step`."""
    if isinstance(step, NumberTargets):
        return StepNumbers(step, every)
    assert isinstance(step, ClassTargets)
    return StepClasses(step, every)
