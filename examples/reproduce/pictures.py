"""Draw one picture a claim of docs/reproduction.md, from the rows that the scripts wrote.

``python examples/reproduce/pictures.py`` reads docs/results.csv; the docs' build calls `draw`.
Dots are means over seeds with their standard errors; lines where a claim is about a number
(steps, noise, hours ahead) that its rows differ in.
"""

import argparse
import math
from pathlib import Path

import matplotlib
import pandas as pd
from render import LESS_IS_BETTER, bounds, goal_of, latest, paper_value, slug

matplotlib.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).parents[2] / "docs"
OURS = ("PETNN", "HSSM", "DynPMNN", "defaults", "rhel", "bptt")
# What tables say and pictures leave out: twice the same, or not to be compared.
LEFT_OUT = ("seconds", "kept MB", "s a step", "MAE")
LOGARITHMIC = ("peak MB", "1 - cosine")
MOST_PANELS = 6
SMALLEST = 1e-17  # what is drawn of a difference that is none, on a logarithmic scale

# Okabe and Ito's, which the colour-blind tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE)
OTHERS = ("#000000", "#999999", "#56B4E9", "#E69F00", "#8C6BB1", "#7F5539")
MARKERS = "osD^vPX*<>"
STYLE = {
    "font.size": 11, "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True,
    "grid.alpha": 0.25, "figure.dpi": 110, "legend.frameon": False, "savefig.facecolor": "white",
}  # fmt: skip


def looks(models):
    """Give each model its colour, marker and line: whole lines are ours."""
    ours = [model for model in models if is_ours(model)]
    others = [model for model in models if model not in ours]
    found = {model: (COLOURS[k % len(COLOURS)], "-") for k, model in enumerate(ours)}
    found |= {model: (OTHERS[k % len(OTHERS)], "--") for k, model in enumerate(others)}
    return {model: (*found[model], MARKERS[k % 10]) for k, model in enumerate(models)}


def is_ours(model):
    """Whether a model is one of the package's."""
    return model.removeprefix("float64, ").removeprefix("float32, ").startswith(OURS)


def nominal(metric):
    """Give the share that intervals promise, of metrics like "inside 80%"; else None."""
    if not metric.startswith("inside "):
        return None
    return float(metric.removeprefix("inside ").rstrip("%")) / 100


def worded(metric):
    """Say a metric, and which way is better."""
    if nominal(metric) is not None:
        return f"share inside; the line: {nominal(metric)}"
    return f"{metric} ({'less' if metric in LESS_IS_BETTER else 'more'} is better)"


def means(rows):
    """Mean and standard error over seeds, by model in the order of the rows."""
    values = rows.groupby("model", sort=False)["value"]
    return values.agg(["mean", "sem"]).fillna({"sem": 0.0})


def dots(claim, panels):
    """One panel a data set and metric, one row a model."""
    heights = [len(rows["model"].unique()) for _, _, rows in panels]
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(6.4, 0.5 + 0.8 * len(panels) + 0.27 * sum(heights)),
        height_ratios=[height + 1 for height in heights], layout="constrained", squeeze=False,
    )  # fmt: skip
    drawn = {}
    for ax, (data, metric, rows) in zip(axes[:, 0], panels, strict=True):
        found = means(rows)[::-1]
        for k, (model, row) in enumerate(found.iterrows()):
            own = is_ours(model)
            drawn["ours" if own else "others"] = ax.errorbar(
                row["mean"], k, xerr=row["sem"], color=BLUE if own else "#777777",
                marker="o" if own else "s", ls="none", capsize=3,
            )  # fmt: skip
            if paper := paper_value(claim, data, model):
                look = {"color": ORANGE, "ms": 12, "mew": 2.5}
                (drawn["the paper's"],) = ax.plot(float(paper.split()[0]), k, "|", **look)
            goal = goal_of(claim, data, model, metric)
            for bound in () if goal is None else bounds(goal, metric):
                if math.isfinite(bound):
                    (drawn["our goal"],) = ax.plot(bound, k, "d", mfc="none", color=GREEN)
        if nominal(metric) is not None:
            ax.axvline(nominal(metric), color=GREEN, lw=1)
        ax.set_yticks(range(len(found)), found.index)
        ax.set_ylim(-0.6, len(found) - 0.4)
        ax.locator_params(axis="x", nbins=6)
        ax.set_title(data, loc="left", fontsize=11, fontweight="bold")
        ax.set_xlabel(worded(metric))
    figure.legend(drawn.values(), drawn.keys(), loc="outside lower center", ncols=4, fontsize=10)
    return figure


