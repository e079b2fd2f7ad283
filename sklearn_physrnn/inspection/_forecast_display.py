"""Forecasts and their intervals beside what was observed."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ._gaps import alone, at_every_step, shade_missing
from ._plotting import (
    BLUE,
    columns_that_fit,
    import_pyplot,
    legend_across,
    panels,
    short,
    width_of,
)

_WIDTH = 8  # inches
# Where a step is forecast and its neighbours are not: bars of so much of a step to either side,
# or of so much of all that is drawn, to be seen at all.
_BAR, _THINNEST = 0.3, 0.004


@dataclass(eq=False, repr=False)
class ForecastDisplay:
    """Point forecasts and prediction intervals after the series that they continue.

    Use :meth:`from_estimator` or :meth:`from_predictions` to make one. It takes plain
    Series and DataFrames, so that it works with any forecaster in sktime's manner. Each
    variable gets a panel. Where values are missing, or times of a regular index, it is shaded
    and no line goes through; a horizon that begins in a gap at the end shows what the
    forecaster makes of it. Nor do lines and intervals go through steps that were not forecast: one
    that stands alone is a point with bars.

    Parameters
    ----------
    y_train : DataFrame
        The series up to the forecast, a column a variable.
    y_pred : DataFrame
        Point forecasts, with the same columns.
    intervals : DataFrame or None, default=None
        With columns (variable, coverage, "lower" or "upper").
    y_test : DataFrame or None, default=None
        What happened then.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One a variable.
    bands_ : list of dict of float to matplotlib FillBetweenPolyCollection
        For each variable the intervals by their coverage.
    predictions_ : list of matplotlib Line2D
        One a variable.
    gaps_ : list of list of matplotlib Rectangle
        For each variable the shades of its gaps.

    Examples
    --------
    >>> from sktime.datasets import load_airline
    >>> from sktime.forecasting.naive import NaiveForecaster
    >>> from sklearn_physrnn.inspection import ForecastDisplay
    >>> y = load_airline()
    >>> model = NaiveForecaster(sp=12).fit(y[:-24])
    >>> display = ForecastDisplay.from_estimator(model, y, fh=range(1, 25), coverage=[0.9])
    >>> display.y_pred.shape
    (24, 1)
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    bands_: list[dict[float, Any]] = field(init=False)
    predictions_: list[Any] = field(init=False)
    gaps_: list[list[Any]] = field(init=False)

    y_train: pd.DataFrame
    y_pred: pd.DataFrame
    _: KW_ONLY
    intervals: pd.DataFrame | None = None
    y_test: pd.DataFrame | None = None

    @classmethod
    def from_estimator(
        cls,
        forecaster,
        y,
        fh=None,
        *,
        X=None,
        coverage: Sequence[float] = (0.5, 0.8, 0.95),
        n_before: int | None = None,
        ax=None,
    ) -> "ForecastDisplay":
        """Let a fitted forecaster predict, and draw it.

        Parameters
        ----------
        forecaster : sktime forecaster
            Fitted; any of them, of this package or not.
        y : Series or DataFrame
            Observations: those up to the forecast, and after it as far as they are known.
        fh : forecasting horizon, default=None
            As in ``forecaster.predict``, say ``range(1, 13)``.
        X : DataFrame, default=None
            Exogenous variables, as in ``forecaster.predict``.
        coverage : sequence of float, default=(0.5, 0.8, 0.95)
            Of the intervals; none are drawn of a forecaster that has none.
        n_before, ax : as in :meth:`from_predictions`

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        NotFittedError
            If the forecaster is not fitted.
        TypeError, ValueError
            As from :meth:`from_predictions`, or if `coverage` is not within (0, 1).
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        levels = [float(level) for level in np.atleast_1d(coverage)]
        if not all(0 < level < 1 for level in levels):
            raise ValueError(f"coverage must hold numbers within (0, 1), got {levels}.")
        y_pred = forecaster.predict(fh=fh, X=X)
        intervals = None
        if levels and forecaster.get_tag("capability:pred_int", False):
            intervals = forecaster.predict_interval(fh=fh, X=X, coverage=levels)
        y = _frame("y", y)
        start = _frame("y_pred", y_pred).index[0]
        after = y.loc[y.index >= start]
        return cls.from_predictions(
            y.loc[y.index < start], y_pred, intervals, after if len(after) else None,
            n_before=n_before, ax=ax,
        )  # fmt: skip

    @classmethod
    def from_predictions(
        cls, y_train, y_pred, intervals=None, y_test=None, *, n_before: int | None = None, ax=None
    ) -> "ForecastDisplay":
        """Draw given forecasts.

        Parameters
        ----------
        y_train : Series or DataFrame
            The series up to the forecast, one variable a column.
        y_pred : Series or DataFrame
            Point forecasts.
        intervals : DataFrame, default=None
            As sktime's ``predict_interval`` gives them: columns (variable, coverage,
            "lower" or "upper").
        y_test : Series or DataFrame, default=None
            What happened then.
        n_before : int, default=None
            Draw only so many of the last observations before the forecast; None draws all.
        ax : as in :meth:`plot`

        Returns
        -------
        ForecastDisplay

        Raises
        ------
        TypeError
            If the data are no pandas objects.
        ValueError
            If they hold several instances, have unlike columns or lack observations.
        ImportError
            If matplotlib is missing.
        """
        train, pred = at_every_step(_frame("y_train", y_train)), _frame("y_pred", y_pred)
        test = None if y_test is None else at_every_step(_frame("y_test", y_test))
        for name, other in (("y_pred", pred), ("y_test", test)):
            if other is None:
                continue
            if other.shape[1] != train.shape[1]:
                raise ValueError(
                    f"{name} must have the {train.shape[1]} variables of y_train, "
                    f"got {other.shape[1]}."
                )
            # A nameless series and its forecast are called by different numbers.
            other.columns = train.columns
        if n_before is not None:
            if n_before < 1:
                raise ValueError(f"n_before must be at least 1, got {n_before}.")
            train = train.iloc[-n_before:]
        if not len(train):
            raise ValueError("y_train holds no observation before the forecast.")
        if intervals is not None:
            intervals = _intervals(intervals, train.columns)
        return cls(train, pred, intervals=intervals, y_test=test).plot(ax=ax)

    def plot(self, *, ax=None) -> "ForecastDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : ForecastDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        names = list(self.y_train.columns)
        size = _WIDTH, 0.9 + (2.9 if len(names) == 1 else 1.7 * len(names))
        labels = self._labels()
        ncols = columns_that_fit(labels, width_of(ax, _WIDTH))
        self.figure_, axes, frame = panels(
            plt, ax, len(names), size=size, legend_lines=-(-len(labels) // ncols), sharex=True
        )
        self.axes_ = axes[:, 0]
        self.bands_, self.predictions_, self.gaps_ = [], [], []
        for axis, name in zip(self.axes_, names, strict=True):
            self._draw(axis, name)
        named = [self.y_train.index.name, *(self.y_pred.index.names)]
        self.axes_[-1].set_xlabel(next((str(n) for n in named if n is not None), "time"))
        handles, labels = self.axes_[0].get_legend_handles_labels()
        order = np.argsort([label.endswith("interval") for label in labels], kind="stable")
        legend_across(frame, [handles[k] for k in order], ncols=ncols)
        return self

    def _labels(self) -> list[str]:
        """Give what the legend will hold at most."""
        labels = ["observed", "forecast", "missing"]
        if self.y_test is not None:
            labels.append("observed later")
        if self.intervals is not None:
            levels = self.intervals.columns.get_level_values(1).unique()
            labels += [f"{100 * float(level):.3g} % interval" for level in levels]
        return labels

    def _draw(self, axis, name) -> None:
        last = self.y_train.iloc[[-1]]
        line = {"color": "0.2", "linewidth": 1.2, "zorder": 3}
        observed, dates = self.y_train[name], _dates(self.y_train)
        axis.plot(dates, observed, label="observed", **line)
        self.gaps_.append(shade_missing(axis, dates, observed.isna().to_numpy()))
        single = alone(observed.to_numpy(dtype=float))
        if single.any():
            axis.plot(dates[single], observed[single], ".", color="0.2", markersize=3, zorder=3)
        if self.y_test is not None:
            later = pd.concat([last, self.y_test])
            self.gaps_[-1] += shade_missing(axis, _dates(later), later[name].isna().to_numpy())
            line["linestyle"] = (0, (3, 1))
            axis.plot(_dates(later), later[name], label="observed later", **line)
        ahead, half = self._steps_ahead(name)
        times, single = _dates(ahead), alone(ahead[name].to_numpy(dtype=float))
        bands = {}
        if self.intervals is not None:
            part = self.intervals[name].reindex(ahead.index)
            levels = sorted(part.columns.get_level_values(0).unique(), reverse=True)
            for k, level in enumerate(levels):
                sides = part[level][["lower", "upper"]].to_numpy(dtype=float)
                where, edges = _with_bars(times, sides, single, half)
                bands[float(level)] = axis.fill_between(
                    where, edges[:, 0], edges[:, 1],
                    color=_tint(k, len(levels)), linewidth=0, zorder=1 + 0.1 * k,
                    label=f"{100 * level:.3g} % interval",
                )  # fmt: skip
        self.bands_.append(bands)
        self.predictions_ += axis.plot(
            times, ahead[name], color=BLUE, linewidth=1.6, label="forecast", zorder=4,
            marker="o" if single.any() else None, markersize=4, markevery=np.flatnonzero(single),
        )  # fmt: skip
        axis.axvline(_dates(last)[0], color="0.8", linewidth=0.8, zorder=0)
        axis.set_ylabel(short(name, 32) if str(name) != "0" else "y")
        axis.margins(x=0.01)

    def _steps_ahead(self, name) -> tuple[pd.DataFrame, Any]:
        """Give forecasts with NaN at steps that were not forecast, and half a bar's width."""
        known, ahead = self.y_train[[name]], self.y_pred[[name]]
        every = at_every_step(pd.concat([known, ahead]))
        times = _dates(every)
        half = max(_BAR * (times[-1] - times[-2]), _THINNEST * (times[-1] - times[0]))
        if len(every) > len(known) + len(ahead):
            ahead = every[every.index >= ahead.index[0]]
        return ahead, half


