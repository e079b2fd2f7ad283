"""What targets at every step of a sequence have in common."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Self, TypeVar

import numpy as np

from ..storage.format import Spec
from ..storage.plain import Fields
from .class_targets import ClassTargets
from .number_targets import NumberTargets
from .recordings import Recordings
from .series import Series
from .step_records import StepRecords
from .stored_scalers import Arrays
from .targets import Targets


@dataclass(frozen=True)
class StepAnswer:
    """What a model says of steps, one after another.

    Attributes
    ----------
    decode : callable
        Turns outputs (n_steps, n_outputs) into (n_steps, *shape).
    shape : tuple of int
        Of a step's answer.
    numbers : bool
        Whether it is real numbers.
    past : object
        What stands past a sample's end.
    values : sequence
        All that it can be, unless it is real numbers.
    """

    decode: Callable[[np.ndarray], np.ndarray]
    shape: tuple[int, ...]
    numbers: bool
    past: Any
    values: Sequence[Any] = ()


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
    holes : bool
        Whether those of some steps may be missing, which then weigh nothing.
    """

    step: _One
    every: int = 1
    holes: bool = False

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
    def _given(self, y: np.ndarray) -> np.ndarray:
        """Tell which checked targets (n_values,) are not missing."""

    @abstractmethod
    def _present(self, y: np.ndarray) -> np.ndarray:
        """Tell where (n_samples, n_steps) encoded targets are."""

    def first(self, y: Any, X: Series | Recordings, caller: Any) -> tuple[Self, np.ndarray]:
        """Check and encode the y that is to be learned from; return targets of its kind too."""
        records = self._records(y, X, caller)
        if records is not None:
            known = self.learned(self._examples(records), caller)
            return known, known._known(records)
        y = self.checked(y, X, caller)
        given = y[self._given(y)]
        if not len(given):
            raise ValueError("y holds no target: that of every step is missing.")
        known = self.learned(given, caller)
        return known, known._laid_out(known.encode(y), X)

    def read(self, y: Any, X: Series | Recordings, caller: Any) -> np.ndarray:
        """Check that y is like the y that was learned from, and encode it."""
        records = self._records(y, X, caller)
        if records is not None:
            return self._known(records)
        return self._laid_out(self.encode(self.checked(y, X, caller)), X)

    @abstractmethod
    def _records(self, y: Any, X: Series | Recordings, caller: Any) -> Any:
        """Look at a y that stays where it is; None where it does not."""

    @abstractmethod
    def _examples(self, records: Any) -> np.ndarray:
        """Give targets of some steps that tell what all are like."""

    @abstractmethod
    def _known(self, records: Any) -> Any:
        """Check that records are like the targets that were learned from; give them encoded."""

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
        if isinstance(y, StepRecords):
            of_first, of_second = y.cut(earlier)
            return (first, of_first), (second, of_second)
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
        given = self._given(y)
        if not given.any():
            raise ValueError("y holds no target to score against: that of every step is missing.")
        if weights is not None:
            weights = np.repeat(weights, X.lengths // self.every)[given]
        predicted = predictions[self._inside(X, predictions.shape[1])]
        return self.score(y[given], predicted[given], weights)

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Score the predictions of steps, one after another."""
        return self.step.score(y, predictions, weights)

    def score_outputs(self, outputs, y, weights) -> float:
        """Score the module's outputs for encoded y as predictions would be scored."""
        if isinstance(y, StepRecords):
            y = self._whole(y)
        # Validation batches are trimmed to their longest sequence.
        y = y[:, : outputs.shape[1]]
        present = self._present(y)
        if not present.any():
            return float("nan")
        if weights is not None:
            weights = np.repeat(weights, present.sum(axis=1))
        return self.step.score_outputs(outputs[present], self._of_steps(y[present]), weights)

    def _whole(self, records: StepRecords) -> np.ndarray:
        """Read encoded targets as an array, (n_samples, n_steps, n_values)."""
        n_steps = int(records.counts.max())
        values = records.whole()
        y = self._empty((len(records), n_steps, values.shape[1]))
        y[np.arange(n_steps) < records.counts[:, None]] = values
        return y

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
