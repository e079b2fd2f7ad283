"""The way that a kernel was run in belongs to a model: it predicts and goes on in the same one."""

import pickle
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch

import sklearn_physrnn
from sklearn_physrnn import PETNNRegressor
from sklearn_physrnn.forecasting import PETNNForecaster
from sklearn_physrnn.kernels import _ways as ways
from sklearn_physrnn.nn import petnn as layer
from tests.persistence._files import put_together, take_apart

from ._trainings import assert_same, stopped

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(16, 6, 2)), RNG.normal(size=16)
SERIES = pd.Series(np.sin(np.arange(40.0)))


class Way(NamedTuple):
    name: str
    scale: float


USUAL, FAST = Way("usual", 1.0), Way("fast", 1.01)


@pytest.fixture(autouse=True)
def _a_kernel_with_two_ways(monkeypatch, tmp_path):
    """Have PETNN's loop run in one of two ways, as on a card, with results that tell which."""

    def petnn(x, *args, real=layer.petnn, **options):
        way = ways.choose(
            "PETNN",
            (len(x),),
            torch.device("cpu"),
            USUAL,
            lambda: [FAST],
            lambda w: 1 / w.scale**9,
        )
        return real(x * way.scale, *args, **options)

    monkeypatch.setattr(layer, "petnn", petnn)
    monkeypatch.setattr(ways, "_CLEARLY", 0.99)
    monkeypatch.setenv("SKLEARN_PHYSRNN_CACHE", str(tmp_path))
    monkeypatch.delenv("SKLEARN_PHYSRNN_TUNE", raising=False)
    ways.forget()
    yield
    ways.forget()


@pytest.fixture
def by_the_clock(monkeypatch):
    """Do something where the clock chooses, as another process may have."""

    def do(call):
        with monkeypatch.context() as patch:
            patch.setenv("SKLEARN_PHYSRNN_TUNE", "1")
            return call()

    return do


def regressor(**parameters):
    return PETNNRegressor(
        **{"hidden_size": 4, "max_iter": 8, "batch_size": 16, "random_state": 0} | parameters
    )


def forecaster():
    return PETNNForecaster(
        hidden_size=4,
        max_iter=1,
        update_max_iter=1,
        window_length=6,
        horizon=2,
        random_state=0,
        batch_size=29,
    )


def names(model):
    return {tuple(way) for way in model.kernels_.values()}


def test_a_model_names_its_ways_and_predicts_in_them(by_the_clock, tmp_path):
    model = by_the_clock(lambda: regressor().fit(X, Y))
    assert model.kernels_ == {"PETNN 16 on cpu": ["fast", 1.01]}
    expected = by_the_clock(lambda: model.predict(X))
    model.save(tmp_path / "model")
    for again in (
        model,
        pickle.loads(pickle.dumps(model)),
        sklearn_physrnn.load(tmp_path / "model"),
    ):
        np.testing.assert_array_equal(again.predict(X), expected)
        assert again.kernels_ == model.kernels_
    other = regressor().fit(X, Y)  # which has nothing to do with the first
    assert names(other) == {USUAL}
    assert not np.array_equal(other.predict(X), expected)


def test_a_fitted_model_goes_on_in_its_ways(by_the_clock):
    def model():
        return by_the_clock(lambda: regressor(warm_start=True).fit(X, Y))

    expected = by_the_clock(lambda: model().fit(X, Y))
    one = model().fit(X, Y)
    assert names(one) == {FAST}
    assert_same(one, expected, X)


@pytest.mark.usefixtures("saved_every_epoch")
def test_a_stopped_training_goes_on_in_its_ways(by_the_clock, tmp_path):
    expected = by_the_clock(lambda: regressor().fit(X, Y))
    one = regressor(checkpoint=tmp_path / "checkpoint")
    by_the_clock(lambda: stopped(one, {"X": X, "y": Y}))
    one.fit(X, Y)
    assert names(one) == {FAST}
    assert_same(one, expected, X)


def test_a_forecaster_forecasts_and_goes_on_in_its_ways(by_the_clock, tmp_path):
    old, new = SERIES[:36], SERIES[36:]
    known = list(range(-28, 1))  # as many forecasts at once as training has windows
    model = by_the_clock(lambda: forecaster().fit(old, fh=known))
    expected = by_the_clock(model.predict)
    sklearn_physrnn.save(model, tmp_path / "model")
    again = sklearn_physrnn.load(tmp_path / "model")
    assert again.kernels_ == model.kernels_
    assert names(again) == {FAST}
    pd.testing.assert_series_equal(again.predict(), expected, check_exact=True)
    before = again.kernels_
    again.update(new)
    assert before.items() <= again.kernels_.items()


def test_a_pretrained_forecaster_hands_its_ways_on(by_the_clock, tmp_path):
    index = pd.MultiIndex.from_product([["a", "b"], range(40)])
    panel = pd.DataFrame({"y": np.tile(SERIES, 2)}, index=index)
    model = by_the_clock(lambda: forecaster().pretrain(panel))
    sklearn_physrnn.save(model, tmp_path / "model")
    again = sklearn_physrnn.load(tmp_path / "model").fit(SERIES, fh=[1])
    assert again.kernels_ == model.pretrained_.record.kernels
    assert FAST in names(again)


def test_models_of_earlier_versions_know_no_ways(tmp_path):
    model = regressor().fit(X, Y)
    path = tmp_path / "model"
    model.save(path)
    header, contents, body = take_apart(path.read_bytes())
    del contents["fitted"]["kernels"]
    path.write_bytes(put_together(header, contents, body))
    state = model.__getstate__()
    del state["kernels_"]
    pickled = PETNNRegressor()
    pickled.__setstate__(state)
    for old in (sklearn_physrnn.load(path), pickled):
        assert old.kernels_ == {}
        np.testing.assert_array_equal(old.predict(X), model.predict(X))


@pytest.mark.parametrize("kernels", [3, {"a": 3}, {"a": [[]]}, {"a": [{}]}])
def test_a_file_with_ways_that_are_none_is_refused(kernels, tmp_path):
    path = tmp_path / "model"
    regressor().fit(X, Y).save(path)
    header, contents, body = take_apart(path.read_bytes())
    contents["fitted"]["kernels"] = kernels
    path.write_bytes(put_together(header, contents, body))
    with pytest.raises(ValueError, match="kernels"):
        sklearn_physrnn.load(path)
