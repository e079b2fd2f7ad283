"""Pretraining on a panel: weights that a later fit to one series keeps."""

import copy
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from .._warnings import warn
from ..preparation.clocks import Clock, clock_of
from ..preparation.times import TIMES_THAT_TELL
from ..storage.state import State
from ..training._random import later_seed
from ..training.parameters import ready_to_train
from ._calendar import resolve_calendar
from ._calibration import calibrated
from ._cautions import warn_of_short_context
from ._checkpointing import open_checkpoint
from ._features import Features, places_of, static_columns
from ._fitting import _WindowTraining
from ._gaps import learned_reach
from ._history import History, read
from ._intervals import FEW, Scores, prior_of
from ._model import WindowModel
from ._panel import raise_together
from ._paths import trajectories
from ._sizes import Sizes, split_in_time

# Of so many series one is kept from training, as a new one would be, and at most so many.
_ONE_IN, _MOST_ASIDE = 10, 50


@dataclass(frozen=True)
class Pretrained:
    """What ``pretrain`` learned and ``fit`` starts from."""

    module: nn.Module
    sizes: Sizes
    features: Features
    n_channels: int
    n_quantiles: int
    record: Any  # of the last training
    names: tuple[Hashable, ...] | None = None  # of y's columns
    reach: int = 0  # steps of a gap, as of a WindowModel
    prior: np.ndarray | None = None  # errors of series that it was not trained on, as of Scores

    @property
    def loss_curve(self) -> list[float]:
        """Mean training loss of each epoch."""
        return self.record.loss_curve

    def to_state(self) -> dict[str, Any]:
        """Give what it is kept as, but for the module and its optimizer."""
        return {
            "n_channels": int(self.n_channels),
            "n_quantiles": int(self.n_quantiles),
            "sizes": self.sizes.to_state(),
            "features": self.features.to_state(),
            "record": self.record.to_state(),
            "names": None if self.names is None else list(self.names),
            "reach": self.reach,
            "prior": self.prior,
        }

    @classmethod
    def from_state(cls, state: State, build: Callable[..., tuple[Any, Any]]) -> "Pretrained":
        """Make it of its state.

        Parameters
        ----------
        state : State
        build : callable
            Gives the module and its optimizer's state, called with sizes, features and the
            number of channels.
        """
        # Where it is needed: skorch takes its time.
        from ..training._engine import TrainingRecord

        n_channels = state.integer("n_channels")
        sizes = state.part("sizes").read(Sizes.from_state)
        features = state.part("features").read(Features.from_state)
        module, optimizer = build(sizes, features, n_channels)
        n_quantiles = state.integer("n_quantiles")
        if n_quantiles != module.core.n_quantiles:
            raise ValueError(f"its module does not forecast {n_quantiles} quantiles.")
        record = state.part("record").read(
            lambda state: TrainingRecord.from_state(state, optimizer)
        )
        reach = state.integer("reach", 0) if "reach" in state else 0
        names = _names(state, n_channels)
        prior = prior_of(state, (sizes.horizon, n_channels))
        return cls(module, sizes, features, n_channels, n_quantiles, record, names, reach, prior)


def _names(state: State, n_channels: int) -> tuple[Hashable, ...] | None:
    if not state.has("names"):  # files of version 0.1
        return None
    names = state.plain("names", list, type(None))
    if names is None:
        return None
    if len(names) != n_channels or not all(isinstance(name, Hashable) for name in names):
        raise ValueError("it must name each channel.")
    return tuple(names)


