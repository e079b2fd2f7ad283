"""Bad input gets a clear error, and the estimator is left as it was."""

import copy
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from sklearn.base import is_classifier
from sklearn.exceptions import ConvergenceWarning
from torch import nn

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor

QUICK = {"hidden_size": 4, "num_layers": 1, "n_steps": 4, "max_iter": 2, "random_state": 0}
N = 24
X = np.random.default_rng(0).normal(size=(N, 3))
Y = {DynPMNNRegressor: X[:, 0], DynPMNNClassifier: (X[:, 0] > 0).astype(int)}
BOTH = pytest.mark.parametrize("kind", Y, ids=lambda kind: kind.__name__)


def _with(value, where=(3, 1)):
    X_bad = X.copy()
    X_bad[where] = value
    return X_bad


def _object(value):
    X_bad = X.astype(object)
    X_bad[3, 1] = value
    return X_bad


class WrongShape(nn.Module):
    n_states = 2

    def forward(self, state, drive):
        return drive


def _same(before, after):
    """Compare what two estimators hold, tensors by their values."""
    assert before.keys() == after.keys()
    for name, value in before.items():
        if isinstance(value, nn.Module):
            mine, other = value.state_dict(), after[name].state_dict()
            assert all(torch.equal(mine[k], other[k]) for k in mine), name
        elif name == "_optimizer_state":
            assert str(value) == str(after[name])
        elif name == "_prepared":
            (fields, arrays), (fields_after, arrays_after) = (
                prepared.to_state() for prepared in (value, after[name])
            )
            assert fields == fields_after
            assert arrays.keys() == arrays_after.keys()
            for k in arrays:
                np.testing.assert_array_equal(arrays[k], arrays_after[k])
        elif isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, after[name])
        else:
            assert value == after[name], name


def _refused(
    kind, error, message, *args, method="fit", parameters=None, warm=True, **fit_parameters
):
    """Expect the error of a fresh and of a fitted estimator, all unchanged by it.

    With warm=False a fit that continues may accept what a first fit may not.
    """
    fresh = kind(**{**QUICK, **(parameters or {})})
    fitted = kind(**QUICK, warm_start=False).fit(X, Y[kind])
    continued = kind(**QUICK, warm_start=True).fit(X, Y[kind])
    for estimator in (fitted, continued):
        estimator.set_params(**(parameters or {}))
    estimators = [fresh, fitted]
    if method == "predict":
        estimators = [fitted]
    elif warm:
        estimators.append(continued)
    for estimator in estimators:
        before = copy.deepcopy(vars(estimator))
        with pytest.raises(error, match=message):
            getattr(estimator, method)(*args, **fit_parameters)
        _same(before, vars(estimator))


BAD_X = [
    (_with(np.inf), "Input X contains infinity"),
    (_with(-np.inf), "Input X contains infinity"),
    (X.astype(str), "X must hold real numbers, got text .<U"),
    (_object("a"), "X.*could not convert string to float: 'a'"),
    (_object([1, 2]), "X.*setting an array element with a sequence"),
    (
        pd.DataFrame(X).assign(kind="a"),
        "X must hold real numbers.* in column 'kind'. Give categories the dtype 'category'",
    ),
    ([[1.0, 2.0]] * (N - 1) + [[1.0]], "X must be a rectangular array"),
    (X[:, 0], "X.*Expected 2D array, got 1D array"),
    (X.reshape(N, 3, 1), r"X.*array with dim 3, .* \(n_samples, n_features\).*PETNN and HSSM"),
    (np.float64(3.0), "X.*Expected 2D array, got scalar array"),
    (X[:, :0], r"X.*0 feature\(s\) \(shape=\(24, 0\)\)"),
    (X + 1j, "X.*Complex data not supported"),
    (np.arange(3 * N).reshape(N, 3).astype("M8[D]"), "X must hold real numbers, got datetime64"),
    (pd.DataFrame({"t": pd.date_range("2020", periods=N)}), "X must hold real numbers, got date"),
    (sp.csr_matrix(_with(np.inf)), "Input X contains infinity"),
]


