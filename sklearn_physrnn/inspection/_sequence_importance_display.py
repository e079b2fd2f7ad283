"""A picture of ``sequence_importance``."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from sklearn.utils import Bunch

from ._plotting import BLUE, ORANGE, import_pyplot, panels, short
from ._sequence_importance import sequence_importance

_N_BARS = 15  # of the channels, the most important


@dataclass(eq=False, repr=False)
class SequenceImportanceDisplay:
    """Which channels, and when, a fitted estimator goes by.

    Use :meth:`from_estimator` to make one. Above, the 15 most important channels, largest on
    top; below, spans of time. Whiskers are one standard deviation of the repeats.

    Parameters
    ----------
    result : Bunch
        As :func:`sequence_importance` returns it.
    score_name : str, default="score"

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of shape (2,) of matplotlib Axes
    channel_bars_, span_bars_ : matplotlib BarContainer

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import PETNNRegressor
    >>> from sklearn_physrnn.inspection import SequenceImportanceDisplay
    >>> X = np.random.default_rng(0).normal(size=(40, 12, 2))
    >>> y = X[:, 6:, 1].sum(axis=1)
    >>> model = PETNNRegressor(8, max_iter=5, random_state=0).fit(X, y)
    >>> display = SequenceImportanceDisplay.from_estimator(model, X, y, n_spans=3, random_state=0)
    >>> display.result.spans.importances.shape
    (3, 5)
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    channel_bars_: Any = field(init=False)
    span_bars_: Any = field(init=False)

    result: Bunch
    _: KW_ONLY
    score_name: str = "score"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        scoring: str | Callable | None = None,
        n_spans: int = 10,
        n_repeats: int = 5,
        time_channel: int | str | None = "auto",
        sample_weight=None,
        random_state=None,
        ax=None,
    ) -> "SequenceImportanceDisplay":
        """Measure the importances and draw them.

        Parameters
        ----------
        estimator, X, y, scoring, n_spans, n_repeats, time_channel, sample_weight, \
random_state : as in :func:`sequence_importance`
        ax : as in :meth:`plot`

        Returns
        -------
        SequenceImportanceDisplay

        Raises
        ------
        TypeError, NotFittedError, ValueError
            As from :func:`sequence_importance`.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        result = sequence_importance(
            estimator, X, y, scoring=scoring, n_spans=n_spans, n_repeats=n_repeats,
            time_channel=time_channel, sample_weight=sample_weight, random_state=random_state,
        )  # fmt: skip
        name = scoring.replace("_", " ") if isinstance(scoring, str) else "score"
        return cls(result, score_name=name).plot(ax=ax)

    def plot(self, *, ax=None) -> "SequenceImportanceDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : SequenceImportanceDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        n_bars = min(_N_BARS, len(self.result.channels.names))
        heights = (0.5 + 0.27 * n_bars, 2.2)
        self.figure_, axes, _ = panels(
            plt, ax, 2, size=(7, 1.0 + sum(heights)), height_ratios=heights
        )
        self.axes_ = axes[:, 0]
        self._plot_channels(self.axes_[0], n_bars)
        self._plot_spans(self.axes_[1])
        self.axes_[0].set_title(
            f"{self.score_name} {self.result.baseline_score:.3g}, and what it loses when "
            "samples exchange",
            fontsize="medium", loc="left",
        )  # fmt: skip
        return self

    def _plot_channels(self, axis, n_bars: int) -> None:
        channels = self.result.channels
        rows = np.argsort(-channels.importances_mean, kind="stable")[:n_bars]
        self.channel_bars_ = axis.barh(
            range(n_bars), channels.importances_mean[rows], color=BLUE, height=0.7,
            xerr=channels.importances_std[rows], ecolor="0.3",
        )  # fmt: skip
        axis.axvline(0, color="0.3", linewidth=0.8)
        axis.set_yticks(range(n_bars), [short(channels.names[k]) for k in rows])
        axis.tick_params(axis="y", length=0)
        axis.set_ylim(n_bars - 0.4, -0.6)
        axis.set_xlabel("a channel")
        axis.spines["left"].set_visible(False)
        if n_bars < len(channels.names):
            axis.set_ylabel(f"the first {n_bars} of {len(channels.names)}")

    def _plot_spans(self, axis) -> None:
        spans, steps = self.result.spans, self.result.n_timesteps
        borders = spans.borders * (100 if steps is None else steps)
        self.span_bars_ = axis.bar(
            (borders[1:] + borders[:-1]) / 2, spans.importances_mean,
            width=0.94 * np.diff(borders), color=ORANGE,
            yerr=spans.importances_std, ecolor="0.3",
        )  # fmt: skip
        axis.axhline(0, color="0.3", linewidth=0.8)
        axis.set_xlim(0, borders[-1])
        axis.set_xlabel("a span of time (" + ("% of its length)" if steps is None else "steps)"))
        axis.set_ylabel(f"loss of {short(self.score_name)}")
