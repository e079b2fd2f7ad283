"""HSSM on a UEA set: train and test merged, split 70 / 15 / 15 at random, best validation kept.

The set is an npz file with X_train, X_test (n, time, channels), y_train and y_test, such as
SelfRegulationSCP1.npz. Prints test accuracy by seed and fitter, and seconds.
"""

import argparse
import time

import numpy as np
from sklearn.model_selection import train_test_split

from sklearn_physrnn import HSSMClassifier

SEEDS = (2345, 3456, 4567, 5678, 6789)  # the paper's

# Chosen on the validation accuracy of SelfRegulationSCP1, one for both fitters.
CONFIGURATION = {
    "hidden_size": 16,
    "state_size": 16,
    "num_blocks": 2,
    "dropout": 0.1,
    "learning_rate_init": 0.008,
    "alpha": 10.0,
    "max_iter": 30,
    "n_iter_no_change": 30,
    "batch_size": 16,
    "early_stopping": True,
}


def with_time(X):
    """Append the position in time, -1 to 1, as a channel."""
    time_stamps = np.linspace(-1, 1, X.shape[1], dtype=X.dtype)[None, :, None]
    return np.concatenate((X, np.broadcast_to(time_stamps, (*X.shape[:2], 1))), axis=2)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="npz file of the set")
    parser.add_argument("--seeds", type=int, default=len(SEEDS))
    parser.add_argument("--fitters", default="rhel,bptt")
    parser.add_argument("--dynamics", default="linear")
    parser.add_argument(
        "--time",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="time as one more channel, as in the paper for this set",
    )
    parser.add_argument("--quick", action="store_true", help="two epochs, to see it run")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    changes = dict(item.split("=") for item in options.set)
    for name, value in changes.items():
        default = CONFIGURATION.get(name, "")
        changes[name] = type(default)(value)

    with np.load(options.file, allow_pickle=False) as data:
        X = np.concatenate((data["X_train"], data["X_test"]))
        y = np.concatenate((data["y_train"], data["y_test"]))
    if options.time:
        X = with_time(X)
    configuration = {**CONFIGURATION, **changes, **({"max_iter": 2} if options.quick else {})}
    print(f"{X.shape[0]} series of {X.shape[1]} steps, {X.shape[2]} channels; {configuration}")
    print(f"{'fitter':<6} {'seed':>5} {'validation':>10} {'test':>7} {'epoch':>6} {'fit, s':>7}")
    results = {}
    for seed in SEEDS[: options.seeds]:
        rest, test = train_test_split(
            np.arange(len(X)), test_size=0.15, stratify=y, random_state=seed
        )
        train, valid = train_test_split(
            rest, test_size=0.15 / 0.85, stratify=y[rest], random_state=seed
        )
        for fitter in options.fitters.split(","):
            model = HSSMClassifier(
                fitter=fitter, dynamics=options.dynamics, random_state=seed, **configuration
            )
            start = time.perf_counter()
            model.fit(X[train], y[train], X_val=X[valid], y_val=y[valid])
            seconds = time.perf_counter() - start
            accuracy = model.score(X[test], y[test])
            results.setdefault(fitter, []).append(accuracy)
            best = int(np.argmin(model.validation_loss_curve_))
            validation = model.validation_scores_[best]
            print(
                f"{fitter:<6} {seed:>5} {validation:>10.4f} {accuracy:>7.4f} {best + 1:>6} "
                f"{seconds:>7.0f}",
                flush=True,
            )
    print()
    for fitter, accuracies in results.items():
        error = np.std(accuracies, ddof=1) / len(accuracies) ** 0.5 if len(accuracies) > 1 else 0
        print(f"{fitter:<6} mean {np.mean(accuracies):.4f}, standard error {error:.4f}")


if __name__ == "__main__":
    main()