def lines(claim, panels):
    """One panel a kind of data and metric: every model along the number."""
    figure, axes = plt.subplots(
        len(panels), 1, figsize=(6.4, 2.9 * len(panels)), layout="constrained", squeeze=False
    )
    models = list(pd.concat([rows for _, _, rows in panels])["model"].unique())
    own_looks, drawn = looks(models), {}
    for ax, (data, metric, rows) in zip(axes[:, 0], panels, strict=True):
        for model, own in rows.groupby("model", sort=False):
            values = own.groupby("number")["value"].agg(["mean", "sem"]).fillna({"sem": 0.0})
            colour, line, marker = own_looks[model]
            drawn[model] = ax.errorbar(
                values.index, values["mean"], yerr=values["sem"], color=colour, ls=line,
                marker=marker, ms=5, capsize=2,
            )  # fmt: skip
        numbers = rows["number"]
        if numbers.min() > 0 and numbers.max() > 20 * numbers.min():
            ax.set_xscale("log")
        if metric in LOGARITHMIC:
            ax.set_yscale("log")
        ax.set_title(data, loc="left", fontsize=11, fontweight="bold")
        ax.set_ylabel(worded(metric).replace(" (", "\n("))
        ax.set_xlabel(rows["unit"].iloc[0])
    figure.legend(
        drawn.values(), drawn.keys(), loc="outside lower center", ncols=2, fontsize=10
    )  # fmt: skip
    return figure


def along(rows):
    """Split data like "adding, 300 steps" into kind, number and unit; None where there is none.

    What follows the number tells models apart, as in "linear, 896 steps, float64, rhel", whose
    rows are of parts: the largest value of them counts.
    """
    parts = rows["data"].str.extract(
        r"^(?P<kind>.+), (?:(?P<before>[a-z]+) )?(?P<number>[\d,.]*\d)(?: (?P<after>[a-z]+))?"
        r"(?:, (?P<rest>.+))?$"
    )
    if parts["number"].isna().any() or parts["number"].nunique() < 3:
        return None
    number = parts["number"].str.replace(",", "").astype(float)
    unit = parts["after"].fillna(parts["before"]).replace("ahead", "steps ahead")
    rows = rows.assign(kind=parts["kind"], number=number, unit=unit)
    if parts["rest"].isna().any():
        return rows
    rows = rows.assign(model=parts["rest"], value=rows["value"].clip(lower=SMALLEST))
    keys = ["model", "kind", "number", "unit", "metric", "seed"]
    return rows.groupby(keys, sort=False, as_index=False)["value"].max()


def picture(claim, rows):
    """Draw a claim's rows."""
    rows = rows[~rows["metric"].isin(LEFT_OUT)]
    numbered = along(rows)
    if numbered is None:
        groups = rows.groupby(["data", "metric"], sort=False)
        draw_panels = dots
    else:
        groups = numbered.groupby(["kind", "metric"], sort=False)
        draw_panels = lines
    panels = [(data, metric, own) for (data, metric), own in groups][:MOST_PANELS]
    return draw_panels(claim, panels) if panels else None


def draw(results, into):
    """Write a picture of every claim.

    Parameters
    ----------
    results : DataFrame
        Rows of docs/results.csv, the latest ones.
    into : Path
        Folder.
    """
    into.mkdir(parents=True, exist_ok=True)
    for claim, rows in results.groupby("claim", sort=False):
        with plt.rc_context(STYLE):
            figure = picture(claim, rows)
            if figure is not None:
                figure.savefig(into / f"{slug(claim)}.png")
                plt.close(figure)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--results", type=Path, default=DOCS / "results.csv")
    parser.add_argument("--into", type=Path, default=DOCS / "figures")
    options = parser.parse_args(arguments)
    draw(latest([options.results]), options.into)


if __name__ == "__main__":
    main()
