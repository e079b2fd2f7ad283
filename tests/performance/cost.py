"""What a fit costs: seconds and memory of default estimators by rows, steps and columns.

``python tests/performance/cost.py`` prints the table of docs/performance.md. Two short fits of
one and of three epochs tell what an epoch takes and what comes before the first; the default
number of epochs makes a fit of them. A fit that stops early takes less. Kernels are compiled
before.
"""

import argparse
import resource
import time
import warnings
from multiprocessing import get_context

import numpy as np

SIZES = {
    "DynPMNNRegressor": [(100, 10), (1_000, 10), (10_000, 10), (100_000, 10), (10_000, 100)],
    "PETNNClassifier": [(100, 50, 3), (1_000, 50, 3), (100, 500, 3), (1_000, 500, 3)],
    "HSSMClassifier": [
        (100, 50, 3), (1_000, 50, 3), (100, 500, 3), (1_000, 500, 3), (100, 5_000, 3),
    ],
}  # fmt: skip


def data(shape, rng):
    """Make rows and a target that depends on them."""
    X = rng.normal(size=shape)
    if len(shape) == 2:
        return X, X[:, 0] + np.sin(X[:, 1])
    return X, (X[:, :, 0].mean(1) > 0).astype(int)


def seconds(model, X, y, max_iter):
    """Time one fit."""
    start = time.perf_counter()
    model.set_params(max_iter=max_iter).fit(X, y)
    return time.perf_counter() - start


def measure(name, shape, results):
    """Send seconds before the first epoch, of an epoch, and the peak of memory in MB."""
    import sklearn_physrnn

    warnings.simplefilter("ignore")
    model = getattr(sklearn_physrnn, name)(random_state=0)
    epochs = model.max_iter
    X, y = data(shape, np.random.default_rng(0))
    model.set_params(max_iter=1).fit(X[:50], y[:50])  # compiles
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    one, three = seconds(model, X, y, 1), seconds(model, X, y, 3)
    epoch = max(0.0, (three - one) / 2)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    results.put((max(0.0, one - epoch), epoch, epochs, grown))


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", help="one estimator's name")
    options = parser.parse_args(arguments)
    print("| default estimator | data | s an epoch | epochs | s a fit | MB above the data |")
    print("|---|---|---|---|---|---|")
    context = get_context("spawn")
    for name, shapes in SIZES.items():
        if options.only not in (None, name):
            continue
        for shape in shapes:
            results = context.Queue()
            process = context.Process(target=measure, args=(name, shape, results))
            process.start()
            first, epoch, epochs, grown = results.get()
            process.join()
            size = " x ".join(f"{n:,}" for n in shape)
            fit = first + epoch * epochs
            print(
                f"| `{name}` | {size} | {epoch:.3f} | {epochs} | {fit:.1f} | {grown:.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
