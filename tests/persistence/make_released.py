"""Make the files that every later version has to load: run once, for a release.

``python tests/persistence/make_released.py`` writes a folder tests/data/saved/<version> with a
model of each class and ``expected.json``, the inputs and the predictions from them. A folder
that is there already is left alone: what was released is never made anew.
"""

import json
from pathlib import Path

import numpy as np

import sklearn_physrnn as physrnn

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(30, 2)).round(3)
SERIES = RNG.normal(size=(30, 4, 2)).round(3)
RAGGED = [x[: 2 + i % 3] for i, x in enumerate(SERIES)]
TOKENS = RNG.integers(0, 4, size=(30, 4))
TARGETS = np.c_[TABLE[:, 0], 5 * TABLE[:, 1]].round(3)
UP = TABLE[:, 0] > 0

COMMON = {"hidden_size": 2, "max_iter": 2, "random_state": 0, "device": "cpu"}
BLOCK = {"state_size": 2, "num_blocks": 1}
MODELS = [
    (physrnn.DynPMNNRegressor(**COMMON, scale_inputs="standard"), TABLE, TARGETS),
    (physrnn.DynPMNNClassifier(**COMMON, n_members=2, num_layers=1, n_frequencies=1),
     TABLE, np.where(UP, "up", "down")),
    (physrnn.PETNNRegressor(**COMMON, loss="quantile", quantile=[0.1, 0.9], time_channel=0),
     np.concatenate((np.cumsum(np.ones((30, 4, 1)), 1), SERIES), 2), TARGETS[:, 0]),
    (physrnn.PETNNClassifier(**COMMON, vocabulary_size=4, embedding_dim=2, optimizer="sgd"),
     TOKENS, UP),
    (physrnn.HSSMRegressor(**COMMON, **BLOCK, dtype="float64", dynamics="nonlinear"),
     SERIES, TARGETS[:, 0]),
    (physrnn.HSSMClassifier(**COMMON, **BLOCK, early_stopping=True), RAGGED, 3 * UP),
]  # fmt: skip

if __name__ == "__main__":
    version = physrnn.__version__.partition(".dev")[0]
    folder = Path(__file__).parents[1] / "data" / "saved" / version
    folder.mkdir(parents=True)
    expected = {}
    for model, X, y in MODELS:
        name = type(model).__name__
        model.fit(X, y).save(folder / f"{name}.safetensors")
        method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
        expected[name] = {
            "X": [np.asarray(x).tolist() for x in X[:5]],
            method: getattr(model, method)(X[:5]).tolist(),
        }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")
