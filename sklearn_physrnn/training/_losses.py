"""Losses by name. Each maps predictions and targets to one value a sample."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ._recorded import RecordedTargets

REGRESSION_LOSSES = (
    "squared_error", "absolute_error", "huber", "quantile", "poisson", "gamma"
)  # fmt: skip

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

# Of bounded gradient: a wild target pulls no harder than others, so long as it does not
# set the scale of all.
ROBUST_LOSSES = ("absolute_error", "huber", "quantile")

# Where the quadratic part ends, in units of the target's robust scale: the value that
# scikit-learn's HuberRegressor uses, 95 % as efficient as least squares on a Gaussian.
_HUBER_DELTA = 1.35


class SquaredError(nn.Module):
    """Mean over targets of the squared error."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (prediction - target).square().mean(1)


class AbsoluteError(nn.Module):
    """Mean over targets of the absolute error."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (prediction - target).abs().mean(1)


class Huber(nn.Module):
    """Mean over targets of Huber's loss, quadratic up to 1.35."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.huber_loss(prediction, target, delta=_HUBER_DELTA, reduction="none").mean(1)


class Quantile(nn.Module):
    """Mean over targets and quantiles of the pinball loss.

    Predictions are of shape (n_samples, n_targets * n_quantiles), quantiles fastest.
    """

    def __init__(self, quantiles: Sequence[float]) -> None:
        super().__init__()
        self.quantiles = list(quantiles)
        self._levels: torch.Tensor | None = None

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        q = self._levels
        if q is None or q.dtype != prediction.dtype or q.device != prediction.device:
            # Once: a tensor made from numbers waits for the device.
            q = self._levels = prediction.new_tensor(self.quantiles)
        error = target.unsqueeze(-1) - prediction.unflatten(1, (-1, len(q)))
        return torch.maximum(q * error, (q - 1) * error).flatten(1).mean(1)


class PoissonDeviance(nn.Module):
    """Mean over targets of Poisson's deviance, of logarithms of the mean."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        known = torch.xlogy(target, target) - target
        return 2 * (known - target * prediction + prediction.exp()).mean(1)


class GammaDeviance(nn.Module):
    """Mean over targets of the gamma distribution's deviance, of logarithms of the mean."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        ratio = target * (-prediction).exp()
        return 2 * (prediction - target.log() + ratio - 1).mean(1)


class UserLoss(nn.Module):
    """A function of predictions and targets in the units of y, in a unit of its own.

    Parameters
    ----------
    function : callable
        Takes two tensors (n, n_targets), gives one (n,), or (n, n_targets), of which the mean is
        taken.
    center, scale : ndarray of shape (n_targets,)
        Of the targets.
    unit : float
        What its values are divided by.
    """

    def __init__(
        self, function: Loss, center: np.ndarray, scale: np.ndarray, unit: float = 1.0
    ) -> None:
        super().__init__()
        self.function = function
        self.unit = unit
        self._known = np.stack((center, scale))
        self._scaler: torch.Tensor | None = None

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        known = self._scaler
        if known is None or known.dtype != prediction.dtype or known.device != prediction.device:
            known = self._scaler = torch.as_tensor(self._known).to(prediction)
        center, scale = known
        losses = self.function(prediction * scale + center, target * scale + center)
        self._check(losses, prediction)
        return (losses if losses.ndim == 1 else losses.mean(1)) / self.unit

    def _check(self, losses: Any, prediction: torch.Tensor) -> None:
        n, n_targets = prediction.shape
        name = getattr(self.function, "__name__", type(self.function).__name__)
        if not isinstance(losses, torch.Tensor) or losses.shape not in ((n,), (n, n_targets)):
            shape = f" of shape {tuple(losses.shape)}" if hasattr(losses, "shape") else ""
            got = f"a {type(losses).__name__}{shape}"
            raise ValueError(
                f"The loss {name!r} must return a tensor with one value a row, of shape ({n},), "
                f"or of shape ({n}, {n_targets}), got {got}. Rows are weighed and averaged for "
                "you: one of torch's takes reduction='none'."
            )
        if prediction.requires_grad and not losses.requires_grad:
            raise ValueError(
                f"The loss {name!r} has no gradient: use torch's functions of the prediction, and "
                "neither NumPy's nor detach()."
            )


class CrossEntropy(nn.Module):
    """Cross-entropy of logits against class indices."""

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(prediction, target, reduction="none")


class LabelwiseCrossEntropy(nn.Module):
    """Mean over labels of the cross-entropy of log odds against zeros and ones.

    Parameters
    ----------
    weights : ndarray of shape (2, n_labels) or None
        What a zero, and what a one, of each label counts.
    """

    def __init__(self, weights: np.ndarray | None = None) -> None:
        super().__init__()
        self.weights = None if weights is None else weights.tolist()
        self._shares: torch.Tensor | None = None

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        losses = F.binary_cross_entropy_with_logits(prediction, target, reduction="none")
        if self.weights is not None:
            w = self._shares
            if w is None or w.dtype != losses.dtype or w.device != losses.device:
                # Once: a tensor made from numbers waits for the device.
                w = self._shares = losses.new_tensor(self.weights)
            losses = losses * torch.where(target > 0, w[1], w[0])
        return losses.mean(1)


