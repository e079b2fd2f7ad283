"""Files say whether gaps were known to the network in them."""

import numpy as np
import pytest

import sklearn_physrnn
from sklearn_physrnn import HSSMRegressor
from tests.persistence._files import put_together, take_apart


@pytest.fixture
def timed():
    rng = np.random.default_rng(0)
    stamps = np.tile(np.arange(12.0), (30, 1))
    stamps[0, 6:] += 40
    X = np.stack((stamps, rng.normal(size=(30, 12))), axis=2)
    return X, X[:, :, 1].sum(axis=1)


@pytest.mark.parametrize("dynamics", ["linear", "damped", "nonlinear"])
def test_files_keep_what_a_gap_is(dynamics, timed, tmp_path):
    X, y = timed
    model = HSSMRegressor(8, 4, dynamics=dynamics, time_channel=0, max_iter=2, random_state=0)
    model.fit(X, y).save(tmp_path / "model")
    loaded = sklearn_physrnn.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))


def test_gaps_are_cut_for_networks_of_files_that_know_of_none(timed, tmp_path):
    X, y = timed
    model = HSSMRegressor(8, 4, time_channel=0, max_iter=2, random_state=0).fit(X, y)
    model.save(tmp_path / "model")
    header, fields, body = take_apart((tmp_path / "model").read_bytes())
    assert fields["fitted"].pop("bounded") is False
    (tmp_path / "old").write_bytes(put_together(header, fields, body))
    loaded = sklearn_physrnn.load(tmp_path / "old")
    cut = X.copy()
    cut[0, 6:, 0] -= 40
    assert not np.allclose(model.predict(X)[0], model.predict(cut)[0])
    np.testing.assert_array_equal(loaded.predict(X), model.predict(cut))
    # Saved again it is still such a network's.
    loaded.save(tmp_path / "again")
    again = sklearn_physrnn.load(tmp_path / "again")
    np.testing.assert_array_equal(again.predict(X), model.predict(cut))
