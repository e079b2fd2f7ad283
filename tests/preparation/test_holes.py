"""Values that are missing inside sequences, as inputs turn them into what a network sees."""

from functools import partial

import numpy as np
import pytest

from sklearn_physrnn.preparation import recordings as recordings_module
from sklearn_physrnn.preparation.holes import INDICATOR, Holes
from sklearn_physrnn.preparation.moments import Moments
from sklearn_physrnn.preparation.neighbours import Neighbours
from sklearn_physrnn.preparation.recordings import recordings
from sklearn_physrnn.preparation.scaling import Standard
from sklearn_physrnn.preparation.sequences import SequenceInputs
from sklearn_physrnn.preparation.series import Series
from sklearn_physrnn.storage.plain import Fields
from tests.helpers.recordings import mapped_in

NAN = np.nan
HOLED = [[NAN, 1.0], [2.0, NAN], [NAN, NAN], [NAN, 5.0], [8.0, NAN]]


@pytest.fixture
def mapped(tmp_path):
    return partial(mapped_in, tmp_path)


@pytest.fixture
def small_reads(monkeypatch):
    monkeypatch.setattr(recordings_module, "_VALUES_AT_A_TIME", 12)


def series(*samples):
    arrays = [np.asarray(x, dtype=float) for x in samples]
    return Series(np.concatenate(arrays), np.array([len(x) for x in arrays]))


def inputs_of(way, X, scaling=False, n_features=2, **options):
    return SequenceInputs(scaling, holes=Holes(way), n_features=n_features, **options).fit(X, None)


def seen(way, *samples, **options):
    X = series(*samples)
    n_features = X.values.shape[1]
    return inputs_of(way, X, n_features=n_features, **options).arrays(X)["x"]


def test_a_missing_value_lies_on_the_line_between_its_neighbours():
    x = seen("linear", HOLED)[0]
    np.testing.assert_allclose(x[:, 0], [2, 2, 4, 6, 8])
    np.testing.assert_allclose(x[:, 1], [1, 7 / 3, 11 / 3, 5, 5])


def test_the_line_is_in_time_where_there_are_time_stamps():
    times = np.array([0.0, 1, 2, 5, 11])
    stamped = np.column_stack((times, HOLED))
    x = seen("linear", stamped, time_channel=0)[0]
    np.testing.assert_allclose(x[:, 0], [2, 2, 2 + 6 / 10, 2 + 24 / 10, 8])


def test_a_mask_carries_the_last_value_on_and_looks_at_no_later_one():
    x = seen("mask", HOLED)[0]
    np.testing.assert_allclose(x[:, 0], [0, 2, 2, 2, 8])
    np.testing.assert_allclose(x[:, 1], [1, 1, 1, 5, 5])


@pytest.mark.parametrize("way", ["linear", "mask"])
def test_no_value_comes_from_another_sample(way):
    x = seen(way, [[1.0], [NAN], [NAN]], [[NAN], [3.0], [NAN]])
    np.testing.assert_allclose(x[0, :, 0], [1, 1, 1])
    np.testing.assert_allclose(x[1, :, 0], [3 if way == "linear" else 0, 3, 3])


def test_only_channels_with_holes_in_training_are_told_of():
    holed, whole = [[NAN, 1.0], [2.0, 3.0]], [[1.0, 1.0], [2.0, NAN]]
    inputs = inputs_of("mask", series(holed))
    assert inputs.holes.told == (0,)
    assert inputs.n_columns == 3
    np.testing.assert_array_equal(inputs.arrays(series(holed))["x"][0, :, 2], [INDICATOR, 0])
    x = inputs.arrays(series(whole))["x"][0]
    np.testing.assert_array_equal(x, [[1, 1, 0], [2, 1, 0]])


def test_a_channel_without_a_value_in_training_is_not_looked_at_later():
    inputs = inputs_of("linear", series([[NAN, 1.0], [NAN, 3.0]]))
    assert (inputs.holes.told, inputs.holes.empty) == ((), (0,))
    x = inputs.arrays(series([[7.0, 1.0], [9.0, 3.0]]))["x"][0]
    np.testing.assert_array_equal(x, [[0, 1], [0, 3]])
    with pytest.raises(ValueError, match="no channel with a value"):
        inputs_of("linear", series([[NAN, NAN], [NAN, NAN]]))


@pytest.mark.parametrize("scaling", ["standard", "quantile", "quantile_linear"])
def test_scales_are_those_of_the_values_that_are_there(scaling, rng):
    values = rng.normal(3, 2, size=(40, 2))
    holed = values.copy()
    holed[::3, 0] = NAN
    weights = rng.uniform(1, 2, size=2)
    X = series(holed[:25], holed[25:])
    inputs = SequenceInputs(scaling, holes=Holes("mask"), n_features=2).fit(X, weights)
    there = ~np.isnan(holed[:, 0])
    own = np.repeat(weights, [25, 15])[there]
    other = SequenceInputs(scaling, n_features=2)
    # The same values in a channel of their own, one sample each with its weight.
    alone = other.fit(Series(values[there], np.ones(there.sum(), dtype=int)), own)
    np.testing.assert_allclose(
        inputs.scaler.of_column(0).transform(values[:, :1]),
        alone.scaler.of_column(0).transform(values[:, :1]),
        rtol=1e-12,
    )  # fmt: skip


