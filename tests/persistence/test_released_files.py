"""Files that earlier versions saved load for ever, and predict what they did."""

import json
from pathlib import Path

import numpy as np
import pytest

import sklearn_physrnn

FOLDER = Path(__file__).parents[1] / "data" / "saved"
FILES = sorted(FOLDER.glob("*/*.safetensors"))


def as_input(X):
    """Lists of JSON as arrays: one, or one a series where they differ in length."""
    lengths = {len(x) for x in X}
    return np.array(X) if len(lengths) == 1 else [np.array(x) for x in X]


def test_every_class_is_there():
    names = {
        name for name in sklearn_physrnn.__all__ if name.endswith(("Regressor", "Classifier"))
    }
    assert {file.stem for file in FILES} == names


@pytest.mark.filterwarnings("ignore:Every neuron")  # after an epoch on five rows
@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_predictions(file):
    expected = json.loads((file.parent / "expected.json").read_text())[file.stem]
    X = as_input(expected.pop("X"))
    [(method, outputs)] = expected.items()
    model = sklearn_physrnn.load(file)
    # Not to the last bit: other machines have other mathematical libraries. Of tokens,
    # predictions are in float32, and the network's sums are of a few dozen terms.
    found = getattr(model, method)(X)
    rtol = 1e-9 if found.dtype == np.float64 else 8 * np.finfo(np.float32).eps
    np.testing.assert_allclose(found, outputs, rtol=rtol, atol=1e-12)
    model.partial_fit(X, model.predict(X) if method == "predict_proba" else _targets(model, X))


def _targets(model, X):
    predicted = model.predict(X)
    return predicted[..., 0] if model.loss == "quantile" else predicted
