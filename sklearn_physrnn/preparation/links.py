"""From outputs of a network to probabilities."""

import numpy as np


def log_softmax(outputs: np.ndarray) -> np.ndarray:
    """Turn scores (..., n_classes) into logarithms of probabilities."""
    outputs = outputs - outputs.max(axis=-1, keepdims=True)
    with np.errstate(under="ignore"):
        return outputs - np.log(np.exp(outputs).sum(axis=-1, keepdims=True))


def softmax(outputs: np.ndarray) -> np.ndarray:
    """Turn scores (..., n_classes) into probabilities."""
    with np.errstate(over="ignore", under="ignore"):
        odds = np.exp(outputs - outputs.max(axis=-1, keepdims=True))
    return odds / odds.sum(axis=-1, keepdims=True)


def log_sigmoid(outputs: np.ndarray) -> np.ndarray:
    """Turn log odds into logarithms of probabilities."""
    with np.errstate(under="ignore"):
        return -np.logaddexp(0, -outputs)


def sigmoid(outputs: np.ndarray) -> np.ndarray:
    """Turn log odds into probabilities."""
    with np.errstate(under="ignore"):
        return np.exp(log_sigmoid(outputs))
