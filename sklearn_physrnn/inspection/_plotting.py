"""matplotlib, if it is there, and what all figures have in common."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ._gaps import broken

# Okabe and Ito's colours, told apart with any colour vision, those that read best as
# thin lines on white first. Their yellow does not read and is left out.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#CC79A7", "#000000")
BLUE, ORANGE, GREEN, VERMILION = COLORS[:4]
GREY = "0.45"
_LINE = 0.23  # inches a line of legend takes
_LETTER, _HANDLE = 0.078, 0.5  # inches, in a legend's small print: a letter, and what is beside
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"


def import_pyplot(caller: str):
    """Import and return ``matplotlib.pyplot``, or say how to get it."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f"{caller} needs matplotlib: pip install sklearn-physrnn[plot]."
        ) from error
    return plt


def short(name: Any, most: int = 24) -> str:
    """Leave the middle out of a name of more than `most` letters."""
    name = str(name)
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[: most - 1 - half]}…{name[-half:]}"


def columns_that_fit(labels: Sequence[str], width: float, most: int = 6) -> int:
    """How many columns, `most` at most, a legend of these labels can have in `width` inches."""
    widest = _HANDLE + _LETTER * max(map(len, labels), default=0)
    return max(1, min(most, len(labels), int(width / widest)))


def width_of(ax, otherwise: float) -> float:
    """Width in inches of the Axes that were given, or of the figure that is made otherwise."""
    if ax is None:
        return otherwise
    return ax.get_position().width * ax.figure.get_figwidth()


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders half-way between increasing numbers, and as far beyond the first and last."""
    middle = (centres[1:] + centres[:-1]) / 2
    if not len(middle):
        return np.array([centres[0] - 0.5, centres[0] + 0.5])
    first, last = 2 * centres[0] - middle[0], 2 * centres[-1] - middle[-1]
    return np.concatenate(([first], middle, [last]))


def panels(
    plt,
    ax,
    n_rows: int,
    n_columns: int = 1,
    *,
    size: tuple[float, float],
    legend_lines: int = 0,
    sharex: bool = False,
    sharey: bool = False,
    **grid: Any,
) -> tuple[Any, np.ndarray, Any]:
    """Make a figure of `n_rows` by `n_columns` Axes, or divide the Axes that were given.

    Parameters
    ----------
    plt : module
        ``matplotlib.pyplot``.
    ax : matplotlib Axes or None
        A subplot to divide; None makes a figure of `size`, in inches.
    legend_lines : int
        Leave room for so many lines above all panels, for :func:`legend_across`.
    sharex, sharey : bool
        Share the axis among a column's, or a row's, panels.
    grid
        ``height_ratios`` and the like.

    Returns
    -------
    figure : matplotlib Figure
    axes : ndarray of shape (n_rows, n_columns) of matplotlib Axes
    frame : matplotlib Axes or None
        Empty, above them, if `legend_lines` asks for it.

    Raises
    ------
    ValueError
        If `ax` is no subplot.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=size, layout="constrained")
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax must be a subplot, as plt.subplots makes them, to be divided into panels; "
            "got Axes at a fixed place."
        )
    figure = ax.figure
    ax.set_axis_off()
    frame = None
    if legend_lines:
        above = _LINE * legend_lines
        below = max(ax.bbox.height / figure.dpi - above, above)
        outer = place.subgridspec(2, 1, height_ratios=(above, below))
        frame, place = figure.add_subplot(outer[0]), outer[1]
        frame.set_axis_off()
    spec = place.subgridspec(n_rows, n_columns, **grid)
    axes = np.empty((n_rows, n_columns), object)
    for row in range(n_rows):
        for column in range(n_columns):
            axes[row, column] = figure.add_subplot(
                spec[row, column],
                sharex=axes[0, column] if sharex and row else None,
                sharey=axes[row, 0] if sharey and column else None,
            )
            axes[row, column].spines[["top", "right"]].set_visible(False)
            # By default ticks depend on the height, and the layout is made before that.
            axes[row, column].locator_params(axis="y", nbins=5)
            if sharex and row < n_rows - 1:
                axes[row, column].tick_params(labelbottom=False)
    return figure, axes, frame


def legend_across(frame, handles: Sequence[Any], *, ncols: int) -> Any:
    """Fill the room that :func:`panels` has left above its panels with a legend."""
    legend = frame.legend(
        handles=handles, loc="center", frameon=False, fontsize="small", ncols=ncols,
        handlelength=1.5, columnspacing=1.2, borderpad=0,
    )  # fmt: skip
    # Of a width that the layout must not try to give to a panel.
    legend.set_in_layout(False)
    return legend


def legend_above(ax, *, handles: Sequence[Any] | None = None, **options) -> Any:
    """Put the legend on top of `ax`, off the data, left-aligned, in lines as wide as it is."""
    if handles is None:
        handles = ax.get_legend_handles_labels()[0]
    ncols = columns_that_fit([h.get_label() for h in handles], width_of(ax, 0.0))
    options["handles"] = handles
    return ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.2, frameon=False,
        fontsize="small", ncols=ncols, handlelength=1.5, columnspacing=1.2, **options,
    )  # fmt: skip


def span_time(ax, time: np.ndarray, label: str) -> None:
    """Let the axis begin and end with the series, and name it."""
    ax.set_xlabel(label)
    if time[0] < time[-1]:
        ax.set_xlim(time[0], time[-1])


def draw_inputs(ax, time: np.ndarray, values: np.ndarray, names: Sequence[str] | None) -> None:
    """Draw the channels of a sequence (time, channels), named while they can be told apart.

    No line goes through a gap.
    """
    ax.set_ylabel("input")
    time, values = broken(time, values)
    n_channels = values.shape[1]
    if n_channels > len(COLORS):
        ax.plot(time, values, color=GREY, linewidth=0.6, alpha=0.6)
        return
    colors: tuple[str, ...] = ("0.25",) if n_channels == 1 else COLORS
    names = [short(n) for n in names or [f"channel {k}" for k in range(n_channels)]]
    for x, color, name in zip(values.T, colors, names, strict=False):
        ax.plot(time, x, color=color, linewidth=1.2, label=name)
    if n_channels > 1:
        legend_above(ax)
