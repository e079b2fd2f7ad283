"""A loaded classifier or regressor of panels is the one that was saved."""

import numpy as np
import pandas as pd
import pytest

import sklearn_physrnn
from sklearn_physrnn.classification import HSSMSeriesClassifier, PETNNSeriesClassifier
from sklearn_physrnn.regression import HSSMSeriesRegressor, PETNNSeriesRegressor

RNG = np.random.default_rng(0)
PANEL = RNG.normal(size=(16, 2, 6))
TARGET = PANEL[:, 0].sum(axis=1)
TEXT = np.where(TARGET > 0, "up", "down")
RAGGED = [pd.DataFrame(x.T[: 3 + i % 4], columns=["a", "b"]) for i, x in enumerate(PANEL)]
LONG = pd.concat(RAGGED, keys=[f"case {i}" for i in range(16)], names=["case", "time"])
NAMED = pd.DataFrame({"height": TARGET, "width": -TARGET})


def small(cls, **parameters):
    sizes = {"hidden_size": 3, "max_iter": 1, "random_state": 0, "device": "cpu"}
    if cls in (HSSMSeriesClassifier, HSSMSeriesRegressor):
        sizes |= {"state_size": 2, "num_blocks": 1}
    return cls(**sizes | parameters)


CASES = {
    "petnn": (small(PETNNSeriesClassifier), PANEL, TEXT),
    "petnn, ragged": (small(PETNNSeriesClassifier, num_layers=2), RAGGED, np.arange(16) % 3),
    "hssm": (small(HSSMSeriesClassifier, optimizer="sgd"), PANEL, TARGET > 0),
    "hssm, long": (small(HSSMSeriesClassifier, early_stopping=True), LONG, TEXT),
    "one class": (small(PETNNSeriesClassifier), PANEL, np.full(16, "only")),
    "petnn, numbers": (small(PETNNSeriesRegressor), PANEL, TARGET),
    "hssm, numbers": (small(HSSMSeriesRegressor, loss="quantile", quantile=0.3), RAGGED, TARGET),
    "two targets": (small(HSSMSeriesRegressor), PANEL, np.c_[TARGET, -TARGET]),
    "named targets": (small(PETNNSeriesRegressor), LONG, NAMED),
}


def fitted(case):
    estimator, X, y = CASES[case]
    return estimator.clone().fit(X, y)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "estimator"


@pytest.mark.parametrize("case", CASES)
def test_it_predicts_as_the_saved_one(case, path):
    estimator, X = fitted(case), CASES[case][1]
    sklearn_physrnn.save(estimator, path)
    loaded = sklearn_physrnn.load(path)
    ours, theirs = (pd.DataFrame(one.predict(X)) for one in (loaded, estimator))
    assert loaded._channels == estimator._channels
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    if "classes_" in vars(estimator):
        np.testing.assert_array_equal(loaded.predict_proba(X), estimator.predict_proba(X))
        np.testing.assert_array_equal(loaded.classes_, estimator.classes_, strict=True)
        assert loaded._class_dictionary == estimator._class_dictionary
    assert vars(loaded).keys() == vars(estimator).keys()
    assert loaded.score(X, CASES[case][2]) == estimator.score(X, CASES[case][2])
    assert repr(loaded) == repr(estimator)
    assert loaded.get_fitted_params(deep=False).keys() == (
        estimator.get_fitted_params(deep=False).keys()
    )
    assert not loaded.clone().is_fitted


def test_fitted_further_the_wrapped_estimator_goes_on_as_the_saved_one(path):
    estimator = fitted("hssm, numbers")
    sklearn_physrnn.save(estimator, path)
    loaded = sklearn_physrnn.load(path)
    X = [frame.to_numpy() for frame in RAGGED]
    ours, theirs = (
        one.regressor_.partial_fit(X, TARGET[:, None]).predict(X) for one in (loaded, estimator)
    )
    np.testing.assert_array_equal(ours, theirs)


def test_the_device_is_that_of_the_loading(path):
    estimator = fitted("petnn")
    estimator.device = estimator.classifier_.device = "cuda:99"
    sklearn_physrnn.save(estimator, path)
    loaded = sklearn_physrnn.load(path)
    assert loaded.device == loaded.classifier_.device == "auto"
    assert sklearn_physrnn.load(path, "cpu").classifier_.device == "cpu"


def test_one_that_is_not_fitted(path):
    from sktime.exceptions import NotFittedError

    with pytest.raises(NotFittedError):
        sklearn_physrnn.save(small(PETNNSeriesClassifier), path)


class Mine(PETNNSeriesClassifier):
    pass


def test_a_class_of_ones_own(path):
    with pytest.raises(ValueError, match=r"Mine cannot be saved without pickle, only"):
        sklearn_physrnn.save(small(Mine).fit(PANEL, TEXT), path)


@pytest.mark.parametrize(
    ("change", "match"),
    [({"callbacks": [print]}, "set callbacks=None"), ({"mine": 1}, "attribute 'mine'")],
)
def test_what_a_file_cannot_hold(change, match, path):
    estimator = fitted("petnn")
    vars(estimator).update(change)
    with pytest.raises(ValueError, match=match):
        sklearn_physrnn.save(estimator, path)
    assert not path.exists()


def test_a_fit_to_several_columns_of_labels(path):
    estimator = small(PETNNSeriesClassifier).fit(PANEL, pd.DataFrame({"a": TEXT, "b": TEXT}))
    with pytest.raises(ValueError, match=r"several columns of y.*one by one"):
        sklearn_physrnn.save(estimator, path)
