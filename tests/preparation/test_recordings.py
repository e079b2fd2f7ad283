"""Sequences that are read a stretch at a time."""

import os
from functools import partial

import numpy as np
import pandas as pd
import pytest

from sklearn_physrnn.preparation import recordings as module
from sklearn_physrnn.preparation.files import FilePart
from sklearn_physrnn.preparation.recordings import (
    in_memory,
    left_where_they_are,
    recordings,
    whole,
)
from sklearn_physrnn.preparation.scaling import Standard
from sklearn_physrnn.preparation.sources import Slices
from tests.helpers.recordings import Elsewhere, mapped_in


@pytest.fixture
def mapped(tmp_path):
    return partial(mapped_in, tmp_path)


@pytest.fixture
def small_reads(monkeypatch):
    monkeypatch.setattr(module, "_VALUES_AT_A_TIME", 7)


def test_a_part_of_a_mapped_file_is_read_from_the_file(mapped, rng, small_reads):
    values = rng.normal(size=(3, 20, 2)).astype(np.float32)
    found = recordings(mapped(values)[1:])
    assert all(isinstance(source, FilePart) for source in found.sources)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found.stretch(0, 3, 11), values[1, 3:11])
    np.testing.assert_array_equal(whole(found).values, values[1:].reshape(-1, 2))


@pytest.mark.parametrize("how", ["fortran", "private", "strided"])
def test_what_is_no_contiguous_part_of_a_file_is_sliced(mapped, rng, how):
    values = rng.normal(size=(3, 20, 4))
    if how == "fortran":
        X = mapped(np.asfortranarray(values))
    elif how == "private":
        X = mapped(values, mmap_mode="c")
        X[0, 0] = values[0, 0] = 7.0  # which is not in the file
    else:
        X, values = mapped(values)[:, ::2], values[:, ::2]
    found = recordings(X)
    assert isinstance(found.sources[0], Slices)
    np.testing.assert_array_equal(whole(found).values, values.reshape(-1, 4))


@pytest.mark.parametrize("kind", ["i2", "f4", "f8", ">f4", "u1"])
def test_values_are_those_that_an_array_would_have(mapped, rng, kind, small_reads):
    values = rng.integers(0, 99, size=(2, 9, 3)).astype(kind)
    found = recordings(mapped(values))
    assert found.dtype == (np.float32 if kind.endswith("f4") else np.float64)
    np.testing.assert_array_equal(whole(found).values, values.reshape(-1, 3))


def test_recordings_of_another_library_are_never_copied_whole(rng, small_reads):
    X = Elsewhere(rng.normal(size=(2, 1000, 3)))
    found = recordings(X)
    Standard.of_moments(found.moments.joined())
    found.sampled(100)
    assert X.most <= 7
    np.testing.assert_array_equal(found.stretch(1, 990, 1000), X.values[1, 990:])


def test_trailing_nan_is_padding_in_an_array_and_refused_in_a_list(mapped, rng, small_reads):
    values = rng.normal(size=(2, 30, 2))
    values[1, 17:] = np.nan
    assert list(recordings(mapped(values)).lengths) == [30, 17]
    with pytest.raises(ValueError, match="NaN: sample 1, time step 17, channel 0"):
        recordings(list(mapped(values)))
    values[1, 25] = 0
    with pytest.raises(ValueError, match="NaN: sample 1, time step 17"):
        recordings(mapped(values))
    values[1] = np.nan
    with pytest.raises(ValueError, match="NaN only in sample 1"):
        recordings(mapped(values))


def test_the_step_and_the_channel_of_what_is_not_finite_are_named(mapped, rng, small_reads):
    values = rng.normal(size=(2, 30, 2))
    values[1, 23, 1] = -np.inf
    with pytest.raises(ValueError, match="infinity: sample 1, time step 23, channel 1"):
        recordings(mapped(values))


@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e300])
def test_moments_of_parts_give_the_scale_of_the_whole(mapped, rng, scale, small_reads):
    values = scale * (3 + rng.normal(size=(3, 40, 2)))
    values[:, :, 1] = scale  # a constant
    values[2, 11:] = np.nan
    found = recordings(mapped(values))
    weights = np.array([1.0, 0.25, 2.0])
    learned = Standard.of_moments(found.moments.joined(weights))
    expected = Standard.fit(whole(found).values, np.repeat(weights, found.lengths))
    np.testing.assert_allclose(learned.center, expected.center, rtol=1e-12)
    np.testing.assert_allclose(learned.scale, expected.scale, rtol=1e-12)
    subset = Standard.of_moments(found[[0, 2]].moments.joined())
    expected = Standard.fit(whole(found, [0, 2]).values)
    np.testing.assert_allclose(subset.scale, expected.scale, rtol=1e-12)


