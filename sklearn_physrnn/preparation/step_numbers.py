"""Real numbers at every step of a sequence."""

from typing import Any, Self, cast

import numpy as np
import torch
from torch import nn

from ..training._losses import PerStep
from ..training._recorded import RecordedTargets
from .number_targets import NumberTargets
from .recordings import Recordings
from .scaling import Standard
from .series import Series
from .step_records import NumberRecords, records_of_steps
from .step_targets import StepAnswer, StepTargets
from .step_values import values_at_steps

_FEW = 1 << 10  # that show what else a loss asks
_SAMPLED = 1 << 20  # targets, evenly spread, that a robust scale is learned from


class StepNumbers(StepTargets[NumberTargets]):
    """Real numbers at every step; NaN where there are none.

    Of several, a step has all or none: where one is missing, it weighs nothing.
    """

    @property
    def several(self) -> bool:
        """Whether predictions have an axis for quantiles."""
        return self.step.several

    def _empty(self, shape: tuple[int, ...]) -> np.ndarray:
        return np.full(shape, np.nan)

    def _given(self, y: np.ndarray) -> np.ndarray:
        return ~np.isnan(y.reshape(len(y), -1)).any(axis=1)

    def _present(self, y: np.ndarray) -> np.ndarray:
        return ~np.isnan(y).any(axis=2)

    def _records(self, y: Any, X: Series | Recordings, caller: Any) -> NumberRecords | None:
        found = records_of_steps(y, X, self.every, real=True, depth=(2, 3), holes=self.holes)
        return cast(NumberRecords | None, found)

    def _examples(self, records: NumberRecords) -> np.ndarray:
        return np.ones((1, *records.shape))  # which every loss takes

    def _known(self, records: NumberRecords) -> NumberRecords:
        self.encode(self._examples(records))  # which says what is wrong with its shape
        return records

    def fit(self, y: Any, weights: np.ndarray | None) -> Self:
        """Learn the scale of each target over all steps."""
        if isinstance(y, NumberRecords):
            step = self.step.of_scaler(self._scaler_of(y, weights))
            return self._with(step.measured(self._some(y)))
        return super().fit(y, weights)

    def revised(self, y: Any, weights: np.ndarray | None) -> Self:
        """Take in further targets."""
        if isinstance(y, NumberRecords):
            return self._with(self.step.of_scaler(self._scaler_of(y, weights), revised=True))
        return super().revised(y, weights)

    def _some(self, y: NumberRecords) -> np.ndarray:
        values, _ = y.sampled(_FEW)
        return values[self._given(values)]

    def _scaler_of(self, y: NumberRecords, weights: np.ndarray | None) -> Standard:
        if not self.step.robust:
            return self.step.scaler_of(y.joined(weights))
        values, rows = y.sampled(_SAMPLED)
        given = self._given(values)
        values, rows = values[given], rows[given]
        weights = None if weights is None else weights[rows]
        return Standard.fit(values, weights, constant="fixed", robust=True)

    def checked(self, y: Any, X: Series | Recordings, caller: Any) -> np.ndarray:
        """Check y, and that it is finite where the series have steps, or perhaps missing."""
        y = values_at_steps(y, X, self.every, caller, real=True, depth=(2, 3))
        flat = y.reshape(len(y), -1)
        bad = (np.isinf(flat) if self.holes else ~np.isfinite(flat)).any(axis=1)
        if bad.any():
            counts = X.lengths // self.every
            at = int(bad.argmax())
            sample = int(np.searchsorted(counts.cumsum(), at, side="right"))
            what = "NaN" if np.isnan(y[at]).any() else "infinity"
            step = at - int(counts[:sample].sum())
            raise ValueError(f"Input y contains {what}: sample {sample}, step {step}.")
        return y

    def tensor(self, y: Any, dtype: torch.dtype) -> Any:
        """Give scaled targets, NaN where there are none."""
        if isinstance(y, NumberRecords):
            like = torch.full((1, self.step.n_targets), torch.nan, dtype=dtype)

            def read(row: int, start: int, stop: int) -> torch.Tensor:
                return self.step.tensor(y.stretch(row, start, stop), dtype)

            return RecordedTargets(read, np.arange(len(y)), y.counts, like, given=y.given)
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

    def answer(self) -> StepAnswer:
        """Say how outputs of steps become predictions, where those are not had whole."""
        return StepAnswer(self.step.decode, self.step.prediction_shape, True, np.nan)

    def decode_tensor(self, outputs: torch.Tensor) -> torch.Tensor:
        """Do what `decode` does, for gradients."""
        return self.step.decode_tensor(outputs)
