"""What sktime asks of a forecaster, for every one of the package.

A forecaster adds its model family, and its parameters with their defaults.
"""

import copy
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.utils._param_validation import Interval, StrOptions
from sktime.forecasting.base import BaseForecaster

from .._warnings import warn
from ..nn._forecast import NORMALIZATIONS
from ..training.parameters import TrainingParameters, ready_to_train
from ._calendar import resolve_calendar
from ._calibration import calibrated, reawakened, updated
from ._cautions import warn_of_certainty, warn_of_constants, warn_of_median
from ._features import Features
from ._history import History, continued, read, step_of
from ._horizon import steps_ahead
from ._intervals import Scores, quantiles_around
from ._model import WindowModel
from ._pretraining import Pretrained, _Pretraining
from ._sizes import Sizes, split_in_time

# Up to here, training a second time on all windows takes little.
_FEW_WINDOWS = 1000

# Windows of the past that `update` trains on beside the new ones, so as not to forget them.
_REHEARSED = 256


class _BaseForecaster(_Pretraining, BaseForecaster):
    """Fitting, updating and forecasting."""

    _tags: ClassVar[dict[str, Any]] = {
        "authors": "The sklearn_physrnn developers",
        "maintainers": "The sklearn_physrnn developers",
        "capability:multivariate": True,
        "capability:exogenous": True,
        "capability:categorical_in_X": False,
        "capability:non_contiguous_X": False,
        "capability:insample": False,
        "capability:pred_int": True,
        "capability:pred_int:insample": False,
        "capability:missing_values": False,
        "capability:update": True,
        "capability:pretrain": True,
        "capability:unequal_length": True,
        "capability:random_state": True,
        "property:randomness": "derandomized",
        "pretrain:fitted_params": ["pretrained_"],
        "requires-fh-in-fit": False,
        "X-y-must-have-same-index": True,
        "y_inner_mtype": "pd.DataFrame",
        "X_inner_mtype": "pd.DataFrame",
    }
    # Our own context is all that is needed of the data.
    _config: ClassVar[dict[str, Any]] = {"remember_data": False}

    # Of the models that sktime's checks fit.
    _test_sizes: ClassVar[dict[str, int]] = {"hidden_size": 4}

    calibration_size: int
    refit: bool | str

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **TrainingParameters._parameter_constraints,
        "window_length": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "horizon": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "calendar": [StrOptions({"auto"}), list, tuple, None],
        "interval": [StrOptions({"conformal", "quantile"}), None],
        "calibration_size": [Interval(Integral, 1, None, closed="left")],
        "normalization": [StrOptions(set(filter(None, NORMALIZATIONS))), None],
        "linear": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "loss": [StrOptions({"squared_error", "absolute_error", "huber"})],
        "refit": ["boolean", StrOptions({"auto"})],
        "update_max_iter": [Interval(Integral, 1, None, closed="left")],
    }

    def __post_init__(self) -> None:
        # sktime makes them only where it is to remember the data.
        self._y = self._X = None
        if self.interval is None:
            self.set_tags(**{"capability:pred_int": False})

    @classmethod
    def get_test_params(cls, parameter_set: str = "default") -> list[dict[str, Any]]:
        """Give small settings for sktime's checks.

        Parameters
        ----------
        parameter_set : str, default="default"
            Ignored: there is one collection of sets.

        Returns
        -------
        params : list of dict
        """
        small = {**cls._test_sizes, "max_iter": 1, "update_max_iter": 1, "random_state": 0}
        return [
            {**small, "window_length": 3, "horizon": 2},
            {**small, "calendar": "auto", "interval": "quantile", "normalization": "standard"},
        ]

    def _check_X_y(self, X=None, y=None, y_inner_mtype=None, **kwargs):  # noqa: N802
        # For pretraining sktime widens the types of y that need no loop, but not those of X.
        if y_inner_mtype is not None:
            kwargs["y_inner_mtype"] = y_inner_mtype
        if y_inner_mtype is None or X is None:
            return super()._check_X_y(X=X, y=y, **kwargs)
        own = self.get_tag("X_inner_mtype")
        self.set_tags(X_inner_mtype=y_inner_mtype)
        try:
            return super()._check_X_y(X=X, y=y, **kwargs)
        finally:
            self.set_tags(X_inner_mtype=own)

    # -- fitting -------------------------------------------------------------------

    @ready_to_train()
    def _fit(self, y: pd.DataFrame, X: pd.DataFrame | None, fh) -> "_BaseForecaster":
        self._check_parameters()
        step = step_of(y.index)
        columns = None if X is None else list(X.columns)
        pretrained = getattr(self, "pretrained_", None)
        if pretrained is None:
            history = read(y, X, columns)
            self._fit_anew(history, columns, step)
        else:
            self._check_against(pretrained, y.shape[1])
            history = read(y, X, pretrained.features.columns)
            self._fit_pretrained(history, pretrained, step)
        self.window_length_ = self._model.sizes.window_length
        self.horizon_ = self._model.sizes.horizon
        self._remember(history)
        warn_of_constants(history.values, list(y.columns))
        if self._forecasts_median():
            warn_of_median(history.values, list(y.columns))
        return self

    def _fit_anew(self, history: History, columns: list | None, step: Any) -> None:
        sizes = self._choose_sizes(len(history), history.index)
        if len(history) < sizes.length:
            raise ValueError(_too_short(history, sizes))
        training, validation, boundary = self._split(history, sizes)
        train = partial(self._train_model, history, columns, step, sizes, self._draw_seed())
        model, record = train(history[:boundary], training, validation)
        final = model
        n_windows = len(training) + len(validation)
        if len(validation) and self._refits(n_windows) and not record.interrupted:
            epochs = None
            if self.early_stopping:
                epochs = int(np.argmin(record.validation_loss_curve)) + 1
            every = np.arange(len(history) - sizes.length + 1)
            final, _ = train(history, every, every[:0], max_epochs=epochs)
            self._keep_validation(record.validation_loss_curve, record.best_loss)
        first = boundary if len(validation) else sizes.window_length
        self._take(final, history, first, model)
        self._n_calibrated = len(history) - boundary

    def _train_model(
        self,
        history: History,
        columns: list | None,
        step: Any,
        sizes: Sizes,
        seed: int,
        known: History,
        training: np.ndarray,
        validation: np.ndarray,
        max_epochs: int | None = None,
    ) -> tuple[WindowModel, Any]:
        """Learn units and weights from the `known` part of a history."""
        # What is idle all that while takes its unit from the part held out, too.
        scaler = self._units(known.values, sizes).following(
            history.values, robust=self._is_robust(), n_steps=sizes.window_length
        )
        calendar = resolve_calendar(self.calendar, history.index)
        features = Features(known.exogenous, columns, calendar).following(history.exogenous)
        series = scaler.transform(history.values), features.of_history(history)
        windows = self._windows(*series, training, sizes)
        held_out = self._windows(*series, validation, sizes) if len(validation) else None
        module = self._new_module(sizes, features, len(scaler.center), seed, windows)
        record = self._train(module, windows, held_out, seed, max_epochs=max_epochs)
        self._keep(module, record, resume=False)
        model = WindowModel(module, sizes, scaler, features, step, self.device)
        return model.measuring(history), record

    def _take(
        self, model: WindowModel, history: History, boundary: int, judged: WindowModel
    ) -> None:
        """Forecast by `model`, with intervals from errors of the one `judged`."""
        self._model = model
        self._scores: Scores | None = None
        if self.interval is not None:
            size = self.calibration_size
            self._scores = calibrated(judged, history, boundary, size, model)

    def _split(self, history: History, sizes: Sizes) -> tuple[np.ndarray, np.ndarray, int]:
        """Hold out the last times where something needs it, if there are enough of them."""
        needed = self.early_stopping or self.interval is not None
        fraction = self.validation_fraction if needed else 0.0
        training, validation, (boundary,) = split_in_time([len(history)], sizes, fraction)
        if len(training):
            return training, validation, boundary
        if self.early_stopping:
            raise ValueError(
                f"early_stopping with validation_fraction={self.validation_fraction} leaves "
                f"{boundary} of {len(history)} time steps for training; window_length="
                f"{sizes.window_length} and horizon={sizes.horizon} need at least "
                f"{sizes.length}."
            )
        # Intervals without calibration; asking for them warns.
        training, validation, (boundary,) = split_in_time([len(history)], sizes, 0.0)
        return training, validation, boundary

    def _refits(self, n_windows: int) -> bool:
        return n_windows <= _FEW_WINDOWS if self.refit == "auto" else bool(self.refit)

    def _fit_pretrained(self, history: History, pretrained: Pretrained, step: Any) -> None:
        """Keep the weights; take scale, context and calibration from the series."""
        sizes = pretrained.sizes
        if len(history) < sizes.window_length:
            raise ValueError(
                f"y has {len(history)} time steps; the window_length={sizes.window_length} of "
                f"pretraining needs at least {sizes.window_length}."
            )
        self._keep(copy.deepcopy(pretrained.module), pretrained.record, resume=False)
        scaler = self._units(history.values, sizes)
        features = pretrained.features.following(history.exogenous)
        model = WindowModel(self.module_, sizes, scaler, features, step, self.device)
        model = model.measuring(history)
        self._take(model, history, sizes.window_length, model)
        self._n_calibrated = len(history) - sizes.window_length

    def _remember(self, history: History) -> None:
        self._history = history[-(self._model.sizes.length - 1 + _REHEARSED) :]

    # -- updating --------------------------------------------------------------------

    def update(self, y, X=None, update_params=True):
        """Take in new values, and with `update_params` go on training.

        The values may repeat or revise the last ones known. The errors of their earlier
        forecasts join those that conformal intervals are made from.

        Parameters
        ----------
        y : time series in a type of sktime
        X : time series in a type of sktime, default=None
            At the times of y; where fitted with one.
        update_params : bool, default=True
            Train `update_max_iter` epochs from the fitted weights, on the new windows and
            the latest before; else only the context moves.

        Returns
        -------
        self : object

        Raises
        ------
        ValueError
            If times are missing between the known values and those of y. The forecaster is
            then as it was before.
        """
        with self._unchanged_on_error():
            return super().update(y=y, X=X, update_params=update_params)

    @ready_to_train()
    def _update(self, y: pd.DataFrame, X: pd.DataFrame | None = None, update_params=True):
        before, sizes = self._model, self._model.sizes
        new = read(y, X, before.features.columns)
        history, n_new = continued(self._history, new, before.step, sizes.window_length)
        self._model = model = before.following(history, robust=self._is_robust())
        if self._scores is not None:
            self._scores = updated(model, self._scores, history, n_new)
            self._n_calibrated += n_new
            awake = model.scaler.scale != before.scaler.scale
            if awake.any():
                self._scores = reawakened(model, self._scores, history, n_new, awake)
        n_windows = len(history) - sizes.length + 1
        if update_params and n_windows > 0:
            starts = np.arange(n_windows)[-max(_REHEARSED, n_new) :]
            values = model.scaler.transform(history.values)
            table = model.features.of_history(history)
            self._train_on(self._windows(values, table, starts, sizes))
            self._model = replace(model, module=self.module_)
        self._remember(history)
        return self

    # -- prediction ------------------------------------------------------------------

    def _ahead(self, fh, X: pd.DataFrame | None) -> tuple[np.ndarray, np.ndarray]:
        """Forecast all steps up to the last of `fh`, and tell which ones it asks for."""
        steps = steps_ahead(fh, self.cutoff, self._model.step)
        return self._model.ahead(self._history, X, int(steps.max())), steps - 1

    def _predict(self, fh, X: pd.DataFrame | None) -> pd.DataFrame:
        values, rows = self._ahead(fh, X)
        point = self._model.scaler.inverse(values[..., values.shape[2] // 2])
        index = fh.to_absolute_index(self.cutoff)
        return pd.DataFrame(point[rows], index=index, columns=self._get_varnames())

    def _predict_quantiles(self, fh, X: pd.DataFrame | None, alpha: list[float]) -> pd.DataFrame:
        values, rows = self._ahead(fh, X)
        quantiles = self._quantiles(values, np.asarray(alpha, dtype=float))
        by_channel = self._model.scaler.inverse(quantiles[rows].transpose(0, 2, 1))
        warn_of_certainty(by_channel.transpose(0, 2, 1), alpha, self._get_varnames())
        return pd.DataFrame(
            by_channel.transpose(0, 2, 1).reshape(len(rows), -1),
            index=fh.to_absolute_index(self.cutoff),
            columns=self._get_columns(method="predict_quantiles", alpha=alpha),
        )

    def _quantiles(self, forecasts: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        assert self._scores is not None
        sizes = self._model.sizes
        if not self._scores.cover() and self.interval == "conformal":
            raise ValueError(
                "Intervals need errors of past forecasts, and there are none yet: fit to at "
                f"least {sizes.window_length + 1} time steps, or update."
            )
        if not self._n_calibrated:
            warn(
                "The series is too short to hold out a part for calibration: intervals rest on "
                "errors in training and will be too narrow. window_length="
                f"{sizes.window_length} and horizon={sizes.horizon} need at least "
                f"{sizes.length + sizes.horizon} time steps."
            )
        spread = self._model.spread_of(self._history)
        return quantiles_around(forecasts, spread, self._scores, alphas)

    def predict_windows(self, y, X=None) -> np.ndarray:
        """Forecast every window of a series at once, for a backtest of fixed weights.

        Parameters
        ----------
        y : Series or DataFrame of shape (n_times,) or (n_times, n_channels)
            Consecutive values. They need not follow those of fit, and nothing is learned
            from them.
        X : DataFrame, default=None
            At the times of y; where fitted with one.

        Returns
        -------
        forecasts : ndarray of shape (n_windows, horizon_, n_channels)
            There are ``n_times - window_length_ - horizon_ + 1`` windows. Entry i is the
            forecast of ``y[i + window_length_ : i + window_length_ + horizon_]`` from the
            `window_length_` values before.

        Raises
        ------
        NotFittedError
            Before fit.
        NotImplementedError
            If fitted to a panel: each series has a forecaster of its own, in
            ``forecasters_``.
        ValueError
            If y is too short, has other columns than in fit or holds NaN, or X does not
            cover it.
        """
        self.check_is_fitted()
        if self._is_vectorized:
            raise NotImplementedError(
                "predict_windows takes a forecaster of one series; after fit to a panel, call "
                "it on the entries of forecasters_."
            )
        y = y.to_frame() if isinstance(y, pd.Series) else y
        if y.shape[1] != self._model.n_channels:
            raise ValueError(
                f"y must have {self._model.n_channels} columns as in fit, got {y.shape[1]}."
            )
        history = read(y, X, self._model.features.columns)
        step_of(history.index)
        if len(history) < self._model.sizes.length:
            raise ValueError(_too_short(history, self._model.sizes))
        return self._model.following(history, robust=self._is_robust()).of_windows(history)


def _too_short(history: History, sizes: Sizes) -> str:
    return (
        f"y has {len(history)} time steps; window_length={sizes.window_length} and "
        f"horizon={sizes.horizon} need at least {sizes.length}."
    )
