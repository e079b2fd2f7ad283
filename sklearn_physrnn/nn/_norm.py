"""Normalisation of sequences that never sees padding."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.functional import layer_norm


def _on_a_gpu(x: torch.Tensor) -> bool:
    return x.is_cuda


class SequenceNorm(nn.Module):
    """Batch normalisation without scale or shift, over samples and steps alike.

    Statistics are those of the steps within each sample's length. As usual, training
    normalises with the batch's own and keeps running averages, which `eval` uses. A
    batch of a single step has no variance: it maps to zero and leaves the averages'
    variance as it was.

    Parameters
    ----------
    num_features : int
        Number of channels.
    eps : float, default=1e-5
        Added to the variance.
    momentum : float, default=0.1
        Weight of a new batch in the running averages.
    """

    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float = 0.1):
        super().__init__()
        self.eps = eps
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(num_features))
        self.register_buffer("running_var", torch.ones(num_features))

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise `x` (batch, time, channels); zero past `lengths`."""
        flat = x.reshape(-1, x.shape[2])
        if lengths is None:
            return self._normalise(flat).view_as(x)
        inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        if _on_a_gpu(x):
            return self._normalise_inside(x, inside[:, :, None])
        index = inside.flatten().nonzero()[:, 0]
        rows = self._normalise(flat.index_select(0, index))
        return torch.zeros_like(flat).index_copy(0, index, rows).view_as(x)

    def _normalise_inside(self, x: torch.Tensor, inside: torch.Tensor) -> torch.Tensor:
        # Selecting the steps inside would wait for a GPU to count them. Here all are
        # normalised, by sums over those inside.
        if not self.training:
            scale = (self.running_var + self.eps).rsqrt()
            return ((x - self.running_mean) * scale).masked_fill(~inside, 0).to(x.dtype)
        wide = x.to(torch.promote_types(x.dtype, torch.float32)).masked_fill(~inside, 0)
        n = inside.sum()
        at_least_1 = n.clamp(min=1)
        mean = wide.sum((0, 1)) / at_least_1
        centred = (wide - mean).masked_fill(~inside, 0)
        variance = centred.square().sum((0, 1)) / at_least_1
        with torch.no_grad():
            # Divided in their type: integers are divided in float32.
            unbiased = variance * (n.to(variance.dtype) / (n - 1).clamp(min=1))
            for average, new, enough in (
                (self.running_mean, mean, n > 0),
                (self.running_var, unbiased, n > 1),
            ):
                moved = average.lerp(new.to(average.dtype), self.momentum)
                average.copy_(torch.where(enough, moved, average))
        return (centred * (variance + self.eps).rsqrt()).to(x.dtype)

    def _normalise(self, rows: torch.Tensor) -> torch.Tensor:
        running_mean, running_var = self.running_mean, self.running_var
        if self.training and len(rows) < 2:
            # An unbiased variance would divide by zero.
            if len(rows):
                running_mean.lerp_(rows.detach()[0].to(running_mean.dtype), self.momentum)
            return rows - rows
        return torch.batch_norm(
            rows, None, None, running_mean, running_var, self.training, self.momentum,
            self.eps, torch.backends.cudnn.enabled,
        )  # fmt: skip


class StepNorm(nn.Module):
    """Layer normalisation without scale or shift: every step by itself."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Normalise the channels of `x` (batch, time, channels)."""
        return layer_norm(x, x.shape[2:])


class NoNorm(nn.Module):
    """Nothing, with the same arguments."""

    def forward(self, x: torch.Tensor, lengths: torch.Tensor | None = None) -> torch.Tensor:
        """Return `x`."""
        return x


NORMS: dict[str | None, Callable[[int], nn.Module]] = {
    "batch": SequenceNorm,
    "layer": lambda num_features: StepNorm(),
    None: lambda num_features: NoNorm(),
}