@BOTH
@pytest.mark.parametrize(("bad", "message"), BAD_X)
def test_bad_x(kind, bad, message):
    _refused(kind, (ValueError, TypeError), message, bad, Y[kind])


@BOTH
@pytest.mark.parametrize(("bad", "message"), BAD_X[:2] + BAD_X[3:5] + BAD_X[7:9])
def test_bad_x_at_prediction(kind, bad, message):
    _refused(kind, (ValueError, TypeError), message, bad, method="predict")


@BOTH
@pytest.mark.parametrize("n_columns", [2, 4])
def test_wrong_number_of_features(kind, n_columns):
    message = f"X has {n_columns} features.*expecting 3 features"
    bad = np.ones((5, n_columns))
    _refused(kind, ValueError, message, bad, method="predict")
    fitted = kind(**QUICK).fit(X, Y[kind])
    with pytest.raises(ValueError, match=message):
        fitted.set_params(warm_start=True).fit(bad, Y[kind][:5])
    with pytest.raises(ValueError, match=message):
        fitted.partial_fit(bad, Y[kind][:5])


@BOTH
def test_lengths_that_differ(kind):
    _refused(kind, ValueError, r"X or y.*inconsistent.*\[24, 23\]", X, Y[kind][:-1])
    message = r"sample_weight.shape == \(23,\), expected \(24,\)"
    _refused(kind, ValueError, message, X, Y[kind], np.ones(N - 1))


@BOTH
@pytest.mark.parametrize("n", [0, 1])
def test_too_few_samples(kind, n):
    _refused(kind, ValueError, f"{n} sample", X[:n], Y[kind][:n], warm=n == 0)


@BOTH
def test_zero_samples_at_prediction(kind):
    _refused(kind, ValueError, "X.*0 sample", X[:0], method="predict")


@BOTH
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full(N, np.nan), "y contains NaN"),
        (np.full(N, np.inf), "y contains infinity"),
        (None, "requires y to be passed, but the target y is None"),
        (np.zeros((N, 2, 2)), "dim 3"),
        (X[:, 0] + 1j, "Complex data not supported|Unknown label type"),
    ],
)
def test_bad_y(kind, bad, message):
    _refused(kind, ValueError, message, X, bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.array(["a", "b"] * (N // 2)), "y must hold real numbers, got text .<U1"),
        (np.array(["1", "2"] * (N // 2)), "y must hold real numbers"),
        (np.array(["a", 1.0] * (N // 2), dtype=object), "y.*could not convert"),
        (np.arange(N).astype("M8[D]"), "y must hold real numbers, got datetime64"),
    ],
)
def test_bad_y_of_a_regressor(bad, message):
    _refused(DynPMNNRegressor, ValueError, message, X, bad)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros(N, int), r"at least two classes, got one class: \[0\]"),
        (np.array(["a"] * N), "one class: .*a"),
        (X[:, 0], "Unknown label type: continuous"),
        (np.zeros((N, 2), int) + np.arange(N)[:, None] % 3, "1d array|multilabel|multioutput"),
    ],
)
def test_bad_y_of_a_classifier(bad, message):
    _refused(DynPMNNClassifier, ValueError, message, X, bad, warm=len(np.unique(bad)) > 1)


@BOTH
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.zeros(N), "[Ss]ample.weights?.*(positive|non-zero)"),
        (np.r_[-1.0, np.ones(N - 1)], "sample_weight must hold numbers of 0 or more, got -1"),
        (np.r_[np.nan, np.ones(N - 1)], "sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(N - 1)], "sample_weight contains infinity"),
        (np.ones((N, 2)), "[Ss]ample.weight"),
        (["a"] * N, "sample_weight must hold real numbers, got text .<U1"),
    ],
)
def test_bad_weights(kind, weights, message):
    _refused(kind, ValueError, message, X, Y[kind], weights)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({0: 0, 1: 0}, "class_weight must hold finite weights of 0 or more"),
        ({0: -1, 1: 1}, "class_weight must hold.*got {0: -1, 1: 1}"),
        ({0: np.nan, 1: 1}, "class_weight must hold"),
        ("even", "'class_weight' parameter of DynPMNNClassifier"),
    ],
)
def test_bad_class_weights(weights, message):
    parameters = {"class_weight": weights}
    y = Y[DynPMNNClassifier]
    _refused(DynPMNNClassifier, ValueError, message, X, y, parameters=parameters)


