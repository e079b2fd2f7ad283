"""The list of families that other tests start from is whole."""

import numpy as np
import pytest

import sklearn_physrnn
from sklearn_physrnn import classification, forecasting, regression

from .families import ENTRIES, each


def test_every_public_estimator_is_in_the_list():
    rooms = (sklearn_physrnn, forecasting, classification, regression)
    public = {getattr(room, name) for room in rooms for name in room.__all__}
    assert set(ENTRIES) == {thing for thing in public if hasattr(thing, "fit")}


@each(ENTRIES)
def test_a_small_one_fits_its_data(kind):
    entry = ENTRIES[kind]
    predicted = entry.fitted().predict(*([1, 2],) if entry.X is None else (entry.X,))
    assert len(predicted) == (2 if entry.X is None else len(entry.y))
    assert np.isfinite(predicted).all()


@pytest.mark.parametrize("name", ["kernels", "own", "checked"])
def test_settings_are_of_both_kinds(name):
    for family in {entry.family.name: entry.family for entry in ENTRIES.values()}.values():
        assert {setting.kind for setting in getattr(family, name)} == {"regressor", "classifier"}
