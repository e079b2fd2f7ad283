"""Nonlinear oscillators in plain torch, as :class:`..engine.Reference` asks."""

import math

import torch
from torch.nn.functional import softplus

from .gap import LONGEST as LONGEST
from .gap import swung as gap  # noqa: F401

RELATIVE_NUDGE = 1e-3  # smaller, and the echoes cancel in float32; larger, and they bend
left = None  # motions do not decay


def log_cosh(x: torch.Tensor) -> torch.Tensor:
    """log cosh x without overflow."""
    return x.abs() + softplus(-2 * x.abs()) - math.log(2)


def force(
    y: torch.Tensor, u: torch.Tensor, w: torch.Tensor, c: torch.Tensor, alpha: torch.Tensor,
    rest: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """Slope of the potential at position y under the drive u; `rest` is that of gaps alone."""
    return alpha * y + c * torch.tanh(w * y + u)


def potential(
    y: torch.Tensor, u: torch.Tensor, w: torch.Tensor, c: torch.Tensor, alpha: torch.Tensor,
    rest: torch.Tensor,
) -> tuple[torch.Tensor, ...]:  # fmt: skip
    """Energy, and its derivatives by the drive, w, c, alpha and the drive of gaps."""
    x = w * y + u
    wells, slope = log_cosh(x) / w, torch.tanh(x) / w
    by_w = c * (slope * y - wells / w)
    return alpha * y**2 / 2 + c * wells, c * slope, by_w, wells, y**2 / 2, torch.zeros_like(wells)