@BOTH
@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dynamics": "hodgkin"}, "'dynamics' .*'fitzhugh_nagumo'.*Got 'hodgkin'"),
        ({"solver": "leapfrog"}, "'solver' .*'rk4'.*Got 'leapfrog'"),
        ({"dynamics": 3}, "'dynamics'.*Got 3"),
        ({"optimizer": "lbfgs"}, "'optimizer' .*'adamw'.*Got 'lbfgs'"),
        ({"hidden_size": 0}, "'hidden_size'.*Got 0"),
        ({"hidden_size": 2.5}, "'hidden_size'.*Got 2.5"),
        ({"n_steps": 0}, "'n_steps'"),
        ({"t_end": -1.0}, "'t_end'.*Got -1.0"),
        ({"max_iter": 0}, "'max_iter'"),
        ({"dropout": 1.0}, "'dropout'"),
        ({"dtype": "float16"}, "'dtype'.*Got 'float16'"),
        ({"scale_inputs": "robust"}, "'scale_inputs'.*Got 'robust'"),
        ({"device": "gpu"}, "device must be 'auto'.*'gpu'"),
        ({"device": "cuda:99"}, "device='cuda:99' is not available"),
        ({"early_stopping": True, "validation_fraction": 0.001}, "validation_fraction=0.001"),
        ({"callbacks": print}, "'callbacks'"),
    ],
)
def test_bad_parameters(kind, parameters, message):
    _refused(kind, ValueError, rf"(?s){message}", X, Y[kind], parameters=parameters)


@BOTH
@pytest.mark.parametrize(
    ("dynamics", "error", "message"),
    [
        (WrongShape(), ValueError, r"WrongShape must return .* \(2, 4, 2\), got \(2, 4\)"),
        (nn.Linear(2, 2), TypeError, "Linear must have an integer attribute n_states"),
        (lambda size: size, TypeError, "dynamics must be .* got int"),
    ],
)
def test_bad_vector_field(kind, dynamics, error, message):
    estimator = kind(**QUICK, dynamics=dynamics)
    before = vars(estimator).copy()
    with pytest.raises(error, match=message):
        estimator.fit(X, Y[kind])
    assert vars(estimator) == before


@pytest.mark.parametrize(
    "quantile", [[], [0.5, 0.1], [0.1, 0.1], [0.0, 0.5], [0.5, 1.2], [[0.1, 0.5]], [np.nan], 0.0]
)
def test_bad_quantiles(quantile):
    parameters = {"loss": "quantile", "quantile": quantile}
    _refused(DynPMNNRegressor, ValueError, "quantile", X, X[:, 0], parameters=parameters)


@BOTH
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"X_val": X}, "X_val and y_val must be given together"),
        ({"y_val": X[:, 0]}, "X_val and y_val must be given together"),
        ({"sample_weight_val": np.ones(N)}, "sample_weight_val needs X_val and y_val"),
        ({"X_val": _with(np.inf), "y_val": 0}, "X_val, y_val.*infinity"),
        ({"X_val": X[:, :2], "y_val": 0}, "X_val, y_val.*2 features.*3 features"),
        ({"X_val": X[:5], "y_val": 0}, "X_val, y_val.*inconsistent"),
        ({"X_val": X, "y_val": 0, "sample_weight_val": np.zeros(N)}, "sample_weight_val"),
    ],
)
def test_bad_validation_data(kind, given, message):
    if isinstance(given.get("y_val"), int):
        given = {**given, "y_val": Y[kind]}
    _refused(kind, ValueError, message, X, Y[kind], **given)


