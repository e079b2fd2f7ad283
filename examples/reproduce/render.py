"""Write the results that the scripts collected into docs/reproduction.md.

``python examples/reproduce/render.py results.csv`` replaces what stands there between the
markers: a claim's picture (pictures.py) and, folded, its table, ours beside the paper's and the
goal, marked where we fall short.
"""

import argparse
import math
from pathlib import Path

import pandas as pd

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

# What the paper, or its released code, reports for its own model, and what we set out to
# reach, by claim, data and the beginning of our model's name; goals also by metric, and as a
# pair of bounds.
PAPER = {
    ("California Housing", "California Housing", "DynPMNN"): "0.664",
    ("California Housing", "California Housing", "Neural ODE"): "0.554",
    ("small tables", "banknote", "DynPMNN"): "0.9855",
    ("small tables", "breast cancer", "DynPMNN"): "0.912",
    ("small tables", "diabetes", "DynPMNN"): "65.8",
    ("small tables", "iris", "DynPMNN"): "0.688",
    ("small tables", "banknote", "Neural ODE"): "0.9928",
    ("small tables", "breast cancer", "Neural ODE"): "0.930",
    ("small tables", "diabetes", "Neural ODE"): "48.0",
    ("UEA", "SelfRegulationSCP1", "HSSM linear"): "0.878 (LinOSS-IM)",
    ("MNIST by rows", "MNIST by rows", "PETNN"): "0.9903",
    ("IMDB", "IMDB", "PETNN"): "0.89",
    ("IMDB", "IMDB", "LSTM"): "0.83",
}
GOAL = {
    ("California Housing", "California Housing", "DynPMNN"): 0.475,
    ("California Housing", "California Housing", "DynPMNN, rich"): 0.45,
    ("small tables", "banknote", "DynPMNN"): 0.995,
    ("small tables", "breast cancer", "DynPMNN"): 0.96,
    ("small tables", "diabetes", "DynPMNN"): 56.0,
    ("small tables", "iris", "DynPMNN"): 0.95,
    ("UEA", "SelfRegulationSCP1", "HSSM linear, rhel"): 0.878,
    ("UEA", "SelfRegulationSCP1", "HSSM linear, bptt"): 0.878,
    ("MNIST by rows", "MNIST by rows", "PETNN"): 0.9903,
    ("IMDB", "IMDB", "PETNN"): 0.89,
    ("long horizons", "ETTh1, 96 ahead", "PETNN", "MSE"): 0.373,
    ("long horizons", "ETTh1, 96 ahead", "PETNN", "MAE"): 0.392,
    ("long horizons", "ETTh1, mean", "PETNN", "MSE"): 0.427,
    **{
        ("Airline", "36 months", name, metric): goal
        for name in ("PETNN", "HSSM", "DynPMNN")
        for metric, goal in (("MASE", 1.004), ("seconds", 10))  # MASE: a tenth above AutoETS
    },
    ("intervals", "ETTh1, 96 ahead", "PETNN", "inside 50%"): (0.42, 0.58),
    ("intervals", "ETTh1, 96 ahead", "PETNN", "inside 80%"): (0.75, 0.85),
    ("intervals", "ETTh1, 96 ahead", "PETNN", "inside 95%"): (0.90, 1.0),
}
LESS_IS_BETTER = (
    "RMSE", "MSE", "MAE", "MASE", "1 - cosine", "peak MB", "kept MB", "s a step", "seconds",
)  # fmt: skip
# Further claims come before them, as they stand in the files.
LAST = (
    "sequences", "MNIST by rows", "MNIST by pixels", "IMDB", "UEA", "Airline", "long horizons",
    "intervals", "long memory", "PETNN ablation", "RHEL memory", "RHEL gradients",
)  # fmt: skip
# Claims of many conditions: a row for each of them and its metric, a column for each model.
WIDE = (
    "Airline", "long horizons", "intervals", "long memory", "PETNN ablation", "RHEL gradients",
    "RHEL memory",
)  # fmt: skip


def decimals(value):
    """Count the decimals that show four significant places of `value`."""
    return 4 if abs(value) < 1 else max(0, 3 - int(math.log10(abs(value))))


def number(value):
    """Four significant places, and one decimal power where they would all be zeros."""
    if abs(value) < 1e-15:
        return "0"
    return f"{value:.{decimals(value)}f}" if abs(value) >= 1e-3 else f"{value:.1e}"


def paper_value(claim, data, model):
    """Give the paper's number for the longest beginning of the model's name."""
    names = [key[2] for key in PAPER if key[:2] == (claim, data) and model.startswith(key[2])]
    exact = [name for name in names if name == model or claim == "UEA"]
    return PAPER[claim, data, max(exact, key=len)] if exact else ""


