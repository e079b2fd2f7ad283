"""What the scripts that hold PETNN against LSTM and GRU share."""

import time

import torch
from _peers import GRUClassifier, LSTMClassifier
from _report import Report, n_parameters, parser, read

from sklearn_physrnn import PETNNClassifier
from sklearn_physrnn.nn import PETNN

MODELS = {"PETNN": PETNNClassifier, "LSTM": LSTMClassifier, "GRU": GRUClassifier}


def options_of(description, arguments=None, *, extra=()):
    """Read the options: those of every script, and a choice of models and parameters."""
    options = parser(description)
    options.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    options.add_argument(
        "--set",
        nargs="*",
        default=[],
        metavar="NAME=VALUE",
        help="change parameters of the estimators",
    )
    for name, keywords in extra:
        options.add_argument(name, **keywords)
    return read(options, arguments)


def changes(options):
    """Read the parameters given with --set, and the device."""
    changed = {"device": options.device}
    for item in options.set:
        name, _, value = item.partition("=")
        kind = type(PETNNClassifier().get_params()[name])
        changed[name] = value == "True" if kind is bool else kind(value)
    return changed


def score(model, X, y):
    """Give a fitted model's accuracy and the state of its timers, as text.

    Of PETNN's neurons, those that release at every step of X and those that never do; of
    release="soft", more than half of their energy.
    """
    counts = []

    def look(recurrent, args, kwargs, output):
        if not isinstance(recurrent, PETNN):
            return
        layers = recurrent.trajectory(*args, **kwargs)
        lengths = kwargs.get("lengths")
        n_steps = args[0].shape[0] * args[0].shape[1] if lengths is None else lengths.sum()
        released = torch.stack([(layer.released >= 0.5).sum(dim=(0, 1)) for layer in layers])
        counts.append((released.double(), float(n_steps)))

    hook = model.module_.recurrent.register_forward_hook(look, with_kwargs=True)
    accuracy = model.score(X, y)
    hook.remove()
    if not counts:
        return accuracy, ""
    released = sum(part for part, _ in counts)
    n_steps = sum(n for _, n in counts)
    always, never = int((released == n_steps).sum()), int((released == 0).sum())
    return accuracy, f"timers always {always} + never {never} of {released.numel()}"


def report_of(claim, options, n_sets=1):
    """Make the report of all models and seeds."""
    return Report(claim, options, n_sets * len(options.models) * options.seeds)


def run(report, name, data, configuration, peers=None):
    """Fit every model with every seed, and report its accuracy.

    Parameters
    ----------
    report : Report
    name : str
        Of the data.
    data : Bunch
        X_train, y_train, X_test, y_test.
    configuration : dict
        Parameters of the estimators.
    peers : dict of dict, optional
        What LSTM and GRU have otherwise.
    """
    for model_name in report.options.models:
        parameters = {**configuration, **(peers or {}).get(model_name, {})}
        for seed in range(report.options.seeds):
            model = MODELS[model_name](random_state=seed, **parameters)
            start = time.perf_counter()
            model.fit(data.X_train, data.y_train)
            seconds = time.perf_counter() - start
            accuracy, timers = score(model, data.X_test, data.y_test)
            report.add(
                data=name, model=model_name, seed=seed, metric="accuracy", value=accuracy,
                parameters=n_parameters(model), seconds=seconds, detail=timers,
            )  # fmt: skip
