"""What every script has: its options, a line and a row for each result, and means at the end."""

import argparse
import csv
import datetime
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import sklearn
import torch

import sklearn_physrnn

FIELDS = (
    "claim", "data", "model", "seed", "metric", "value", "parameters", "seconds", "detail",
    "quick", "device", "sklearn_physrnn", "torch", "scikit_learn", "machine", "date",
)  # fmt: skip


def parser(description, *, seeds=3):
    """Options that every script has."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seeds", type=int, default=seeds, help="number of seeds")
    options.add_argument(
        "--quick", action="store_true", help="made-up data and short fits, to see it run"
    )
    options.add_argument("--device", default="auto", help="torch device of our models")
    options.add_argument("--out", type=Path, help="csv file to append the results to")
    options.add_argument(
        "--data-home", help="folder of the data files (default: $SKLEARN_PHYSRNN_DATA)"
    )
    return options


def read(parser, arguments=None):
    """Read the options; a quick run has one seed."""
    options = parser.parse_args(arguments)
    if options.quick:
        options.seeds = 1
        print("Quick: made-up data where real ones would be read; the numbers mean nothing.")
    return options


def get(options, load, stand_in):
    """Give `load()`, in a quick run `stand_in()`; end with a message where a file is missing."""
    if options.quick:
        return stand_in()
    try:
        return load()
    except FileNotFoundError as error:
        sys.exit(str(error))


def n_parameters(model):
    """Trainable numbers of a fitted model, as far as they can be counted."""
    if hasattr(model, "module_"):
        return sum(p.numel() for p in model.module_.parameters() if p.requires_grad)
    if hasattr(model, "steps"):
        return n_parameters(model[-1])
    if hasattr(model, "coefs_"):
        return sum(w.size for w in model.coefs_ + model.intercepts_)
    return np.size(model.coef_) + np.size(model.intercept_) if hasattr(model, "coef_") else None


def _duration(seconds):
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


class Report:
    """Prints results as they come, with the time left, and keeps them.

    Parameters
    ----------
    claim : str
        Name of the script's claim, the first column of the file.
    options : argparse.Namespace
        As `read` gives them.
    total : int
        Results to come.
    """

    def __init__(self, claim, options, total):
        self.claim, self.options, self.total = claim, options, total
        self.rows = []
        self.start = time.perf_counter()

    def add(self, *, data, model, seed, metric, value, parameters=None, seconds=None, detail=""):
        """Print and keep one result."""
        row = {
            "claim": self.claim,
            "data": data,
            "model": model,
            "seed": seed,
            "metric": metric,
            "value": float(value),
            "parameters": parameters,
            "seconds": seconds,
            "detail": detail,
            "quick": self.options.quick,
            "device": self.options.device,
            "sklearn_physrnn": sklearn_physrnn.__version__,
            "torch": torch.__version__,
            "scikit_learn": sklearn.__version__,
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "date": datetime.date.today().isoformat(),
        }
        self.rows.append(row)
        done = len(self.rows)
        left = (time.perf_counter() - self.start) / done * max(self.total - done, 0)
        size = "" if parameters is None else f"{parameters:,} numbers"
        spent = "" if seconds is None else f"{seconds:.1f} s"
        shown = f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.1e}"
        print(
            f"{done:>3}/{self.total} {_duration(left):>7} left  {data:<26} {model:<24} "
            f"{seed!s:>5} {metric:<10} {shown:>8}  {size:>15} {spent:>9}  {detail}",
            flush=True,
        )
        if self.options.out is not None:
            new = not self.options.out.exists()
            with open(self.options.out, "a", newline="") as file:
                writer = csv.DictWriter(file, FIELDS)
                if new:
                    writer.writeheader()
                writer.writerow(row)

    def summary(self):
        """Print the mean over seeds of every model, by data set and metric."""
        print()
        groups = {}
        for row in self.rows:
            groups.setdefault((row["data"], row["model"], row["metric"]), []).append(row["value"])
        for (data, model, metric), values in groups.items():
            error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else 0.0
            spread = f" +- {error:.4f}, {len(values)} seeds" if len(values) > 1 else ""
            print(f"{data:<26} {model:<24} {metric:<10} {np.mean(values):.4f}{spread}")
