"""Accuracy against the share of values dropped: HSSM as it is, and behind what fills holes in.

Values are dropped at random (50, 75 and 90 %), each for itself; or a gap of a quarter of the
length, at a random place, takes all channels. Training and test parts alike, official splits.
The same HSSM stands behind linear interpolation and behind forward filling; so do MiniRocket
with a ridge classifier, and histogram gradient boosting on all values in a row, behind linear
interpolation (and stretched to one length where series differ in it).

A made set ("dropouts") has holes that tell the class and values that do not: which of two
channels loses 30 % of them.

SelfRegulationSCP1 is fitted for 15 epochs, all else with defaults. At the end: paired
differences to linear interpolation in front of HSSM, in the mean over sets, with their standard
error over seeds.
"""

import time
import warnings

import numpy as np
from _report import Report, get, n_parameters, parser, read
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils import Bunch
from sktime.classification.kernel_based import RocketClassifier

from sklearn_physrnn import HSSMClassifier, PETNNClassifier
from sklearn_physrnn.datasets import load_panel

SETS = ["BasicMotions", "JapaneseVowels", "ECG5000", "SelfRegulationSCP1", "dropouts"]
LOST = ["nothing", "50 %", "75 %", "90 %", "gap"]
EPOCHS = {"SelfRegulationSCP1": {"max_iter": 15}}
OURS = {"HSSM": HSSMClassifier, "PETNN": PETNNClassifier}


# -- what is lost -----------------------------------------------------------------------------


def dropped(X, lost, rng):
    """Give series with holes, as a list, in which nothing is padding."""
    return [_dropped(np.array(x, dtype=np.float64), lost, rng) for x in X]


def _dropped(x, lost, rng):
    if lost == "gap":
        n_steps = len(x) // 4
        start = rng.integers(len(x) - n_steps + 1)
        x[start : start + n_steps] = np.nan
    elif lost != "nothing":
        kept = rng.random(x.shape) >= float(lost.removesuffix(" %")) / 100
        kept.flat[rng.integers(kept.size)] = True  # a series of nothing is none
        x[~kept] = np.nan
    return x


def dropouts(n_samples, rng, n_steps=60):
    """Make series of two classes, which differ in the channel that loses 30 % of its values."""
    X, y = rng.normal(size=(n_samples, n_steps, 2)).cumsum(axis=1), np.arange(n_samples) % 2
    for x, label in zip(X, y, strict=True):
        x[rng.random(n_steps) < 0.3, label] = np.nan
    return list(X), y


# -- what fills it in -------------------------------------------------------------------------


def interpolated(x):
    """Put straight lines across holes, and constants at the ends; zero where nothing is."""
    steps, filled = np.arange(len(x)), np.zeros_like(x)
    for channel, values in enumerate(x.T):
        if (there := ~np.isnan(values)).any():
            filled[:, channel] = np.interp(steps, steps[there], values[there])
    return filled


def carried(x):
    """Put the last value into holes, and the first one before there is any."""
    filled = np.zeros_like(x)
    for channel, values in enumerate(x.T):
        if (there := ~np.isnan(values)).any():
            last = np.maximum.accumulate(np.where(there, np.arange(len(x)), -1))
            filled[:, channel] = values[np.where(last < 0, there.argmax(), last)]
    return filled


class Behind(ClassifierMixin, BaseEstimator):
    """A classifier behind something that fills the holes of each series by itself."""

    def __init__(self, fill, model, flat=False):
        self.fill = fill
        self.model = model
        self.flat = flat

    def _seen(self, X):
        filled = [self.fill(x) for x in X]
        if isinstance(self.model, tuple(OURS.values())):
            return filled
        steps = np.linspace(0, 1, self.n_steps_)
        even = [
            np.stack([np.interp(steps, np.linspace(0, 1, len(x)), one) for one in x.T])
            for x in filled
        ]
        return np.stack(even).reshape(len(even), -1) if self.flat else np.stack(even)

    def fit(self, X, y):
        """Fit the model to filled series."""
        self.n_steps_ = max(map(len, X))
        self.fitted_ = clone(self.model).fit(self._seen(X), y)
        return self

    def predict(self, X):
        """Predict the classes of filled series."""
        return self.fitted_.predict(self._seen(X))


