"""Forecasters of windows: per-window normalisation around a core of each model family."""

from typing import Any

import torch
from torch import nn

from ._check import check_at_least_one
from ._dropout import Dropout
from ._segments import DynPMNNCore, ForecastCore, OscillatorCore, SegmentCore
from .petnn import PETNN

FAMILIES = ("petnn", "hssm", "dynpmnn")
NORMALIZATIONS = ("last", "standard", "last_standard", None)


class WindowForecaster(nn.Module):
    """Forecast the steps after a window, in the window's own units.

    Each window and channel is shifted and scaled by what it shows itself, which is
    undone behind `core`: a window that is shifted, and except for "last" one that is
    scaled, has its forecast shifted and scaled alike. A channel that is constant over
    the window is forecast to stay so, whatever the features.

    Parameters
    ----------
    core : ForecastCore
        Maps normalised windows (batch, window_length, n_channels), and features if
        there are any, to (batch, horizon, n_channels, n_quantiles).
    normalization : {"last", "standard", "last_standard", None}
        "last" subtracts the window's last value; "standard" its mean and divides by its
        standard deviation; "last_standard" subtracts the last value and divides by the
        standard deviation. None leaves windows as they are, and constant channels too.
    linear : LinearMap or None
        Maps normalised windows to what is added to the core's output.
    """

    def __init__(
        self,
        core: ForecastCore,
        *,
        normalization: str | None = "last",
        linear: "LinearMap | None" = None,
    ) -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {NORMALIZATIONS}, got {normalization!r}."
            )
        self.core = core
        self.normalization = normalization
        self.linear = linear

    def forward(self, x: torch.Tensor, *, features: torch.Tensor | None = None) -> torch.Tensor:
        """Map windows to forecasts.

        Parameters
        ----------
        x : Tensor of shape (batch, window_length, n_channels)
            Contexts.
        features : Tensor of shape (batch, window_length + horizon, n_features), optional
            What is known of the context's and the horizon's steps alike.

        Returns
        -------
        Tensor of shape (batch, horizon, n_channels, n_quantiles)

        Raises
        ------
        ValueError
            If `x` or `features` is not of these sizes.
        """
        self.core.check(x, features)
        z, shift, scale, varies = self._normalize(x)
        forecast = self.core(z, features)
        if self.linear is not None:
            forecast = forecast + self.linear(z)
        return forecast * (scale * varies).unsqueeze(-1) + shift.unsqueeze(-1)

    def _normalize(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Give the normalised windows, their shift and scale, and which channels vary."""
        if self.normalization is None:
            one = torch.ones_like(x[:, :1])
            return x, torch.zeros_like(one), one, one
        shift = x.mean(1, keepdim=True) if self.normalization == "standard" else x[:, -1:]
        varies = (x != x[:, :1]).any(1, keepdim=True)
        scale = torch.ones_like(shift)
        if self.normalization != "last":
            # At least what rounding leaves of a deviation, so that nothing overflows.
            floor = torch.finfo(x.dtype).eps * x.abs().amax(1, keepdim=True)
            deviation = x.std(1, keepdim=True, correction=0).maximum(floor)
            scale = torch.where(varies, deviation, 1)
        return (x - shift) / scale, shift, scale, varies


class LinearMap(nn.Module):
    """A linear map from a window's steps to the horizon's, shared by all channels.

    Parameters
    ----------
    window_length, horizon, n_quantiles : int
    dropout : float
        Of the window's values. Neighbouring values say almost the same, and the map
        learns not to rely on the difference of two.
    """

    def __init__(
        self, window_length: int, horizon: int, n_quantiles: int = 1, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.horizon = horizon
        self.dropout = Dropout(dropout)
        self.weight = nn.Parameter(torch.zeros(horizon * n_quantiles, window_length))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Map z (batch, time, channels) to (batch, horizon, channels, quantiles)."""
        mapped = nn.functional.linear(self.dropout(z).transpose(1, 2), self.weight)
        return mapped.unflatten(2, (self.horizon, -1)).transpose(1, 2)


def make_forecaster(
    family: str,
    *,
    n_channels: int,
    window_length: int,
    horizon: int,
    hidden_size: int,
    n_features: int = 0,
    n_quantiles: int = 1,
    num_layers: int = 1,
    segment_length: int = 24,
    normalization: str | None = "last",
    linear: bool = True,
    dropout: float = 0.0,
    **switches: Any,
) -> WindowForecaster:
    """Build the forecaster of a model family.

    Parameters
    ----------
    family : {"petnn", "hssm", "dynpmnn"}
    n_channels, window_length, horizon, n_features, n_quantiles : int
        Sizes of the data.
    hidden_size : int
        Width of the recurrence, or neurons of an ODE layer.
    num_layers : int
        Layers, or blocks.
    segment_length : int
        Steps that are one step of the recurrence; not for "dynpmnn".
    normalization : {"last", "standard", "last_standard", None}
        See :class:`WindowForecaster`.
    linear : bool
        Add a linear map of the normalised window.
    dropout : float
        Before the output, between layers or blocks, and of the linear map's input.
    **switches
        Of the family: of :class:`PETNN`; `state_size` and the options of
        :class:`HSSM`'s blocks; of :class:`DynPMNN`.

    Raises
    ------
    ValueError
        For an unknown family or normalization, or a size that is too small.
    """
    sizes: dict[str, Any] = {
        "n_channels": n_channels,
        "window_length": window_length,
        "horizon": horizon,
        "n_features": n_features,
        "n_quantiles": n_quantiles,
        "dropout": dropout,
    }
    check_at_least_one(hidden_size=hidden_size, num_layers=num_layers)
    core: ForecastCore
    if family == "petnn":
        if num_layers > 1:
            switches["dropout"] = dropout
        recurrent = PETNN(hidden_size, hidden_size, num_layers, **switches)
        core = SegmentCore(recurrent, hidden_size, segment_length=segment_length, **sizes)
    elif family == "hssm":
        core = OscillatorCore(
            hidden_size=hidden_size,
            num_blocks=num_layers,
            segment_length=segment_length,
            **switches,
            **sizes,
        )
    elif family == "dynpmnn":
        core = DynPMNNCore(hidden_size=hidden_size, num_layers=num_layers, **switches, **sizes)
    else:
        raise ValueError(f"family must be one of {FAMILIES}, got {family!r}.")
    return WindowForecaster(
        core,
        normalization=normalization,
        linear=LinearMap(window_length, horizon, n_quantiles, dropout) if linear else None,
    )
