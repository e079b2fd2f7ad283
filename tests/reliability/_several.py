"""What several processes do together: run by each of them, and by the test that compares.

As a program it runs in each process that ``torchrun`` starts, and writes what it found to a
folder.
"""

import json
import os
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from skorch.callbacks import Callback

from sklearn_physrnn import DynPMNNRegressor, HSSMClassifier, PETNNRegressor
from sklearn_physrnn.training import _saving
from tests.families import ENTRIES, FAMILIES, FORECASTERS, PANELS, TABLE, WALK, N

from ._trainings import CASES, data, make

EXACT = {"dtype": "float64", "random_state": 0, "device": "cpu"}
STEPS = {"max_iter": 2, "batch_size": 9, "dropout": 0.2}


def trainings():
    """Give a function for each training that is compared, by name; all are of ten epochs or so."""
    for case in CASES:
        yield (
            f"{case} with all",
            lambda case=case: make(case, **EXACT | {"max_iter": 10}).fit(**data(case)),
        )
    for family in FAMILIES:
        for setting in family.own[::4]:  # for time
            entry = ENTRIES[getattr(family, setting.kind)]
            yield f"{family.name} {setting}", lambda e=entry, s=setting: _own(e, s)
    for cls in PANELS[-1:]:
        yield cls.__name__, lambda cls=cls: ENTRIES[cls].fitted(**EXACT, **STEPS)
    for cls in FORECASTERS[::2]:
        yield (
            cls.__name__,
            lambda cls=cls: ENTRIES[cls].fitted(**EXACT, **STEPS, early_stopping=True),
        )
    yield "pretrained", _pretrained
    yield "of unequal length", _of_unequal_length
    yield (
        "in limited time",
        lambda: DynPMNNRegressor(hidden_size=4, max_time=300, **EXACT, **STEPS).fit(
            TABLE, TABLE[:, 0]
        ),
    )
    yield (
        "of two rows a step",
        lambda: DynPMNNRegressor(hidden_size=4, **EXACT, **STEPS | {"batch_size": 1}).fit(
            TABLE[:3], TABLE[:3, 0]
        ),
    )
    yield "part after part", _part_after_part


def _own(entry, setting):
    estimator = entry.make(**EXACT, **STEPS).set_params(**setting.parameters)
    X, y = entry.data
    if "vocabulary_size" in setting.parameters:
        X = (X[:, :, 0] > 0).astype(int)
    if setting.parameters.get("readout") == "sequence":
        every = setting.parameters.get("every", 1)
        y = np.repeat(np.asarray(y)[:, None], X.shape[1] // every, axis=1)
    return estimator.fit(X, y)


def _pretrained():
    series = {"a": WALK.iloc[:40], "b": 2 * WALK.iloc[10:]}
    panel = pd.concat(series, names=["series", "time"]).to_frame("y")
    cls = FORECASTERS[1]
    forecaster = ENTRIES[cls].make(**EXACT, **STEPS)
    return forecaster.pretrain(panel).fit(WALK)


def _of_unequal_length():
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(rng.integers(3, 9), 2)) for _ in range(N)]
    model = HSSMClassifier(hidden_size=4, state_size=4, class_weight="balanced", **EXACT, **STEPS)
    return model.fit(X, np.arange(N) % 3 > 0, rng.uniform(size=N))


def _part_after_part():
    model = PETNNRegressor(hidden_size=4, **EXACT, **STEPS)
    for _ in range(2):
        model.partial_fit(TABLE, TABLE[:, 0])
    return model


def learned(estimator):
    """Give weights and losses."""
    for inner in ("regressor_", "classifier_"):
        estimator = getattr(estimator, inner, estimator)
    found = {name: x.numpy() for name, x in estimator.module_.state_dict().items()}
    return {**found, "losses": np.array(estimator.loss_curve_), "best": estimator.best_loss_}


def flat(estimator):
    return np.concatenate([np.ravel(x) for x in learned(estimator).values()])


def main(folder):
    rank = int(os.environ["RANK"])
    found = {f"{name}|{key}": x for name, fit in trainings() for key, x in learned(fit()).items()}
    model = DynPMNNRegressor(hidden_size=4, max_iter=1)

    def fit(model, other=0):
        return model.fit(np.roll(TABLE, other), TABLE[:, 0])

    found["whatever was drawn"] = fit(model).predict(TABLE)
    said = {}
    for name, wrong in (
        ("parameters", lambda: fit(model.set_params(hidden_size=4 + rank))),
        ("data", lambda: fit(model.set_params(hidden_size=4), rank)),
        ("carried", lambda: _carried()),
    ):
        try:
            wrong()
        except ValueError as error:
            said[name] = str(error)
    own = Parallel(2, "threading")(
        delayed(fit)(DynPMNNRegressor(hidden_size=4 + rank, max_iter=1), rank) for _ in range(2)
    )
    os.environ["SKLEARN_PHYSRNN_ALONE"] = "1"
    own.append(fit(DynPMNNRegressor(hidden_size=4 + rank, max_iter=1)))
    del os.environ["SKLEARN_PHYSRNN_ALONE"]
    said["own"] = [model.module_.head.in_features for model in own]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(DynPMNNRegressor(hidden_size=4, max_iter=1, verbose=2))
        fit(DynPMNNRegressor(hidden_size=4, max_iter=1, learning_rate_init=1e30))
    said["warned"] = [str(warning.message) for warning in caught]
    checkpoint = Path(folder) / "checkpoint"
    if checkpoint.exists():
        found["resumed"] = flat(with_checkpoint(checkpoint))
        found["uninterrupted"] = flat(with_checkpoint(None))
    np.savez(Path(folder) / f"{rank}.npz", **found)
    (Path(folder) / f"{rank}.json").write_text(json.dumps(said))


def _carried():
    model = PETNNRegressor(hidden_size=4, carry_state=True)
    return model.partial_fit(TABLE, TABLE[:, 0])


class Die(Callback):
    """Kill a process at the beginning of an epoch."""

    def __init__(self, rank, epoch=5):
        self.rank, self.epoch = rank, epoch

    def on_epoch_begin(self, net, **kwargs):
        if os.environ.get("RANK") == self.rank and net.history[-1]["epoch"] == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def with_checkpoint(checkpoint, dies=None):
    """Save every epoch; in the fifth, the process of number `dies` is killed."""
    _saving.INTERVAL, _saving._SHARE = 0.0, float("inf")
    case = next(iter(CASES))
    made = make(case, **EXACT, checkpoint=checkpoint, callbacks=dies and [Die(dies)])
    return made.fit(**data(case))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        with_checkpoint(*sys.argv[1:])
    else:
        main(sys.argv[1])
