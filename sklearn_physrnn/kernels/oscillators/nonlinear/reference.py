"""Nonlinear oscillators in plain torch, as :class:`..engine.Reference` asks."""

import math

import torch
from torch.nn.functional import softplus

RELATIVE_NUDGE = 1e-3  # smaller, and the echoes cancel in float32; larger, and they bend
gap = None  # a long step is a large one
left = None  # motions do not decay


def log_cosh(x: torch.Tensor) -> torch.Tensor:
    """log cosh x without overflow."""
    return x.abs() + softplus(-2 * x.abs()) - math.log(2)


def force(
    y: torch.Tensor, u: torch.Tensor, w: torch.Tensor, c: torch.Tensor, alpha: torch.Tensor
) -> torch.Tensor:
    """Slope of the potential at position y under the drive u."""
    return alpha * y + c * torch.tanh(w * y + u)


def potential(
    y: torch.Tensor, u: torch.Tensor, w: torch.Tensor, c: torch.Tensor, alpha: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Energy, and its derivatives by the drive, w, c and alpha."""
    x = w * y + u
    wells, slope = log_cosh(x) / w, torch.tanh(x) / w
    by_w = c * (slope * y - wells / w)
    return alpha * y**2 / 2 + c * wells, c * slope, by_w, wells, y**2 / 2
