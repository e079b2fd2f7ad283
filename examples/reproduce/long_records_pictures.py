"""Draw the pictures of docs/guide/long_records.md from the rows that long_records.py writes.

``python examples/reproduce/long_records_pictures.py`` reads docs/long_records.csv and writes one
file a picture beside the page.
"""

import argparse
from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).parents[2] / "docs"

# Okabe and Ito's colours, which the colour-blind tell apart; lines differ by marker, too.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#666666"
WAYS = {
    "pieces": ("in pieces", BLUE, "o"),
    "whole": ("whole", ORANGE, "s"),
    "checkpoint": ("torch.utils.checkpoint, by hand", GREY, "^"),
}
NAMES = {"PETNN": "PETNN", "HSSM, rhel": "HSSM"}
STYLE = {
    "font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.alpha": 0.25, "figure.dpi": 150, "legend.frameon": False, "savefig.facecolor": "white",
    "lines.linewidth": 1.8, "lines.markersize": 6,
}  # fmt: skip


def length(data):
    """Give the number in texts like "cue, 20,000 steps"."""
    return data.str.extract(r"([\d,]+) steps$")[0].str.replace(",", "").astype(int)


def panels():
    """Make one panel a model, one below the other: a phone shows them at full width."""
    figure, axes = plt.subplots(
        len(NAMES), 1, figsize=(5.2, 5.6), sharex=True, layout="constrained"
    )
    for ax, name in zip(axes, NAMES.values(), strict=True):
        ax.set_title(name, loc="left", fontsize=11, fontweight="bold")
        ax.set(xscale="log", yscale="log")
    return figure, axes


def by_length(rows, metric, label):
    """Draw a metric of every way by length."""
    figure, axes = panels()
    for ax, name in zip(axes, NAMES, strict=True):
        for way, (words, colour, marker) in WAYS.items():
            own = rows[(rows["model"] == f"{name}, {way}") & (rows["metric"] == metric)]
            own = own.sort_values("steps")
            ax.plot(own["steps"], own["value"], marker=marker, color=colour, label=words)
        ax.set_ylabel(label)
    axes[0].legend(fontsize=10)
    axes[-1].set_xlabel("steps of all sequences together")
    return figure


def memory(rows):
    """Memory of one training step."""
    return by_length(rows, "MB", "MB above the imports")


def seconds(rows):
    """Time of one training step."""
    return by_length(rows, "s a step", "seconds, one core")


PRECISIONS = {
    "float32, whole": ("float32, whole", ORANGE, "s"),
    "float32, pieces": ("float32, pieces", BLUE, "o"),
    "float32, undone": ("float32, undone", GREEN, "v"),
    "float64, pieces": ("float64, pieces", BLUE, "D"),
    "float64, undone": ("float64, undone", GREEN, "P"),
}


def gradients(rows):
    """Distance of gradients to the whole one in float64."""
    figure, axes = panels()
    for ax, name in zip(axes, NAMES, strict=True):
        for way, (words, colour, marker) in PRECISIONS.items():
            own = rows[(rows["model"] == f"{name}, {way}") & (rows["metric"] == "distance")]
            if own.empty:
                continue
            own = own.sort_values("steps")
            ax.plot(
                own["steps"], own["value"].clip(lower=1e-16), marker=marker, color=colour,
                ls="--" if words.startswith("float64") else "-", label=words,
            )  # fmt: skip
        ax.set_ylabel("distance, relative")
    axes[-1].legend(fontsize=9, ncols=2)
    axes[-1].set_xlabel("steps")
    return figure


def returns(rows):
    """How exactly HSSM comes back to rest."""
    figure, ax = plt.subplots(figsize=(5.2, 3.2), layout="constrained")
    for precision, colour, marker in (("float32", ORANGE, "s"), ("float64", BLUE, "o")):
        model = f"HSSM, rhel, {precision}, undone"
        own = rows[(rows["model"] == model) & (rows["metric"] == "return error")]
        own = own.sort_values("steps")
        ax.plot(own["steps"], own["value"], marker=marker, color=colour, label=precision)
    ax.set(xscale="log", yscale="log", xlabel="steps undone", ylabel="return error, relative")
    ax.legend()
    return figure


CUES = {
    "PETNN": (
        ("PETNN, memory of the length, whole", "whole gradient", BLUE, "o"),
        ("PETNN, memory of the length, truncated", "truncated gradient", ORANGE, "s"),
        ("PETNN, whole", "whole, memory of 64 steps", GREY, "^"),
    ),
    "HSSM": (
        ("HSSM, whole", "whole gradient", BLUE, "o"),
        ("HSSM, truncated", "truncated gradient", ORANGE, "s"),
    ),
}


def cue(rows):
    """Accuracy on the cue by length, a mark a seed."""
    figure, axes = panels()
    rows = rows[rows["metric"] == "accuracy"]
    for ax, name in zip(axes, CUES, strict=True):
        ax.set(yscale="linear", ylim=(0.3, 1.03))
        ax.axhline(0.5, color=GREY, lw=1, ls=":")
        for i, (model, words, colour, marker) in enumerate(CUES[name]):
            own = rows[rows["model"] == model]
            beside = own["steps"] * 1.12 ** (i - 1)
            ax.plot(beside, own["value"], marker, color=colour, ms=8, alpha=0.8, label=words)
        ax.set_ylabel("accuracy")
        ax.legend(fontsize=9, loc="center")
    lengths = sorted(rows["steps"].unique())
    axes[-1].set_xticks(lengths, [f"{n:,}" for n in lengths])
    axes[-1].minorticks_off()
    axes[-1].set_xlim(lengths[0] / 1.5, lengths[-1] * 1.5)
    axes[-1].set_xlabel("steps, of which the first percent tells the class")
    return figure


PICTURES = {
    "memory": memory, "gradients": gradients, "seconds": seconds, "returns": returns, "cue": cue,
}  # fmt: skip


def main(arguments=None):
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=Path, default=DOCS / "long_records.csv")
    options.add_argument("--into", type=Path, default=DOCS / "guide")
    options = options.parse_args(arguments)
    rows = pd.read_csv(options.rows)
    rows["steps"] = length(rows["data"])
    # The last row of a condition counts: files are added to.
    rows = rows.drop_duplicates(["data", "model", "metric", "seed"], keep="last")
    with plt.rc_context(STYLE):
        for name, draw in PICTURES.items():
            figure = draw(rows)
            figure.savefig(options.into / f"long_records_{name}.png")
            plt.close(figure)


if __name__ == "__main__":
    main()
