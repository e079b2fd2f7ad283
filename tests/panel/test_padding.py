"""Trailing NaN is padding in an array, as tslearn makes it; any other is a missing value."""

import numpy as np
import pytest
from sklearn.utils import get_tags
from sktime.datatypes import convert

from tests.helpers.panels import fitted, make, make_wrapped, outputs

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
def test_a_hole_is_one_in_every_panel(mtype, kind, motions):
    X, y = (part[::3] for part in motions)
    X = X.copy()
    X[::2, 0, 1:30] = X[1, :, -2:] = np.nan
    panel = convert(X, "numpy3D", mtype, as_scitype="Panel")
    frames = convert(X, "numpy3D", "df-list", as_scitype="Panel")
    model, other = make(kind, missing="linear"), make(kind, missing="linear")
    model.fit(panel, y)
    assert fitted(model)._prepared.inputs.holes.told == (0, 1, 2, 3, 4, 5)
    np.testing.assert_array_equal(outputs(model, panel), outputs(other.fit(frames, y), frames))
    with pytest.raises(ValueError, match=r"X\[0\] contains NaN: time step 1, channel 0. Nothing"):
        make(kind, missing="error").fit(panel, y)


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
        ((3, 1, 1), "contains NaN: sample 3, time step 1, channel 1. Only"),  # of one channel
        ((0, slice(None), 50), "contains NaN: sample 0, time step 50, channel 0. Only"),  # inside
        ((5, slice(None), slice(None)), "NaN only in sample 5"),
    ],
)
def test_other_missing_values_are_found(kind, padded, place, message):
    X, y = padded
    model = make(kind, missing="error").fit(X, y)
    X = X.copy()
    X[place] = np.nan
    for method in (model.predict, lambda X: make(kind, missing="error").fit(X, y)):
        with pytest.raises(ValueError, match=message):
            method(X)


def test_the_tags_say_whether_values_may_be_missing(kind):
    assert kind.get_class_tag("capability:missing_values")
    for missing in ("auto", "mask", "error"):
        model = make(kind, missing=missing)
        for one in (model, model.clone(), make(kind).set_params(missing=missing)):
            assert one.get_tag("capability:missing_values") == (missing != "error")
        assert get_tags(model).input_tags.allow_nan == (missing != "error")
