"""What the scripts on sequences share: options, data files, fits and their table."""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
from _peers import GRUClassifier, LSTMClassifier

from sklearn_physrnn import PETNNClassifier
from sklearn_physrnn.nn import PETNN

MODELS = {"PETNN": PETNNClassifier, "LSTM": LSTMClassifier, "GRU": GRUClassifier}
_HOME = "PHYSRNN_DATA"


def parser(description):
    """Options that every script has."""
    options = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--quick", action="store_true", help="one short seed, to see it run")
    options.add_argument("--peers", action="store_true", help="LSTM and GRU as well")
    options.add_argument(
        "--data-home",
        type=Path,
        default=Path(os.environ.get(_HOME, "data")),
        help=f"folder of the data files (default: ${_HOME}, or ./data)",
    )
    options.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="change parameters of the estimators",
    )
    return options


def changes(options):
    """Read the parameters given with --set."""
    changed = {}
    for item in options.set:
        name, _, value = item.partition("=")
        kind = type(PETNNClassifier().get_params()[name])
        changed[name] = value == "True" if kind is bool else kind(value)
    return changed


def data_file(home, name, source):
    """Find a data file, or end with a message that says where it comes from."""
    path = home / name
    if not path.is_file():
        sys.exit(
            f"{path} is missing. It is {source}. Name the folder that holds {name} with "
            f"--data-home or the environment variable {_HOME}."
        )
    return path


def n_parameters(model):
    """Trainable numbers of a fitted model."""
    return sum(p.numel() for p in model.module_.parameters() if p.requires_grad)


def score(model, X, y):
    """Give a fitted model's accuracy and the state of its timers, as text.

    Of PETNN's neurons, those that release at every step of X and those that never do.
    """
    counts = []

    def look(recurrent, args, kwargs, output):
        if not isinstance(recurrent, PETNN):
            return
        layers = recurrent.trajectory(*args, **kwargs)
        lengths = kwargs.get("lengths")
        n_steps = args[0].shape[0] * args[0].shape[1] if lengths is None else lengths.sum()
        released = torch.stack([layer.released.sum(dim=(0, 1)) for layer in layers])
        counts.append((released.double(), float(n_steps)))

    hook = model.module_.recurrent.register_forward_hook(look, with_kwargs=True)
    accuracy = model.score(X, y)
    hook.remove()
    if not counts:
        return accuracy, ""
    released = sum(part for part, _ in counts)
    n_steps = sum(n for _, n in counts)
    always, never = int((released == n_steps).sum()), int((released == 0).sum())
    return accuracy, f"{always} + {never} of {released.numel()}"


def run(name, data, configuration, options):
    """Fit every model with every seed, print each fit's line and every model's mean.

    Parameters
    ----------
    data : tuple
        X_train, y_train, X_test, y_test.
    configuration : dict
        Parameters of the estimators, the same for all models.

    Returns
    -------
    dict
        Test accuracies of each model, by seed.
    """
    X_train, y_train, X_test, y_test = data
    results = {}
    for model_name in MODELS if options.peers else ["PETNN"]:
        for seed in range(1 if options.quick else options.seeds):
            model = MODELS[model_name](random_state=seed, **configuration)
            start = time.perf_counter()
            model.fit(X_train, y_train)
            seconds = time.perf_counter() - start
            accuracy, timers = score(model, X_test, y_test)
            results.setdefault(model_name, []).append(accuracy)
            print(
                f"{name:<16} {model_name:<6} {seed:>4} {accuracy:>8.4f} {n_parameters(model):>9} "
                f"{seconds:>7.1f}  {timers}",
                flush=True,
            )
    for model_name, accuracies in results.items():
        print(f"{name:<16} {model_name:<6} mean {np.mean(accuracies):>8.4f}", flush=True)
    return results


def header():
    """Print the head of the table."""
    print(
        f"{'data':<16} {'model':<6} {'seed':>4} {'accuracy':>8} {'numbers':>9} {'fit, s':>7}  "
        "timers always + never released in test"
    )
