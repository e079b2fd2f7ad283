"""Labels at every step of a sequence."""

from typing import Any, Self, cast

import numpy as np
import torch
from torch import nn

from ..training._losses import PerStep
from ..training._recorded import RecordedTargets
from .arrays import naming, plain_labels
from .class_targets import ClassTargets, one_label_each
from .frames import missing
from .links import softmax
from .recordings import Recordings
from .series import Series
from .step_records import LabelRecords, records_of_steps
from .step_targets import StepAnswer, StepTargets
from .step_values import values_at_steps


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

    def _given(self, y: np.ndarray) -> np.ndarray:
        if y.dtype == object:
            return np.array([not missing(label) for label in y], dtype=bool)
        return ~np.isnan(y) if y.dtype.kind == "f" else np.ones(len(y), dtype=bool)

    def _present(self, y: np.ndarray) -> np.ndarray:
        return y[:, :, 0] >= 0

    def _of_steps(self, values: np.ndarray) -> np.ndarray:
        return values[:, 0]

    def _records(self, y: Any, X: Series | Recordings, caller: Any) -> LabelRecords | None:
        found = records_of_steps(y, X, self.every, real=False, depth=(2,), holes=self.holes)
        return cast(LabelRecords | None, found)

    def _examples(self, records: LabelRecords) -> np.ndarray:
        return np.asarray(records.labels)

    def _known(self, records: LabelRecords) -> LabelRecords:
        self.encode(self._examples(records))  # which says what is wrong with its labels
        return records.of_classes(self.classes)

    def checked(self, y: Any, X: Series | Recordings, caller: Any) -> np.ndarray:
        """Check y, and that the series have a label at every step, or perhaps at some."""
        labels = values_at_steps(y, X, self.every, caller, real=False, depth=(2,))
        given = self._given(labels)
        with naming("y"):
            if not self.holes or given.all():
                return one_label_each(labels)
            labels = labels.astype(object)
            labels[given] = one_label_each(labels[given])
        return labels

    def learned(self, y: np.ndarray, caller: Any) -> Self:
        """Learn the classes, unless they are known."""
        return super().learned(plain_labels(y), caller)

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Turn labels into indices of the classes, -1 where one is missing."""
        given = self._given(y)
        if given.all():
            return super().encode(y)
        indices = np.full(len(y), -1, dtype=np.int64)
        indices[given] = super().encode(plain_labels(y[given]))
        return indices

    def balanced(self, y: Any) -> Self:
        """Learn from encoded training targets what each class weighs."""
        if isinstance(y, LabelRecords):
            return self._with(self.step.balanced_by(np.sum(y.tallies, axis=0)))
        return self._with(self.step.balanced(self._of_steps(y[self._present(y)])))

    def weigh(self, y: Any, weights: np.ndarray | None) -> np.ndarray | None:
        """Multiply the mean weight of its steps' classes to each sample's.

        How they are shared among the steps, the loss knows.
        """
        if self.step.weights is None:
            return weights
        if isinstance(y, LabelRecords):
            means = y.tallies @ self.step.weights / np.maximum(y.counts, 1)
            return means if weights is None else weights * means
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

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Score the labels of steps, one after another."""
        # Objects, where nothing of the labels' own type could stand past an end.
        return self.step.score(plain_labels(y), plain_labels(predictions), weights)

    def tensor(self, y: Any, dtype: torch.dtype) -> Any:
        """Give indices, -1 where there are none, whatever the dtype of inputs."""
        if isinstance(y, LabelRecords):
            like = torch.full((1, 1), -1)

            def read(row: int, start: int, stop: int) -> torch.Tensor:
                return torch.as_tensor(y.encoded(row, start, stop))

            tallies = np.asarray(y.tallies)
            return RecordedTargets(read, np.arange(len(y)), y.counts, like, tallies)
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
        dtype = object if self._past is None else labels.dtype
        values = np.full(shape, self._past, dtype=dtype)
        values[inside] = labels
        return values

    @property
    def _past(self) -> Any:
        classes = np.asarray(self.classes)
        past: Any = {"f": np.nan, "i": -1, "U": ""}.get(classes.dtype.kind)
        return None if past is None or (classes == past).any() else past

    def answer(self) -> StepAnswer:
        """Say how outputs of steps become labels, where those are not had whole."""
        classes = np.asarray(self.classes)
        return StepAnswer(self.step.decode, (), False, self._past, classes.tolist())

    def answer_of_probabilities(self) -> StepAnswer:
        """Say how outputs of steps become probabilities."""
        return StepAnswer(softmax, (self.step.n_outputs,), True, np.nan)

    def probabilities(
        self, outputs: np.ndarray, X: Series | Recordings, *, log: bool = False
    ) -> np.ndarray:
        """Turn outputs into probabilities (n_samples, n_steps, n_classes), NaN past an end."""
        probabilities = self.step.probabilities(outputs, log=log)
        shape = (len(X), X.width // self.every, probabilities.shape[2])
        values = np.full(shape, np.nan, probabilities.dtype)
        inside = self._inside(X, shape[1])
        values[inside] = probabilities[self._inside(X, probabilities.shape[1])]
        return values
