"""Every family of networks, declared once for the tests, and small estimators with data.

A family of its own is one more entry of `FAMILIES`. What holds for estimators of every family is
tested on `SKLEARN`, `REGRESSORS`, `CLASSIFIERS`, `FORECASTERS` or `PANELS`, lists of classes in
the order of `FAMILIES`; `ENTRIES` has a small instance and data for each of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn as sk
from sklearn_physrnn import classification, forecasting, regression


class Setting(NamedTuple):
    """Parameters of a family's regressor or classifier."""

    kind: str
    parameters: dict[str, Any] = {}  # noqa: RUF012


@dataclass(frozen=True)
class Family:
    """The classes of a family, and what a test has to know of it alone."""

    name: str
    takes: str  # what X of the scikit-learn estimators is: a "table" or a "sequence"
    regressor: type
    classifier: type
    forecaster: type
    panel: tuple[type, ...] = ()
    # Sizes beside hidden_size, for time alone.
    tiny: dict[str, Any] = field(default_factory=dict)
    # Sizes that learn an easy task within 30 epochs.
    able: dict[str, Any] = field(default_factory=dict)
    # More than one of what there may be several: more weights, more to keep and to draw.
    several: dict[str, Any] = field(default_factory=dict)
    # One for each way a training step can go: through which kernel, in which loop. None jumps
    # where a rounding error decides.
    kernels: tuple[Setting, ...] = ()
    # Parameters of the family's own whose code sees the data.
    own: tuple[Setting, ...] = ()
    # For the checks of scikit-learn, at `EXACT`: sizes that learn 50 easy rows (accuracy 0.83,
    # R² 0.5), without what tells repeated rows from weights.
    checked: tuple[Setting, ...] = ()

    def estimator(self, setting: Setting, **parameters):
        cls = self.regressor if setting.kind == "regressor" else self.classifier
        return cls(**parameters | setting.parameters)


# Alike in every check: a weighted fit and one on repeated and shuffled rows are compared to 1e-7.
EXACT = {
    "dtype": "float64",  # float32 rounds at 1e-7 in every step
    "batch_size": 10_000,  # one batch an epoch: weights and repetition fill others differently
    "max_iter": 20,  # for time
}
# To a recurrent network a table's columns are time steps: it takes a higher rate and, for R² 0.5,
# more epochs.
_RECURRENT = {"max_iter": 120, "learning_rate_init": 0.05, "alpha": 0}
_QUICK_NEURONS = {"hidden_size": 10, "num_layers": 1, "n_steps": 4}

FAMILIES = (
    Family(
        "dynpmnn",
        "table",
        sk.DynPMNNRegressor,
        sk.DynPMNNClassifier,
        forecasting.DynPMNNForecaster,
        several={"n_members": 2},
        kernels=(
            Setting("regressor"),
            Setting("classifier", {"n_frequencies": 2}),
            Setting("regressor", {"n_members": 2}),
            Setting("regressor", {"dynamics": "van_der_pol", "solver": "rk4"}),
        ),
        own=(
            Setting("regressor", {"n_members": 2}),
            Setting("regressor", {"n_frequencies": 2}),
            Setting("regressor", {"dynamics": "kuramoto"}),
            Setting("classifier", {"n_members": 2}),
            Setting("classifier", {"n_frequencies": 2}),
            Setting("classifier", {"solver": "rk4"}),
        ),
        checked=(
            Setting("regressor", {**_QUICK_NEURONS, "max_iter": 40, "learning_rate_init": 0.03}),
            Setting("classifier", _QUICK_NEURONS),
            # Another way through the code: a generic scheme, and another loss.
            Setting(
                "regressor",
                {**_QUICK_NEURONS, "dynamics": "van_der_pol", "solver": "heun", "loss": "huber"},
            ),
        ),
    ),
    Family(
        "petnn",
        "sequence",
        sk.PETNNRegressor,
        sk.PETNNClassifier,
        forecasting.PETNNForecaster,
        panel=(regression.PETNNSeriesRegressor, classification.PETNNSeriesClassifier),
        able={"hidden_size": 16},
        several={"num_layers": 2},
        kernels=(Setting("regressor"), Setting("classifier", {"num_layers": 2})),
        own=(
            Setting("regressor", {"vocabulary_size": 4, "embedding_dim": 2}),
            Setting("regressor", {"release": "soft"}),
            Setting("regressor", {"readout": "mean"}),
            Setting("regressor", {"chunk_size": 2}),
            Setting("regressor", {"readout": "sequence", "every": 2}),
            Setting("classifier", {"vocabulary_size": 4, "embedding_dim": 2}),
            Setting("classifier", {"release": "hard"}),
            Setting("classifier", {"readout": "sequence"}),
            Setting("classifier", {"readout": "last"}),
        ),
        checked=(
            Setting("regressor", {**_RECURRENT, "hidden_size": 10, "readout": "max"}),
            Setting(
                "classifier",
                {**_RECURRENT, "hidden_size": 10, "max_iter": 30, "readout": "max"},
            ),
        ),
    ),
    Family(
        "hssm",
        "sequence",
        sk.HSSMRegressor,
        sk.HSSMClassifier,
        forecasting.HSSMForecaster,
        panel=(regression.HSSMSeriesRegressor, classification.HSSMSeriesClassifier),
        tiny={"state_size": 4, "num_blocks": 1},
        able={"hidden_size": 16, "state_size": 8, "num_blocks": 1},
        several={"num_blocks": 2},
        kernels=tuple(
            Setting(kind, {"dynamics": dynamics, "fitter": fitter, "num_blocks": 2})
            for kind, dynamics in (
                ("regressor", "linear"), ("regressor", "damped"), ("classifier", "nonlinear")
            )
            for fitter in ("rhel", "bptt")
        ),
        own=(
            Setting("regressor", {"readout": "sequence"}),
            Setting("regressor", {"readout": "sequence", "every": 2}),
            Setting("regressor", {"norm": "layer", "chunk_size": 2}),
            Setting("regressor", {"norm": "layer", "chunk_size": 2, "way_back": "undone"}),
            Setting("regressor", {"dynamics": "nonlinear"}),
            Setting("regressor", {"dynamics": "damped", "memory": "auto"}),
            Setting("regressor", {"encoder": "gated"}),
            Setting("regressor", {"patch_size": 2, "norm": "layer", "chunk_size": 3}),
            Setting("regressor", {"bidirectional": True}),
            Setting("classifier", {"norm": "layer", "num_loops": 2}),
            Setting("classifier", {"readout": "sequence", "every": 4, "patch_size": 2}),
            Setting("classifier", {"norm": "layer"}),
            Setting("classifier", {"norm": None}),
            Setting("classifier", {"readout": "sequence", "every": 2}),
            Setting("classifier", {"readout": "last"}),
        ),
        # Without dropout and batch statistics, which would see repeated rows.
        checked=(
            # More oscillators in place of more epochs: once the weighted check's 15 rows are
            # learned by heart, Adam divides rounding errors by each other.
            Setting(
                "regressor",
                {**_RECURRENT, "hidden_size": 16, "state_size": 16, "num_blocks": 1,
                 "max_iter": 70, "learning_rate_init": 0.03, "norm": None, "dropout": 0,
                 "readout": "last"},
            ),
            Setting(
                "classifier",
                {**_RECURRENT, "hidden_size": 8, "state_size": 8, "num_blocks": 1,
                 "max_iter": 30, "norm": None, "dropout": 0},
            ),
        ),
    ),
)  # fmt: skip


