"""A picture of ``mode_frequencies``."""

from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ._oscillators import frequency_unit, input_power, mode_frequencies
from ._plotting import BLUE, GREY, ORANGE, import_pyplot, legend_above, panels

_MOST = 0.95  # of the input's power


@dataclass(eq=False, repr=False)
class FrequencyDisplay:
    """Frequencies of a fitted HSSM's modes, block by block.

    Use :meth:`from_estimator` to make one. Every mode is a stem at its frequency, as high
    as it is coupled to the block's input and output; a nonlinear one has a bar from the
    frequency of wide swings to that of small ones, and a damped one has one as wide as its
    resonance: 1 / (2 pi decay time) to either side. With X, a panel on top shows where its
    power lies.

    Parameters
    ----------
    frequencies : DataFrame
        What :func:`mode_frequencies` returned.
    power : Series or None, default=None
        Power of the input, indexed by frequency in the same unit.
    unit : str, default="cycles per step"

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : ndarray of matplotlib Axes
        One a block.
    power_ax_ : matplotlib Axes or None
    stems_ : list of matplotlib LineCollection
        One a block.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_physrnn import HSSMClassifier
    >>> from sklearn_physrnn.inspection import FrequencyDisplay
    >>> X = np.random.default_rng(0).normal(size=(20, 50, 2))
    >>> y = X[:, :, 0].mean(axis=1) > 0
    >>> model = HSSMClassifier(8, 4, max_iter=1, random_state=0).fit(X, y)
    >>> len(FrequencyDisplay.from_estimator(model, X).axes_)
    2
    """

    figure_: Any = field(init=False)
    axes_: Any = field(init=False)
    power_ax_: Any = field(init=False)
    stems_: list[Any] = field(init=False)

    frequencies: pd.DataFrame
    _: KW_ONLY
    power: pd.Series | None = None
    unit: str = "cycles per step"

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        sampling_rate: float | None = None,
        unit: str | None = None,
        ax=None,
    ) -> "FrequencyDisplay":
        """Compute a fitted estimator's frequencies and draw them.

        Parameters
        ----------
        estimator : HSSMClassifier or HSSMRegressor
            Fitted.
        X : array-like, default=None
            Sequences, as in ``fit``, to show the power spectrum of.
        sampling_rate : float, default=None
            As in :func:`mode_frequencies`.
        unit : str, default=None
            What the frequencies' unit is called, say "Hz" where `sampling_rate` counts
            steps a second. None says which cycles they are.
        ax : as in :meth:`plot`

        Returns
        -------
        FrequencyDisplay

        Raises
        ------
        TypeError, NotFittedError, ValueError
            As from :func:`mode_frequencies`; ValueError too if X is not what the estimator
            takes, or given although the model has time stamps.
        ImportError
            If matplotlib is missing.
        """
        import_pyplot(f"{cls.__name__}.from_estimator")
        frequencies = mode_frequencies(estimator, sampling_rate=sampling_rate)
        power = None
        if X is not None:
            power = input_power(estimator, X)
            power.index = power.index * (sampling_rate or 1.0)
        unit = unit or frequency_unit(estimator, sampling_rate)
        return cls(frequencies, power=power, unit=unit).plot(ax=ax)

    def plot(self, *, ax=None) -> "FrequencyDisplay":
        """Draw the display.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw: a subplot, which is divided. None makes a figure, which is not
            shown.

        Returns
        -------
        self : FrequencyDisplay
            With the figure in ``figure_``.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        """
        plt = import_pyplot(f"{type(self).__name__}.plot")
        table = self.frequencies
        blocks = sorted(table["block"].unique())
        n_above = int(self.power is not None)
        size = 6.4, 0.8 + 1.5 * (len(blocks) + n_above)
        self.figure_, axes, _ = panels(plt, ax, len(blocks) + n_above, size=size, sharex=True)
        self.power_ax_ = axes[0, 0] if n_above else None
        self.axes_ = axes[n_above:, 0]
        right = self._right()
        if self.power is not None:
            shown = self.power[self.power.index <= right]
            self.power_ax_.fill_between(shown.index, shown, color="0.8", linewidth=0)
            self.power_ax_.plot(shown.index, shown, color=GREY, linewidth=1)
            self.power_ax_.set_ylabel("power of\nthe input")
            self.power_ax_.set_ylim(bottom=0)
        self.stems_ = []
        for axes_, block in zip(self.axes_, blocks, strict=True):
            part = table[table["block"] == block]
            self.stems_.append(
                axes_.vlines(part["frequency"], 0, part["coupling"], color=BLUE, linewidth=1)
            )
            if self._bars:
                axes_.hlines(part["coupling"], *self._ends(part), color=ORANGE, linewidth=2)
            axes_.plot(part["frequency"], part["coupling"], "o", color=BLUE, markersize=4)
            axes_.set_ylabel(f"block {block}\ncoupling")
            axes_.set_ylim(bottom=0)
        self.axes_[-1].set_xlabel(f"frequency ({self.unit})")
        self.axes_[-1].set_xlim(0, right)
        if self._bars:
            legend_above(self.axes_[0], handles=_handles(*self._bars))
        return self

    @property
    def _bars(self) -> tuple[str, str] | None:
        """What points and bars are called, if there are bars."""
        if "lowest_frequency" in self.frequencies:
            return "small swings", "wider swings"
        if np.isfinite(self.frequencies["decay_time"]).any():
            return "frequency", "width of the resonance"
        return None

    def _ends(self, part: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
        """Give the ends of the bars."""
        if "lowest_frequency" in part:
            return part["lowest_frequency"], part["frequency"]
        half = 1 / (2 * np.pi * part["decay_time"])
        return part["frequency"] - half, part["frequency"] + half

    def _right(self) -> float:
        """Give the end of the axis: all modes, and most of the input's power if it is near."""
        highest = 1.05 * self.frequencies["frequency"].max()
        if self.power is None:
            return highest
        share = self.power.cumsum() / self.power.sum()
        return max(highest, min(2 * highest, share.index[int((share < _MOST).sum())]))


def _handles(point: str, bar: str) -> list[Any]:
    from matplotlib.lines import Line2D

    return [
        Line2D([], [], color=BLUE, marker="o", linestyle="none", markersize=4, label=point),
        Line2D([], [], color=ORANGE, linewidth=2, label=bar),
    ]
