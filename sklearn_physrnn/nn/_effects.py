"""What features do at the very step that they are of, beside a forecaster of windows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from ._forecast import WindowForecaster

_SHORTEST = 5  # steps whose mean is a level


class Effects(nn.Module):
    """A linear map of some features to each channel, step by step.

    Parameters
    ----------
    columns : sequence of int
        Places of the features.
    n_channels : int

    Attributes
    ----------
    weight : Tensor of shape (n_columns, n_channels)
        It is learned before training, see :func:`effects_of`, and not by it.
    """

    weight: torch.Tensor

    def __init__(self, columns: Sequence[int], n_channels: int) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.register_buffer("weight", torch.zeros(len(self.columns), n_channels))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (batch, time, n_features) to (batch, time, n_channels)."""
        # One column after the other: an index would wait for a GPU.
        chosen = torch.stack([features[..., column] for column in self.columns], dim=-1)
        return chosen @ self.weight


class AdjustedForecaster(WindowForecaster):
    """Forecast windows without what features did in them, and add what they will do.

    A rare event, such as a holiday, is in few windows, and a network would need many to learn
    of it. Nor does one at a window's end shift the level that a forecast starts from.

    Parameters
    ----------
    *args, **options
        Of :class:`WindowForecaster`.
    effects : Effects
    """

    def __init__(self, *args: Any, effects: Effects, **options: Any) -> None:
        super().__init__(*args, **options)
        self.effects = effects

    def forward(
        self,
        x: torch.Tensor,
        *,
        features: torch.Tensor | None = None,
        observed: torch.Tensor | None = None,
    ) -> torch.Tensor:
        self.check(x, features)
        assert features is not None
        effect, n_steps = self.effects(features), x.shape[1]
        adjusted = x - effect[:, :n_steps]
        forecast: torch.Tensor = super().forward(adjusted, features=features, observed=observed)
        return forecast + effect[:, n_steps:].unsqueeze(-1)


def effects_of(
    values: np.ndarray, columns: np.ndarray, observed: np.ndarray, cycle: int
) -> np.ndarray:
    """Learn what columns do at their step, by a ridge regression of deviations.

    Both are taken as deviations from their moving mean over two cycles, and of those from the
    mean at that place of the cycle: level and season are explained by others. The penalty is
    n_columns sigma^2 / |weights|^2 (Hoerl, Kennard and Baldwin 1975), of columns of unit length:
    it hardly touches an effect of many standard errors, and leaves half of one of one.

    Parameters
    ----------
    values : ndarray of shape (n_times, n_channels)
    columns : ndarray of shape (n_times, n_columns)
    observed : ndarray of bool, of the shape of values
    cycle : int
        Steps of a season.

    Returns
    -------
    ndarray of shape (n_columns, n_channels)
        Zero where a column does not vary, or there are too few values.
    """
    weights = np.zeros((columns.shape[1], values.shape[1]))
    for channel, there in enumerate(observed.T):
        both = np.column_stack((np.where(there, values[:, channel], 0.0), columns))
        deviations = _deviations(both, there, cycle)[there]
        y, X = deviations[:, 0], deviations[:, 1:]
        free = len(y) - X.shape[1] - 2 * cycle
        length = np.sqrt((X**2).sum(axis=0))
        told = length > np.sqrt(np.finfo(float).eps * len(y))
        if free < 1 or not told.any():
            continue
        Z = X[:, told] / length[told]
        plain = np.linalg.lstsq(Z, y, rcond=1e-6)[0]
        size = float(plain @ plain)
        if size == 0:
            continue
        noise = float(((y - Z @ plain) ** 2).sum()) / free
        penalty = Z.shape[1] * noise / size * np.eye(Z.shape[1])
        weights[told, channel] = np.linalg.solve(Z.T @ Z + penalty, Z.T @ y) / length[told]
    return weights


def _deviations(columns: np.ndarray, there: np.ndarray, cycle: int) -> np.ndarray:
    """Take moving means, and those of places in the cycle, from columns (n_times, n)."""
    n_times, weight = len(columns), there[:, None].astype(float)
    half = max(cycle, _SHORTEST // 2)
    rows = np.arange(n_times)
    low, high = np.maximum(rows - half, 0), np.minimum(rows + half + 1, n_times)
    sums = np.pad((columns * weight).cumsum(axis=0), ((1, 0), (0, 0)))
    counts = np.pad(weight.cumsum(axis=0), ((1, 0), (0, 0)))
    left = columns - (sums[high] - sums[low]) / np.maximum(counts[high] - counts[low], 1)
    if cycle > 1:
        for place in range(cycle):
            part, known = left[place::cycle], weight[place::cycle]
            left[place::cycle] -= (part * known).sum(axis=0) / max(known.sum(), 1)
    return left
