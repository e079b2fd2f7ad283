"""A picture of ``gradient_agreement``."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ._gradient_agreement import gradient_agreement
from ._plotting import import_pyplot, legend_across, panels

_FLOOR = 1e-17  # where zero is drawn: below what float64 can tell from 1
_LEGEND_LINES = 2
_SPREAD = 0.6  # share of a row that its blocks take


@dataclass(eq=False, repr=False)
class GradientAgreementDisplay:
    """How far the gradients of RHEL and BPTT differ, by parameter and block.

    Use :meth:`from_estimator` to make one. The two panels hold what figure 4 of arXiv
    2506.05259 holds, cosine and norm ratio, as distances from 1 on a logarithmic axis:
    1e-6 and 1e-2 would otherwise look the same. Filled points compare RHEL with BPTT in
    training precision; rings compare that BPTT with BPTT in float64, which is the
    rounding that no fitter escapes. Points right of 0.01 or so deserve attention, and
    rings there say that the fault is not the fitter's.

    Parameters
    ----------
    agreement : DataFrame
        What :func:`gradient_agreement` returned.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of 2 matplotlib Axes
        For the cosine and for the norm ratio.
    rhel_, bptt_ : ndarray of shape (2, n_blocks) of matplotlib PathCollection
        The filled points and the rings.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMClassifier
    >>> from sklearn_physrnn.inspection import GradientAgreementDisplay
    >>> X = np.random.default_rng(0).normal(size=(20, 50, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = HSSMClassifier(8, 4, max_iter=1, random_state=0).fit(X, y)
    >>> display = GradientAgreementDisplay.from_estimator(model, X, y)
    >>> len(display.axes_)
    2
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    rhel_: Any = field(init=False)
    bptt_: Any = field(init=False)

    agreement: pd.DataFrame

    @classmethod
    def from_estimator(cls, estimator, X, y, *, ax=None) -> "GradientAgreementDisplay":
        """Compute the agreement and draw it.

        Parameters
        ----------
        estimator : HSSMClassifier or HSSMRegressor
            Fitted.
        X, y : as in :func:`gradient_agreement`
        ax : as in :meth:`plot`

        Returns
        -------
        GradientAgreementDisplay
        """
        import_pyplot(f"{cls.__name__}.from_estimator")  # not after minutes of computing
        return cls(gradient_agreement(estimator, X, y)).plot(ax=ax)

    def plot(self, *, ax=None) -> "GradientAgreementDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided in two. None makes a figure,
            which is not shown.

        Returns
        -------
        self : GradientAgreementDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        table = self.agreement
        parameters = list(dict.fromkeys(table["parameter"]))
        blocks = sorted(table["block"].unique())
        size = 8, 1.4 + len(parameters) * max(0.36, 0.1 * len(blocks))
        self.figure_, axes, frame = panels(
            plt, ax, 1, 2, size=size, legend_lines=_LEGEND_LINES, sharey=True
        )
        self.axes_ = axes[0]
        colors = plt.get_cmap("cividis")(np.linspace(0, 0.8, len(blocks)))
        shape = 2, len(blocks)
        self.rhel_, self.bptt_ = np.empty(shape, object), np.empty(shape, object)
        for i, (axes, column) in enumerate(zip(self.axes_, ("cosine", "norm_ratio"), strict=True)):
            for j, (block, color) in enumerate(zip(blocks, colors, strict=True)):
                part = table[table["block"] == block]
                offset = _SPREAD * ((j + 0.5) / len(blocks) - 0.5)
                rows = [parameters.index(name) + offset for name in part["parameter"]]
                self.bptt_[i, j] = axes.scatter(
                    _distance(part[f"bptt_{column}"]), rows, s=42, facecolors="none",
                    edgecolors=[color], linewidths=1.3,
                )  # fmt: skip
                self.rhel_[i, j] = axes.scatter(
                    _distance(part[column]), rows, s=16, color=[color], zorder=3
                )
            _dress(
                axes,
                parameters,
                (r"$|1 - \mathrm{cosine}|$", r"$|1 - \mathrm{norm\ ratio}|$")[i],
                first=i == 0,
            )
        self._legend(frame, blocks)
        return self

    def _legend(self, frame, blocks) -> None:
        from matplotlib.lines import Line2D

        def mark(**options):
            return Line2D([], [], linestyle="none", marker="o", color="0.35", **options)

        handles = [
            mark(markersize=4, label="RHEL against BPTT"),
            mark(markersize=6.5, fillstyle="none", label="BPTT against BPTT in float64"),
        ]
        for block, points in zip(blocks, self.rhel_[0], strict=True):
            points.set_label(f"block {block}")
            handles.append(points)
        legend_across(frame, handles, ncols=2 + (len(blocks) - 1) // _LEGEND_LINES)


def _distance(values: pd.Series) -> np.ndarray:
    return np.maximum(np.abs(1 - values.to_numpy(float)), _FLOOR)


def _dress(axes, parameters: list[str], label: str, *, first: bool) -> None:
    axes.set_xscale("log")
    top = max(0, 5 * math.ceil(np.log10(axes.get_xlim()[1]) / 5))
    decades = range(-15, top + 1, 5)
    axes.set_xlim(_FLOOR / 3, 10.0 ** decades[-1] * 5)
    axes.set_xticks(
        [_FLOOR, *(10.0**d for d in decades)], ["0", *(f"$10^{{{d}}}$" for d in decades)]
    )
    axes.minorticks_off()
    axes.set_xlabel(label)
    axes.set_ylim(len(parameters) - 0.5, -0.5)
    axes.set_yticks(range(len(parameters)), parameters)
    axes.tick_params(axis="y", length=0, labelleft=first)
    for edge in range(1, len(parameters)):
        axes.axhline(edge - 0.5, color="0.9", linewidth=0.8, zorder=0)
