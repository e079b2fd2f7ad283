"""The four estimators of panels, and panels for them."""

import numpy as np
import pytest
from sktime.datasets import load_basic_motions, load_japanese_vowels

from tests.helpers.panels import SMALL


@pytest.fixture(params=SMALL, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


@pytest.fixture(scope="session")
def motions():
    """Six channels, equal length: sktime's array, and labels as numbers for all."""
    X, y = load_basic_motions(split="train", return_type="numpy3D")
    return X, np.unique(y, return_inverse=True)[1]


@pytest.fixture(scope="session")
def vowels():
    """Twelve channels, unequal length: sktime's nested frame, and the same as a list."""
    X, y = load_japanese_vowels(split="train", return_type="nested_univ")
    X, y = X.iloc[::9].reset_index(drop=True), y[::9].astype(int)
    sequences = [np.column_stack([cell.to_numpy() for cell in row]) for row in X.to_numpy()]
    assert len({len(x) for x in sequences}) > 1
    return X, sequences, y
