"""Whether the places of missing values say anything of targets."""

from functools import partial

import numpy as np
import pytest

from sklearn_physrnn.preparation import recordings as recordings_module
from sklearn_physrnn.preparation.hints import holes_tell
from sklearn_physrnn.preparation.recordings import recordings
from sklearn_physrnn.preparation.series import Series
from tests.helpers.recordings import mapped_in

N = 60


@pytest.fixture
def random():
    return np.random.default_rng(3)


def holed(random, shares, n_steps=20):
    """Series of two channels that lose so many values, (n_samples, n_steps or 1, 2)."""
    X = random.normal(size=(len(shares), n_steps, 2))
    X[random.random(X.shape) < shares] = np.nan
    return X


def told(X, y, **options):
    series = Series(X.reshape(-1, X.shape[2]), np.full(len(X), X.shape[1]))
    return holes_tell(series, y, [0, 1], **options)


LABELS, NUMBERS = np.arange(N) % 3, np.linspace(-1, 1, N)[:, None]


@pytest.mark.parametrize("y", [LABELS, NUMBERS, np.hstack([0 * NUMBERS, NUMBERS])])
def test_holes_by_chance_tell_nothing(y):
    found = [told(holed(np.random.default_rng(i), np.full((N, 1, 1), 0.5)), y) for i in range(40)]
    assert sum(found) <= 2  # of which chance makes one in five such tests


@pytest.mark.parametrize("y", [LABELS, NUMBERS])
def test_how_much_is_missing_may_tell(y, random):
    level = 0.3 + 0.2 * (y.reshape(N, -1)[:, 0] > 0.5)
    assert told(holed(random, level[:, None, None] * [[1, 0.1]]), y)


def test_when_something_is_missing_may_tell(random):
    early = np.where(LABELS[:, None] == 0, np.arange(20) < 10, np.arange(20) >= 10)
    assert told(holed(random, 0.6 * early[:, :, None]), LABELS)


def test_one_hole_among_many_series_tells_nothing(random):
    X = holed(random, np.zeros((N, 1, 1)))
    X[7, 5:15, 0] = np.nan
    y = (np.arange(N) == 7).astype(int)  # a class of its own: that is one case, and no rule
    y[8] = 1
    assert not told(X, y)


def test_holes_that_are_alike_in_all_series_tell_nothing(random):
    X = holed(random, np.zeros((N, 1, 1)))
    X[:, 5:15, 0] = np.nan
    assert not told(X, LABELS)


def test_two_series_are_too_few_to_tell(random):
    X = holed(random, np.zeros((2, 1, 1)))
    X[1, 5:15, 0] = np.nan
    assert not told(X, np.arange(2))


def test_targets_at_every_step_are_taken_to_follow_from_holes(random):
    X = holed(random, np.full((N, 1, 1), 0.5))
    assert told(X, np.zeros((N, 20, 1)))


def test_files_say_what_arrays_say(random, tmp_path, monkeypatch):
    monkeypatch.setattr(recordings_module, "_VALUES_AT_A_TIME", 21)  # seven steps
    early = np.where(LABELS[:, None] == 0, np.arange(20) < 10, np.arange(20) >= 10)
    X = holed(random, 0.6 * early[:, :, None])
    timed = np.concatenate([np.broadcast_to(np.arange(20.0)[:, None], (N, 20, 1)), X], axis=2)
    files = recordings(partial(mapped_in, tmp_path)(timed), holes=True)
    for y in (LABELS, LABELS[np.random.default_rng(0).permutation(N)]):
        assert holes_tell(files, y, [0, 1], time_channel=0) == told(X, y)