def cell(values, goal, metric):
    """Mean and standard error over seeds, red where the mean falls short of the goal."""
    mean = values.mean()
    text = number(mean)
    if len(values) > 1:
        text += f" ± {values.sem():.{decimals(mean)}f}"
    if goal is None:
        return text
    least, most = bounds(goal, metric)
    short = not least <= mean <= most
    return f'<span class="missed">{text}</span>' if short else text


def bounds(goal, metric):
    """Give the least and the largest value that reach a goal."""
    if isinstance(goal, tuple):
        return goal
    return (-math.inf, goal) if metric in LESS_IS_BETTER else (goal, math.inf)


def goal_text(goal):
    """Show a goal."""
    if goal is None:
        return ""
    return " to ".join(map(str, goal)) if isinstance(goal, tuple) else str(goal)


def goal_of(claim, data, model, metric):
    """Give what we set out to reach, or None."""
    return GOAL.get((claim, data, model, metric), GOAL.get((claim, data, model)))


def long_table(claim, rows):
    """Make a row for each condition, model and metric."""
    lines = [
        "| data | model | metric | here | goal | paper | seeds | numbers | fit, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, model, metric), group in rows.groupby(["data", "model", "metric"], sort=False):
        goal = goal_of(claim, data, model, metric)
        parameters, seconds = group["parameters"].iloc[0], group["seconds"].median()
        lines.append(
            f"| {data} | {model} | {metric} | {cell(group['value'], goal, metric)} | "
            f"{goal_text(goal)} | {paper_value(claim, data, model)} | {len(group)} | "
            f"{'' if pd.isna(parameters) else f'{parameters:,.0f}'} | "
            f"{'' if pd.isna(seconds) else f'{seconds:.1f}'} |"
        )
    return lines


def wide_table(claim, rows):
    """Make a row for each condition and metric, a column for each model, and the goals."""
    models, lines = list(rows["model"].unique()), []
    for (data, metric), group in rows.groupby(["data", "metric"], sort=False):
        cells, goals = [], []
        for model in models:
            values = group.loc[group["model"] == model, "value"]
            goal = goal_of(claim, data, model, metric)
            cells.append("" if values.empty else cell(values, goal, metric))
            goals += [] if goal is None else [f"{model} {goal_text(goal)}"]
        lines.append([data, metric, *cells, ", ".join(goals)])
    head = ["data", "metric", *models, "goal"]
    width = len(head) if any(line[-1] for line in lines) else len(head) - 1
    return ["| " + " | ".join(line[:width]) + " |" for line in (head, ["---"] * width, *lines)]


def with_means(rows):
    """Add the mean over horizons, for models that were run on all of them."""
    split = rows["data"].str.extract(r"^(?P<series>.+), (?P<horizon>\d+) ahead$")
    grouped = rows.join(split).groupby(["series", "model", "metric", "seed"], sort=False)
    means = grouped.agg({**dict.fromkeys(rows.columns, "first"), "value": "mean"})
    counts = grouped["horizon"].nunique()
    means = means[(counts == split["horizon"].nunique()) & (counts > 1)]
    means["data"] = means.index.get_level_values("series") + ", mean"
    return pd.concat([rows, means[rows.columns]], ignore_index=True)


def table(claim, rows):
    """One claim's results as Markdown."""
    if claim == "long horizons":
        rows = with_means(rows)
    lines = (wide_table if claim in WIDE else long_table)(claim, rows)
    seeds = sorted(rows.groupby(["data", "model", "metric"]).size().unique())
    note = f"Seeds: {' or '.join(map(str, seeds))}. " if claim in WIDE else ""
    machines = ", ".join(f"{m} ({d})" for m, d in rows.groupby(["machine", "device"]).groups)
    versions = f"torch {rows['torch'].iloc[-1]}, scikit-learn {rows['scikit_learn'].iloc[-1]}"
    heading = claim[0].upper() + claim[1:]
    picture = f"```{{image}} figures/{slug(claim)}.png\n:alt: {heading}: results by model\n```"
    folded = [":::{dropdown} All numbers", *lines, ":::"]
    said = f"{note}{rows['date'].max()}, {machines}, {versions}."
    return "\n".join([f"### {heading}", "", picture, "", *folded, "", said])


def slug(claim):
    """Give a claim's name as part of a file's."""
    return claim.lower().replace(" ", "_")


def latest(paths):
    """Read rows of files: of a fit that was repeated, the last result; no quick runs."""
    results = pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
    results = results[~results["quick"].astype(bool)]
    keys = ["claim", "data", "model", "seed", "metric"]
    return results.drop_duplicates(keys, keep="last")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, help="csv files written by --out")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    results = latest(options.results)
    groups = dict(iter(results.groupby("claim", sort=False)))
    claims = sorted(groups, key=lambda claim: LAST.index(claim) if claim in LAST else -1)
    tables = [table(claim, groups[claim]) for claim in claims]
    text = options.page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    options.page.write_text(before + "\n\n".join([BEGIN, *tables, END]) + after)
    print(f"{len(results)} results in {len(tables)} tables written to {options.page}")


if __name__ == "__main__":
    main()