def test_a_sample_of_steps_is_spread_evenly(mapped, small_reads):
    values = np.arange(100.0).reshape(2, 50, 1)
    steps, rows = recordings(mapped(values)).sampled(20)
    np.testing.assert_array_equal(steps[:, 0], np.arange(0, 100, 5))
    np.testing.assert_array_equal(rows, np.repeat([0, 1], 10))


def test_intervals_are_those_between_steps_of_one_sequence(mapped, small_reads):
    times = np.cumsum(np.full((2, 30), 2.0), axis=1)
    X = np.stack([times, np.zeros_like(times)], axis=2)
    elapsed = recordings(mapped(X)).intervals(0, 1000)
    np.testing.assert_array_equal(elapsed, np.full(58, 2.0))
    X[1, 21, 0] = 0
    with pytest.raises(ValueError, match="sample 1, channel 0 falls from 42 to 0 at time step 21"):
        recordings(mapped(X)).intervals(0, 1000)


def test_a_file_that_changes_while_it_is_read_is_noticed(mapped, rng):
    X = mapped(rng.normal(size=(2, 30, 2)))
    found = recordings(X)
    with open(X.filename, "r+b") as file:
        file.truncate(300)
    with pytest.raises(ValueError, match="has become shorter while it was read"):
        found.stretch(1, 0, 5)
    os.remove(X.filename)
    with pytest.raises(ValueError, match="is gone"):
        found.stretch(1, 0, 5)


def test_a_file_that_is_written_to_while_it_is_read_is_noticed(mapped, rng):
    X = mapped(rng.normal(size=(2, 30, 2)))
    found = recordings(X)
    status = os.stat(X.filename)
    os.utime(X.filename, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    with pytest.raises(ValueError, match="was written to while it was read"):
        found.stretch(1, 0, 5)


def test_channels_must_be_as_many_in_every_sequence(rng):
    with pytest.raises(ValueError, match=r"X\[1\] has 3 channels, but X\[0\] has 2"):
        recordings([rng.normal(size=(5, 2)), rng.normal(size=(5, 3))])
    with pytest.raises(ValueError, match="For one channel give"):
        recordings([rng.normal(size=5)])


def test_what_is_in_memory_among_files_becomes_numbers_as_ever(mapped, rng):
    values = rng.integers(0, 2, size=(4, 9, 2))
    X = [mapped(values[0]), values[1].tolist(), values[2] > 0, pd.DataFrame(values[3])]
    np.testing.assert_array_equal(whole(recordings(X)).values, values.reshape(-1, 2))
    with pytest.raises(ValueError, match=r"X\[1\] must hold real numbers, got complex128"):
        recordings([X[0], values[1] + 1j])


@pytest.mark.parametrize("how", ["strided", "private", "whole", "small"])
def test_a_file_shorter_than_its_map_is_refused_before_it_ends_the_process(mapped, rng, how):
    X = mapped(rng.normal(size=(2, 3000, 2)), mmap_mode="c" if how == "private" else "r")
    part = X[:, ::2] if how == "strided" else X
    found = recordings(part)
    with open(X.filename, "r+b") as file:
        file.truncate(300)
    with pytest.raises(ValueError, match="has become shorter while it was read"):
        found.stretch(1, 0, 5)
    with pytest.raises(ValueError, match="has become shorter since"):
        (in_memory if how == "small" else recordings)(part)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda part: part[..., :1], r"in the shape \(9, 2\), and gave float64 of shape \(9, 1\)"),
        (lambda part: part.astype("U"), "and gave <U32"),
        (lambda part: part + 1j, "and gave complex128"),
        (lambda part: part[:-1], "gave 8 time steps where 9 were asked for"),
    ],
)
def test_an_array_that_does_not_keep_its_word_is_refused(rng, answer, message):
    kind = type("Liar", (Elsewhere,), {"__getitem__": lambda self, at: answer(self.values[at])})
    with pytest.raises(ValueError, match=message):
        recordings(kind(rng.normal(size=(2, 9, 2))))


def test_small_files_become_arrays_and_arrays_stay_what_they_are(mapped, rng, monkeypatch):
    values = rng.normal(size=(2, 30, 2))
    assert not left_where_they_are(mapped(values))
    assert type(in_memory(mapped(values))) is np.ndarray
    assert in_memory(values) is values
    monkeypatch.setattr(module, "_WORTH_LEAVING", 100)
    assert left_where_they_are(mapped(values))
    assert left_where_they_are([mapped(values)[0], values[1]])
    assert left_where_they_are(Elsewhere(values))
    assert not left_where_they_are(values)
    assert not left_where_they_are(list(values))
