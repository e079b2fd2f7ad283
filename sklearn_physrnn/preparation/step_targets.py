"""Real numbers at every step of a sequence as targets."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils import check_array, check_consistent_length
from torch import nn

from ..storage.format import Spec
from ..storage.plain import Fields
from ..training._losses import PerStep
from .number_targets import NumberTargets
from .series import Series
from .stored_scalers import Arrays
from .targets import Targets


@dataclass(frozen=True)
class StepTargets(Targets):
    """y with a time axis between samples and targets; encoded as (n_samples, n_steps, n_targets).

    It is NaN past a sample's end.

    Attributes
    ----------
    numbers : NumberTargets
        What the targets of one step are.
    every : int
        Which steps have targets: counting from one, steps `every`, 2 `every` and so on.
    """

    numbers: NumberTargets
    every: int = 1

    @property
    def n_outputs(self) -> int:
        """Outputs a step."""
        return self.numbers.n_outputs

    @property
    def several(self) -> bool:
        """Whether predictions have an axis for quantiles."""
        return self.numbers.several

    def checked(self, y: Any, X: Series, caller: Any) -> np.ndarray:
        """Check y, and that it has values where the series have steps."""
        y = check_array(
            y,
            dtype=np.float64,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite="allow-nan",
            input_name="y",
        )
        check_consistent_length(X, y)
        steps = X.longest // self.every
        if y.ndim not in (2, 3) or y.shape[1] != steps or steps == 0:
            raise ValueError(
                f"With readout='sequence' and every={self.every}, y must be of shape "
                f"(n_samples, {steps}) or (n_samples, {steps}, n_targets), got {y.shape}."
            )
        inside = self._inside(X, steps)
        missing = np.isnan(y.reshape(len(y), steps, -1)).any(axis=2)
        if (missing & inside).any():
            sample, step = np.argwhere(missing & inside)[0]
            raise ValueError(f"Input y contains NaN: sample {sample}, step {step}.")
        return np.where(inside if y.ndim == 2 else inside[:, :, None], y, np.nan)

    def _inside(self, X: Series, n_steps: int) -> np.ndarray:
        """Tell the steps (n_samples, n_steps) that belong to their samples."""
        return np.arange(n_steps) < (X.lengths // self.every)[:, None]

    def learned(self, y: np.ndarray, caller: Any) -> Self:
        """Learn the shape of a step's targets."""
        return replace(self, numbers=self.numbers.learned(y[:, 0], caller))

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Give y an axis of targets."""
        self.numbers.encode(y[:, 0])
        return y.reshape(*y.shape[:2], -1)

    def with_options_of(self, new: "StepTargets") -> Self:
        """Take another loss, and other quantiles."""
        return replace(self, numbers=self.numbers.with_options_of(new.numbers))

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the scale of each target over all steps."""
        return replace(self, numbers=self.numbers.fit(*_flat(y, weights)))

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Take in further targets."""
        return replace(self, numbers=self.numbers.revised(*_flat(y, weights)))

    def tensor(self, y: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
        """Give scaled targets, NaN where there are none."""
        # Scaled where there are any: of one long series among short ones most are padding.
        present = _present(y)
        targets = torch.full(y.shape, torch.nan, dtype=dtype)
        targets[torch.from_numpy(present)] = self.numbers.tensor(y[present], dtype)
        return targets

    def criterion(self) -> nn.Module:
        """Build the loss, a mean over a sample's steps."""
        return PerStep(self.numbers.criterion())

    def decode(self, outputs: np.ndarray, X: Series) -> np.ndarray:
        """Turn outputs (n, n_steps, n_outputs) into predictions, NaN past a sample's end."""
        inside = self._inside(X, outputs.shape[1])
        decoded = self.numbers.decode(outputs[inside])
        values = np.full((*inside.shape, *decoded.shape[1:]), np.nan, decoded.dtype)
        values[inside] = decoded
        return values

    def decode_tensor(self, outputs: torch.Tensor) -> torch.Tensor:
        """Do what `decode` does, for gradients."""
        return self.numbers.decode_tensor(outputs)

    def score(self, y: np.ndarray, predictions: np.ndarray, weights: np.ndarray | None) -> float:
        """Give the score over all steps that have targets."""
        # Validation batches are trimmed to their longest sequence.
        y = np.asarray(y, dtype=np.float64)[:, : predictions.shape[1]]
        present = _present(y.reshape(*y.shape[:2], -1))
        if weights is not None:
            weights = np.repeat(weights, present.sum(axis=1))
        return self.numbers.score(y[present], predictions[present], weights)

    def score_outputs(self, outputs, y, weights) -> float:
        """Score the module's outputs for encoded y, NaN where that is impossible."""
        if len(y) < 2 or not np.isfinite(outputs).all():
            return float("nan")
        values = self.numbers.decode(outputs.reshape(-1, outputs.shape[-1]))
        values = values.reshape(*outputs.shape[:2], *values.shape[1:])
        return self.score(y.reshape(*y.shape[:-1], *self.numbers.shape), values, weights)

    def to_state(self) -> tuple[dict[str, Any], Arrays]:
        """Give shape and scale of a step's targets."""
        return self.numbers.to_state()

    def described(self, fields: Fields, longest: int) -> Self:
        """Take the shape."""
        if self.every > longest:
            raise ValueError(f"every={self.every} exceeds its longest series, {longest}.")
        return replace(self, numbers=self.numbers.described(fields, longest))

    def specs(self) -> dict[str, Spec]:
        """Say of what shape centre and scale are."""
        return self.numbers.specs()

    def filled(self, arrays: Arrays) -> Self:
        """Take centre and scale."""
        return replace(self, numbers=self.numbers.filled(arrays))


def _present(y: np.ndarray) -> np.ndarray:
    return ~np.isnan(y).any(axis=2)


def _flat(y: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray | None]:
    """Give the steps that have targets, with their samples' weights."""
    present = _present(y)
    return y[present], None if weights is None else np.repeat(weights, present.sum(axis=1))
