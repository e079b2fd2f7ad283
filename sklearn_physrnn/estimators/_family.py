"""What of an estimator follows from its model family."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import nn

from ..preparation.inputs import Inputs
from ..preparation.number_targets import NumberTargets
from ..preparation.targets import Targets
from ..storage.format import Spec


class Family(ABC):
    """A model family, as the estimators of all families ask it.

    It has no state. `estimator` is whatever has the family's parameters as attributes.

    Attributes
    ----------
    parameters : tuple of str
        Those that the module, and what it is given, follow from. An estimator may lack some.
    remedies : str
        What an estimator whose outputs are not finite may be fitted anew with.
    """

    parameters: ClassVar[tuple[str, ...]]
    remedies: ClassVar[str] = "a smaller learning_rate_init or max_grad_norm"

    @abstractmethod
    def inputs(self, estimator: Any) -> Inputs:
        """Say what X is, before it is seen."""

    @abstractmethod
    def module(self, estimator: Any, inputs: Any, n_outputs: int) -> nn.Module:
        """Build the untrained module for fitted `inputs`; drawn under a seed."""

    def targets(self, estimator: Any, numbers: NumberTargets) -> Targets:
        """Say what y is for a regressor, before it is seen."""
        return numbers

    def criterion(self, estimator: Any, criterion: nn.Module) -> nn.Module:
        """Fit the loss to modules whose outputs have an axis more."""
        return criterion

    def examine(self, module: nn.Module, inputs: dict[str, torch.Tensor]) -> dict[str, Any]:
        """Look at the trained module on a few training inputs: warn, give attributes."""
        return {}

    def attributes(self, estimator: Any, dtype: str) -> dict[str, Spec]:
        """Say of what type and shape the attributes that `examine` gives are in a file."""
        return {}
