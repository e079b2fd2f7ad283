"""Forecasts of what comes, of what is known, and of every window of a series."""

from collections.abc import Callable
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr
from sklearn.utils import check_random_state, check_scalar
from sktime.datatypes import convert_to
from sktime.forecasting.base import ForecastingHorizon

from .._warnings import warn
from ..preparation.times import check_kind, times_at
from ._backtests import dated, history_to_forecast, moving_cutoff
from ._bounds import within
from ._cautions import warn_of_certainty
from ._history import History
from ._horizon import on_either_side, steps_asked_for, without_frequency
from ._intervals import Scores, quantiles_around
from ._looks import check_shares
from ._model import WindowModel
from ._panel import _OfPanels
from ._paths import GRID, at_levels, levels_of


class _Prediction(_OfPanels):
    """Whatever asks a fitted model for forecasts."""

    interval: str | None
    bounds: Any
    random_state: Any
    _model: WindowModel
    _history: History
    _scores: Scores | None
    _n_calibrated: int

    def _check_fh(self, fh, pred_int=False):
        fh = without_frequency(fh)
        if fh is not None and not fh.is_relative and hasattr(self, "_history"):
            check_kind(fh.to_pandas(), self._history.index, "fh")
        # Which times are known is looked at where steps are counted, for each series by itself.
        return super()._check_fh(fh, pred_int=False)

    def _steps(self, fh: Any) -> np.ndarray:
        """Count the steps to what is asked for; between two of them where times are irregular."""
        return steps_asked_for(fh, self._history.index, self._model.clock)

    def _times(self, fh: Any, steps: np.ndarray) -> pd.Index:
        if self._model.clock.irregular and not fh.is_relative:
            return fh.to_pandas().astype(self._history.index.dtype).rename(None)
        return times_at(steps, self._history.index, self._model.step)

    def _forecasts(self, steps: np.ndarray, X: pd.DataFrame | None) -> np.ndarray:
        """Forecast, in the module's units, the times that are so many `steps` ahead."""
        if steps.dtype == int:
            return self._forecasts_at(steps, X)
        # Between two steps it is a straight line; what is known of the last one is its value.
        near, share = on_either_side(steps)
        wanted = np.unique(near)
        values = self._forecasts_at(wanted, X)
        last = self._model.scaler.transform(self._history.values[-1:])[0, :, None]
        values = np.where((wanted == 0)[:, None, None] & ~np.isnan(last), last, values)
        low, high = values[np.searchsorted(wanted, near)]
        return low + share[:, None, None] * (high - low)

    def _forecasts_at(self, steps: np.ndarray, X: pd.DataFrame | None) -> np.ndarray:
        known = steps <= 0
        last = int(steps.max())
        parts = []
        if last > 0:
            ahead = self._over_gaps(lambda gap: self._model.ahead(self._history, X, last, gap))
            parts.append((~known, ahead(steps[~known])))
        if known.any():
            parts.append((known, self._model.one_step_ahead(self._history, steps[known])))
        forecasts = np.empty((len(steps), *parts[0][1].shape[1:]))
        for where, values in parts:
            forecasts[where] = values
        return forecasts

    def _over_gaps(
        self, forecast: Callable[[int], np.ndarray]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Take each channel from a forecast that starts before the gap it ends in.

        Parameters
        ----------
        forecast : callable
            Of the length of a gap, to (gap + n_steps, n_channels, ...).

        Returns
        -------
        callable
            Of whole steps to come, to their forecasts.
        """
        gaps = self._model.gaps_at_end(self._history)
        parts = [(int(gap), gaps == gap, forecast(int(gap))) for gap in np.unique(gaps)]

        def at(steps: np.ndarray) -> np.ndarray:
            found = np.empty((len(steps), *parts[0][2].shape[1:]))
            for gap, channels, values in parts:
                found[:, channels] = values[np.maximum(steps + gap - 1, 0)][:, channels]
            return found

        return at

    def _predict(self, fh, X: pd.DataFrame | None) -> pd.DataFrame:
        steps = self._steps(fh)
        values = self._forecasts(steps, X)
        point = self._model.scaler.inverse(values[..., values.shape[2] // 2])
        point = within(self.bounds, point)
        return pd.DataFrame(point, index=self._times(fh, steps), columns=self._get_varnames())

    def predict_interval(self, fh=None, X=None, coverage=0.90):
        """Forecast intervals, as sktime describes it.

        Parameters
        ----------
        fh : int, list, index or ForecastingHorizon, default=None
            Steps ahead, or times; one step where ``fit`` was not told either.
        X : time series in a type of sktime, default=None
            At the times up to the last of `fh`; where fitted with one.
        coverage : float in (0, 1), or list of them, default=0.9
            Share of values that an interval is to hold.

        Returns
        -------
        intervals : DataFrame
            Columns are channels, coverages, and "lower" and "upper".

        Raises
        ------
        ValueError, TypeError
            If a coverage is no number in (0, 1), or X does not cover the times.
        """
        check_shares(coverage, "coverage")
        return super().predict_interval(fh=fh, X=X, coverage=coverage)

    def predict_quantiles(self, fh=None, X=None, alpha=None):
        """Forecast quantiles, as sktime describes it.

        Parameters
        ----------
        fh, X : as in ``predict_interval``
        alpha : float in (0, 1), or list of them, default=None
            Levels of the quantiles; None: 0.05 and 0.95.

        Returns
        -------
        quantiles : DataFrame
            Columns are channels and levels.

        Raises
        ------
        ValueError, TypeError
            If a level is no number in (0, 1), or X does not cover the times.
        """
        if alpha is not None:
            check_shares(alpha, "alpha")
        return super().predict_quantiles(fh=fh, X=X, alpha=alpha)

    def _predict_quantiles(self, fh, X: pd.DataFrame | None, alpha: list[float]) -> pd.DataFrame:
        steps = self._steps(fh)
        self._check_unknown(fh, steps)
        quantiles = self._quantiles(steps, X, np.asarray(alpha, dtype=float))
        by_channel = self._model.scaler.inverse(quantiles.transpose(0, 2, 1))
        warn_of_certainty(by_channel.transpose(0, 2, 1), alpha, self._get_varnames())
        by_channel = within(self.bounds, by_channel)
        return pd.DataFrame(
            by_channel.transpose(0, 2, 1).reshape(len(steps), -1),
            index=self._times(fh, steps),
            columns=self._get_columns(method="predict_quantiles", alpha=alpha),
        )

    def _check_unknown(self, fh: Any, steps: np.ndarray) -> None:
        """Refuse intervals of times that are known, or before a gap's end that is bridged."""
        known = steps <= -self._model.gaps_at_end(self._history).min()
        if known.any():
            raise NotImplementedError(
                f"{type(self).__name__} can not perform in-sample prediction of intervals and "
                f"quantiles, only of points: fh asks for {self._times(fh, steps)[known][0]}, "
                f"and values are known up to {self._last_known()}."
            )

    def _last_known(self) -> Any:
        gap = int(self._model.gaps_at_end(self._history).min())
        return self._history.index[-1 - gap]

    def _quantiles(
        self, steps: np.ndarray, X: pd.DataFrame | None, alphas: np.ndarray
    ) -> np.ndarray:
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
        model, history, scores = self._model, self._history, self._scores
        last = max(1, int(np.ceil(steps.max())))

        def around(gap: int) -> np.ndarray:
            forecasts = model.ahead(history, X, last, gap)
            return quantiles_around(forecasts, model.spread_of(history, gap), scores, alphas)

        at = self._over_gaps(around)
        if steps.dtype == int:
            return at(steps)
        # Offsets from the point forecast: between the last value and the first step, those of
        # that step.
        near, share = on_either_side(steps)
        after = np.maximum(near, 1)
        points = self._over_gaps(lambda gap: model.ahead(history, X, last, gap))
        offsets = [at(side) - _middle(points(side)) for side in after]
        between = offsets[0] + share[:, None, None] * (offsets[1] - offsets[0])
        return _middle(self._forecasts(steps, X)) + between

    def predict_paths(self, fh=None, X=None, *, n_samples=100, random_state=None) -> pd.DataFrame:
        """Simulate futures, each of which is consistent in time.

        Errors of past forecasts over a whole horizon, of all channels at once, are combined
        with random weights (a multiplier bootstrap), and say how the steps of a path go
        together; each step by itself is distributed as ``predict_quantiles`` has it. So a sum
        over time, a maximum or the time of a crossing have intervals, by quantiles over the
        samples. Past the horizon a path goes on from where it was at the end of the horizon
        before, as far as forecasts rolled out do.

        Parameters
        ----------
        fh : forecasting horizon in a type of sktime, default=None
            As of ``predict``; known times are refused.
        X : time series in a type of sktime, default=None
            As of ``predict``.
        n_samples : int, default=100
            Paths to draw.
        random_state : int, RandomState instance or None, default=None
            Draws them; None is the forecaster's own.

        Returns
        -------
        DataFrame
            With an index of sample and time, and the columns of y: a panel to sktime. Of
            several series, whose errors are drawn independently, their levels come first.

        Raises
        ------
        NotImplementedError
            If known times are asked for, or with ``interval=None``.
        ValueError
            If there are no errors of past forecasts yet.

        Examples
        --------
        >>> from sktime.datasets import load_airline
        >>> from sklearn_physrnn.forecasting import PETNNForecaster
        >>> forecaster = PETNNForecaster(max_iter=5, random_state=0).fit(load_airline())
        >>> paths = forecaster.predict_paths(range(1, 13), n_samples=200)
        >>> sums = paths.groupby(level="sample").sum()
        >>> sums.quantile([0.1, 0.9]).shape
        (2, 1)
        """
        self.check_is_fitted()
        check_scalar(n_samples, "n_samples", Integral, min_val=1)
        if self.interval is None:
            raise NotImplementedError(
                "predict_paths needs errors of past forecasts, which interval=None does not keep."
            )
        fh, X = self._check_fh(fh), self._check_X(X=X)
        random = check_random_state(self.random_state if random_state is None else random_state)
        if self._is_vectorized:
            return self._paths_of_each(fh, X, n_samples=n_samples, random_state=random)
        steps = self._steps(fh)
        self._check_unknown(fh, steps)
        whole = np.ceil(steps).astype(int)
        last = int(whole.max() + self._model.gaps_at_end(self._history).max())
        assert self._scores is not None
        quantiles = self._quantiles(steps, X, ndtr(GRID))
        drawn = levels_of(self._scores, last, n_samples, random)
        at = self._over_gaps(lambda gap: drawn.transpose(1, 2, 0))
        levels = at(whole).transpose(2, 0, 1)
        values = within(self.bounds, self._model.scaler.inverse(at_levels(quantiles, levels)))
        times = self._times(fh, steps)
        return pd.DataFrame(
            values.reshape(n_samples * len(steps), -1),
            index=pd.MultiIndex.from_product([range(n_samples), times], names=["sample", "time"]),
            columns=self._get_varnames(),
        )

    def _predict_moving_cutoff(self, y, cv, X=None, update_params=True, reset_forecaster=True):
        return moving_cutoff(self, y, cv, X, update_params=update_params, reset=reset_forecaster)

    def predict_residuals(self, y=None, X=None):
        """Give the values less their forecasts.

        Parameters
        ----------
        y : time series in a type of sktime, default=None
            Values at times that are known or come; by default all that ``fit`` and ``update``
            have seen. Those that are known are forecast one step ahead, from the window of
            values before each, as by ``predict`` with a horizon of 0 and less.
        X : time series in a type of sktime, default=None
            At the times of y that come; where fitted with one.

        Returns
        -------
        residuals : of the type of y, or that of the y seen last
            In-sample ones are of weights that were trained on these very values, and smaller
            than the errors to expect; for those see `predict_windows` and sktime's
            ``evaluate``.
        """
        self.check_is_fitted()
        if self._is_vectorized:
            return self._residuals_of_each(y, X)
        if not isinstance(y, pd.DataFrame | pd.Series | None):
            return super().predict_residuals(y=y, X=X)
        known = self._history
        frame = pd.DataFrame(known.values, known.index, self._get_varnames())
        if y is not None:
            frame = self._frame(y)
        fh = ForecastingHorizon(frame.index, is_relative=False)
        residuals = frame - self._predict(fh, self._check_X(X)).to_numpy()
        if isinstance(y, pd.DataFrame):
            return residuals
        if isinstance(y, pd.Series):
            return residuals.iloc[:, 0].rename(y.name)
        mtype, store = self._y_metadata["mtype"], self._converter_store_y
        return convert_to(residuals, mtype, store=store, store_behaviour="freeze")

    def _frame(self, y: Any) -> pd.DataFrame:
        """Give a series in any of pandas' or NumPy's types as a frame, its columns in order."""
        known = list(self._get_varnames())
        frame = y if isinstance(y, pd.DataFrame) else pd.DataFrame(y)
        return frame[self.columns_in_order(frame.columns, known)].set_axis(known, axis=1)

    def predict_windows(self, y, X=None, *, as_frame: bool = False) -> np.ndarray | pd.DataFrame:
        """Forecast every window of a series at once, for a backtest of fixed weights.

        Parameters
        ----------
        y : Series, DataFrame or ndarray of shape (n_times,) or (n_times, n_channels)
            Consecutive values; times may be missing, and of irregular ones there is a window
            for every step. They need not follow those of fit, and nothing is learned
            from them. Columns that have names go by them, as in ``update``.
        X : DataFrame, default=None
            At the times of y; where fitted with one.
        as_frame : bool, default=False
            Give a frame with the times of windows and forecasts.

        Returns
        -------
        forecasts : ndarray of shape (n_windows, horizon, n_channels)
            There are ``n_times - window_length_ - horizon_ + 1`` windows. Entry i is the
            forecast of ``y[i + window_length_ : i + window_length_ + horizon_]`` from the
            `window_length_` values before. With `as_frame` a DataFrame of as many rows as
            windows times steps of the horizon, whose index has the last time of the window
            ("cutoff") and the time that is forecast ("time"), and whose columns are those of
            fit.

        Raises
        ------
        NotFittedError
            Before fit.
        NotImplementedError
            If fitted to a panel: each series has a forecaster of its own, in
            ``forecasters_``.
        ValueError
            If y is too short, has other columns than in fit or, with ``missing="error"``,
            holds NaN or lacks times, or X does not cover it.
        """
        self.check_is_fitted()
        if self._is_vectorized:
            raise NotImplementedError(
                "predict_windows takes a forecaster of one series; after fit to a panel, call "
                "it on the entries of forecasters_."
            )
        history = history_to_forecast(
            self._frame(y), X, self._model, self._history.index, gaps=self.takes_gaps
        )
        model = self._model.following(history, robust=self._is_robust())
        forecasts = within(self.bounds, model.of_windows(history))
        if not as_frame:
            return forecasts
        return dated(forecasts, history.index, model.sizes, self._get_varnames())


def _middle(values: np.ndarray) -> np.ndarray:
    return values[..., [values.shape[2] // 2]]