def test_labels_that_training_has_not_seen():
    y = Y[DynPMNNClassifier]
    message = r"X_val, y_val: .*not seen before: \[2\]; the classes are \[0, 1\]"
    _refused(DynPMNNClassifier, ValueError, message, X, y, X_val=X, y_val=y * 2)
    fitted = DynPMNNClassifier(**QUICK, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="not seen before"):
        fitted.fit(X, y * 2)


def test_a_fitted_model_of_other_outputs_is_not_continued():
    model = DynPMNNRegressor(**QUICK, warm_start=True).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="y must be of shape"):
        model.fit(X, X[:, :2])
    model.set_params(loss="quantile", quantile=[0.1, 0.9])
    with pytest.raises(ValueError, match=r"ask for 2 outputs.*has 1"):
        model.fit(X, X[:, 0])


def test_bad_partial_fit():
    model = DynPMNNClassifier(**QUICK)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, Y[DynPMNNClassifier])
    with pytest.raises(ValueError, match="at least two classes"):
        model.partial_fit(X, np.zeros(N, int), classes=[0])
    with pytest.raises(ValueError, match="not seen before"):
        model.partial_fit(X, Y[DynPMNNClassifier], classes=[0, 5])
    assert not hasattr(model, "classes_")
    model.partial_fit(X, Y[DynPMNNClassifier], classes=[0, 1])
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, Y[DynPMNNClassifier], classes=[0, 1, 2])
    model = DynPMNNClassifier(**QUICK, class_weight="balanced")
    with pytest.raises(ValueError, match="class_weight='balanced'"):
        model.partial_fit(X, Y[DynPMNNClassifier], classes=[0, 1])


@BOTH
@pytest.mark.parametrize("scale_inputs", ["standard", "quantile"])
@pytest.mark.parametrize(
    "columns",
    [
        {1: X[:, 1] * 1e30},
        {1: X[:, 1] * 1e300},
        {1: np.where(np.arange(N) == 3, 1e30, X[:, 1])},
        {0: np.zeros(N), 1: np.full(N, 7.0), 2: np.full(N, 1e30)},
    ],
)
def test_constant_and_huge_features_are_taken(kind, scale_inputs, columns):
    X_wild = X.copy()
    for column, values in columns.items():
        X_wild[:, column] = values
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = kind(**QUICK, scale_inputs=scale_inputs).fit(X_wild, Y[kind])
        predicted = model.predict(X_wild)
        wild = model.predict(np.full((1, 3), 1e300))
    if not is_classifier(model):
        assert np.isfinite(predicted).all()
        assert np.isfinite(wild).all()


@pytest.mark.parametrize("size", [1e-300, 1e-9, 1e9, 1e300])
def test_targets_of_any_size(size):
    model = DynPMNNRegressor(**QUICK)
    plain = model.fit(X, X[:, 0]).predict(X)
    np.testing.assert_allclose(model.fit(X, X[:, 0] * size).predict(X), plain * size, rtol=1e-4)


def test_constant_target():
    model = DynPMNNRegressor(**{**QUICK, "max_iter": 40}).fit(X, np.full(N, 1e9))
    np.testing.assert_allclose(model.predict(X), 1e9, rtol=1e-6)


@BOTH
def test_huge_weights_are_taken(kind):
    model = kind(**QUICK).fit(X, Y[kind], np.full(N, 1e308))
    assert np.isfinite(model.loss_curve_).all()


@BOTH
def test_divergence_warns_and_keeps_the_last_good_weights(kind):
    rate = {"learning_rate_init": 1e30, "learning_rate": "constant"}
    model = kind(**{**QUICK, "max_iter": 8}, optimizer="sgd", **rate)
    with pytest.warns(ConvergenceWarning, match=r"after epoch \d.*learning_rate_init.*1e\+30"):
        model.fit(X, Y[kind])
    assert model.n_iter_ < 8
    assert all(torch.isfinite(p).all() for p in model.module_.parameters())
    if kind is DynPMNNRegressor:
        assert np.isfinite(model.predict(X)).all()
