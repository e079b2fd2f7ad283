"""Small fitted models, and matplotlib without a screen."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)

# As many epochs as move the constants visibly from where they start.
FEW = {"max_iter": 5, "random_state": 0}


@pytest.fixture
def plt(monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    monkeypatch.setattr(pyplot, "show", lambda: pytest.fail("shown"))
    yield pyplot
    pyplot.close("all")


@pytest.fixture(scope="session")
def series():
    """30 series of 24 steps and two channels, and something to say about each."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(30, 24, 2)) + rng.normal(size=(30, 1, 2))
    X[..., 1] = 100 + 5 * X[..., 1]
    return X, X[:, -5:, 0].mean(axis=1) + 0.01 * X[:, :, 1].std(axis=1)


@pytest.fixture(scope="session")
def timed(series):
    """Ragged series of three channels, of which the last but one is time, and targets."""
    X, y = series
    rng = np.random.default_rng(4)
    stamps = rng.uniform(0.2, 2.0, size=(*X.shape[:2], 1)).cumsum(axis=1)
    X = np.concatenate((X[..., :1], stamps, X[..., 1:]), axis=2)
    return [x[: rng.integers(8, 24)] for x in X], y


@pytest.fixture(scope="session")
def tokens():
    rng = np.random.default_rng(5)
    X = [rng.integers(0, 9, size=rng.integers(4, 12)) for _ in range(60)]
    return X, np.array([(x == 4).sum() > (x == 5).sum() for x in X])


@pytest.fixture(scope="session")
def table():
    return load_diabetes(return_X_y=True, as_frame=True)


@pytest.fixture(scope="session")
def petnn(series):
    X, y = series
    return PETNNClassifier(6, 2, release="surrogate", **FEW).fit(X, np.where(y > 0, "up", "down"))


@pytest.fixture(scope="session")
def petnn_regressor(series):
    return PETNNRegressor(6, release="surrogate", **FEW).fit(*series)


@pytest.fixture(scope="session")
def hssm(series):
    X, y = series
    return HSSMClassifier(6, 5, **FEW).fit(X, np.where(y > 0, "up", "down"))


@pytest.fixture(scope="session")
def nonlinear_hssm(series):
    return HSSMRegressor(6, 5, dynamics="nonlinear", **FEW).fit(*series)


@pytest.fixture(scope="session")
def damped_hssm(series):
    return HSSMRegressor(6, 5, dynamics="damped", **FEW).fit(*series)


@pytest.fixture(scope="session")
def timed_hssm(timed):
    return HSSMRegressor(6, 5, time_channel=1, **FEW).fit(*timed)


@pytest.fixture(scope="session")
def dynpmnn(table):
    return DynPMNNRegressor(7, scale_inputs="standard", **FEW).fit(*table)


@pytest.fixture(scope="session")
def dynpmnn_classifier():
    return DynPMNNClassifier(
        7, dynamics="van_der_pol", n_members=3, scale_inputs="standard", **FEW
    ).fit(*load_iris(return_X_y=True))
