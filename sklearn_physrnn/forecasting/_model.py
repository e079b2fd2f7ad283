"""A trained module with all that turns series into its inputs and its outputs into series."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..kernels._ways import checked
from ..preparation.clocks import Clock
from ..preparation.times import following, preceding
from ..storage.state import Json, State
from ._features import Features
from ._gaps import cut, rolled_over_gaps, since_seen
from ._history import History
from ._horizon import blocks, roll_out
from ._running import run
from ._sizes import Sizes
from ._spreads import Spreads
from ._tables import exogenous_ahead, table_of
from ._units import Units


@dataclass(frozen=True)
class WindowModel:
    """Forecasts of windows, in units of the series' standard deviation.

    Attributes
    ----------
    module : WindowForecaster
        Maps contexts (batch, window_length, n_channels), and features, to
        (batch, horizon, n_channels, n_quantiles).
    sizes : Sizes
    scaler : Units
        Of the series' channels.
    features : Features
    clock : Clock
        Of the series' steps.
    device : str
        Where to compute, if it is there.
    spreads : Spreads
        Of the series' windows; see `measuring`.
    kernels : dict or None
        Ways to run kernels in.
    reach : int
        Steps without a value at a window's end that the network has learned to bear. Behind
        a longer gap it forecasts from the window before the gap, across it.
    """

    module: Any
    sizes: Sizes
    scaler: Units
    features: Features
    clock: Clock
    device: str
    spreads: Spreads | None = None
    kernels: dict[str, list[Any]] | None = None
    reach: int = 0

    @property
    def step(self) -> Any:
        """Offset or number between two steps."""
        return self.clock.step

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as, but for the module."""
        return {
            "n_channels": self.n_channels,
            "sizes": self.sizes.to_state(),
            "features": self.features.to_state(),
            "scaler": self.scaler.to_state(),
            "spreads": self._spreads.to_state(),
            **self.clock.to_state(),
            "reach": self.reach,
            "kernels": Json(checked(self.kernels or {})),
        }

    @classmethod
    def from_state(cls, state: State, build: Callable[..., Any], device: str) -> "WindowModel":
        """Make a model of its state.

        Parameters
        ----------
        state : State
        build : callable
            Gives the module, called with sizes, features and the number of channels.
        device : str
        """
        n_channels = state.integer("n_channels")
        sizes = state.part("sizes").read(Sizes.from_state)
        features = state.part("features").read(Features.from_state)
        module = build(sizes, features, n_channels)
        return cls(
            module,
            sizes,
            state.part("scaler").read(lambda state: Units.from_state(state, n_channels)),
            features,
            Clock.from_state(state),
            device,
            state.part("spreads").read(lambda state: Spreads.from_state(state, n_channels)),
            # Which are younger than the first files.
            checked(state.take("kernels", dict)) if "kernels" in state else {},
            state.integer("reach", 0) if "reach" in state else 0,
        )

    @property
    def n_quantiles(self) -> int:
        """Quantiles of each forecast; 1 for a point."""
        return int(self.module.core.n_quantiles)

    @property
    def n_channels(self) -> int:
        """Channels of the series."""
        return len(self.scaler.center)

    def of_windows(self, history: History) -> np.ndarray:
        """Forecast all windows of a history whose horizon lies in it, in its own units.

        Returns
        -------
        ndarray of shape (n_windows, horizon, n_channels)
        """
        values = self.scaler.transform(history.values)[: -self.sizes.horizon]
        outputs = self._from_windows(values, self._table_around(history))
        return self.scaler.inverse(_middle(outputs))

    def of_some_windows(self, history: History, starts: np.ndarray) -> np.ndarray:
        """Forecast the windows of a history that begin at `starts`, in the module's units.

        Returns
        -------
        ndarray of shape (n_windows, horizon, n_channels)
        """
        table = self.features.of_history(history)
        return _middle(run(self, self._contexts(history)[starts], table, starts=starts))

    def from_every_time(
        self, history: History, final: "WindowModel | None" = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Forecast from each time of a history that has a context, and is not behind a gap.

        Exogenous columns end with the history; after it, the last row stands in. Forecasts
        behind a gap are NaN: they are of steps further ahead than they would count for.

        Parameters
        ----------
        history : History
        final : WindowModel, default=self
            In whose units to give them.

        Returns
        -------
        forecasts : ndarray of shape (n, horizon, n_channels, n_quantiles)
        spreads : ndarray of shape (n, n_channels)
            Of the contexts.
        """
        final = self if final is None else final
        contexts = self._contexts(history)
        outputs = run(self, contexts, self._table_around(history))
        outputs = np.where(self._behind_gap(contexts)[:, None, :, None], np.nan, outputs)
        if final.scaler is not self.scaler:
            by_channel = self.scaler.inverse(np.moveaxis(outputs, 2, 3))
            outputs = np.moveaxis(final.scaler.transform(by_channel), 3, 2)
        return outputs, final._spreads.of_errors(final._seen(final._contexts(history)))

    def errors_ahead(self, history: History, n_more: int) -> list[np.ndarray]:
        """Compare forecasts made at once with those rolled out over `n_more` horizons.

        Returns
        -------
        list of ndarray of shape (n, horizon, n_channels)
            Errors of forecasts rolled out over no horizon, over one more and so on, all of
            the same targets, in units of the spread of the same windows; NaN behind a gap.
        """
        horizon, window_length = self.sizes.horizon, self.sizes.window_length
        contexts, table = self._contexts(history), self.features.of_history(history)
        behind_gap = self._behind_gap(contexts)
        targets = cut(self.scaler.transform(history.values)[window_length:], horizon)
        n_origins = len(targets) - n_more * horizon
        units = self._spreads.of_errors(self._seen(contexts[:n_origins]))[:, None]
        errors = []
        for rolled_out in range(n_more + 1):
            # The last of these horizons ends with the targets.
            start = (n_more - rolled_out) * horizon
            context = contexts[start : start + n_origins]
            present = start + window_length - 1
            for block in range(rolled_out + 1):
                part = None if table is None else table[start + block * horizon :]
                last = None if table is None else table[present : present + n_origins]
                forecast = _middle(run(self, context, part, block * horizon, last))
                context = np.concatenate((context, forecast), axis=1)[:, -window_length:]
            error = (targets[n_more * horizon :] - forecast) / units
            hidden = behind_gap[start : start + n_origins, None]
            errors.append(np.where(hidden, np.nan, error))
        return errors

    def spread_of(self, history: History, gap: int = 0) -> np.ndarray:
        """Give the spread of a history's last context before a gap, (n_channels,)."""
        return self._spreads.ahead(self._seen(self._context_before(history, gap)[None]))[0]

    def following(self, history: History, *, robust: bool) -> "WindowModel":
        """Give the model in whose units channels lie that have come to life."""
        n_steps = self.sizes.network_length
        scaler = self.scaler.following(history.values, robust=robust, n_steps=n_steps)
        features = self.features.following(history.exogenous)
        model = replace(self, scaler=scaler, features=features)
        awake = scaler.scale != self.scaler.scale
        if not awake.any():
            return model
        new = model.measuring(history)._spreads
        return replace(model, spreads=self._spreads.replaced(awake, new))

    def measuring(self, history: History) -> "WindowModel":
        """Give the model that takes the windows of a history for typical ones."""
        return replace(self, spreads=Spreads.of(self._seen(self._contexts(history))))

    @property
    def typical(self) -> np.ndarray:
        """Deviation of a typical window, (n_channels,)."""
        return self._spreads.typical

    def with_power(self, power: np.ndarray) -> "WindowModel":
        """Give the model in which errors go by this power of a window's deviation."""
        return replace(self, spreads=replace(self._spreads, power=power))

    @property
    def _spreads(self) -> Spreads:
        assert self.spreads is not None
        return self.spreads

    def _contexts(self, history: History) -> np.ndarray:
        """Cut all windows of a history, in the module's units."""
        return cut(self.scaler.transform(history.values), self.sizes.window_length)

    def effects(self, history: History) -> np.ndarray | float:
        """Give what exogenous columns did at each time, (n_times, n_channels), or nothing."""
        if not self.features.adjusts:
            return 0.0
        table = self.features.of_history(history)
        effects = self.module.effects
        found: np.ndarray = effects(torch.as_tensor(table, dtype=effects.weight.dtype)).numpy()
        return found

    def _seen(self, contexts: np.ndarray) -> np.ndarray:
        """Give what the network sees of contexts, in whose units errors are counted."""
        return contexts[..., -self.sizes.network_length :, :]

    def _behind_gap(self, contexts: np.ndarray) -> np.ndarray:
        """Tell of which channels contexts, (n, window_length, n_channels), end in a long gap."""
        return np.isnan(contexts[:, -1 - self.reach :]).all(axis=1)

    def gaps_at_end(self, history: History) -> np.ndarray:
        """Give over how many steps each channel's forecast starts before the end, (n_channels,).

        Zero where the last value is there, or missing for no longer than the network can
        bear; up to the last value else.
        """
        gaps = since_seen(history.values)[-1]
        return np.where((gaps > self.reach) & (gaps < len(history)), gaps, 0)

    def _context_before(self, history: History, gap: int) -> np.ndarray:
        """Give the last context that ends so many steps before the end, in the module's units."""
        n_steps = self.sizes.window_length
        end = len(history) - gap
        values = self.scaler.transform(history.values[max(0, end - n_steps) : end])
        return np.pad(values, ((n_steps - len(values), 0), (0, 0)), constant_values=np.nan)

    def ahead(
        self, history: History, X: pd.DataFrame | None, n_steps: int, gap: int = 0
    ) -> np.ndarray:
        """Forecast the last `gap` steps of a history, and the `n_steps` after it.

        Parameters
        ----------
        history : History
            At least `window_length` times.
        X : DataFrame or None
            Exogenous columns over the steps ahead.
        n_steps : int
        gap : int
            Steps at the end that are taken to be unknown.

        Returns
        -------
        ndarray of shape (gap + n_steps, n_channels, n_quantiles)

        Raises
        ------
        ValueError
            If X does not cover the steps.
        """
        horizon, window_length = self.sizes.horizon, self.sizes.window_length
        known = history[-(window_length + gap) :]
        known = self.with_context(known, window_length + gap)
        beyond = blocks(gap + n_steps, horizon) * horizon - gap
        ahead = following(known.index[-1], beyond, self.step)
        exogenous = exogenous_ahead(self.features, ahead, X, n_steps, known)
        table = table_of(self.features, known, ahead, exogenous)
        return roll_out(
            lambda x, features: run(self, x[None], features)[0],
            self.scaler.transform(known.values[:window_length]),
            self.features.of_present(table, window_length),
            gap + n_steps,
            horizon,
        )

    def one_step_ahead(self, history: History, steps: np.ndarray) -> np.ndarray:
        """Forecast known times of a history, each from the window that ends before it.

        Parameters
        ----------
        history : History
        steps : ndarray of int
            From its last time to those that are forecast, zero or negative.

        Returns
        -------
        ndarray of shape (n_steps, n_channels, n_quantiles)
            Where less than a window comes before, the mean of the first window stands for the
            rest of it.
        """
        n_steps = self.sizes.window_length
        rows = len(history) - 1 + steps
        first, last = int(rows.min()), int(rows.max())
        start = first - n_steps
        if start >= 0:  # behind a gap, there is to be a window before it
            start = max(0, start - int(since_seen(history.values)[first - 1].max()))
        stretch = history[max(0, start) : last + self.sizes.horizon]
        if start < 0:
            level = _mean_there(history.values[:n_steps], history.values)
            stretch = self._before(history, -start, level).then(stretch)
        missing = last - start + self.sizes.horizon - len(stretch)
        ahead = following(stretch.index[-1], missing, self.step)
        values = self.scaler.transform(stretch.values[: last - start])
        outputs = self._from_windows(values, table_of(self.features, stretch, ahead))
        return outputs[rows - start - n_steps, 0]

    def with_context(self, history: History, n_times: int) -> History:
        """Put missing times before a history that has fewer than `n_times`."""
        missing = n_times - len(history)
        if missing <= 0:
            return history
        return self._before(history, missing, np.full(self.n_channels, np.nan)).then(history)

    def _before(self, history: History, n_times: int, level: np.ndarray) -> History:
        """Make up what came before a history: a level of each channel, and its first X."""
        first = None if history.exogenous is None else history.exogenous[:1]
        return History(
            np.repeat(level[None], n_times, axis=0),
            preceding(history.index[0], n_times, self.step),
            None if first is None else np.repeat(first, n_times, axis=0),
        )

    def _table_around(self, history: History) -> np.ndarray | None:
        """Give the features of a history and of a horizon after it."""
        ahead = following(history.index[-1], self.sizes.horizon, self.step)
        return table_of(self.features, history, ahead)

    def _from_windows(self, values: np.ndarray, table: np.ndarray | None) -> np.ndarray:
        """Forecast from all windows of standardised values, across the gaps that some end in.

        The table goes on for a horizon at least.
        """
        window_length, horizon = self.sizes.window_length, self.sizes.horizon

        def roll(row: int, n_steps: int) -> np.ndarray:
            start = row + 1 - window_length
            context = values[max(0, start) : row + 1]
            context = np.pad(context, ((max(0, -start), 0), (0, 0)), constant_values=np.nan)
            part = None
            if table is not None:
                needed = np.arange(start, row + 1 + blocks(n_steps, horizon) * horizon)
                part = table[np.clip(needed, 0, len(table) - 1)]
                part = self.features.of_present(part, window_length)
            return roll_out(
                lambda x, features: run(self, x[None], features)[0],
                context, part, n_steps, horizon,
            )  # fmt: skip

        outputs = run(self, cut(values, window_length), table)
        return rolled_over_gaps(outputs, values, self.reach, roll)


def _mean_there(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give the mean of what is there of each channel; where nothing is, the first of `others`."""
    if not np.isnan(values).any():
        return values.mean(axis=0)
    level = np.empty(values.shape[1])
    for channel, (column, other) in enumerate(zip(values.T, others.T, strict=True)):
        there = column[~np.isnan(column)]
        level[channel] = there.mean() if len(there) else other[~np.isnan(other)][0]
    return level


def _middle(outputs: np.ndarray) -> np.ndarray:
    return outputs[..., outputs.shape[3] // 2]
