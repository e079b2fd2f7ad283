"""Targets whose loss is a function of the user's."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ..training._losses import UserLoss
from .number_targets import NumberTargets

_ENOUGH = 4096  # targets, evenly spread, that the unit of a loss is learned from


@dataclass(frozen=True)
class UserTargets(NumberTargets):
    """Real targets, which the loss sees in their own units.

    Attributes
    ----------
    function : callable
        Of predictions and targets (n, n_targets); one value a row.
    unit : float or None
        What the loss is divided by: its mean magnitude where the mean is predicted. So steps of
        training and noise have one measure, whatever the loss.
    """

    function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    unit: float | None = None

    def with_options_of(self, new: Any) -> Any:
        """Take another loss; the same keeps its unit."""
        known = super().with_options_of(new)
        same = isinstance(known, UserTargets) and known.function == self.function
        return replace(known, unit=self.unit) if same else known

    def fit(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Learn the scale of each target, and of the loss."""
        return super().fit(y, weights).measured(y)

    def revised(self, y: np.ndarray, weights: np.ndarray | None) -> Self:
        """Take in further targets; a loss that is new learns its scale of them."""
        known = super().revised(y, weights)
        return known if known.unit is not None else known.measured(y)

    def measured(self, y: np.ndarray) -> Self:
        """Learn the scale of the loss of some encoded targets."""
        y = y[:: max(1, len(y) // _ENOUGH)]
        known = replace(self, unit=1.0)
        with torch.no_grad():
            targets = known.tensor(y, torch.float64)
            losses = known.criterion()(torch.zeros_like(targets), targets)
        unit = float(losses.abs().mean())
        return replace(known, unit=unit if np.isfinite(unit) and unit > 0 else 1.0)

    def criterion(self) -> nn.Module:
        """Build the loss."""
        assert self.function is not None
        scaler = self.fitted_scaler
        return UserLoss(self.function, scaler.center, scaler.scale, self.unit or 1.0)
