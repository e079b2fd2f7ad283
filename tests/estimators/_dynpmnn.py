"""Small DynPMNN estimators and a table for them."""

import numpy as np
import pytest
from sklearn.base import is_classifier
from skorch.callbacks import Callback

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor

QUICK = {"hidden_size": 8, "num_layers": 1, "n_steps": 4, "max_iter": 3, "random_state": 0}
# One batch an epoch in float64: what should be equal is equal but for the last digits.
EXACT = {**QUICK, "dtype": "float64", "batch_size": 1000}
KINDS = [DynPMNNRegressor, DynPMNNClassifier]
BOTH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)

X = np.random.default_rng(0).normal(size=(90, 3))
TARGET = X[:, 0] * X[:, 1] + X[:, 2]


def _y(kind):
    return TARGET if kind is DynPMNNRegressor else np.digitize(TARGET, [-0.5, 0.5])


def _outputs(model, X=X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


class Recorder(Callback):
    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(net.history[-1]["train_loss"])