def _with_bars(times: pd.Index, sides: np.ndarray, single: np.ndarray, half: Any) -> Any:
    """Widen what stands alone to bars of twice `half`, with a gap behind each.

    Parameters
    ----------
    times : Index of length n_times
    sides : ndarray of shape (n_times, 2)
        Lower and upper ends.
    single : ndarray of bool of shape (n_times,)

    Returns
    -------
    times, sides
        With three entries in place of one that stands alone: two of its bar, and NaN.
    """
    rows = np.repeat(np.arange(len(times)), np.where(single, 3, 1))
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    where, edges = times[rows].to_numpy(copy=True), sides[rows]
    if where.dtype.kind in "iu":
        where = where.astype(float)
    bar = single[rows]
    where[bar & (place == 0)] -= half
    where[bar & (place > 0)] += half
    edges[bar & (place == 2)] = np.nan
    return where, edges


def _tint(k: int, n: int) -> tuple[float, float, float]:
    """Give the wider of several intervals the paler blue; solid, so that none shines through."""
    from matplotlib.colors import to_rgb

    strength = 0.18 + 0.42 * (k + 1) / n
    red, green, blue = (1 - strength * (1 - part) for part in to_rgb(BLUE))
    return red, green, blue


def _frame(name: str, data) -> pd.DataFrame:
    if not isinstance(data, pd.Series | pd.DataFrame):
        raise TypeError(f"{name} must be a pandas Series or DataFrame, got {type(data).__name__}.")
    if isinstance(data.index, pd.MultiIndex):
        raise ValueError(
            f"{name} holds several instances; draw one at a time, say {name}.loc[instance]."
        )
    return data.to_frame() if isinstance(data, pd.Series) else data.copy()


def _intervals(intervals, names: pd.Index) -> pd.DataFrame:
    columns = getattr(intervals, "columns", None)
    if not isinstance(columns, pd.MultiIndex) or columns.nlevels != 3:
        raise ValueError(
            'intervals must be a DataFrame with columns (variable, coverage, "lower" or "upper"), '
            "as predict_interval gives it."
        )
    if isinstance(intervals.index, pd.MultiIndex):
        raise ValueError("intervals holds several instances; draw one at a time.")
    variables = list(dict.fromkeys(columns.get_level_values(0)))
    if len(variables) != len(names):
        raise ValueError(
            f"intervals must have the {len(names)} variables of y_train, got {len(variables)}."
        )
    renamed = dict(zip(variables, names, strict=True))
    intervals = intervals.copy()
    labels = [(renamed[variable], coverage, side) for variable, coverage, side in columns]
    intervals.columns = pd.MultiIndex.from_tuples(labels)
    return intervals


def _dates(data: pd.DataFrame) -> pd.Index:
    """Give the index as matplotlib takes it, which does not know periods."""
    index = data.index
    return index.to_timestamp() if isinstance(index, pd.PeriodIndex) else index
