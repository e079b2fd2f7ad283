"""The linear part of a forecast, in closed form: what a network has to be better than."""

import torch
from torch import nn


class LinearFrame(nn.Module):
    """A linear map from the last steps of a window to the horizon, which no gradient changes.

    A forecast is the window's last value, what `weight` makes of the differences to it, and
    `level` times it: where that is zero, a window that is shifted has its forecast shifted
    alike.

    Parameters
    ----------
    window_length, horizon : int
    n_maps : int
        One for all channels, or one for each.

    Attributes
    ----------
    weight : Tensor of shape (n_maps, horizon, window_length)
    level : Tensor of shape (n_maps, horizon)
    share : Tensor of shape ()
        Of the network in the forecast, from 0 to 1; the rest is the map's.
    """

    weight: torch.Tensor
    level: torch.Tensor
    share: torch.Tensor

    def __init__(self, window_length: int, horizon: int, n_maps: int = 1) -> None:
        super().__init__()
        self.window_length = window_length
        self.register_buffer("weight", torch.zeros(n_maps, horizon, window_length))
        self.register_buffer("level", torch.zeros(n_maps, horizon))
        self.register_buffer("share", torch.ones(()))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map windows (batch, time, channels) to forecasts (batch, horizon, channels)."""
        rows = x[:, -self.window_length :].permute(2, 0, 1)  # (channels, batch, time)
        last = rows[..., -1:]
        weight = self.weight.expand(len(rows), -1, -1)
        changes = torch.bmm(rows - last, weight.transpose(1, 2))
        forecasts = last + changes + self.level.unsqueeze(1) * last
        return forecasts.permute(1, 2, 0)

    def joined(self, network: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        """Move a network's quantiles (batch, horizon, channels, quantiles) to the shared median.

        How far they lie apart is the network's.
        """
        middle = network[..., network.shape[3] // 2]
        moved = (1 - self.share) * (self(x) - middle)
        return network + moved.unsqueeze(-1)
