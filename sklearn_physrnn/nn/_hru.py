"""What the two Hamiltonian recurrent units share."""

import math
from collections.abc import Callable

import torch
from torch import nn

from ..kernels._check import check_values
from ..kernels.oscillators import check_epsilon, check_sequence
from ._check import check_names, check_sizes

# d^2 a < 4 is the edge of stability. At 3.96 leapfrog magnifies an oscillation ten
# times at most, and rounding cannot carry a float32 parameter across.
STABLE = 3.96


def bounded(raw: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Map the real line onto (low, high), in float64."""
    return low + (high - low) * torch.sigmoid(raw.double())


def unbounded(value: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """Inverse of :func:`bounded`, for start values."""
    share = (value.double() - low) / (high - low)
    return torch.logit(share, 1e-6).to(value.dtype)


def uniform(*shape: int, low: float, high: float) -> torch.Tensor:
    """A tensor of uniform random numbers, in torch's default dtype."""
    return torch.empty(shape).uniform_(low, high)


class _ZeroPast(torch.autograd.Function):
    # masked_fill would keep a mask as long as its input.
    @staticmethod
    def forward(ctx, x, lengths):
        ctx.save_for_backward(lengths)
        return _masked(x, lengths)

    @staticmethod
    def backward(ctx, grad):
        return zero_past(grad, *ctx.saved_tensors), None


def _masked(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    past = torch.arange(x.shape[1], device=x.device) >= lengths[:, None]
    return x.masked_fill(past[:, :, None], 0.0)


def zero_past(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """`x` (batch, time, channels) with zeros, NaN or not, past each sample's length."""
    return x if lengths is None else _ZeroPast.apply(x, lengths)


class HRU(nn.Module):
    """Checks and readout of a Hamiltonian recurrent unit; see its subclasses."""

    # Of `dynamics`, the potential's largest second derivative of each mode.
    _curvature: Callable[..., torch.Tensor]

    def __init__(self, input_size: int, state_size: int, gradient: str, epsilon: float | str):
        super().__init__()
        check_sizes(input_size=input_size, state_size=state_size)
        if input_size < 1 or state_size < 1:
            raise ValueError(
                "input_size and state_size must be positive, "
                f"got {input_size!r} and {state_size!r}."
            )
        check_names(gradient=gradient)
        if gradient not in ("bptt", "rhel"):
            raise ValueError(f"gradient must be 'bptt' or 'rhel', got {gradient!r}.")
        check_epsilon(epsilon)
        self.input_size = input_size
        self.state_size = state_size
        self.gradient = gradient
        self.epsilon = epsilon

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.state_size}, gradient={self.gradient!r}, "
            f"epsilon={self.epsilon!r}"
        )

    def _check(self, u, dt, lengths, dynamics) -> None:
        check_sequence("u", u, dt, lengths)
        if u.shape[2] != self.input_size:
            raise ValueError(
                f"u must have shape (batch, time, input_size={self.input_size}), "
                f"got {tuple(u.shape)}."
            )
        if dt is None:
            return
        dt = dt.detach()
        if lengths is not None:
            dt = zero_past(dt[:, :, None], lengths)
        smallest, largest = dt.aminmax()
        check_values(
            (smallest >= 0) & (largest < math.inf),
            lambda: ValueError("dt must be finite and not negative."),
            may_wait=True,
        )
        with torch.no_grad():
            rate = (dynamics[-1] * self._curvature(*dynamics).sqrt()).max() * largest
        check_values(
            rate < 2,
            lambda: ValueError(
                f"Steps of dt up to {largest:.3g} are too large for these oscillators: "
                f"step * max(dt) * sqrt(stiffness) must stay below 2, and comes to {rate:.3g}. "
                "Divide dt by its maximum: with dt up to 1 every parameter is within the bound."
            ),
            may_wait=True,
        )
