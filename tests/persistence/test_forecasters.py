"""A loaded forecaster is the one that was saved: it forecasts and goes on to the last bit."""

import copy

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn
from sklearn_physrnn.forecasting import DynPMNNForecaster, HSSMForecaster, PETNNForecaster

from ._forecasters import (
    CASES,
    DAYS,
    FH,
    N_NEW,
    N,
    fitted,
    many,
    predictions,
    series,
    small,
    times,
)

pytestmark = pytest.mark.filterwarnings("ignore:The series is too short:UserWarning")


def reloaded(forecaster, path):
    sklearn_physrnn.save(forecaster, path)
    return sklearn_physrnn.load(path)


def assert_same(ours, theirs):
    assert len(ours) == len(theirs) > 0
    for a, b in zip(ours, theirs, strict=True):
        assert type(a) is type(b)
        if isinstance(a, np.ndarray):
            np.testing.assert_array_equal(a, b, strict=True)
        elif isinstance(a, pd.Series):
            pd.testing.assert_series_equal(a, b, check_exact=True, check_freq=True)
        else:
            pd.testing.assert_frame_equal(a, b, check_exact=True, check_freq=True)


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return request.param, fitted(request.param), CASES[request.param][2]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "forecaster"


def test_it_forecasts_as_the_saved_one(case, path):
    _, forecaster, X = case
    loaded = reloaded(forecaster, path)
    assert_same(predictions(loaded, X, N), predictions(forecaster, X, N))
    assert vars(loaded).keys() == vars(forecaster).keys()
    assert repr(loaded) == repr(forecaster)
    assert loaded.get_params() == forecaster.get_params()
    pd.testing.assert_index_equal(loaded.cutoff, forecaster.cutoff)
    assert loaded.get_fitted_params().keys() == forecaster.get_fitted_params().keys()
    assert not loaded.clone().is_fitted


@pytest.mark.parametrize("update_params", [True, False])
def test_it_goes_on_as_the_saved_one(case, update_params, path):
    name, forecaster, X = case
    loaded, forecaster = reloaded(forecaster, path), copy.deepcopy(forecaster)
    y = series() if name == "an array" else CASES[name][1]  # an array has no later times
    for one in (loaded, forecaster):
        for start in (N, N + 2):  # the second from what the first left
            new = times(y, start, start + 2), times(X, start, start + 2)
            one.update(*new, update_params=update_params)
    ours, theirs = (predictions(one, X, N + N_NEW) for one in (loaded, forecaster))
    assert_same(ours, theirs)
    # And through a file in between.
    assert_same(predictions(reloaded(loaded, path), X, N + N_NEW), theirs)


def test_fitting_a_loaded_one_forgets_as_ever(path):
    loaded = reloaded(fitted("petnn"), path)
    again = loaded.fit(times(series(), 0, N), fh=FH)
    assert_same(predictions(again, None, N), predictions(fitted("petnn"), None, N))


@pytest.mark.parametrize("cls", [DynPMNNForecaster, HSSMForecaster, PETNNForecaster])
def test_a_pretrained_one_is_fitted_and_pretrained_further(cls, path):
    panel, y = times(many("panel"), 0, N), times(series(DAYS), 0, N)
    pretrained = small(cls, max_iter=2).pretrain(panel)
    loaded = reloaded(pretrained, path)
    assert loaded.state == "pretrained"
    assert loaded.pretrained_.loss_curve == pretrained.pretrained_.loss_curve
    for one in (loaded, pretrained):
        one.pretrain(panel)
    assert len(loaded.pretrained_.loss_curve) == 4
    ours, theirs = (predictions(one.fit(y, fh=FH), None, N) for one in (loaded, pretrained))
    assert_same(ours, theirs)
    again = reloaded(loaded, path)
    assert again.get_pretrained_params().keys() == {"pretrained_"}
    assert_same(predictions(again, None, N), theirs)
    assert_same(predictions(again.fit(y, fh=FH), None, N), theirs)


def test_the_series_of_a_panel_have_their_forecasters(path):
    forecaster = fitted("hierarchy")
    loaded = reloaded(forecaster, path)
    pd.testing.assert_index_equal(loaded.forecasters_.index, forecaster.forecasters_.index)
    one, other = (x.forecasters_.loc[("y", 1), "forecasters"] for x in (loaded, forecaster))
    assert_same([one.predict(fh=FH)], [other.predict(fh=FH)])


def test_windows_are_forecast_alike(path):
    forecaster = fitted("several")
    y = CASES["several"][1]
    windows = [x.predict_windows(y) for x in (reloaded(forecaster, path), forecaster)]
    assert_same(*([x] for x in windows))


def test_the_device_is_that_of_the_loading(path):
    sklearn_physrnn.save(fitted("panel"), path)
    loaded = sklearn_physrnn.load(path, device="auto")
    assert loaded.device == "cpu"
    forecaster = fitted("panel")
    forecaster.device = "cuda:99"
    for one in forecaster.forecasters_["forecasters"]:
        one.device = "cuda:99"
    sklearn_physrnn.save(forecaster, path)
    for device in ("auto", "cpu"):
        loaded = sklearn_physrnn.load(path, device)
        one = loaded.forecasters_.iloc[0, 0]
        assert {loaded.device, one.device, one._model.device} == {device}
    with pytest.raises(ValueError, match="cuda:99"):
        sklearn_physrnn.load(path, "cuda:99")


# -- what cannot be saved ----------------------------------------------------------------


def test_one_that_is_not_fitted(path):
    from sktime.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        sklearn_physrnn.save(small(PETNNForecaster), path)
    assert not path.exists()


class Mine(PETNNForecaster):
    pass


def test_a_class_of_ones_own(path):
    forecaster = small(Mine).fit(times(series(), 0, N))
    with pytest.raises(ValueError, match=r"Mine cannot be saved without pickle, only"):
        sklearn_physrnn.save(forecaster, path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"callbacks": [print]}, r"callbacks=.*set callbacks=None"),
        ({"random_state": np.random.RandomState(0)}, "random_state"),
        ({"hidden_size": 4}, "changed after fitting"),
        ({"dtype": "float64"}, "changed after fitting"),
        ({"release": "hard"}, "changed after fitting"),
        ({"interval": None}, "changed after fitting"),
        ({"mine": 1}, "attribute 'mine'"),
    ],
)
def test_what_a_file_cannot_hold(change, match, path):
    forecaster = fitted("petnn")
    vars(forecaster).update(change)
    with pytest.raises(ValueError, match=match):
        sklearn_physrnn.save(forecaster, path)
    assert not path.exists()


@pytest.mark.parametrize(
    "freq",
    [pd.offsets.CustomBusinessDay(holidays=["2001-03-05"]), pd.DateOffset(days=1, hours=2)],
    ids=["holidays", "offset"],
)
def test_frequencies_without_a_name(freq, path):
    index = pd.date_range("2001-03-01", periods=N, freq=freq)
    forecaster = small(PETNNForecaster).fit(pd.Series(times(series(), 0, N).to_numpy(), index))
    with pytest.raises(ValueError, match="frequency"):
        sklearn_physrnn.save(forecaster, path)
