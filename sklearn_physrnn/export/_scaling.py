"""What scalers do, to tensors."""

from functools import singledispatch

import numpy as np
import torch
from torch import nn

from ..preparation.scaling import LIMIT, Identity, LinearTails, NormalQuantile, Scaler, Standard
from ._graph import CannotExportError

_LARGEST = float(np.finfo(np.float64).max)

# As scalers do, these compute in float64, whatever X is.


@singledispatch
def scaling(scaler: Scaler) -> nn.Module:
    """Give a module that does what ``scaler.transform`` does; NaN where that refuses a value."""
    raise CannotExportError(
        f"A {type(scaler).__name__} cannot be exported: no form of it is known in tensors."
    )


class _Finite(nn.Module):
    """NaN where a value is infinite or too large, else what `scaled` makes of it."""

    def __init__(self, scaled: nn.Module, largest: float) -> None:
        super().__init__()
        self.scaled, self.largest = scaled, largest

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x.double()
        if self.largest == _LARGEST:
            return self.scaled(x) + (x - x)  # nothing, or NaN
        return torch.where(x.abs() <= self.largest, self.scaled(x), torch.nan)


class _Standard(nn.Module):
    center: torch.Tensor
    scale: torch.Tensor

    def __init__(self, scaler: Standard) -> None:
        super().__init__()
        self.register_buffer("center", torch.as_tensor(scaler.center))
        scale = np.where(scaler.scale == 0, np.inf, scaler.scale)
        self.register_buffer("scale", torch.as_tensor(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return ((x - self.center) / self.scale).clamp(-LIMIT, LIMIT)


class _Interpolated(nn.Module):
    """Each column's value by straight lines from knot to knot, flat outside.

    The knot below a value is found by halving: a graph has no searchsorted, and comparing
    with all knots would take memory for all of them.

    Parameters
    ----------
    columns : list of (ndarray, ndarray)
        Knots in order, and the values there.
    """

    knots: torch.Tensor
    ends: torch.Tensor
    first: torch.Tensor

    def __init__(self, columns: list[tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        # Behind each column's knots there is one at least that no value reaches.
        self.n_halvings = max(len(x) for x, _ in columns).bit_length()
        room = 2**self.n_halvings
        knots = np.zeros((len(columns), room, 2))
        knots[:, :, 0] = np.inf
        for own, (x, z) in zip(knots, columns, strict=True):
            own[: len(x)] = np.column_stack([x, z])
        ends = np.array([(x[0], x[-1]) for x, _ in columns]).T
        self.register_buffer("knots", torch.as_tensor(knots.reshape(-1, 2)))
        self.register_buffer("ends", torch.as_tensor(ends))
        self.register_buffer("first", torch.arange(len(columns)) * room)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.minimum(torch.maximum(x, self.ends[0]), self.ends[1])
        at = torch.zeros_like(x, dtype=torch.int64) + self.first
        for half in range(self.n_halvings - 1, -1, -1):
            middle = at + 2**half
            at = torch.where(x >= self._knot(middle)[0], middle, at)
        (x0, z0), (x1, z1) = self._knot(at), self._knot(at + 1)
        return (z1 - z0) / (x1 - x0) * (x - x0) + z0

    def _knot(self, at: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return nn.functional.embedding(at, self.knots).unbind(-1)


class _Quantile(nn.Module):
    part: torch.Tensor

    def __init__(self, scaler: NormalQuantile) -> None:
        super().__init__()
        self.register_buffer("part", torch.as_tensor(scaler.parts))
        knots = [(x * part, z) for (x, z), part in zip(scaler.knots, scaler.parts, strict=True)]
        self.interpolated = _Interpolated(knots)
        self.tail = scaler.tail

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.interpolated(x * self.part).clamp(-self.tail, self.tail)


class _LinearTails(nn.Module):
    part: torch.Tensor
    low: torch.Tensor
    high: torch.Tensor
    slope_below: torch.Tensor
    slope_above: torch.Tensor

    def __init__(self, scaler: LinearTails) -> None:
        super().__init__()
        self.register_buffer("part", torch.as_tensor(scaler.parts))
        lines = np.array([scaler.lines(column) for column in range(scaler.n_columns)]).T
        for name, line in zip(("low", "high", "slope_below", "slope_above"), lines, strict=True):
            self.register_buffer(name, torch.as_tensor(line.copy()))
        knots = [(x * part, z) for (x, z), part in zip(scaler.knots, scaler.parts, strict=True)]
        self.interpolated = _Interpolated(knots)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x * self.part
        below = (x - self.low).clamp(max=0) * self.slope_below
        above = (x - self.high).clamp(min=0) * self.slope_above
        inside = self.interpolated(torch.minimum(torch.maximum(x, self.low), self.high))
        return (inside + below + above).clamp(-LIMIT, LIMIT)


@scaling.register
def _(scaler: Identity) -> nn.Module:
    return _Finite(nn.Identity(), scaler.largest)


@scaling.register
def _(scaler: Standard) -> nn.Module:
    return _Finite(_Standard(scaler), _LARGEST)


@scaling.register
def _(scaler: NormalQuantile) -> nn.Module:
    return _Finite(_Quantile(scaler), _LARGEST)


@scaling.register
def _(scaler: LinearTails) -> nn.Module:
    return _Finite(_LinearTails(scaler), _LARGEST)
