"""Channels go by their names, where they have names."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sktime.datatypes import convert

from tests.helpers.panels import make, outputs

NAMES = ["ax", "ay", "az", "gx", "gy", "gz"]
FRAMES = ["df-list", "pd-multiindex", "nested_univ"]


def named(X, names, mtype="df-list"):
    """Give a panel of this type, its channels called `names`."""
    frames = [pd.DataFrame(x.T, columns=names) for x in X]
    return convert(frames, "df-list", mtype, as_scitype="Panel")


@pytest.fixture
def mixed(motions):
    """The array with its channels in another order, and their names in that order."""
    order = [3, 0, 5, 1, 4, 2]
    return motions[0][:, order], [NAMES[i] for i in order]


@pytest.mark.parametrize("mtype", FRAMES)
def test_another_order_at_predict_is_put_right(kind, motions, mixed, mtype):
    X, y = motions
    model = make(kind).fit(named(X, NAMES, mtype), y)
    expected = outputs(model, named(X, NAMES, mtype))
    np.testing.assert_array_equal(outputs(model, named(*mixed, mtype)), expected)
    np.testing.assert_array_equal(
        model.predict(named(*mixed, mtype)), model.predict(named(X, NAMES))
    )
    by_position = outputs(make(kind).fit(X, y), mixed[0])
    assert not np.allclose(by_position, expected)  # else the order says nothing


def test_every_target_of_a_classifier_knows_the_names(kind, motions, mixed):
    X, y = motions
    both = pd.DataFrame({"a": y, "b": y[::-1]})
    model = make(kind).fit(named(X, NAMES), both)
    pd.testing.assert_frame_equal(outputs(model, named(*mixed)), outputs(model, named(X, NAMES)))


def test_the_channel_of_time_is_found_by_its_name(kind, motions):
    X, y = motions
    times = np.cumsum(np.random.default_rng(0).uniform(0.5, 2, X[:, 0].shape), axis=1)
    pair = np.stack((X[:, 0], times), axis=1)
    model = make(kind, time_channel=1).fit(named(pair, ["ax", "t"]), y)
    turned = named(pair[:, ::-1], ["t", "ax"])
    expected = outputs(model, named(pair, ["ax", "t"]))
    np.testing.assert_array_equal(outputs(model, turned), expected)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES[:4] + NAMES[5:], r"lacks \['gy'\]\."),
        (NAMES[1:4], r"lacks \['ax', 'gy', 'gz'\]\."),
        ([*NAMES, "extra"], r"has \['extra'\] besides\."),
        ([*NAMES[:5], "Gz"], r"lacks \['gz'\] and has \['Gz'\] besides\."),
        ([f"channel {i}" for i in range(6)], r"lacks \['ax', 'ay', .* and has \['channel 0', "),
    ],
)
def test_other_channels_are_named(kind, motions, names, message):
    X, y = motions
    model = make(kind).fit(named(X, NAMES), y)
    other = np.resize(X, (len(X), len(names), X.shape[2]))
    with pytest.raises(
        ValueError, match=f"the channels that {kind.__name__} was fitted to, .*{message}"
    ):
        model.predict(named(other, names))


def test_numbers_are_names_too(kind, motions):
    X, y = motions
    model = make(kind).fit(named(X, range(6)), y)
    turned = named(X[:, ::-1], range(5, -1, -1))
    np.testing.assert_array_equal(outputs(model, turned), outputs(model, X))
    with pytest.raises(ValueError, match=r"lacks \[5\]"):
        model.predict(named(X[:, :5], range(5)))


@pytest.mark.parametrize("none", [range(6), [f"var_{i}" for i in range(6)], None])
def test_channels_without_names_go_by_position_with_a_warning(kind, motions, none):
    """An array has none, nor has what pandas or sktime numbered through."""
    X, y = motions
    bare = X if none is None else named(X, none)
    expected = outputs(make(kind).fit(X, y), X)

    model = make(kind).fit(named(X, NAMES), y)
    with pytest.warns(UserWarning, match=f"no names, but {kind.__name__} was fitted .*'ax'"):
        np.testing.assert_array_equal(outputs(model, bare), expected)

    model = make(kind).fit(bare, y)
    with pytest.warns(UserWarning, match=f"'ax'.*, but {kind.__name__} was fitted to .* without"):
        np.testing.assert_array_equal(outputs(model, named(X, NAMES)), expected)

    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        np.testing.assert_array_equal(outputs(model, X), expected)


def test_a_new_fit_forgets_the_names(kind, motions):
    X, y = motions
    model = make(kind).fit(named(X, NAMES), y)
    others = [name.upper() for name in NAMES]
    assert len(model.fit(named(X, others), y).predict(named(X, others))) == len(y)
    with pytest.raises(ValueError, match=r"lacks \['AX'"):
        model.predict(named(X, NAMES))


def test_a_model_pickled_before_names_were_kept_predicts(kind, motions):
    model = make(kind).fit(*motions)
    expected = outputs(model, motions[0])
    del model._channels
    np.testing.assert_array_equal(outputs(model, motions[0]), expected)