def with_holes(rng, shape=(3, 50, 3)):
    X = rng.normal(size=shape)
    X[rng.random(shape) < 0.6] = NAN
    X[0, 10:40, 0] = X[1, :30, 1] = X[2, 20:, 2] = NAN
    X[:, :, -1] = np.abs(rng.normal(size=shape[:2])).cumsum(axis=1)
    return X


@pytest.mark.parametrize("where", ["memory", "files"])
@pytest.mark.parametrize("time_channel", [None, 2, -1])
@pytest.mark.parametrize("way", ["linear", "mask"])
@pytest.mark.parametrize("n_steps", [1, 4, 17])
def test_pieces_see_what_the_whole_does(
    way, time_channel, n_steps, where, rng, mapped, small_reads
):
    X = with_holes(rng)
    known = series(*X)
    inputs = inputs_of(way, known, "standard", n_features=3, time_channel=time_channel)
    expected = inputs.arrays(known)
    read = known if where == "memory" else recordings(mapped(X), holes=True)
    for row in (2, 0, 1):
        for starts in (range(0, 50, n_steps), range(48, -1, -n_steps)):  # forward, and back
            for start in starts:
                stop = min(start + n_steps, 50)
                found = inputs.stretch(read, row, start, stop)
                for name, x in found.items():
                    np.testing.assert_allclose(x, expected[name][row, start:stop], atol=1e-12)


class Counting:
    def __init__(self, values):
        self.values, self.lengths, self.n_read = values, np.array([len(values)]), 0

    def stretch(self, row, start, stop):
        self.n_read += stop - start
        return self.values[start:stop]


def test_a_gap_is_read_through_once_however_many_pieces_lie_in_it():
    values = np.full((20_000, 2), NAN)
    values[[0, -1], 0] = 1.0, 2.0
    values[5, 1] = 3.0  # and never again
    source = Counting(values)
    neighbours = Neighbours(source)
    for start in range(0, 20_000, 10):
        part = values[start : start + 10]
        around, at = neighbours.around(0, start, part, time_channel=None, ahead=True)
        if 10 <= start < 19_990:
            np.testing.assert_array_equal(around[[0, -1], 0], [1, 2])
            np.testing.assert_array_equal(at[[0, -1], 0], [0, 19_999])
            assert around[0, 1] == 3
            assert np.isnan(around[-1, 1])
    assert source.n_read < 3 * 20_000


def test_recordings_learn_what_arrays_do(rng, mapped, small_reads):
    X = with_holes(rng)
    X[1, 45:] = NAN  # padding, of the last channel too
    read, known = recordings(mapped(X), holes=True), series(X[0], X[1, :45], X[2])
    np.testing.assert_array_equal(read.lengths, known.lengths)
    for scaling in ("standard", False):
        of_files, of_arrays = (inputs_of("mask", x, scaling, 3) for x in (read, known))
        assert of_files.holes == of_arrays.holes
        for row in range(3):
            a, b = (i.stretch(known, row, 0, 45)["x"] for i in (of_files, of_arrays))
            np.testing.assert_allclose(a, b, atol=1e-12)


def test_moments_do_not_count_what_is_missing(rng):
    X = rng.normal(5, 3, size=(60, 3))
    X[rng.random(X.shape) < 0.4] = NAN
    X[:, 2] = NAN
    parts = Moments.stacked([Moments.of(X[:20]), Moments.of(X[20:25]), Moments.of(X[25:])])
    found = parts.joined()
    np.testing.assert_array_equal(found.count[0], (~np.isnan(X)).sum(axis=0))
    np.testing.assert_allclose(found.mean[0, :2], np.nanmean(X[:, :2], axis=0))
    np.testing.assert_allclose(found.deviation[0, :2], np.nanstd(X[:, :2], axis=0))
    scaler = Standard.of_moments(found)
    assert scaler.center[2] == 0
    assert scaler.scale[2] == 1


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"told": [0, 3], "empty": []}, "channels that there are not"),
        ({"told": [1, 0], "empty": []}, "channels that there are not"),
        ({"told": [0], "empty": [0]}, "of two kinds"),
        ({"told": [0.5], "empty": []}, "told"),
        ({"told": [0]}, "empty"),
        ({"told": [0], "empty": [], "more": 1}, "more"),
    ],
)
def test_what_a_file_says_of_holes_is_checked(state, message):
    with pytest.raises(ValueError, match=message):
        Holes("mask").described(Fields(state, "holes"), 3)
    known = Holes("mask", (0,), (2,))
    assert Holes("mask").described(Fields(known.to_state(), "holes"), 3) == known
    with pytest.raises(ValueError, match="missing='error' refuses"):
        Holes("error").described(Fields(known.to_state(), "holes"), 3)
