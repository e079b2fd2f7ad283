"""What each part of PETNN's cell is worth, and how it stands noise in its inputs.

Every line changes one switch of the default cell; "released cell" is the recurrence of the
paper's released code; LSTM and GRU beside them. Accuracy on the test series as they are, and
with Gaussian noise added to them whose standard deviation is a multiple of each channel's own in
training. Sets, data files and splits are those of sequences.py.
"""

import time

import numpy as np
from _common import MODELS, changes, options_of, score
from _report import Report, get, n_parameters
from sequences import PEERS, SHIPPED

from sklearn_physrnn.datasets import load_panel

VARIANTS = {
    "defaults": {},
    "release='hard'": {"release": "hard"},
    "release='surrogate'": {"release": "surrogate"},
    "release='soft'": {"release": "soft"},
    "increment='linear'": {"increment": "linear"},
    "increment='tanh'": {"increment": "tanh"},
    "time_decay=False": {"time_decay": False},
    "ground_state=False": {"ground_state": False},
    "released cell": {
        "release": "hard",
        "increment": "tanh",
        "time_decay": False,
        "ground_state": False,
    },
}
NOISES = (0.0, 0.25, 0.5, 1.0)
NOISE_SEED = 0  # the same noise for every model


def noisy(X_train, X_test):
    """Give the test series with each of the noises."""
    deviation = np.concatenate(list(X_train)).std(axis=0)
    rng = np.random.default_rng(NOISE_SEED)
    noise = [deviation * rng.standard_normal(series.shape) for series in X_test]
    return [[x + level * e for x, e in zip(X_test, noise, strict=True)] for level in NOISES]


def variants(configuration, options):
    """Give name, estimator class and parameters of each model, without repetitions."""
    defaults = MODELS["PETNN"](**configuration).get_params()
    for model in options.models:
        if model != "PETNN":
            yield model, MODELS[model], {**PEERS[model], **configuration}
            continue
        for name, switches in VARIANTS.items():
            if name == "defaults" or any(defaults[key] != v for key, v in switches.items()):
                yield name, MODELS[model], {**configuration, **switches}


def run(report, name, data, configuration):
    """Fit every variant with every seed; report its accuracies, by noise."""
    inputs = noisy(data.X_train, data.X_test)
    for variant, model_class, parameters in variants(configuration, report.options):
        for seed in range(report.options.seeds):
            model = model_class(random_state=seed, **parameters)
            start = time.perf_counter()
            model.fit(data.X_train, data.y_train)
            seconds = time.perf_counter() - start
            for noise, X in zip(NOISES, inputs, strict=True):
                accuracy, timers = score(model, X, data.y_test)
                report.add(
                    data=f"{name}, noise {noise:g}", model=variant, seed=seed, metric="accuracy",
                    value=accuracy, parameters=n_parameters(model), seconds=seconds, detail=timers,
                )  # fmt: skip


def main(arguments=None):
    extra = [("--sets", {"nargs": "*", "default": SHIPPED, "metavar": "NAME"})]
    options = options_of(__doc__, arguments, extra=extra)
    configuration = changes(options)
    if options.quick:
        configuration["max_iter"] = 2
        options.sets = ["ItalyPowerDemand"]
    n_fits = sum(1 for _ in variants(configuration, options)) * options.seeds
    report = Report("PETNN ablation", options, n_fits * len(options.sets) * len(NOISES))
    for name in options.sets:
        data = get(
            options,
            lambda name=name: load_panel(name, data_home=options.data_home),
            lambda name=name: load_panel(name),
        )
        run(report, name, data, configuration)
    report.summary()


if __name__ == "__main__":
    main()
