"""Numbers stay finite: badly scaled, nearly constant and heavy-tailed data.

Predictions are finite, and no worse than a dummy's: on the training data, and on new data
where there is something to learn.
"""

import warnings

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import log_loss, mean_absolute_error, r2_score

from tests.families import CLASSIFIERS, ENTRIES, REGRESSORS, SKLEARN, each, takes_tables

N, N_NEW = 96, 48


def make(kind, **parameters):
    # To be quick, sizes below the defaults and fewer epochs; all else is default.
    able = {"max_iter": 30, "random_state": 0, "device": "cpu"} | ENTRIES[kind].family.able
    return kind(**able | parameters)


def signal(rng, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns to disfigure, and the linear target in them."""
    X = rng.normal(size=(n, 4))
    return X, X[:, 0] - 0.5 * X[:, 1]


def as_inputs(kind, X: np.ndarray) -> np.ndarray:
    """Columns as they are for a table; as channels, constant over six steps, for a series."""
    return X if takes_tables(kind) else np.repeat(X[:, None, :], 6, axis=1)


def _one_hot(rng, X):
    return np.eye(500)[rng.integers(0, 500, len(X))]


INPUTS = {
    "units apart": lambda rng, X: X * np.array([1e6, 1e-6, 1e3, 1e-3]),
    "offset": lambda rng, X: X + np.array([1e9, -1e6, 0.0, 1e4]),
    "extreme units": lambda rng, X: X * np.array([1e300, 1e-300, 1e150, 1e-150]),
    "nearly constant": lambda rng, X: 1 + 1e-9 * X,
    "a constant": lambda rng, X: np.c_[X, np.full(len(X), -7e11)],
    "cauchy columns": lambda rng, X: np.c_[X, rng.standard_cauchy((len(X), 2)) * 1e3],
    "cauchy noise": lambda rng, X: X + 0.05 * rng.standard_cauchy(X.shape),
    "one outlier": lambda rng, X: np.where(np.arange(len(X))[:, None] == 5, 1e12, X),
    "one-hot of 500": _one_hot,
    "duplicate rows": lambda rng, X: X[np.arange(len(X)) // 8 * 8],
    "all the same": lambda rng, X: np.ones_like(X),
    "steps": lambda rng, X: (X > 0).astype(float),
}
# Where the disfigured columns still tell the target. A mean and standard deviation do not
# survive an outlier of 1e12, nor what is learned with them.
LEARNABLE = {
    "units apart", "offset", "extreme units", "nearly constant", "a constant", "steps",
}  # fmt: skip
TARGETS = {
    "plain": lambda rng, y: y,
    "1e9 times": lambda rng, y: y * 1e9,
    "1e-9 times": lambda rng, y: y * 1e-9,
    "1e300 times": lambda rng, y: y * 1e300,
    "1e9 plus": lambda rng, y: y + 1e9,
    "nearly constant": lambda rng, y: 1 + 1e-12 * y,
    "rounding": lambda rng, y: 1 + 1e-16 * np.round(y * 4),
    "constant": lambda rng, y: np.full_like(y, 3.7e9),
    "cauchy noise": lambda rng, y: y + rng.standard_cauchy(len(y)),
    "one outlier": lambda rng, y: np.where(np.arange(len(y)) == 5, 1e6, y),
    "two of different size": lambda rng, y: np.c_[y * 1e9, y * 1e-9],
    "a constant beside": lambda rng, y: np.c_[y, np.full_like(y, 5.0)],
}
HEAVY = {"cauchy noise", "one outlier"}  # squared errors of which tell nothing out of sample


def fit_quietly(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", UserWarning)  # of timers and steps
        return model.fit(X, y)


def data(kind, disfigure_X, disfigure_y):
    """Training and new data with the same disfigurement."""
    rng = np.random.default_rng(7)
    X, y = signal(rng, N + N_NEW)
    X, y = as_inputs(kind, disfigure_X(rng, X)), disfigure_y(rng, y)
    return X[:N], y[:N], X[N:], y[N:]


def assert_no_worse(model, dummy, X, y, margin: float) -> None:
    """R² at least the dummy's, but for `margin`; the dummy's is about 0, or 1 on a constant."""
    unit = np.abs(y).max(axis=0)  # scikit-learn squares what it is given
    base = r2_score(y / unit, dummy.predict(X) / unit)
    assert model.score(X, y) >= base - margin


@pytest.mark.parametrize(
    ("inputs", "dtype"),
    [
        *((name, "float64") for name in INPUTS),
        *((name, "float32") for name in ("units apart", "cauchy columns", "a constant")),
    ],
)
@each(REGRESSORS)
def test_regression_of_bad_inputs(kind, inputs, dtype):
    X, y, X_new, y_new = data(kind, INPUTS[inputs], TARGETS["plain"])
    X, X_new = X.astype(dtype), X_new.astype(dtype)
    model = fit_quietly(make(kind), X, y)
    dummy = DummyRegressor().fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.predict(X_new)).all()
    assert_no_worse(model, dummy, X, y, 0.01)
    if inputs in LEARNABLE:
        assert_no_worse(model, dummy, X_new, y_new, -0.3)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("targets", TARGETS)
@each(REGRESSORS)
def test_regression_of_bad_targets(kind, targets, dtype):
    X, y, X_new, y_new = data(kind, lambda rng, X: X, TARGETS[targets])
    X, X_new = X.astype(dtype), X_new.astype(dtype)
    model = fit_quietly(make(kind), X, y)
    dummy = DummyRegressor().fit(X, y)
    assert np.isfinite(model.predict(X)).all()
    assert np.isfinite(model.predict(X_new)).all()
    if targets == "rounding":  # the mean itself is no number of this type
        assert np.ptp(model.predict(X)) == 0
        assert abs(model.predict(X) - y.mean()).max() < 1e-15
        return
    assert_no_worse(model, dummy, X, y, 0.01)
    if targets not in HEAVY:
        assert_no_worse(model, dummy, X_new, y_new, 0 if targets == "constant" else -0.2)


@each(REGRESSORS)
def test_robust_losses_see_through_cauchy_noise(kind):
    rng = np.random.default_rng(7)
    X, clean = signal(rng, N + N_NEW)
    X, y = as_inputs(kind, X), clean + rng.standard_cauchy(len(X))
    model = fit_quietly(make(kind, loss="absolute_error"), X[:N], y[:N])
    dummy = DummyRegressor(strategy="median").fit(X[:N], y[:N])
    # Measured against what stands below the noise: the noise's own errors are anything.
    own = mean_absolute_error(clean[N:], model.predict(X[N:]))
    assert own <= mean_absolute_error(clean[N:], dummy.predict(X[N:]))


@pytest.mark.parametrize("inputs", INPUTS)
@each(CLASSIFIERS)
def test_classification_of_bad_inputs(kind, inputs):
    X, y, X_new, y_new = data(kind, INPUTS[inputs], lambda rng, y: (y > 0).astype(int))
    model = fit_quietly(make(kind), X, y)
    assert np.isfinite(model.predict_proba(X_new)).all()
    dummy = DummyClassifier(strategy="prior").fit(X, y)
    assert model.score(X, y) >= dummy.score(X, y)
    assert log_loss(y, model.predict_proba(X)) <= log_loss(y, dummy.predict_proba(X)) + 0.01
    if inputs in LEARNABLE:
        assert model.score(X_new, y_new) >= dummy.score(X_new, y_new) + 0.2


@pytest.mark.parametrize("class_weight", [None, "balanced"])
@each(CLASSIFIERS)
def test_classes_of_99_to_1(kind, class_weight):
    rng = np.random.default_rng(7)
    X, _ = signal(rng, 400)
    y = (np.arange(400) % 100 == 0).astype(int)
    X[:, 0] += 4 * y
    X = as_inputs(kind, X)
    model = fit_quietly(make(kind, class_weight=class_weight), X[:200], y[:200])
    assert np.isfinite(model.predict_proba(X)).all()
    dummy = DummyClassifier(strategy="prior").fit(X[:200], y[:200])
    if class_weight is None:
        assert model.score(X[:200], y[:200]) >= dummy.score(X[:200], y[:200])
        assert model.score(X[200:], y[200:]) >= dummy.score(X[200:], y[200:]) - 0.02
    else:  # what it is for: the rare class is found, also among new samples
        assert model.predict(X[:200][y[:200] == 1]).all()
        assert model.predict(X[200:][y[200:] == 1]).any()


@pytest.mark.parametrize("size", [1.0, 1e-12, 1e12])
@each(SKLEARN)
def test_two_samples(kind, size):
    X = as_inputs(kind, np.array([[1.0, 2.0], [2.0, 1.0]]) * size)
    y = np.array([0, 1]) if is_classifier(kind()) else np.array([0.0, size])
    model = fit_quietly(make(kind), X, y)
    assert model.score(X, y) >= 0.5 if is_classifier(kind()) else model.score(X, y) >= 0
    wild = model.predict(np.full_like(X, 1e300))
    assert wild.dtype.kind in "iu" or np.isfinite(wild).all()


@each(SKLEARN)
@pytest.mark.parametrize("scale_inputs", ["standard", "quantile"])
def test_prediction_far_outside_of_the_training_data(kind, scale_inputs):
    X, y, *_ = data(kind, INPUTS["units apart"], TARGETS["plain"])
    if is_classifier(kind()):
        y = y > 0
    model = fit_quietly(make(kind, scale_inputs=scale_inputs, max_iter=3), X, y)
    for factor in (1e3, 1e30, 1e300, -1e300):
        far = X * factor
        predicted = model.predict_proba(far) if is_classifier(model) else model.predict(far)
        assert np.isfinite(predicted).all()