# What changes how an estimator is trained, and nothing of what it does once it is.
TRAINING = {
    "alpha", "chunk_size", "fitter", "hidden_size", "learning_rate_init", "loss", "max_iter",
    "way_back",
}  # fmt: skip


def of_predictions(takes: str) -> list[tuple[Family, Setting]]:
    """Settings of estimators that predict differently, each once."""
    found = {}
    for family in FAMILIES:
        for setting in (*family.kernels, *family.own, *family.checked):
            own = {k: v for k, v in setting.parameters.items() if k not in TRAINING}
            found[family.name, setting.kind, repr(sorted(own.items()))] = family, setting
    return [(family, setting) for family, setting in found.values() if family.takes == takes]


# -- data: 24 rows, for time ------------------------------------------------------------------

_RNG = np.random.default_rng(0)
N = 24
TABLE = _RNG.normal(size=(N, 3))
SEQUENCES = _RNG.normal(size=(N, 5, 2))
NUMBERS, LABELS = TABLE[:, 0], np.arange(N) % 2
INPUTS = {"table": TABLE, "sequence": SEQUENCES, "panel": SEQUENCES.transpose(0, 2, 1)}
WALK = pd.Series(
    _RNG.normal(size=60).cumsum(), pd.period_range("2020-01", periods=60, freq="M"), name="y"
)

# -- small estimators -------------------------------------------------------------------------

QUICK = {
    "hidden_size": 4,  # for time, as all that follows
    "max_iter": 2,  # one epoch more than the first
    "random_state": 0,  # the same numbers in every run
    "device": "cpu",  # the same numbers on every machine
}
WINDOWS = {"window_length": 6, "horizon": 2}  # of which short series have many


@dataclass(frozen=True)
class Entry:
    """A public class, small parameters for it, and data: X and y, or a series in y alone."""

    cls: type
    family: Family
    takes: str  # "table", "sequence", "panel" or "series"
    parameters: dict[str, Any]
    X: Any
    y: Any

    def make(self, **changes):
        """A fresh estimator."""
        return self.cls(**self.parameters | changes)

    @property
    def data(self):
        """What fit takes: X and y, or a series alone."""
        return (self.y,) if self.X is None else (self.X, self.y)

    def fitted(self, **changes):
        return self.make(**changes).fit(*self.data)


def _entries():
    for family in FAMILIES:
        small = QUICK | family.tiny
        for takes, classes in (
            (family.takes, (family.regressor, family.classifier)),
            ("panel", family.panel),
        ):
            for cls in classes:
                y = LABELS if cls.__name__.endswith("Classifier") else NUMBERS
                yield Entry(cls, family, takes, small, INPUTS[takes], y)
        yield Entry(family.forecaster, family, "series", small | WINDOWS, None, WALK)


ENTRIES = {entry.cls: entry for entry in _entries()}

REGRESSORS = [family.regressor for family in FAMILIES]
CLASSIFIERS = [family.classifier for family in FAMILIES]
SKLEARN = [cls for pair in zip(REGRESSORS, CLASSIFIERS, strict=True) for cls in pair]
FORECASTERS = [family.forecaster for family in FAMILIES]
PANELS = [cls for family in FAMILIES for cls in family.panel]


def that_take(takes: str, classes: Sequence[type] = tuple(SKLEARN)) -> list[type]:
    return [cls for cls in classes if ENTRIES[cls].takes == takes]


def takes_tables(estimator) -> bool:
    """Of an estimator or its class: whether its X is a table."""
    cls = estimator if isinstance(estimator, type) else type(estimator)
    return ENTRIES[cls].takes == "table"


def each(classes, name: str = "kind"):
    """Mark a test to run with each of `classes`."""
    return pytest.mark.parametrize(name, classes, ids=lambda cls: cls.__name__)


def through_each_kernel(**parameters):
    """An estimator for each way a training step can go."""
    return [
        family.estimator(setting, **family.tiny | parameters)
        for family in FAMILIES
        for setting in family.kernels
    ]
