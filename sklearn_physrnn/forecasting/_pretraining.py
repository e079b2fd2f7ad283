"""Pretraining on a panel: weights that a later fit to one series keeps."""

import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from ..estimators._training import ready_to_train
from ..training._random import later_seed
from ._calendar import resolve_calendar
from ._features import Features
from ._fitting import _WindowTraining
from ._history import History, read, step_of
from ._sizes import Sizes, split_in_time


@dataclass(frozen=True)
class Pretrained:
    """What ``pretrain`` learned and ``fit`` starts from."""

    module: nn.Module
    sizes: Sizes
    features: Features
    n_channels: int
    n_quantiles: int
    record: Any  # of the last training

    @property
    def loss_curve(self) -> list[float]:
        """Mean training loss of each epoch."""
        return self.record.loss_curve


class _Pretraining(_WindowTraining):
    """sktime's ``pretrain``, as far as it is a forecaster's own."""

    validation_fraction: float
    pretrained_: Pretrained

    @ready_to_train()
    def _pretrain(self, y: pd.DataFrame, X: pd.DataFrame | None = None, fh=None):
        self._check_parameters()
        before = getattr(self, "pretrained_", None)
        columns = None if X is None else list(X.columns)
        if before is not None:
            columns = before.features.columns
            self._check_against(before, y.shape[1])
        histories = _series(y, X, columns)
        sizes = self._panel_sizes(histories) if before is None else before.sizes
        histories = _long_enough(histories, sizes)
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

        seed = self._draw_seed()
        if before is not None:
            features = before.features
        else:
            exogenous = [h.exogenous for h in histories if h.exogenous is not None]
            features = Features(
                np.concatenate(exogenous) if exogenous else None,
                columns,
                resolve_calendar(self.calendar, histories[0].index),
            )
        # Each series in units of its own, as fit will have its one.
        values = [self._units(h.values, sizes).transform(h.values) for h in histories]
        tables = [table for h in histories if (table := features.of_history(h)) is not None]
        panel = np.concatenate(values), np.concatenate(tables) if tables else None
        windows = self._windows(*panel, training, sizes)
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
        )
        if before is not None:
            record = replace(record, loss_curve=before.loss_curve + record.loss_curve)
        self.pretrained_ = Pretrained(
            module=module,
            sizes=sizes,
            features=features,
            n_channels=y.shape[1],
            n_quantiles=self._n_quantiles(),
            record=record,
        )
        return self

    def _panel_sizes(self, histories: list[History]) -> Sizes:
        typical = int(np.median([len(history) for history in histories]))
        return self._choose_sizes(typical, histories[0].index)

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
        if pretrained.n_quantiles != self._n_quantiles():
            raise ValueError(
                f"interval={self.interval!r} takes {self._n_quantiles()} outputs a step, but the "
                f"forecaster was pretrained with {pretrained.n_quantiles}."
            )


def _series(y: pd.DataFrame, X: pd.DataFrame | None, columns: list | None) -> list[History]:
    """Take the series of a panel or hierarchy apart."""
    levels = list(range(y.index.nlevels - 1))
    histories = []
    for key, part in y.groupby(level=levels, sort=False):
        rows = None if X is None else X.xs(key if isinstance(key, tuple) else (key,), level=levels)
        history = read(part.droplevel(levels), rows, columns)
        step_of(history.index)
        histories.append(history)
    return histories


def _long_enough(histories: list[History], sizes: Sizes) -> list[History]:
    kept = [history for history in histories if len(history) >= sizes.length]
    if not kept:
        raise ValueError(
            f"No series of y is long enough: window_length={sizes.window_length} and "
            f"horizon={sizes.horizon} need at least {sizes.length} time steps, the longest has "
            f"{max(len(history) for history in histories)}."
        )
    return kept
