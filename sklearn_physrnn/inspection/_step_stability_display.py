"""A picture of ``step_stability``."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ._neurons import step_stability
from ._plotting import COLORS, GREY, import_pyplot, legend_above

_CEILING = 2.0  # growth a step: beyond it, unstable is unstable


@dataclass(eq=False, repr=False)
class StepStabilityDisplay:
    """How far a DynPMNN's chosen step is from where its solver becomes unstable.

    Use :meth:`from_estimator` to make one. For every layer a line tells by what factor, at
    the worst of the visited states, one step of a given size changes a mode that should
    decay. Above 1, in the shaded part, it grows instead. The dots are the step that the
    estimator takes. Factors beyond 2 are triangles at the upper edge.

    Parameters
    ----------
    stability : DataFrame
        What :func:`step_stability` returned.

    Attributes
    ----------
    figure_ : matplotlib Figure
    ax_ : matplotlib Axes
    lines_ : list of matplotlib Line2D
        One a layer.
    chosen_ : list of matplotlib Line2D
        The dots.
    beyond_ : list of matplotlib Line2D
        Triangles at the upper edge, one a layer.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import StepStabilityDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DynPMNNRegressor(max_iter=5, random_state=0).fit(X, y)
    >>> display = StepStabilityDisplay.from_estimator(model, X[:50])
    >>> len(display.lines_)
    2
    """

    figure_: Any = field(init=False)
    ax_: Any = field(init=False)
    lines_: list[Any] = field(init=False)
    chosen_: list[Any] = field(init=False)
    beyond_: list[Any] = field(init=False)

    stability: pd.DataFrame

    @classmethod
    def from_estimator(cls, estimator, X, *, n_steps=None, ax=None) -> "StepStabilityDisplay":
        """Look at several steps of a fitted estimator's solver and draw what they do.

        Parameters
        ----------
        estimator, X, n_steps : as in :func:`step_stability`
        ax : as in :meth:`plot`

        Returns
        -------
        StepStabilityDisplay

        Raises
        ------
        TypeError, NotFittedError, ValueError
            As from :func:`step_stability`.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        return cls(step_stability(estimator, X, n_steps=n_steps)).plot(ax=ax)

    def plot(self, *, ax=None) -> "StepStabilityDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw. None makes a figure, which is not shown.

        Returns
        -------
        self : StepStabilityDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        if ax is None:
            _, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
        self.figure_, self.ax_ = ax.figure, ax
        ax.axhspan(1, _CEILING, color="0.92", zorder=0)
        ax.axhline(1, color=GREY, linewidth=0.9, zorder=1)
        self.lines_, self.chosen_, self.beyond_ = [], [], []
        for layer, part in self.stability.groupby("layer"):
            part = part.sort_values("dt")
            color = COLORS[int(layer) % len(COLORS)]
            growth = np.minimum(part["worst_growth"], _CEILING)
            self.lines_ += ax.plot(
                part["dt"], growth, color=color, marker=".", label=f"layer {layer}"
            )
            beyond = part["worst_growth"] > _CEILING
            self.beyond_ += ax.plot(
                part.loc[beyond, "dt"], growth[beyond], "^", color=color, markersize=6,
                clip_on=not beyond.any(), zorder=3,
            )  # fmt: skip
            own = part["chosen"]
            self.chosen_ += ax.plot(
                part.loc[own, "dt"], growth[own], "o", color=color, markersize=7,
                markeredgecolor="white", clip_on=False, zorder=4,
            )  # fmt: skip
        ax.plot([], [], "o", color=GREY, label="step taken")
        legend_above(ax)
        ax.set_xscale("log")
        ax.set_xlim(self.stability["dt"].min(), self.stability["dt"].max())
        ax.set_ylim(0, _CEILING)
        ax.text(0.02, 0.97, "unstable", transform=ax.transAxes, va="top", color=GREY)
        ax.set_xlabel("step size (time units of the dynamics)")
        ax.set_ylabel("largest factor of a\ndecaying mode in one step")
        ax.spines[["top", "right"]].set_visible(False)
        return self
