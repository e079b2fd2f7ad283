"""How long a memory lasts: adding, copying and selective copying, by length.

PETNN's timer, HSSM's oscillators and an LSTM, each in the same frame (the last step read, one
layer or two blocks of 64), on three tasks whose only difficulty is the number of steps between
what is to be remembered and the answer. For adding, R² on fresh sequences (0: nothing
remembered, 1: solved); for copying, accuracy (0.125 by chance). A model that two lengths in a
row leave below 0.5 is not tried at a longer one (``--all``: it is).

"HSSM gated" has the gated encoder, "of all scales" damped oscillators besides whose frequencies
and decay times begin between a step and the length (`memory="auto"`), and a larger rate without
dropout; "no oscillators" is the same model with its oscillators taken out: what it reaches needs
no memory. ``--set`` gives HSSM other parameters
(``--set patch_size=10 max_iter=10``).
"""

import ast
import itertools
import time
from collections import Counter

import numpy as np
import torch.nn as nn
from _peers import LSTMClassifier, LSTMRegressor
from _report import Report, n_parameters, parser, read

from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.datasets import make_adding, make_copy_memory, make_selective_copy
from sklearn_physrnn.families.hssm import HSSMFamily

TASKS = {
    "adding": (make_adding, 0),
    "copy": (make_copy_memory, 1),
    "selective copy": (make_selective_copy, 1),
}
LENGTHS = (100, 300, 1000, 3000, 10_000)


class Silent(nn.Module):
    """Oscillators that hear nothing, and say what they were told."""

    n_oscillators = 1

    def forward(self, u, state, **_):
        """Give back what came, and the state."""
        return u, state


class WithoutOscillators(HSSMFamily):
    """HSSM with all of its parts but the oscillators."""

    def module(self, params, inputs, n_outputs):
        """Build the network, and take its oscillators out."""
        net = super().module(params, inputs, n_outputs)
        for block in net.blocks:
            block.hru = Silent()
        return net


class SilentRegressor(HSSMRegressor):
    """HSSMRegressor without its oscillators."""

    _family = WithoutOscillators()


class SilentClassifier(HSSMClassifier):
    """HSSMClassifier without its oscillators."""

    _family = WithoutOscillators()


GATED = {"encoder": "gated"}
# Oscillators over all scales of time, from a step to the whole sequence, that fade.
SCALES = {
    **GATED, "dynamics": "damped", "memory": "auto", "dropout": 0.0, "learning_rate_init": 0.01,
}  # fmt: skip
MODELS = {
    "PETNN": (PETNNRegressor, PETNNClassifier, {}),
    "HSSM": (HSSMRegressor, HSSMClassifier, {}),
    "HSSM gated": (HSSMRegressor, HSSMClassifier, GATED),
    "HSSM gated, no oscillators": (SilentRegressor, SilentClassifier, GATED),
    "HSSM of all scales": (HSSMRegressor, HSSMClassifier, SCALES),
    "HSSM of all scales, no oscillators": (SilentRegressor, SilentClassifier, SCALES),
    "LSTM": (LSTMRegressor, LSTMClassifier, {}),
}


def main(arguments=None):
    options = parser(__doc__, seeds=1)
    options.add_argument("--lengths", type=int, nargs="*", default=LENGTHS)
    options.add_argument("--tasks", nargs="*", default=list(TASKS), choices=list(TASKS))
    options.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    options.add_argument("--all", action="store_true", help="every length, hopeless or not")
    options.add_argument("--samples", type=int, default=2000, help="training sequences")
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="parameters of HSSM"
    )
    options = read(options, arguments)
    if options.quick:
        options.lengths, options.samples, options.epochs = (30,), 200, 2

    settings = {}
    for setting in options.set:
        parameter, _, value = setting.partition("=")
        try:
            settings[parameter] = ast.literal_eval(value)
        except (ValueError, SyntaxError):
            settings[parameter] = value  # a name
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
                **{
                    "readout": "last", "max_iter": options.epochs, "batch_size": 32,
                    "device": options.device, "random_state": seed, **MODELS[name][2],
                    **(settings if name.startswith("HSSM") else {}),
                }
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