class PerMember(nn.Module):
    """A loss of every member of an ensemble by itself, averaged over members.

    Predictions are of shape (n_samples, n_members, ...) in training; without the axis of
    members, they are the ensemble's.
    """

    def __init__(self, loss: nn.Module) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if prediction.ndim == 2:
            return self.loss(prediction, target)
        n_members = prediction.shape[1]
        repeated = target.repeat_interleave(n_members, 0)
        return self.loss(prediction.flatten(0, 1), repeated).unflatten(0, (-1, n_members)).mean(1)


class PerStep(nn.Module):
    """A loss of every step of a sequence, averaged over each sample's own steps.

    Predictions are of shape (n_samples, n_steps, ...); targets (n_samples, n_steps, n_values)
    may have more steps than a batch trimmed to its longest sequence, and are NaN past a
    sample's end, or -1 if they are indices of classes.

    Parameters
    ----------
    loss : nn.Module
    class_weights : ndarray or None
        What a step of each class counts among others of its sample.
    """

    def __init__(self, loss: nn.Module, class_weights: np.ndarray | None = None) -> None:
        super().__init__()
        self.loss = loss
        self.class_weights = None if class_weights is None else class_weights.tolist()
        self._shares: torch.Tensor | None = None

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        target = target[:, : prediction.shape[1]]
        return self.part(prediction, target, self.counts(target))

    def counts(self, target: torch.Tensor | RecordedTargets) -> torch.Tensor:
        """Say what all steps of each sample weigh together; 1 where there is nothing."""
        if isinstance(target, RecordedTargets):
            total = target.totals(self.class_weights)
        else:
            total = self._weights(target).sum(1)
        return total.masked_fill(total == 0, 1)

    def part(
        self, prediction: torch.Tensor, target: torch.Tensor, counts: torch.Tensor
    ) -> torch.Tensor:
        """Give what some of the steps add to the mean over all that `counts` counts."""
        present = _present(target)
        target = torch.where(present.unsqueeze(-1), target, 0)
        flat = target.flatten(0, 1)
        flat = flat if target.is_floating_point() else flat[:, 0]
        losses = self.loss(prediction.flatten(0, 1), flat).view_as(present)
        losses = torch.where(present, losses, 0)
        if self.class_weights is not None:
            losses = losses * self._of_classes(losses)[target[..., 0]]
        return losses.sum(1) / counts.to(losses.dtype)

    def _weights(self, target: torch.Tensor) -> torch.Tensor:
        present = _present(target)
        if self.class_weights is None:
            return present
        weights = torch.as_tensor(self.class_weights, dtype=torch.float64, device=target.device)
        return torch.where(present, weights[target[..., 0].clamp(min=0)], 0)

    def _of_classes(self, losses: torch.Tensor) -> torch.Tensor:
        w = self._shares
        if w is None or w.dtype != losses.dtype or w.device != losses.device:
            # Once: a tensor made from numbers waits for the device.
            w = self._shares = losses.new_tensor(self.class_weights)
        return w


def _present(target: torch.Tensor) -> torch.Tensor:
    return ~target.isnan().any(-1) if target.is_floating_point() else target[..., 0] >= 0


class PerWindow(nn.Module):
    """A loss of whole windows: the mean over steps, channels and, if any, quantiles.

    Predictions are of shape (n_windows, horizon, n_channels, n_quantiles), targets of
    shape (n_windows, horizon, n_channels).

    Parameters
    ----------
    loss : nn.Module
    missing : bool
        Targets may be NaN: they count for nothing. The mean is over all steps and channels
        even so; windows' weights can make up for that.
    """

    def __init__(self, loss: nn.Module, missing: bool = False) -> None:
        super().__init__()
        self.loss = loss
        self.missing = missing

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        if self.missing:
            present = ~target.isnan()
            # Zero on both sides is no error, in any of the losses.
            target = torch.where(present, target, 0)
            prediction = torch.where(present.unsqueeze(-1), prediction, 0)
        return self.loss(prediction.flatten(1), target.flatten(1))


def regression_loss(name: str, quantiles: Sequence[float] = (0.5,)) -> nn.Module:
    """Build the regression loss called `name`, one of ``REGRESSION_LOSSES``."""
    if name == "quantile":
        return Quantile(quantiles)
    return {
        "squared_error": SquaredError,
        "absolute_error": AbsoluteError,
        "huber": Huber,
        "poisson": PoissonDeviance,
        "gamma": GammaDeviance,
    }[name]()
