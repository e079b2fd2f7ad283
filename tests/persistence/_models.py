"""Small models of every kind, and what to fit them to."""

import numpy as np
import pandas as pd

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from tests.families import ENTRIES, FAMILIES

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(24, 3))
FRAME = pd.DataFrame(TABLE, columns=["width", "height", "depth, µm"])
SERIES = RNG.normal(size=(24, 6, 2))
STAMPED = np.concatenate((RNG.exponential(size=(24, 6, 1)).cumsum(1), SERIES), axis=2)
RAGGED = [x[: 2 + i % 5] for i, x in enumerate(SERIES)]
TOKENS = RNG.integers(0, 5, size=(24, 6))
y = TABLE[:, 0] + 3.0
UP = y > 3.0
TEXT = np.where(UP, "up", "down")


def small(cls, **parameters):
    return ENTRIES[cls].make(**{"hidden_size": 3} | parameters)


def table(**parameters):
    return small(DynPMNNRegressor, **parameters), TABLE, y


def energy(**parameters):
    return small(PETNNRegressor, **parameters), SERIES, y


def echo(**parameters):
    return small(HSSMRegressor, **parameters), SERIES, y


def labels(target, **parameters):
    return small(DynPMNNClassifier, num_layers=1, **parameters), TABLE, target


# Of each, an unfitted estimator, X and y.
CASES = {
    **{
        family.name: (small(family.regressor), TABLE if family.takes == "table" else SERIES, y)
        for family in FAMILIES
    },
    "counts": table(loss="poisson"),
    "sets of labels": labels(np.stack([UP, TABLE[:, 1] > 0], axis=1)),
    "van der Pol": table(dynamics="van_der_pol", solver="rk4"),
    "Hodgkin-Huxley": table(dynamics="hodgkin_huxley", t_end=0.1),
    "Kuramoto": table(dynamics="kuramoto", solver="heun"),
    "members": table(n_members=3, n_frequencies=2, embedding_dim=2, dropout=0.1),
    "one layer, double": table(num_layers=1, dtype="float64", scale_inputs="standard"),
    "unscaled, bfloat16": table(scale_inputs=False, dtype="bfloat16"),
    "sgd": table(optimizer="sgd", learning_rate_init=0.001),
    "adam without decay": table(optimizer="adam", alpha=0.0),
    "several targets": (small(DynPMNNRegressor), TABLE, np.c_[y, -y]),
    "one quantile": table(loss="quantile", quantile=0.2),
    "quantiles": table(loss="quantile", quantile=[0.1, 0.9]),
    "quantiles, an array": table(loss="quantile", quantile=np.array([0.1, 0.9])),
    "quantiles, targets": (
        small(DynPMNNRegressor, loss="quantile", quantile=(0.1, 0.5)), TABLE, np.c_[y, -y]
    ),
    "numpy parameters": table(hidden_size=np.int64(3), t_end=np.float64(0.5), tol=np.float64(0)),
    "early stopping": table(early_stopping=True, max_iter=3, batch_size="auto"),
    "a frame": (small(DynPMNNClassifier), FRAME, TEXT),
    "labels: text": labels(TEXT),
    "labels: object text": labels(TEXT.astype(object)),
    "labels: bool": labels(UP),
    "labels: integers": labels(np.where(UP, -(2**62), 7), class_weight={-(2**62): 2, 7: 1}),
    "labels: unsigned": labels(np.where(UP, 200, 3).astype(np.uint8)),
    "labels: float": labels(np.where(UP, 2.0, -1.0)),
    "labels: float32": labels(np.where(UP, 2, 4).astype(np.float32)),
    "labels: three": labels(np.arange(24) % 3, class_weight="balanced"),
    "labels: weights by text": labels(TEXT, class_weight={"up": 0.5, "down": 2}),
    "petnn, two layers": energy(num_layers=2, dropout=0.2, release="soft", readout="mean"),
    "petnn, hard": energy(release="hard", time_decay=False, ground_state=False),
    "petnn, time": (small(PETNNRegressor, time_channel=0), STAMPED, y),
    "petnn, ragged": (small(PETNNClassifier, readout="max"), RAGGED, TEXT),
    "petnn, double": energy(dtype="float64"),
    "petnn, one channel": (small(PETNNRegressor), SERIES[:, :, 0], y),
    "petnn, a frame": (small(PETNNRegressor), FRAME, y),
    "tokens": (small(PETNNClassifier, vocabulary_size=5, embedding_dim=2), TOKENS, TEXT),
    "hssm, nonlinear": echo(dynamics="nonlinear", epsilon=0.01, norm="layer"),
    "hssm, bptt": echo(fitter="bptt", num_blocks=2, norm=None, readout="last"),
    "hssm, every of no account": echo(every=100),
    "hssm, gated loops of patches": echo(
        encoder="gated", num_loops=2, patch_size=2, norm="layer", readout="last"
    ),
    "hssm, both directions": echo(bidirectional=True),
    "hssm, every step": (
        small(HSSMRegressor, readout="sequence", every=2), SERIES, SERIES.sum(2)[:, 1::2]
    ),
    "hssm, labels of every step": (
        small(HSSMClassifier, readout="sequence", every=2, class_weight="balanced"),
        SERIES, np.where(SERIES.sum(2)[:, 1::2] > 0, "up", "down"),
    ),
    "petnn, every step": (
        small(PETNNRegressor, readout="sequence", loss="quantile", quantile=[0.2, 0.8]),
        SERIES, SERIES[:, :, :2],
    ),
    "petnn, labels of every step": (
        small(PETNNClassifier, readout="sequence", num_layers=2), SERIES, SERIES[:, :, 0] > 0
    ),
    "hssm, time": (small(HSSMClassifier, time_channel=-3), STAMPED, TEXT),
    "hssm, ragged": (small(HSSMClassifier, dtype="float64"), RAGGED, np.arange(24) % 3),
}  # fmt: skip
