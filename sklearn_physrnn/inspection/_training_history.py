"""How a training went, epoch by epoch."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._plotting import BLUE, GREEN, GREY, ORANGE, VERMILION, import_pyplot, legend_above, panels

_LOG_FROM = 8  # ratio of losses: below it a logarithmic axis has too few round ticks
_CURVES = {
    "train_loss": "loss_curve_",
    "validation_loss": "validation_loss_curve_",
    "validation_score": "validation_scores_",
    "learning_rate": "learning_rate_curve_",
}
_LABELS = {"train_loss": "training", "validation_loss": "validation"}


@dataclass(eq=False, repr=False)
class TrainingHistoryDisplay:
    """Losses, validation score and learning rate of a fitted estimator, by epoch.

    Use :meth:`from_estimator` to make one. Where early stopping chose the weights, a
    vertical line marks the epoch that they are from.

    Parameters
    ----------
    history : DataFrame
        Indexed by epoch, from 1, with the column "train_loss" and, where they are known,
        "validation_loss", "validation_score" and "learning_rate".
    best_epoch : int or None, default=None
        Epoch whose weights early stopping kept.
    score_name : str, default="score"
        What the validation score is.

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One a panel: losses, then score and learning rate as far as they are known.
    lines_ : dict of str to matplotlib Line2D
        By column of `history`.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by size of the training set.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn_physrnn import DynPMNNRegressor
    >>> from sklearn_physrnn.inspection import TrainingHistoryDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = DynPMNNRegressor(max_iter=20, early_stopping=True, random_state=0).fit(X, y)
    >>> display = TrainingHistoryDisplay.from_estimator(model)
    >>> display.history["validation_loss"].idxmin() == display.best_epoch
    True
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    lines_: dict[str, Any] = field(init=False)

    history: pd.DataFrame
    _: KW_ONLY
    best_epoch: int | None = None
    score_name: str = "score"

    @classmethod
    def from_estimator(cls, estimator, *, ax=None) -> "TrainingHistoryDisplay":
        """Take the curves that a fitted estimator keeps and draw them.

        Parameters
        ----------
        estimator : object
            Fitted, with an attribute ``loss_curve_``, as the package's estimators and
            forecasters have.
        ax : as in :meth:`plot`

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it keeps no ``loss_curve_``.
        ImportError
            If matplotlib is missing.
        """
        if hasattr(estimator, "check_is_fitted"):  # sktime's, which has no tags of scikit-learn
            estimator.check_is_fitted()
        else:
            check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise TypeError(
                "estimator must keep a loss_curve_, as this package's estimators do; "
                f"{type(estimator).__name__} does not."
            )
        # scikit-learn's own networks keep some of them.
        curves = {name: getattr(estimator, curve, None) for name, curve in _CURVES.items()}
        n_epochs = max(len(curve) for curve in curves.values() if curve)
        # Of a warm start, the first epochs may have been without validation. A forecaster
        # validates its first training, and trains on with what it had held out.
        at_end = not hasattr(estimator, "horizon_")

        def aligned(curve):
            missing = [np.nan] * (n_epochs - len(curve))
            return missing + list(curve) if at_end else list(curve) + missing

        history = pd.DataFrame(
            {name: aligned(curve) for name, curve in curves.items() if curve},
            index=pd.RangeIndex(1, n_epochs + 1, name="epoch"),
            dtype=float,
        )
        best_epoch = None
        if getattr(estimator, "early_stopping", False) and curves["validation_loss"]:
            best_epoch = int(history["validation_loss"].idxmin())
        score_name = "accuracy" if hasattr(estimator, "classes_") else "$R^2$"
        return cls(history, best_epoch=best_epoch, score_name=score_name).plot(ax=ax)

    def plot(self, *, ax=None) -> "TrainingHistoryDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : TrainingHistoryDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        history = self.history
        small = [name for name in ("validation_score", "learning_rate") if name in history]
        self.figure_, axes, _ = panels(
            plt, ax, 1 + len(small), size=(6.4, 3.2 + 1.2 * len(small)), sharex=True,
            height_ratios=[2.2, *([1] * len(small))],
        )  # fmt: skip
        self.axes_ = axes[:, 0]
        losses = self.axes_[0]
        self.lines_ = {}
        for name, color in (("train_loss", BLUE), ("validation_loss", ORANGE)):
            if name in history:
                self._draw(losses, name, color, label=_LABELS[name])
        losses.set_ylabel("loss")
        drawn = history[[c for c in _LABELS if c in history]].to_numpy()
        drawn = drawn[np.isfinite(drawn)]
        if drawn.size and drawn.max() > _LOG_FROM * drawn.min() > 0:
            losses.set_yscale("log")
        for axis, name in zip(self.axes_[1:], small, strict=True):
            self._draw(axis, name, GREEN if name == "validation_score" else GREY)
        if "validation_score" in history:
            self.axes_[1].set_ylabel(f"validation\n{self.score_name}")
        if "learning_rate" in history:
            self.axes_[-1].set_ylabel("learning\nrate")
            self.axes_[-1].set_ylim(bottom=0)
            self.axes_[-1].ticklabel_format(axis="y", style="sci", scilimits=(-2, 3))
        self._mark_best()
        legend_above(losses)
        self.axes_[-1].set_xlabel("epoch")
        self.axes_[-1].xaxis.get_major_locator().set_params(integer=True)
        self.figure_.align_ylabels(list(self.axes_))
        return self

    def _draw(self, axes, name: str, color: str, **options) -> None:
        values = self.history[name]
        (self.lines_[name],) = axes.plot(
            values.index, values, color=color, marker="o" if len(values) == 1 else None, **options
        )

    def _mark_best(self) -> None:
        if self.best_epoch is None:
            return
        for axes in self.axes_:
            axes.axvline(self.best_epoch, color=VERMILION, linestyle=":", linewidth=1.2)
        self.axes_[0].plot(
            [self.best_epoch], [self.history.loc[self.best_epoch, "validation_loss"]],
            color=VERMILION, marker="o", linestyle=":", linewidth=1.2,
            label=f"weights kept: epoch {self.best_epoch}",
        )  # fmt: skip
