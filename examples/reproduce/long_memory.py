"""How long a memory lasts: adding, copying and selective copying, by length.

PETNN's timer, HSSM's oscillators and an LSTM, each in the same frame (the last step read, one
layer or two blocks of 64), on three tasks whose only difficulty is the number of steps between
what is to be remembered and the answer. For adding, R² on fresh sequences (0: nothing
remembered, 1: solved); for copying, accuracy (0.125 by chance). A model that two lengths in a
row leave below 0.5 is not tried at a longer one (``--all``: it is).
"""

import itertools
import time
from collections import Counter

import numpy as np
from _peers import LSTMClassifier, LSTMRegressor
from _report import Report, n_parameters, parser, read

from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.datasets import make_adding, make_copy_memory, make_selective_copy

TASKS = {
    "adding": (make_adding, 0),
    "copy": (make_copy_memory, 1),
    "selective copy": (make_selective_copy, 1),
}
MODELS = {
    "PETNN": (PETNNRegressor, PETNNClassifier),
    "HSSM": (HSSMRegressor, HSSMClassifier),
    "LSTM": (LSTMRegressor, LSTMClassifier),
}
LENGTHS = (100, 300, 1000, 3000, 10_000)


def main(arguments=None):
    options = parser(__doc__, seeds=1)
    options.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    options.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    options.add_argument("--all", action="store_true", help="every length, hopeless or not")
    options.add_argument("--samples", type=int, default=2000, help="training sequences")
    options.add_argument("--epochs", type=int, default=30)
    options = read(options, arguments)
    if options.quick:
        options.lengths, options.samples, options.epochs = (30,), 200, 2

    cases = list(itertools.product(options.tasks, options.lengths, options.models))
    report = Report("long memory", options, len(cases) * options.seeds)
    failures = Counter()
    for task, length, name in cases:
        if failures[task, name] == 2 and not options.all:
            report.total -= options.seeds
            continue
        make, kind = TASKS[task]
        scores = []
        for seed in range(options.seeds):
            X, y = make(options.samples, length, random_state=seed)
            X_test, y_test = make(500, length, random_state=1000 + seed)
            model = MODELS[name][kind](
                readout="last", max_iter=options.epochs, batch_size=32, device=options.device,
                random_state=seed,
            )  # fmt: skip
            start = time.perf_counter()
            model.fit(X, y)
            scores.append(model.score(X_test, y_test))
            report.add(
                data=f"{task}, {length} steps", model=name, seed=seed,
                metric="accuracy" if kind else "R2", value=scores[-1],
                parameters=n_parameters(model), seconds=time.perf_counter() - start,
            )  # fmt: skip
        failures[task, name] = failures[task, name] + 1 if np.mean(scores) < 0.5 else 0
    report.summary()


if __name__ == "__main__":
    main()
