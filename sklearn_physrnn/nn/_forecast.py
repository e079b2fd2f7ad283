"""Forecasters of windows: per-window normalisation around a core of any model family."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from ._dropout import Dropout
from ._frame import LinearFrame
from ._gaps import bridged, held, learn_between, told
from ._segments import ForecastCore

NORMALIZATIONS = ("last", "standard", "last_standard", None)

# Of the typical deviation of a window: what varies less is taken to stand still.
_STILL = 0.1


class WindowForecaster(nn.Module):
    """Forecast the steps after a window, in the window's own units.

    Each window and channel is shifted and scaled by what it shows itself, which is
    undone behind `core`: a window that is shifted, and except for "last" one that is
    scaled, has its forecast shifted and scaled alike. A window that stands still tells
    no scale: the nearer its deviation is to zero, the more the typical one of training
    takes its place, so that features and what was learned keep their effect.

    Of a window with missing values, what it shows is its values that are there: shift and
    scale are theirs. Network and linear map see straight lines over the gaps, or the last value
    in them; a core that is `told` knows where they are.

    Parameters
    ----------
    core : ForecastCore
        Maps normalised windows (batch, window_length, n_channels), and features if
        there are any, to (batch, horizon, n_channels, n_quantiles).
    normalization : {"last", "standard", "last_standard", None}
        "last" subtracts the window's last value; "standard" its mean and divides by its
        standard deviation; "last_standard" subtracts the last value and divides by the
        standard deviation. None leaves windows as they are.
    linear : LinearMap or None
        Maps normalised windows to what is added to the core's output.
    looks_ahead : bool
        In the gaps of a window straight lines stand, from value to value; else the last value.
    hidden : sequence of int
        Features that are not known over the horizon: there they are zero.
    frame : LinearFrame or None
        What shares the forecast with the network, and may see more of the past: windows are
        then as long as the longer of the two asks for.

    Attributes
    ----------
    typical : Tensor of shape (n_channels,)
        Mean standard deviation of a window of each channel; 1 before `learn_typical`.
    between : Tensor of shape (n_channels, n_channels) or None
        What the values of other channels say of a missing one, where the core is `told`; 0
        before `learn_typical`.
    """

    typical: torch.Tensor
    between: torch.Tensor | None
    frame: LinearFrame | None
    hidden: tuple[int, ...] = ()  # of what was pickled before there were any

    def __init__(
        self,
        core: ForecastCore,
        *,
        normalization: str | None = "last",
        linear: "LinearMap | None" = None,
        looks_ahead: bool = True,
        hidden: Sequence[int] = (),
        frame: LinearFrame | None = None,
    ) -> None:
        super().__init__()
        if normalization not in NORMALIZATIONS:
            raise ValueError(
                f"normalization must be one of {NORMALIZATIONS}, got {normalization!r}."
            )
        self.core = core
        self.normalization = normalization
        self.linear = linear
        self.looks_ahead = looks_ahead
        self.hidden = tuple(hidden)
        self.register_module("frame", frame)  # whose place is kept while there is none
        self.register_buffer("typical", torch.ones(core.n_channels))
        between = torch.zeros(core.n_channels, core.n_channels)
        self.register_buffer("between", between if core.told and core.n_channels > 1 else None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "frame" not in self._modules:  # pickled before there was one
            self.register_module("frame", None)

    @torch.no_grad()
    def learn_typical(self, x: torch.Tensor, observed: torch.Tensor | None = None) -> None:
        """Take the typical deviation from training windows (batch, window_length, n_channels).

        It stays 1, the unit of standardised values, where none of them varies.
        """
        if observed is None:
            deviation = x.std(1, correction=0).mean(0)
        else:
            tells = observed.sum(1) > 1
            deviations = torch.where(tells, _statistics(x, observed)[1].squeeze(1), 0)
            deviation = deviations.sum(0) / tells.sum(0).clamp_min(1)
        self.typical.copy_(torch.where(deviation > 0, deviation, 1))
        if self.between is not None and observed is not None:
            self.between.copy_(learn_between(x, observed))

    def forward(
        self,
        x: torch.Tensor,
        *,
        features: torch.Tensor | None = None,
        observed: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Map windows to forecasts.

        Parameters
        ----------
        x : Tensor of shape (batch, window_length, n_channels)
            Contexts; with a `frame` as long as the longer of the two looks back.
        features : Tensor of shape (batch, window_length + horizon, n_features), optional
            What is known of the context's and the horizon's steps alike.
        observed : Tensor of bool, of the shape of x, optional
            Which values are there; the others have no effect.

        Returns
        -------
        Tensor of shape (batch, horizon, n_channels, n_quantiles)

        Raises
        ------
        ValueError
            If `x` or `features` is not of these sizes.
        """
        self.check(x, features)
        if self.frame is None:
            return self._by_network(x, features, observed)
        n_steps = self.core.window_length
        network = self._by_network(
            x[:, -n_steps:],
            None if features is None else features[:, -n_steps - self.core.horizon :],
            None if observed is None else observed[:, -n_steps:],
        )
        if observed is not None:
            x = self._filled(x, observed)
        return self.frame.joined(network, x)

    def check(self, x: torch.Tensor, features: torch.Tensor | None) -> None:
        """Raise ValueError where a batch is not of the sizes that it takes."""
        if self.frame is not None:  # which may see more than the network
            n_steps = self.core.window_length
            if x.ndim == 3 and x.shape[1] == max(n_steps, self.frame.window_length):
                x = x[:, -n_steps:]
                if features is not None:
                    features = features[:, -n_steps - self.core.horizon :]
        self.core.check(x, features)

    def _by_network(
        self,
        x: torch.Tensor,
        features: torch.Tensor | None,
        observed: torch.Tensor | None,
    ) -> torch.Tensor:
        features = self._of_past(features)
        if observed is not None:
            x = self._filled(x, observed)
        z, shift, scale = self._normalize(x, observed)
        gaps = None
        if self.core.told:
            there = torch.ones_like(x, dtype=torch.bool) if observed is None else observed
            gaps = told(there, x.dtype)
        forecast = self.core(z, features, gaps)
        if self.linear is not None:
            forecast = forecast + self.linear(z)
        return forecast * scale.unsqueeze(-1) + shift.unsqueeze(-1)

    def _of_past(self, features: torch.Tensor | None) -> torch.Tensor | None:
        if features is None or not self.hidden:
            return features
        features = features.clone()
        for column in self.hidden:
            features[:, self.core.window_length :, column].zero_()
        return features

    def _filled(self, x: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        if not self.looks_ahead:
            return held(x, observed)
        return bridged(x, observed, self.between)

    def _normalize(
        self, x: torch.Tensor, observed: torch.Tensor | None
    ) -> tuple[torch.Tensor, ...]:
        """Give the normalised windows, their shift and their scale."""
        if self.normalization is None:
            one = torch.ones_like(x[:, :1])
            return x, torch.zeros_like(one), one
        shift = x[:, -1:]  # what comes after the last value of a window is that value
        if self.normalization == "last":
            return x - shift, shift, torch.ones_like(shift)
        if observed is None:
            mean, deviation = x.mean(1, keepdim=True), x.std(1, keepdim=True, correction=0)
        else:
            mean, deviation = _statistics(x, observed)
        if self.normalization == "standard":
            shift = mean
        # At least what rounding leaves of a deviation, so that nothing overflows.
        floor = torch.finfo(x.dtype).eps * x.abs().amax(1, keepdim=True)
        scale = scale_of(deviation.maximum(floor), self.typical)
        return (x - shift) / scale, shift, scale


def _statistics(x: torch.Tensor, observed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Give mean and standard deviation of what was observed, (batch, 1, channels)."""
    n = observed.sum(1, keepdim=True).clamp_min(1)
    mean = torch.where(observed, x, 0).sum(1, keepdim=True) / n
    squares = torch.where(observed, x - mean, 0).square().sum(1, keepdim=True)
    return mean, (squares / n).sqrt()


def scale_of(deviation: torch.Tensor, typical: torch.Tensor) -> torch.Tensor:
    """Give the scale of windows: their deviation, unless they all but stand still.

    From a tenth of the typical deviation downwards the two are mixed, geometrically, in
    favour of the typical one, which a window without any deviation has.

    Parameters
    ----------
    deviation, typical : Tensor
        Not negative, and positive.
    """
    share = deviation / (_STILL * typical)
    least = torch.finfo(deviation.dtype).tiny
    mixed = typical * (deviation.clamp_min(least) / typical).pow(share.clamp_max(1))
    return torch.where(share < 1, mixed, deviation)


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