def models(seed, options, epochs):
    """Name every model."""
    ours = OURS[options.family](random_state=seed, device=options.device, **epochs)
    named = {
        options.family: ours,
        f"{options.family}, interpolated": Behind(interpolated, ours),
        f"{options.family}, filled forward": Behind(carried, ours),
        "gradient boosting, interpolated": Behind(
            interpolated, HistGradientBoostingClassifier(random_state=seed), flat=True
        ),
    }
    if not options.quick:  # it compiles for half a minute
        rocket = RocketClassifier(rocket_transform="minirocket", random_state=seed)
        named["MiniRocket, interpolated"] = Behind(interpolated, rocket)
    return {name: model for name, model in named.items() if options.only in name}


# -- the study --------------------------------------------------------------------------------


def stand_in():
    """A few short series of two channels in two classes."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 12, 2)), np.arange(40) % 2
    X[y == 1] += 1
    return Bunch(X_train=X[:20], y_train=y[:20], X_test=X[20:], y_test=y[20:])


def data_of(name, options):
    """Give the official split of a set, or make one."""
    if name != "dropouts":
        return get(options, lambda: load_panel(name, data_home=options.data_home), stand_in)
    n_samples = 20 if options.quick else 200
    (X, y), (X_test, y_test) = (dropouts(n_samples, np.random.default_rng(s)) for s in (0, 1))
    return Bunch(X_train=X, y_train=y, X_test=X_test, y_test=y_test)


def differences(rows, reference):
    """Print how far each model is from the `reference`, in the mean over sets."""
    print()
    values = {(r["data"], r["model"], r["seed"]): r["value"] for r in rows}
    found = {}
    for (data, model, seed), value in values.items():
        name, _, lost = data.partition(", ")
        other = values.get((data, reference, seed))
        if other is not None and model != reference and name != "dropouts":
            found.setdefault((lost, model), {}).setdefault(seed, []).append(value - other)
    for (lost, model), by_seed in found.items():
        means = [np.mean(values) for values in by_seed.values()]
        n_sets = {len(values) for values in by_seed.values()}
        error = np.std(means, ddof=1) / len(means) ** 0.5 if len(means) > 1 else np.nan
        print(f"{lost:<8} {model:<34} {np.mean(means):+.4f} +- {error:.4f}, sets {n_sets}")


def main(arguments=None):
    options = parser(__doc__)
    options.add_argument("--sets", nargs="*", default=SETS, metavar="NAME")
    options.add_argument("--lost", nargs="*", default=LOST, choices=LOST)
    options.add_argument("--family", default="HSSM", choices=list(OURS))
    options.add_argument("--only", default="", help="models whose name contains this")
    options = read(options, arguments)
    sets = ["BasicMotions", "dropouts"] if options.quick else options.sets
    lost = ["75 %"] if options.quick else options.lost
    n_models = len(models(0, options, {}))
    n_lots = sum(1 if name == "dropouts" else len(lost) for name in sets)
    report = Report("missing values", options, n_lots * n_models * options.seeds)
    warnings.filterwarnings("ignore", category=RuntimeWarning)
    for name in sets:
        data = data_of(name, options)
        epochs = {"max_iter": 2} if options.quick else EPOCHS.get(name, {})
        for seed in range(options.seeds):
            for what in ["nothing"] if name == "dropouts" else lost:
                rng = np.random.default_rng(seed)
                X, X_test = (dropped(part, what, rng) for part in (data.X_train, data.X_test))
                for model_name, model in models(seed, options, epochs).items():
                    start = time.perf_counter()
                    model.fit(X, data.y_train)
                    seconds = time.perf_counter() - start
                    accuracy = np.mean(model.predict(X_test) == data.y_test)
                    report.add(
                        data=f"{name}, {what}", model=model_name, seed=seed, metric="accuracy",
                        value=accuracy, parameters=_size(model), seconds=seconds,
                    )  # fmt: skip
    report.summary()
    differences(report.rows, f"{options.family}, interpolated")


def _size(model):
    inner = getattr(model, "fitted_", model)
    return n_parameters(inner) if hasattr(inner, "module_") else None


if __name__ == "__main__":
    main()
