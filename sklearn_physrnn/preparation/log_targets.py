"""Targets that are not negative, by the logarithm of their mean: counts, amounts, durations."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch

from .moments import Moments
from .number_targets import NumberTargets
from .scaling import Standard

LOG_LOSSES = ("poisson", "gamma")


@dataclass(frozen=True)
class LogTargets(NumberTargets):
    """Counts ("poisson") or amounts ("gamma"), of whose mean the network gives the logarithm.

    Their unit is the mean in training: a network that says 0 predicts it. Both deviances are then
    the same in any unit of y, but for Poisson's factor.
    """

    @property
    def link(self) -> str:
        """How outputs become predictions."""
        return "log"

    def encode(self, y: np.ndarray) -> np.ndarray:
        """Give each sample a row, after a look at the sign."""
        y = super().encode(y)
        if y.size:
            self._check_sign(float(np.nanmin(y)))
        return y

    def _check_sign(self, lowest: float) -> None:
        if lowest < 0 or (lowest == 0 and self.loss == "gamma"):
            what, other = (
                ("0 or more", "")
                if self.loss == "poisson"
                else ("more than 0", " Zeros are for loss='poisson'." * (lowest == 0))
            )
            raise ValueError(
                f"loss={self.loss!r} needs every y to be {what}, got {lowest:g}.{other}"
            )

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the mean of each target."""
        return replace(self, scaler=self._of_mean(np.average(y, axis=0, weights=weights)))

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Keep the means."""
        return self

    def scaler_of(self, moments: Moments) -> Standard:
        """Take the mean of targets that are not had whole."""
        self._check_sign(float(moments.lowest.min()))
        return self._of_mean(moments.mean[0])

    def _of_mean(self, mean: np.ndarray) -> Standard:
        if not (mean > 0).all():
            raise ValueError(f"loss={self.loss!r} needs a positive y among all of training's.")
        return Standard(np.zeros_like(mean), mean)

    def decode(self, outputs: np.ndarray, X: Any = None) -> np.ndarray:
        """Turn logarithms (n, n_targets) into predictions (n, ...), in the units of y."""
        with np.errstate(over="ignore", under="ignore"):
            values = self.fitted_scaler.inverse(np.exp(outputs))
        smallest = np.finfo(values.dtype).tiny  # of which a deviance exists
        return np.maximum(values, smallest).reshape(-1, *self.shape)

    def decode_tensor(self, outputs: torch.Tensor) -> torch.Tensor:
        """Do what `decode` does, for gradients."""
        return super().decode_tensor(outputs.exp())
