"""Trailing NaN of every channel is padding, as tslearn makes it."""

import numpy as np
import pytest
from sktime.datatypes import convert

from tests.helpers.panels import make, make_wrapped, outputs

LENGTHS = np.tile([100, 40, 73, 2], 10)


@pytest.fixture
def padded(motions):
    X, y = motions
    X = np.where(np.arange(X.shape[2]) < LENGTHS[:, None, None], X, np.nan)
    return X, y


def test_padding_is_no_part_of_a_series(kind, padded):
    X, y = padded
    frames = convert(np.nan_to_num(X), "numpy3D", "df-list", as_scitype="Panel")
    frames = [frame.iloc[:length] for frame, length in zip(frames, LENGTHS, strict=True)]
    expected = outputs(make(kind).fit(frames, y), frames)
    model = make(kind).fit(X, y)
    np.testing.assert_array_equal(outputs(model, X), expected)
    np.testing.assert_array_equal(outputs(model, frames), expected)
    more = np.pad(X, ((0, 0), (0, 0), (0, 7)), constant_values=np.nan)
    np.testing.assert_array_equal(outputs(model, more), expected)
    np.testing.assert_allclose(outputs(model, X[1:2, :, :40]), expected[1:2])


@pytest.mark.parametrize("mtype", ["df-list", "pd-multiindex", "nested_univ"])
def test_padding_is_known_in_every_panel(mtype, kind, padded):
    X, y = (part[::3] for part in padded)
    panel = convert(X, "numpy3D", mtype, as_scitype="Panel")
    model = make(kind).fit(panel, y)
    np.testing.assert_array_equal(outputs(model, panel), outputs(model, X))
    X = X.copy()
    X[3, 0, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[3\] contains NaN: time step 1. Only trailing"):
        model.predict(convert(X, "numpy3D", mtype, as_scitype="Panel"))


def test_padding_is_what_the_wrapped_estimator_takes(kind, padded):
    X, y = padded
    model = make(kind).fit(X, y)
    wrapped = make_wrapped(model).fit(X.transpose(0, 2, 1), y)
    np.testing.assert_array_equal(outputs(model, X), outputs(wrapped, X.transpose(0, 2, 1)))


def test_one_channel_in_two_dimensions_is_padded_too(kind, padded):
    X, y = padded
    model = make(kind).fit(X[:, 0], y)
    np.testing.assert_array_equal(outputs(model, X[:, 0]), outputs(model, X[:, :1]))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((3, 1, 1), "contains NaN: sample 3, time step 1. Only trailing"),  # of one channel
        ((0, slice(None), 50), "contains NaN: sample 0, time step 50. Only trailing"),  # inside
        ((5, slice(None), slice(None)), "NaN only in sample 5"),
    ],
)
def test_other_missing_values_are_found(kind, padded, place, message):
    X, y = padded
    model = make(kind).fit(X, y)
    X = X.copy()
    X[place] = np.nan
    for method in (model.predict, lambda X: make(kind).fit(X, y)):
        with pytest.raises(ValueError, match=message):
            method(X)


def test_no_claim_on_missing_values(kind):
    assert not kind.get_class_tag("capability:missing_values")
