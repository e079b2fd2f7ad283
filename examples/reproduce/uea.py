"""HSSM on a set of the UEA archive, against MiniRocket and LSTM: the released protocol.

Train and test merged, split 70 / 15 / 15 at random by the paper's seeds, best validation kept.
Linear and nonlinear HSSM, each trained by RHEL and by BPTT; LSTM in PETNN's frame; sktime's
MiniRocket with a ridge classifier, which needs no validation part and is given training alone.
"""

import time

import numpy as np
from _peers import LSTMClassifier
from _report import Report, get, n_parameters, parser, read
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.utils import Bunch
from sktime.classification.kernel_based import RocketClassifier

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.datasets import load_panel

SEEDS = (2345, 3456, 4567, 5678, 6789)  # the paper's

# Chosen on the validation accuracy of SelfRegulationSCP1, one for both fitters.
CONFIGURATION = {
    "hidden_size": 16,
    "state_size": 16,
    "num_blocks": 2,
    "norm": "batch",
    "dropout": 0.1,
    "learning_rate_init": 0.008,
    "alpha": 10.0,
    "max_iter": 30,
    "n_iter_no_change": 30,
    "batch_size": 16,
    "early_stopping": True,
}
LSTM = {
    "hidden_size": 64,
    "max_iter": 30,
    "n_iter_no_change": 30,
    "batch_size": 16,
    "early_stopping": True,
}


def with_time(X):
    """Append the position in time, -1 to 1, as a channel."""
    time_stamps = np.linspace(-1, 1, X.shape[1], dtype=X.dtype)[None, :, None]
    return np.concatenate((X, np.broadcast_to(time_stamps, (*X.shape[:2], 1))), axis=2)


def stand_in():
    """Short series of two channels in two classes."""
    X, y = make_classification(120, 60, n_informative=20, random_state=0)
    X = X.reshape(120, 30, 2)
    return Bunch(X_train=X[:60], y_train=y[:60], X_test=X[60:], y_test=y[60:])


def models(seed, options):
    """Name every model."""
    ours = {"random_state": seed, "device": options.device}
    if options.quick:
        ours |= {"max_iter": 2}
    named = {
        f"HSSM {dynamics}, {fitter}": HSSMClassifier(
            fitter=fitter, dynamics=dynamics, **{**CONFIGURATION, **ours}
        )
        for dynamics in ("linear", "nonlinear")
        for fitter in ("rhel", "bptt")
    }
    named["LSTM"] = LSTMClassifier(**{**LSTM, **ours})
    if not options.quick:  # it compiles for half a minute
        named["MiniRocket"] = RocketClassifier(rocket_transform="minirocket", random_state=seed)
    return {name: model for name, model in named.items() if options.only in name}


def main(arguments=None):
    options = parser(__doc__, seeds=len(SEEDS))
    options.add_argument("sets", nargs="*", default=["SelfRegulationSCP1"])
    options.add_argument(
        "--no-time", action="store_true", help="leave out time as a channel (paper: by the set)"
    )
    options.add_argument("--only", default="", help="models whose name contains this")
    options = read(options, arguments)
    sets = options.sets[:1] if options.quick else options.sets
    report = Report("UEA", options, len(sets) * len(models(0, options)) * options.seeds)
    for name in sets:
        data = get(options, lambda n=name: load_panel(n, data_home=options.data_home), stand_in)
        X = np.concatenate((data.X_train, data.X_test))
        y = np.concatenate((data.y_train, data.y_test))
        X = X if options.no_time else with_time(X)
        for seed in SEEDS[: options.seeds]:
            rest, test = train_test_split(
                np.arange(len(X)), test_size=0.15, stratify=y, random_state=seed
            )
            train, valid = train_test_split(
                rest, test_size=0.15 / 0.85, stratify=y[rest], random_state=seed
            )
            for model_name, model in models(seed, options).items():
                start = time.perf_counter()
                detail = ""
                if isinstance(model, RocketClassifier):
                    model.fit(X[train].transpose(0, 2, 1), y[train])
                    seconds = time.perf_counter() - start
                    accuracy = np.mean(model.predict(X[test].transpose(0, 2, 1)) == y[test])
                    parameters = None
                else:
                    model.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
                    seconds = time.perf_counter() - start
                    accuracy = model.score(X[test], y[test])
                    best = int(np.argmin(model.validation_loss_curve_))
                    detail = f"validation {model.validation_scores_[best]:.4f}, epoch {best + 1}"
                    parameters = n_parameters(model)
                report.add(
                    data=name, model=model_name, seed=seed, metric="accuracy", value=accuracy,
                    parameters=parameters, seconds=seconds, detail=detail,
                )  # fmt: skip
    report.summary()


if __name__ == "__main__":
    main()
