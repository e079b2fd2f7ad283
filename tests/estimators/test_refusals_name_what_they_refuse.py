"""What cannot be learned from is refused in our words, which name X, y, weights or classes."""

import numpy as np
import pytest
import torch

from sklearn_physrnn import HSSMRegressor
from tests.families import (
    CLASSIFIERS,
    ENTRIES,
    NUMBERS,
    SEQUENCES,
    SKLEARN,
    TABLE,
    N,
    each,
    that_take,
)

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@each(SKLEARN)
@pytest.mark.parametrize(
    "bad",
    [
        torch.ones(N, 3, requires_grad=True),
        torch.ones(N, 3).to_sparse(),
        torch.ones(N, 3, device="meta"),
        {"a": 1},
        set(),
        "text",
        (row for row in TABLE),
        [[10**400, 0, 0]] * N,
        np.array([[None, {}, print]] * N, dtype=object),
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_no_array_is_refused_by_name(kind, bad):
    model = ENTRIES[kind].make()
    with pytest.raises((ValueError, TypeError), match=r"\bX\b"):
        model.fit(bad, ENTRIES[kind].y)
    assert not hasattr(model, "module_")


@each(SKLEARN)
@pytest.mark.parametrize(
    "bad",
    [
        "balanced",
        {0: 1.0},
        np.ones(N) + 1j,
        torch.ones(N, requires_grad=True),
        np.ma.MaskedArray(np.ones(N), np.arange(N) == 2),
        np.ones((N, 1)),
        np.zeros(N, "M8[D]"),
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_weights_are_refused_by_name(kind, bad):
    X, y = ENTRIES[kind].data
    fitted = ENTRIES[kind].make().fit(X, y)
    for call in (ENTRIES[kind].make().fit, fitted.score):
        with pytest.raises((ValueError, TypeError), match=r"[Ss]ample[_ ]weight"):
            call(X, y, bad)


@each(SKLEARN)
def test_infinities_of_both_signs(kind):
    X, y = ENTRIES[kind].data
    X = X.copy()
    X[0], X[1] = np.inf, -np.inf
    with pytest.raises(ValueError, match="X contains infinity"):
        ENTRIES[kind].make().fit(X, y)


@each(CLASSIFIERS)
def test_labels_that_cannot_be_sorted(kind):
    X, y = ENTRIES[kind].data
    mixed = np.array(["a", None], object)[y]
    fitted = ENTRIES[kind].make().fit(X, y)
    for call in (ENTRIES[kind].make().fit, fitted.score):
        with pytest.raises((ValueError, TypeError), match=r"\by\b"):
            call(X, mixed)
    for classes in (mixed, [[0], [1]], np.ma.MaskedArray(y, y == 1), 3):
        with pytest.raises((ValueError, TypeError), match="classes"):
            ENTRIES[kind].make().partial_fit(X, y, classes=classes)


@each(that_take("sequence"))
def test_time_stamps_too_far_apart(kind):
    X, y = ENTRIES[kind].data
    X = np.abs(X).cumsum(axis=1)
    X[0, 0, 0], X[0, -1, 0] = -1.7e308, 1.7e308
    X[0, 1:-1, 0] = -1.6e308
    with pytest.raises(ValueError, match="Time stamps must not lie further apart"):
        ENTRIES[kind].make(time_channel=0).fit(X, y)


def test_unscaled_values_whose_squares_overflow():
    with pytest.raises(ValueError, match=r"scale_inputs=False needs X .* up to 1e\+15, .* got 1"):
        ENTRIES[HSSMRegressor].make(scale_inputs=False).fit(
            SEQUENCES / SEQUENCES.max() * 1e30, NUMBERS
        )
