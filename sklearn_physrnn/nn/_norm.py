"""Normalisation of the steps of sequences, none of them padding."""

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import nn
from torch.nn.functional import layer_norm

from ._one_step import fixed, kept, numbers
from ._share import Normalised, Share, current_share, joint_moments

if TYPE_CHECKING:
    from ..kernels.one_step.program import Program, Register


class SequenceNorm(nn.Module):
    """Batch normalisation without scale or shift, over samples and steps alike.

    Training normalises with the batch's own statistics and keeps running averages, which
    `eval` uses: those of all batches so far while they are few, rather than of the initial
    values too. A batch of a single step has no variance: it maps to zero and leaves the
    averages as they were.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps : float, default=1e-5
        Added to the variance.
    momentum : float, default=0.1
        Weight of a new batch in the running averages, once many batches were seen.

    Attributes
    ----------
    running_mean, running_var : Tensor of shape (num_features,)
        The variance is the mean square that training divides by, without Bessel's
        correction: that would depend on how the sample weights are scaled.
    seen : Tensor of shape ()
        Weight of all batches so far in averages that began at zero.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor
    seen: torch.Tensor

    # Buffers that files of version 0.1.0 lack, with what stands for them.
    younger_buffers: ClassVar[dict[str, float]] = {"seen": 1.0}

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise `x` (..., channels).

        Parameters
        ----------
        x : Tensor of shape (..., channels)
            Steps, none of them padding.
        weights : Tensor of shape (...) or None
            How often each step counts in the batch's statistics, up to a common factor.
        """
        rows = x.reshape(-1, x.shape[-1])
        if not self.training:
            rows = self._batch_norm(rows, self.running_mean, self.running_var)
        elif (share := current_share()) is not None:
            rows = self._normalise_share(rows, weights, share)
        elif len(rows) < 2:
            rows = rows - rows
        elif weights is None:
            rows = self._normalise(rows)
        else:
            rows = self._normalise_weighted(rows, weights.reshape(-1, 1))
        return rows.view_as(x)

    def as_step(self) -> nn.Module:
        """Give what it does in evaluation, step by step."""
        return _Standardised(self.running_mean, self.running_var + self.eps)

    def _batch_norm(self, rows, mean, variance):
        # In training this writes the batch's mean and unbiased variance.
        return torch.batch_norm(
            rows, None, None, mean, variance, self.training, 1.0, self.eps,
            torch.backends.cudnn.enabled,
        )  # fmt: skip

    def _normalise(self, rows: torch.Tensor) -> torch.Tensor:
        mean, variance = torch.zeros_like(self.running_mean), torch.ones_like(self.running_var)
        normalised = self._batch_norm(rows, mean, variance)
        self._remember(mean, variance * ((len(rows) - 1) / len(rows)))
        return normalised

    def _normalise_weighted(self, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
        shares = (weights / weights.sum()).to(wide.dtype)
        mean = (shares * wide).sum(0)
        centred = wide - mean
        variance = (shares * centred.square()).sum(0)
        self._remember(mean, variance)
        return (centred * (variance + self.eps).rsqrt()).to(rows.dtype)

    def _normalise_share(
        self, rows: torch.Tensor, weights: torch.Tensor | None, share: Share
    ) -> torch.Tensor:
        wide = rows.to(torch.promote_types(rows.dtype, torch.float32))
        with torch.no_grad():
            counts = wide.new_ones(len(rows)) if weights is None else weights.reshape(-1).to(wide)
            own = (counts / counts.sum()).unsqueeze(1)
            mean = (own * wide).sum(0)
            variance = (own * (wide - mean).square()).sum(0)
            total, mean, variance = joint_moments(counts.sum(), mean, variance, share)
            shares = (counts / total).unsqueeze(1)
        self._remember(mean, variance)
        inverse = (variance + self.eps).rsqrt()
        return Normalised.apply(wide, shares, mean, inverse, share.summed).to(rows.dtype)

    @torch.no_grad()
    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        self.seen.add_((1 - self.seen) * self.momentum)
        # As Adam corrects its averages, which begin at zero.
        share = self.momentum / self.seen
        for average, new in ((self.running_mean, mean), (self.running_var, variance)):
            average.lerp_(new.to(average.dtype), share)


class _Standardised(nn.Module):
    """About a mean, in units of a standard deviation, both of them known."""

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        super().__init__()
        kept(self, mean=mean, scale=variance.rsqrt())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x - self.mean) * self.scale

    def emit(self, program: "Program", x: "Register") -> "Register":
        return program.standardised(x, numbers(self.mean), numbers(self.scale))


class StepNorm(nn.Module):
    """Layer normalisation without scale or shift: every step by itself."""

    def forward(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise the channels of `x` (..., channels)."""
        return layer_norm(x, x.shape[-1:])

    def as_step(self) -> nn.Module:
        """Give itself: a step by itself is what it sees."""
        return fixed(self)

    def emit(self, program: "Program", x: "Register") -> "Register":
        """Write it to a program."""
        return program.normalised(x, 1e-5)


class NoNorm(nn.Module):
    """Nothing, with the same arguments."""

    def forward(self, x: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        """Return `x`."""
        return x

    def as_step(self) -> nn.Module:
        """Give itself."""
        return fixed(self)

    def emit(self, program: "Program", x: "Register") -> "Register":
        """Write nothing to a program."""
        return x


NORMS: dict[str | None, Callable[[int], nn.Module]] = {
    "batch": SequenceNorm,
    "layer": lambda num_features: StepNorm(),
    None: lambda num_features: NoNorm(),
}
