"""ONNX files of estimators, run and held to what the estimators say themselves."""

import json

import numpy as np
import pytest

runtime = pytest.importorskip("onnxruntime", reason="exported files are run by ONNX Runtime")

_TYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64}


def session(estimator, folder, **options):
    """Export an estimator, and open the file."""
    path = folder / "model.onnx"
    estimator.to_onnx(path, **options)
    return runtime.InferenceSession(path)


def answers(estimator, X):
    """What an estimator says of X, in the order of a file's outputs."""
    probabilities = getattr(estimator, "predict_proba", None)
    return [estimator.predict(X)] + ([] if probabilities is None else [probabilities(X)])


def first_state(file, n_samples):
    """The state that steps begin with."""
    first = json.loads(file.get_modelmeta().custom_metadata_map["first_state"])
    return {
        node.name: np.full(
            [n_samples if isinstance(size, str) else size for size in node.shape],
            float(first[node.name]),
            _TYPES[node.type],
        )
        for node in file.get_inputs()
        if node.name in first
    }


def stepped(file, X):
    """Answers of a file of one step to every step of X (n_samples, n_timesteps, ...)."""
    names = [node.name for node in file.get_outputs()]
    state, said = first_state(file, len(X)), []
    for now in np.moveaxis(X, 1, 0):
        found = dict(zip(names, file.run(None, {"X": now, **state}), strict=True))
        state = {f"state_{k[5:]}": x for k, x in found.items() if k.startswith("next_")}
        said.append([x for k, x in found.items() if not k.startswith("next_")])
    return [list(one) for one in zip(*said, strict=True)]


def assert_alike(found, expected, tolerance=1e-5):
    """Hold answers to each other: numbers to a tolerance of the largest, anything else exactly."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        if other.dtype.kind != "f":
            assert one.tolist() == other.tolist()
            continue
        assert one.dtype == other.dtype
        largest = np.abs(other[np.isfinite(other)]).max(initial=1)
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * largest)