class _Pretraining(_WindowTraining):
    """sktime's ``pretrain``, as far as it is a forecaster's own."""

    validation_fraction: float
    pretrained_: Pretrained
    _scores: Scores | None
    _n_calibrated: int
    _take: Callable[..., None]

    @ready_to_train()
    def _pretrain(self, y: pd.DataFrame, X: pd.DataFrame | None = None, fh=None):
        self.check_parameters()
        before = getattr(self, "pretrained_", None)
        columns = None if X is None else list(X.columns)
        if before is not None:
            columns = before.features.columns
            self._check_against(before, y.shape[1])
        series = self._series(y, X, columns)
        sizes = self._panel_sizes(list(series.values())) if before is None else before.sizes
        histories, aside = self._set_aside(_long_enough(series, sizes))
        lengths = [len(history) for history in histories]
        fraction = self.validation_fraction if self.early_stopping else 0.0
        training, validation, _ = split_in_time(lengths, sizes, fraction)
        if not len(training):
            raise ValueError(
                f"early_stopping with validation_fraction={self.validation_fraction} leaves no "
                f"window of any series for training; window_length={sizes.window_length} and "
                f"horizon={sizes.horizon} take {sizes.length} time steps before those held out, "
                f"the longest series has {max(lengths)}."
            )

        stages, seed = open_checkpoint(self, histories, columns, self._draw_seed(), before)
        if before is not None:
            features = before.features
        else:
            exogenous = [h.exogenous for h in histories if h.exogenous is not None]
            features = Features(
                np.concatenate(exogenous) if exogenous else None,
                columns,
                resolve_calendar(self.calendar, histories[0].index),
                places_of(self.past_covariates, columns),
                static_columns(histories),
                adjusts=bool(self.linear),
            )
        # Each series in units of its own, as fit will have its one.
        values = [self._units(h.values, sizes).transform(h.values) for h in histories]
        tables = [table for h in histories if (table := features.of_history(h)) is not None]
        panel = np.concatenate(values), np.concatenate(tables) if tables else None
        windows = self._training_windows(*panel, training, sizes)
        if before is None:
            module = self._new_module(sizes, features, y.shape[1], seed, windows)
        else:
            module = copy.deepcopy(before.module)
            seed = later_seed(seed, len(before.loss_curve))
        record = self._train(
            module,
            windows,
            self._windows(*panel, validation, sizes) if len(validation) else None,
            seed,
            optimizer_state=None if before is None else before.record.optimizer_state,
            kernels=None if before is None else before.record.kernels,
            checkpoint=stages["pretraining"],
            deadline=self._deadline(),
        )
        if not record.interrupted:
            stages.remove()
        if before is not None:
            record = replace(record, loss_curve=before.loss_curve + record.loss_curve)
        gaps = np.concatenate(
            [np.pad(h.values, ((0, 1), (0, 0)), constant_values=0.0) for h in histories]
        )
        reach = learned_reach(gaps, sizes.window_length) if sizes.told else 0
        self.pretrained_ = Pretrained(
            module=module,
            sizes=sizes,
            features=features,
            n_channels=y.shape[1],
            n_quantiles=self._n_quantiles(),
            record=record,
            names=tuple(y.columns),
            reach=reach,
            prior=self._errors_of(module, sizes, features, reach, aside),
        )
        return self

    def _set_aside(self, histories: list[History]) -> tuple[list[History], list[History]]:
        """Keep some of many series from training, to see how wrong forecasts of new ones are."""
        n = min(len(histories) // _ONE_IN, _MOST_ASIDE) if self.interval is not None else 0
        if not n:
            return histories, []
        places = set(np.linspace(0, len(histories) - 1, n + 2)[1:-1].astype(int).tolist())
        return (
            [one for place, one in enumerate(histories) if place not in places],
            [histories[place] for place in sorted(places)],
        )

    def _fit_pretrained(self, history: History, pretrained: Pretrained, clock: Clock) -> None:
        """Keep the weights; take scale, context and calibration from the series."""
        sizes = pretrained.sizes
        self._keep(copy.deepcopy(pretrained.module), pretrained.record, resume=False)
        scaler = self._units(history.values, sizes)
        features = pretrained.features.following(history.exogenous)
        model = WindowModel(
            self.module_, sizes, scaler, features, clock, self.device,
            kernels=self.kernels_, reach=pretrained.reach,
        )  # fmt: skip
        if self.interval is not None:
            warn_of_short_context(len(history), sizes.window_length)
        history = model.with_context(history, sizes.window_length)
        model = model.measuring(history)
        self._take(model, history, sizes.window_length, model)
        self._n_calibrated = len(history) - sizes.window_length
        if self._scores is not None and pretrained.prior is not None:
            self._scores = replace(self._scores, prior=pretrained.prior)
            self._n_calibrated += len(pretrained.prior)

    def _errors_of(
        self, module: Any, sizes: Sizes, features: Features, reach: int, histories: list[History]
    ) -> np.ndarray | None:
        """Give errors of forecasts, (n, horizon, n_channels), of each series as many."""
        made = []
        for history in histories:
            model = WindowModel(
                module, sizes, self._units(history.values, sizes),
                features.following(history.exogenous), clock_of(history.index), self.device,
                reach=reach,
            ).measuring(history)  # fmt: skip
            scores = calibrated(model, history, sizes.window_length, len(history))
            errors = trajectories(scores.errors)
            some = np.linspace(0, len(errors) - 1, min(len(errors), -(-FEW // len(histories))))
            made.append(errors[some.astype(int)])
        if not made:
            return None
        # In turns, so that the first of them are of many series.
        order = np.argsort(np.concatenate([np.arange(len(part)) for part in made]), kind="stable")
        return np.concatenate(made)[order]

    def _series(
        self, y: pd.DataFrame, X: pd.DataFrame | None, columns: list | None
    ) -> dict[Hashable, History]:
        """Take the series of a panel or hierarchy apart.

        Raises
        ------
        ValueError
            With the names of all series that something is wrong with. One of which no frequency
            can be told, as it is too short, is just that.
        """
        levels = list(range(y.index.nlevels - 1))
        histories: dict[Hashable, History] = {}
        errors: dict[Hashable, Exception] = {}
        groups = y.groupby(level=levels if levels[1:] else 0, sort=False)
        for key, part in groups:
            try:
                series, known = part.droplevel(levels), _rows(X, key, levels)
                if len(series) >= TIMES_THAT_TELL:
                    histories[key], _ = self._history_of(series, known, columns)
                else:
                    histories[key] = read(series, known, columns)
            except ValueError as error:
                errors[key] = error
        raise_together(errors, len(groups))
        return histories

    def _panel_sizes(self, histories: list[History]) -> Sizes:
        typical = int(np.median([len(history) for history in histories]))
        longest = max(histories, key=len)
        sizes = self._choose_sizes(typical, longest.index)
        told = any(bool(np.isnan(history.values).any()) for history in histories)
        return replace(sizes, told=told)

    def _check_against(self, pretrained: Pretrained, n_channels: int) -> None:
        """Raise a ValueError where data or parameters do not fit the pretrained weights."""
        if n_channels != pretrained.n_channels:
            raise ValueError(
                f"y must have {pretrained.n_channels} columns, as in pretrain, got {n_channels}."
            )
        for name in ("window_length", "horizon"):
            known, wanted = getattr(pretrained.sizes, name), getattr(self, name)
            if wanted not in ("auto", known):
                raise ValueError(
                    f"{name}={wanted}, but the forecaster was pretrained with {known}."
                )
        features = pretrained.features
        if places_of(self.past_covariates, features.columns) != features.past:
            known = [features.columns[place] for place in features.past if features.columns]
            raise ValueError(
                f"past_covariates={self.past_covariates}, but the forecaster was pretrained "
                f"with {known}."
            )
        if pretrained.n_quantiles != self._n_quantiles():
            raise ValueError(
                f"interval={self.interval!r} takes {self._n_quantiles()} outputs a step, but the "
                f"forecaster was pretrained with {pretrained.n_quantiles}."
            )


def _rows(X: pd.DataFrame | None, key: Any, levels: list[int]) -> pd.DataFrame | None:
    if X is None:
        return None
    try:
        return X.xs(key if isinstance(key, tuple) else (key,), level=levels)
    except KeyError:
        raise ValueError("X has no rows of this series.") from None


def _long_enough(histories: dict[Hashable, History], sizes: Sizes) -> list[History]:
    """Leave out, with a warning, the series that no window fits in."""
    kept = {key: history for key, history in histories.items() if len(history) >= sizes.length}
    needed = (
        f"window_length={sizes.window_length} and horizon={sizes.horizon} need at least "
        f"{sizes.length} time steps"
    )
    if not kept:
        raise ValueError(
            f"No series of y is long enough: {needed}, the longest has "
            f"{max(len(history) for history in histories.values())}."
        )
    short = [key for key in histories if key not in kept]
    if short:
        warn(
            f"{len(short)} of {len(histories)} series of y are too short and not learned from, "
            f"as {needed}: {', '.join(map(repr, short))}."
        )
    return list(kept.values())
