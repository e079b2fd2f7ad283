"""How hard the echoes are nudged."""

import math
from numbers import Real

import torch


def check_epsilon(epsilon: float | str) -> None:
    """Raise ValueError unless `epsilon` is "auto" or a positive finite number."""
    if isinstance(epsilon, str):
        valid = epsilon == "auto"
    else:
        number = isinstance(epsilon, Real) and not isinstance(epsilon, bool)
        valid = number and 0 < epsilon < math.inf
    if not valid:
        raise ValueError(f"epsilon must be 'auto' or a positive number, got {epsilon!r}.")


def with_end(norm: torch.Tensor, grad_end: torch.Tensor | None) -> torch.Tensor:
    """Norm (B, P) of the positions' gradient, `norm` long, and of the last state's, (2, B, P)."""
    if grad_end is None:
        return norm
    return torch.linalg.vector_norm(torch.stack([norm.double(), *grad_end.double()]), dim=0)


def nudge_sizes(
    epsilon: float | str,
    relative: float,
    power: torch.Tensor,
    lengths: torch.Tensor,
    grad_norm: torch.Tensor,
) -> torch.Tensor:
    """Epsilon of every sample and mode, (B, P), in float64.

    "auto" lets the whole gradient, `grad_norm` long, nudge the momentum by `relative`
    times the position's root mean square over the run, whose squares add up to
    `power`. Zeros do not matter: a sample at rest is given the size of one, and
    without a gradient there is nothing to nudge. A NaN stays.
    """
    power, grad_norm = power.double(), grad_norm.double()
    if not isinstance(epsilon, str):
        return torch.full_like(power, epsilon)
    rms = (power / lengths.clamp(min=1)[:, None]).sqrt()
    one = torch.ones_like(rms)
    size = torch.where(rms == 0, one, rms) / torch.where(grad_norm == 0, one, grad_norm)
    return relative * size.clamp(1e-30, 1e30)  # what float32 can hold
