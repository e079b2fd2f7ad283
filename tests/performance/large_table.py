"""Memory that a fit to a mapped table larger than memory takes, above the imports.

The file is sparse: most of it is zeros that take no room on the disk.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

import sklearn_physrnn.training._engine  # noqa: F401  so that imports are no part of it
from sklearn_physrnn import DynPMNNRegressor


def anonymous() -> float:
    """Give this process's anonymous memory in MB."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=5_400_000)
    parser.add_argument("--columns", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=20, help="what the fit may take")
    parser.add_argument("--missing", default="error")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        shape = options.rows, options.columns
        X = np.memmap(f"{folder}/X.bin", np.float64, "w+", shape=shape)
        X[::5000] = rng.normal(size=(len(X[::5000]), options.columns))
        X.flush()
        X = np.memmap(f"{folder}/X.bin", np.float64, "r", shape=shape)
        y = rng.normal(size=options.rows)
        before, most = anonymous(), [0.0]

        def watch() -> None:
            while True:
                most[0] = max(most[0], anonymous())
                time.sleep(0.2)

        threading.Thread(target=watch, daemon=True).start()
        model = DynPMNNRegressor(
            max_iter=1, max_time=options.seconds, missing=options.missing, random_state=0
        )
        model.fit(X, y)
        model.predict(X[:200_000])
        print(f"{X.nbytes / 1e9:.2f} GB: {most[0] - before:.0f} MB above {before:.0f}")


if __name__ == "__main__":
    main()
