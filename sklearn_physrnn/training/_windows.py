"""Windows of time series: contexts and the values that follow them, cut batch by batch."""

from dataclasses import dataclass, replace

import torch

from ._data import Batch, Index


@dataclass(frozen=True)
class Windows:
    """Pairs of a context and its horizon, gathered from the series when a batch is taken.

    It stands where :class:`Samples` does, in the memory of the series: neighbouring
    windows share all their values but one.

    Attributes
    ----------
    values : Tensor of shape (n_times, n_channels)
        The series; several, of a panel, one after another.
    starts : LongTensor of shape (n_windows,)
        First step of each context. The ``window_length + horizon`` steps from there on
        must be of one series.
    window_length : int
        Steps of a context.
    horizon : int
        Steps to forecast, those right after the context.
    features : Tensor of shape (n_times, n_features) or None
        What is known of the context's and the horizon's steps alike.
    observed : Tensor of bool, of the shape of values, or None
        Which values are there; None where all are.

    Raises
    ------
    ValueError
        If a length is below 1, a window reaches beyond the values, or the features are
        not as many steps as the values.
    """

    values: torch.Tensor
    starts: torch.Tensor
    window_length: int
    horizon: int
    features: torch.Tensor | None = None
    observed: torch.Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("window_length", "horizon"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}.")
        n_times = len(self.values)
        if self.features is not None and len(self.features) != n_times:
            raise ValueError(
                f"features must have a row for each of the {n_times} steps of values, got "
                f"{len(self.features)}."
            )
        if not len(self.starts):
            return
        first, last = int(self.starts.min()), int(self.starts.max())
        if first < 0 or last + self.length > n_times:
            raise ValueError(
                f"Windows of {self.window_length} + {self.horizon} steps must start between 0 "
                f"and {n_times - self.length}, got starts from {first} to {last}."
            )

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def length(self) -> int:
        """Steps of context and horizon together."""
        return self.window_length + self.horizon

    @property
    def device(self) -> torch.device:
        """Where the series is."""
        return self.values.device

    @property
    def positions(self) -> int:
        """Rows that a module makes of a window, at least: one a channel."""
        return self.values.shape[1]

    @property
    def even(self) -> bool:
        """Whether batches of as many windows are of one shape: they are."""
        return True

    @property
    def nbytes(self) -> int:
        """Memory taken."""
        features = 0 if self.features is None else self.features.nbytes
        observed = 0 if self.observed is None else self.observed.nbytes
        return self.values.nbytes + self.starts.nbytes + features + observed

    def to(self, device: torch.device) -> "Windows":
        """Copy to `device`."""
        if device == self.device:  # else the starts are looked at again
            return self
        return replace(
            self,
            values=self.values.to(device),
            starts=self.starts.to(device),
            features=None if self.features is None else self.features.to(device),
            observed=None if self.observed is None else self.observed.to(device),
        )

    def take(self, index: Index, there: torch.Tensor | None = None) -> Batch:
        """Cut the windows `index`.

        Parameters
        ----------
        index : LongTensor on the CPU, or slice
        there : LongTensor or None
            The same index on the series' device, where that is another.

        Returns
        -------
        inputs : dict of str to Tensor
            "x" of shape (batch, window_length, n_channels) and, where there are
            features, "features" of shape (batch, window_length + horizon, n_features); where
            values are missing, "observed", of the shape of "x".
        targets : tuple
            Values over the horizon, (batch, horizon, n_channels), and no weights. NaN is
            what is missing, and all of a channel that the context has no value of.
        """
        starts = self.starts[index if there is None else there]
        values = self._cut(self.values, starts)
        inputs = {"x": values[:, : self.window_length]}
        if self.features is not None:
            inputs["features"] = self._cut(self.features, starts)
        targets = values[:, self.window_length :]
        if self.observed is not None:
            observed = self._cut(self.observed, starts)
            context, ahead = observed[:, : self.window_length], observed[:, self.window_length :]
            inputs["observed"] = context
            targets = targets.masked_fill(~(ahead & context.any(1, keepdim=True)), torch.nan)
        return inputs, (targets, None)

    def _cut(self, series: torch.Tensor, starts: torch.Tensor) -> torch.Tensor:
        # A view of all windows, (window, column, step), of which the copy is taken.
        return series.unfold(0, self.length, 1)[starts].transpose(1, 2)
