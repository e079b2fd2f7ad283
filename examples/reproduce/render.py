"""Write the results that the scripts collected into docs/reproduction.md.

``python examples/reproduce/render.py results.csv`` replaces what stands there between the
markers: one table a claim, ours beside the paper's and the goal, red where we fall short.
"""

import argparse
from pathlib import Path

import pandas as pd

PAGE = Path(__file__).parents[2] / "docs" / "reproduction.md"
BEGIN, END = "<!-- results: begin -->", "<!-- results: end -->"

# What the paper, or its released code, reports for its own model, and what we set out to
# reach, by claim, data and the beginning of our model's name.
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
}
LESS_IS_BETTER = ("RMSE", "MSE", "MAE", "MASE", "1 - cosine", "peak MB", "kept MB", "s a step")


def number(value):
    """Four significant places, however small."""
    return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"


def paper_value(claim, data, model):
    """Give the paper's number for the longest beginning of the model's name."""
    names = [key[2] for key in PAPER if key[:2] == (claim, data) and model.startswith(key[2])]
    exact = [name for name in names if name == model or claim == "UEA"]
    return PAPER[claim, data, max(exact, key=len)] if exact else ""


def table(claim, rows):
    """One claim's results as Markdown."""
    lines = [
        "| data | model | metric | here | seeds | paper | goal | numbers | fit, s |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, model, metric), group in rows.groupby(["data", "model", "metric"], sort=False):
        values = group["value"]
        mean = values.mean()
        here = number(mean)
        if len(values) > 1:
            here += f" ± {number(values.sem())}"
        goal = GOAL.get((claim, data, model))
        if goal is not None:
            short = mean > goal if metric in LESS_IS_BETTER else mean < goal
            here = f'<span style="color: #c00">{here}</span>' if short else here
        parameters, seconds = group["parameters"].iloc[0], group["seconds"].median()
        lines.append(
            f"| {data} | {model} | {metric} | {here} | {len(values)} | "
            f"{paper_value(claim, data, model)} | {'' if goal is None else goal} | "
            f"{'' if pd.isna(parameters) else f'{parameters:,.0f}'} | "
            f"{'' if pd.isna(seconds) else f'{seconds:.1f}'} |"
        )
    machines = ", ".join(f"{m} ({d})" for m, d in rows.groupby(["machine", "device"]).groups)
    versions = f"torch {rows['torch'].iloc[-1]}, scikit-learn {rows['scikit_learn'].iloc[-1]}"
    return "\n".join(
        [f"### {claim}", "", *lines, "", f"{rows['date'].max()}, {machines}, {versions}."]
    )


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, help="csv files written by --out")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    results = pd.concat([pd.read_csv(path) for path in options.results], ignore_index=True)
    results = results[~results["quick"].astype(bool)]
    # Of a fit that was repeated, the last result counts.
    keys = ["claim", "data", "model", "seed", "metric"]
    results = results.drop_duplicates(keys, keep="last")
    tables = [table(claim, rows) for claim, rows in results.groupby("claim", sort=False)]
    text = options.page.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    options.page.write_text(before + "\n\n".join([BEGIN, *tables, END]) + after)
    print(f"{len(results)} results in {len(tables)} tables written to {options.page}")


if __name__ == "__main__":
    main()
