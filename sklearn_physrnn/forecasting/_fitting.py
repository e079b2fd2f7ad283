"""Training on windows, for every forecaster of the package."""

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_parameter_constraints

from ..estimators._checkpointing import training_of
from ..families import CoreSizes, Family
from ..nn._effects import AdjustedForecaster, Effects, effects_of
from ..nn._forecast import LinearMap, WindowForecaster
from ..nn._frame import LinearFrame
from ..nn._segments import ForecastCore
from ..preparation.clocks import Clock
from ..storage.stages import Stage
from ..training._device import training_device
from ..training._hints import hinting
from ..training._losses import PerWindow, regression_loss
from ..training._processes import together
from ..training._random import MAX_SEED, later_seed, seeded
from ..training._windows import Windows
from ..training.parameters import DTYPES, TrainingParameters
from ._bounds import check_within, ends
from ._features import Features
from ._history import History, check_some, on_steps, read, without_gaps
from ._intervals import QUANTILES
from ._model import WindowModel
from ._sizes import Sizes, choose_sizes
from ._units import Units

_SOME = 1000  # windows that tell how far one typically spreads

# What `update` multiplies learning_rate_init by: fitting ended at a rate near zero.
_UPDATE_RATE = 0.05


class _WindowTraining(TrainingParameters):
    """Build a family's module and train it on windows of standardised series."""

    _family: ClassVar[Family]
    _model: WindowModel

    get_params: Callable[..., dict[str, Any]]

    window_length: int | str
    horizon: int | str
    calendar: str | Sequence[str] | None
    past_covariates: Sequence[Any] | None
    interval: str | None
    bounds: Sequence[float | None] | None
    normalization: str | None
    linear: bool | str
    stride: int | str
    dropout: float
    loss: str
    missing: str
    takes_gaps: bool
    early_stopping: bool
    checkpoint: str | os.PathLike | None
    update_max_iter: int
    validation_loss_curve_: list[float] | None
    best_loss_: float

    def check_parameters(self) -> None:
        """Refuse wrong parameters."""
        given = self.get_params(deep=False)
        with hinting(given):
            validate_parameter_constraints(
                self._parameter_constraints, given, caller_name=type(self).__name__
            )
        ends(self.bounds)

    def _history_of(
        self, y: pd.DataFrame, X: pd.DataFrame | None, columns: list | None
    ) -> tuple[History, Clock]:
        """Read a series, on the steps of its clock."""
        check_within(self.bounds, y)
        history = read(y, X, columns, gaps=self.takes_gaps)
        check_some(history, list(y.columns))
        return on_steps(history) if self.takes_gaps else without_gaps(history)

    def _choose_sizes(self, n_times: int, index: pd.Index) -> Sizes:
        return choose_sizes(
            n_times,
            index,
            window_length=self.window_length,
            horizon=self.horizon,
            segment_length=self._family.segment_length(self),
        )

    def _n_quantiles(self) -> int:
        return len(QUANTILES) if self.interval == "quantile" else 1

    def _forecasts_median(self) -> bool:
        return self.interval == "quantile" or self.loss == "absolute_error"

    def _is_robust(self) -> bool:
        """Tell whether a few wild values are to have little weight, in units too."""
        return self.interval == "quantile" or self.loss != "squared_error"

    def _units(self, values: np.ndarray, sizes: Sizes) -> Units:
        return Units.of(values, robust=self._is_robust(), n_steps=sizes.network_length)

    def _draw_seed(self) -> int:
        seed = int(check_random_state(self.random_state).randint(MAX_SEED))
        return together(partial(training_of, self, training_device(self.device)), seed)

    def _new_module(
        self, sizes: Sizes, features: Features, n_channels: int, seed: int, windows: Windows
    ) -> WindowForecaster:
        """Build the module that is to be trained on `windows`."""
        with seeded(seed):
            module = self.make_module(sizes, features, n_channels)
        some = slice(None, None, max(1, len(windows) // _SOME))
        inputs = windows.take(some)[0]
        module.learn_typical(inputs["x"], inputs.get("observed"))
        if isinstance(module, AdjustedForecaster):
            _learn_effects(module, windows, sizes.segment_length)
        return module

    def make_module(self, sizes: Sizes, features: Features, n_channels: int) -> WindowForecaster:
        """Build the module that the parameters describe, for data of these sizes."""
        core_sizes = CoreSizes(
            n_channels,
            sizes.network_length,
            sizes.horizon,
            sizes.segment_length,
            features.n_features,
            self._n_quantiles(),
            sizes.told,
        )
        core = self._family.core(self, core_sizes)
        make: Callable[..., WindowForecaster] = WindowForecaster
        if features.adjusts:
            make = partial(AdjustedForecaster, effects=Effects(features.ahead, n_channels))
        frame = None
        if sizes.frame is not None:
            frame = LinearFrame(sizes.frame.linear_length, sizes.horizon, sizes.frame.n_maps)
        return make(
            core,
            normalization="last" if self.normalization == "auto" else self.normalization,
            linear=self._linear_map(core),
            looks_ahead=self.missing != "mask",
            hidden=features.hidden,
            frame=frame,
        )

    def _linear_map(self, core: ForecastCore) -> LinearMap | None:
        if not self.linear:
            return None
        return LinearMap(core.window_length, core.horizon, core.n_quantiles, self.dropout)

    def _training_windows(
        self, values: np.ndarray, table: np.ndarray | None, starts: np.ndarray, sizes: Sizes
    ) -> Windows:
        """Take windows as `_windows` does, and refuse it where there are none."""
        windows = self._windows(values, table, starts, sizes)
        if not len(windows):
            raise ValueError(
                f"y has too few values: in none of {len(starts)} windows there is one of a "
                f"channel among window_length={sizes.window_length} steps and among the "
                f"horizon={sizes.horizon} that follow. Take longer ones, or longer steps."
            )
        return windows

    def _windows(
        self, values: np.ndarray, table: np.ndarray | None, starts: np.ndarray, sizes: Sizes
    ) -> Windows:
        """Take windows of standardised values and their features.

        Windows without any target that their context tells of are none.
        """
        dtype = DTYPES[self.dtype]
        observed = ~np.isnan(values)
        complete = bool(observed.all())
        if not complete:
            values = np.where(observed, values, 0.0)
            starts = starts[_telling(observed, starts, sizes)]
        return Windows(
            torch.as_tensor(values).to(dtype),
            torch.as_tensor(starts),
            sizes.window_length,
            sizes.horizon,
            None if table is None else torch.as_tensor(table).to(dtype),
            None if complete else torch.as_tensor(observed),
        )

    def _train(
        self,
        module: WindowForecaster,
        windows: Windows,
        validation: Windows | None,
        seed: int,
        *,
        max_epochs: int | None = None,
        optimizer_state: dict[str, Any] | None = None,
        kernels: dict[str, list[Any]] | None = None,
        checkpoint: Stage | None = None,
        **changes: Any,
    ):
        """Train a module in place, with the estimator's options or `changes` of them."""
        # Where a fit begins, not where the package is imported: skorch takes its time.
        from ..training._engine import train

        options = self._training_options(
            len(windows),
            device=training_device(self.device),
            seed=seed,
            early_stopping=self.early_stopping and validation is not None,
        )
        module = module.to(DTYPES[self.dtype])
        loss = "quantile" if self.interval == "quantile" else self.loss
        return train(
            module,
            PerWindow(regression_loss(loss, QUANTILES), missing=windows.observed is not None),
            windows,
            replace(options, max_epochs=max_epochs or options.max_epochs, refits=True, **changes),
            validation=validation,
            optimizer_state=optimizer_state,
            kernels=kernels,
            checkpoint=checkpoint,
        )

    def _train_on(self, windows: Windows) -> None:
        """Go on from the fitted weights, for `update_max_iter` epochs."""
        # On a copy: an error leaves the fitted weights as they were.
        module: Any = copy.deepcopy(self.module_)
        frame, module.frame = module.frame, None  # the network learns its own forecast
        record = self._train(
            module,
            windows,
            None,
            later_seed(self._draw_seed(), self.n_iter_),
            max_epochs=self.update_max_iter,
            optimizer_state=self._optimizer_state,
            kernels=self._model.kernels,
            learning_rate=self.learning_rate_init * _UPDATE_RATE,
            schedule="constant",
        )
        module.frame = frame
        validated, best_loss = self.validation_loss_curve_, self.best_loss_
        self._keep(module, record, resume=True)
        self._keep_validation(validated, best_loss)

    def _keep_validation(self, curve: list[float] | None, best_loss: float) -> None:
        """Put back what an earlier training's validation told; this one had none."""
        self.validation_loss_curve_ = curve
        if curve:
            self.best_loss_ = best_loss


def _learn_effects(module: AdjustedForecaster, windows: Windows, cycle: int) -> None:
    """Learn what features do at their step from the times that windows are of."""
    assert windows.features is not None
    known = slice(int(windows.starts.max()) + windows.length)
    values, features = (
        table[known].double().cpu().numpy() for table in (windows.values, windows.features)
    )
    observed = np.ones(values.shape, bool)
    if windows.observed is not None:
        observed = windows.observed[known].cpu().numpy()
    columns = features[:, list(module.effects.columns)]
    weight = effects_of(values, columns, observed, cycle)
    module.effects.weight.copy_(torch.from_numpy(weight))


def _telling(observed: np.ndarray, starts: np.ndarray, sizes: Sizes) -> np.ndarray:
    """Tell which windows have a value in the context and one in the horizon of some channel."""
    counted = np.concatenate((np.zeros_like(observed[:1], int), observed.cumsum(axis=0)))
    first, middle = counted[starts], counted[starts + sizes.window_length]
    return ((middle > first) & (counted[starts + sizes.length] > middle)).any(axis=1)
