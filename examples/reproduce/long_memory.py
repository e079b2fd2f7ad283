"""How long a memory lasts: adding, copying and selective copying, by length.

PETNN's timer, HSSM's oscillators and an LSTM, each in the same frame (the last step read, one
layer or two blocks of 64), on three tasks whose only difficulty is the number of steps between
what is to be remembered and the answer. For adding, R² on fresh sequences (0: nothing
remembered, 1: solved); for copying, accuracy (0.125 by chance).
"""

import argparse
import time

import numpy as np
from _peers import LSTMClassifier, LSTMRegressor

from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.datasets import make_adding, make_copy_memory, make_selective_copy

TASKS = {
    "adding": (make_adding, 0),
    "copy": (make_copy_memory, 1),
    "selective copy": (make_selective_copy, 1),
}
MODELS = {
    "PETNN": ((PETNNRegressor, PETNNClassifier), {"readout": "last"}),
    "HSSM": ((HSSMRegressor, HSSMClassifier), {"readout": "last"}),
    "LSTM": ((LSTMRegressor, LSTMClassifier), {"readout": "last"}),
}
LENGTHS = (100, 300, 1000, 3000, 10_000)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    parser.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--samples", type=int, default=2000, help="training sequences")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one short length, to see it run")
    options = parser.parse_args()
    if options.quick:
        options.lengths, options.samples, options.epochs, options.seeds = (30,), 300, 5, 1

    print(f"{'task':<15} {'steps':>6} {'model':<6} {'seed':>4} {'score':>6} {'fit, s':>7}")
    for task in options.tasks:
        make, kind = TASKS[task]
        for length in options.lengths:
            for name in options.models:
                classes, parameters = MODELS[name]
                scores = []
                for seed in range(options.seeds):
                    X, y = make(options.samples, length, random_state=seed)
                    X_test, y_test = make(500, length, random_state=1000 + seed)
                    model = classes[kind](
                        **parameters, max_iter=options.epochs, batch_size=32, random_state=seed
                    )
                    start = time.perf_counter()
                    model.fit(X, y)
                    seconds = time.perf_counter() - start
                    scores.append(model.score(X_test, y_test))
                    print(
                        f"{task:<15} {length:>6} {name:<6} {seed:>4} {scores[-1]:>6.3f} "
                        f"{seconds:>7.1f}",
                        flush=True,
                    )
                if options.seeds > 1:
                    print(f"{task:<15} {length:>6} {name:<6} mean {np.mean(scores):>6.3f}")


if __name__ == "__main__":
    main()
