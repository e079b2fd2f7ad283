"""What the hostile-input tests have found in estimators, a test for each kind."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import r2_score

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from sklearn_physrnn.preparation.scaling import Standard, make_scaler

N = 24
QUICK = {"hidden_size": 4, "max_iter": 2, "random_state": 0, "device": "cpu"}
TABLE = np.random.default_rng(0).normal(size=(N, 3))
SERIES = np.random.default_rng(1).normal(size=(N, 5, 2))
NUMBERS, LABELS = TABLE[:, 0], np.arange(N) % 2
MODELS = {
    DynPMNNRegressor: (TABLE, NUMBERS),
    DynPMNNClassifier: (TABLE, LABELS),
    PETNNRegressor: (SERIES, NUMBERS),
    PETNNClassifier: (SERIES, LABELS),
    HSSMRegressor: (SERIES, NUMBERS),
    HSSMClassifier: (SERIES, LABELS),
}
ALL = pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
SEQUENCES = pytest.mark.parametrize(
    "kind", [PETNNRegressor, HSSMClassifier], ids=lambda kind: kind.__name__
)
REGRESSORS = pytest.mark.parametrize(
    "kind", [DynPMNNRegressor, PETNNRegressor, HSSMRegressor], ids=lambda kind: kind.__name__
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


# -- predictions that were infinite, rounded away or out of scale -----------------------------


@REGRESSORS
@pytest.mark.parametrize("size", [1e300, 1e-300, 1e40])
def test_float32_inputs_and_targets_that_float32_cannot_hold(kind, size):
    X = MODELS[kind][0].astype(np.float32)
    predicted = kind(**QUICK).fit(X, NUMBERS * size).predict(X)
    plain = kind(**QUICK).fit(X, NUMBERS).predict(X)
    assert plain.dtype == np.float32
    assert predicted.dtype == np.float64
    np.testing.assert_allclose(predicted, plain.astype(float) * size, rtol=1e-3)


@REGRESSORS
def test_float32_inputs_and_targets_that_float32_cannot_tell_apart(kind):
    X = MODELS[kind][0].astype(np.float32)
    model = kind(**{**QUICK, "max_iter": 20}).fit(X, NUMBERS + 1e9)
    assert r2_score(NUMBERS + 1e9, model.predict(X)) > -0.5  # in steps of 64 it is -800


@REGRESSORS
@pytest.mark.parametrize("value", [0.0, -7.3, 1e9 + 1, 1e300])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_constant_is_predicted_exactly(kind, value, dtype):
    X = MODELS[kind][0].astype(dtype)
    model = kind(**QUICK).fit(X, np.full(N, value))
    assert (model.predict(X) == value).all()


@REGRESSORS
def test_a_target_that_is_constant_only_at_first(kind):
    X = MODELS[kind][0]
    model = kind(**QUICK).partial_fit(X, np.full(N, 5.0))
    for _ in range(3):
        model.partial_fit(X, 1e6 + 1e3 * NUMBERS)
    assert np.ptp(model.predict(X)) > 0
    assert abs(model.predict(X).mean() - 1e6) < 1e4


def test_further_targets_leave_a_scale_that_is_known():
    scaler = Standard.fit(np.c_[np.full(9, 5.0), np.arange(9.0)], constant="fixed")
    revised = scaler.revised(np.c_[np.arange(9.0), 100 + np.arange(9.0)])
    np.testing.assert_allclose(revised.center, [4, 4])
    np.testing.assert_allclose(revised.scale, np.arange(9.0).std())
    assert scaler.revised(np.full((4, 2), 5.0)) is scaler


@pytest.mark.parametrize("n", [50, 5000])
def test_a_small_but_real_variation_is_no_constant(n):
    x = 1 + 1e-12 * np.random.default_rng(0).normal(size=(n, 1))
    assert Standard.fit(x, constant="fixed").transform(x).std() == pytest.approx(1, abs=0.01)
    rounding = 1 + 1e-16 * np.random.default_rng(0).normal(size=(n, 1))
    assert np.abs(Standard.fit(rounding).transform(rounding)).max() < 1e-12


@pytest.mark.parametrize("n", [2, 3000])
def test_quantiles_of_the_largest_numbers(n):
    X = 1.7e308 * np.linspace(-1, 1, n)[:, None]
    scaler = make_scaler("quantile", X, None)
    assert (np.diff(scaler.transform(X)[:, 0]) >= 0).all()
    assert scaler.transform(np.zeros((1, 1))).item() == pytest.approx(0, abs=1e-3)


def test_denormals_are_scaled():
    X = np.array([[0.0], [5e-324], [1e-323], [0.0]])
    Z = make_scaler("standard", X, None).transform(X)
    assert np.isfinite(Z).all()
    assert np.ptp(Z) > 0


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_the_score_does_not_depend_on_the_unit(size):
    model = DynPMNNRegressor(**QUICK)
    plain = model.fit(TABLE, NUMBERS).score(TABLE, NUMBERS)
    scaled = model.fit(TABLE, NUMBERS * size).score(TABLE, NUMBERS * size)
    assert scaled == pytest.approx(plain, rel=1e-3)


@pytest.mark.parametrize("kind", [DynPMNNRegressor, DynPMNNClassifier])
def test_a_network_that_overflows_does_not_predict(kind):
    X, y = MODELS[kind]
    model = kind(**QUICK, solver="euler", n_steps=50, t_end=1e4)

    def fit_and_predict():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X, y).predict(X)

    with pytest.raises(ValueError, match=r"output is not finite for \d+ of 24 samples of X"):
        fit_and_predict()


# -- data that was taken for numbers, silently --------------------------------------------


@SEQUENCES
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.astype("M8[D]"), "X must hold real numbers, got datetime64"),
        (lambda X: X.astype("m8[s]"), "X must hold real numbers, got timedelta64"),
        (lambda X: X.round().astype(str), "X must hold real numbers, got <U"),
        (lambda X: X.round().astype(str).tolist(), "X must hold real numbers, got <U"),
        (lambda X: X + 1j, "X must hold real numbers, got complex128"),
        (lambda X: [*X[:-1], X[-1].astype("M8[D]")], r"X\[23\] must hold real numbers"),
        (lambda X: np.ma.MaskedArray(X, X > 2), "masked array with 5 masked values"),
        (lambda X: [*X[:-1], np.ma.MaskedArray(X[-1], X[-1] > 0)], r"X\[23\] is a masked array"),
    ],
)
def test_sequences_that_are_not_numbers(kind, change, message):
    X, y = MODELS[kind]
    fitted = kind(**QUICK).fit(X, y)
    for call in (lambda bad: kind(**QUICK).fit(bad, y), fitted.predict):
        with pytest.raises(ValueError, match=message):
            call(change(X))


@ALL
def test_masked_values_are_refused_and_masks_that_hide_nothing_are_taken(kind):
    X, y = MODELS[kind]
    with pytest.raises(ValueError, match="X is a masked array with 1 masked value"):
        kind(**QUICK).fit(np.ma.MaskedArray(X, np.arange(X.size).reshape(X.shape) == 7), y)
    with pytest.raises(ValueError, match="y is a masked array with 1 masked value"):
        kind(**QUICK).fit(X, np.ma.MaskedArray(y, np.arange(N) == 7))
    unmasked = np.ma.MaskedArray(X)
    expected = kind(**QUICK).fit(X, y).predict(X)
    np.testing.assert_array_equal(kind(**QUICK).fit(unmasked, y).predict(unmasked), expected)


@REGRESSORS
@pytest.mark.parametrize("odd", [None, np.nan, pd.NA])
def test_objects_without_a_number_in_y(kind, odd):
    y = NUMBERS.astype(object)[:, None]  # scikit-learn does not look at columns of objects
    y[3] = odd
    with pytest.raises((ValueError, TypeError), match=r"\by\b"):
        kind(**QUICK).fit(MODELS[kind][0], y)


@REGRESSORS
@pytest.mark.parametrize("bad", ["dates", "text", "sparse"])
def test_targets_that_are_not_numbers(kind, bad):
    import scipy.sparse as sp

    y = {
        "dates": np.arange(N).astype("M8[D]"),
        "text": NUMBERS.astype(str),
        "sparse": sp.csr_matrix(NUMBERS[:, None]),
    }[bad]
    with pytest.raises((ValueError, TypeError), match=r"^y must"):
        kind(**QUICK).fit(MODELS[kind][0], y)


def test_tokens_and_channels_that_differ_from_the_fitted_ones():
    tokens = np.arange(N * 4).reshape(N, 4) % 3
    model = PETNNRegressor(**QUICK).fit(tokens, NUMBERS)
    with pytest.raises(ValueError, match=r"vocabulary_size=3, but .* fitted to real numbers"):
        model.set_params(vocabulary_size=3).predict(tokens)
    X = np.abs(SERIES).cumsum(axis=1)
    model = HSSMRegressor(**QUICK).fit(X, NUMBERS)
    with pytest.raises(ValueError, match=r"time_channel=0, X has 1 channels .* fitted to 2"):
        model.set_params(time_channel=0).predict(X)


# -- data that was refused in the words of a library below, or should not have been --------


@ALL
@pytest.mark.parametrize(
    "bad",
    [
        torch.ones(N, 3, requires_grad=True),
        torch.ones(N, 3).to_sparse(),
        torch.ones(N, 3, device="meta"),
        {"a": 1},
        set(),
        "text",
        (row for row in TABLE),
        [[10**400, 0, 0]] * N,
        np.array([[None, {}, print]] * N, dtype=object),
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_what_is_no_array_is_refused_by_name(kind, bad):
    model = kind(**QUICK)
    with pytest.raises((ValueError, TypeError), match=r"\bX\b"):
        model.fit(bad, MODELS[kind][1])
    assert not hasattr(model, "module_")


@ALL
@pytest.mark.parametrize(
    "bad",
    [
        "balanced",
        {0: 1.0},
        np.ones(N) + 1j,
        torch.ones(N, requires_grad=True),
        np.ma.MaskedArray(np.ones(N), np.arange(N) == 2),
        np.ones((N, 1)),
        np.zeros(N, "M8[D]"),
    ],
    ids=lambda bad: type(bad).__name__,
)
def test_weights_are_refused_by_name(kind, bad):
    X, y = MODELS[kind]
    fitted = kind(**QUICK).fit(X, y)
    for call in (kind(**QUICK).fit, fitted.score):
        with pytest.raises((ValueError, TypeError), match=r"[Ss]ample[_ ]weight"):
            call(X, y, bad)


@ALL
def test_infinities_of_both_signs(kind):
    X, y = MODELS[kind]
    X = X.copy()
    X[0], X[1] = np.inf, -np.inf
    with pytest.raises(ValueError, match="X contains infinity"):
        kind(**QUICK).fit(X, y)


@pytest.mark.parametrize("kind", [DynPMNNClassifier, HSSMClassifier])
def test_labels_that_cannot_be_sorted(kind):
    X, y = MODELS[kind]
    mixed = np.array(["a", None], object)[y]
    fitted = kind(**QUICK).fit(X, y)
    for call in (kind(**QUICK).fit, fitted.score):
        with pytest.raises((ValueError, TypeError), match=r"\by\b"):
            call(X, mixed)
    for classes in (mixed, [[0], [1]], np.ma.MaskedArray(y, y == 1), 3):
        with pytest.raises((ValueError, TypeError), match="classes"):
            kind(**QUICK).partial_fit(X, y, classes=classes)


@ALL
@pytest.mark.parametrize(
    "change",
    [
        lambda X: X[::-1, ..., ::-1],
        lambda X: np.asfortranarray(X),
        lambda X: X.astype(">f8"),
        lambda X: _read_only(X),
    ],
    ids=["backwards", "fortran", "big-endian", "read-only"],
)
@pytest.mark.parametrize("scale_inputs", ["standard", False])
def test_layouts_of_memory(kind, change, scale_inputs):
    X, y = MODELS[kind]
    X = change(X)
    model = kind(**QUICK, scale_inputs=scale_inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*(neuron|step).*")
        predicted = model.fit(X, y).predict(X)
    plain = np.ascontiguousarray(X, dtype=np.float64)
    expected = model.fit(plain, y).predict(plain)
    np.testing.assert_allclose(predicted, expected, rtol=1e-6, atol=1e-9)


def _read_only(X):
    X = X.copy()
    X.flags.writeable = False
    return X


@ALL
@pytest.mark.parametrize("dtype", [">f4", ">f8"])
def test_data_frames_of_foreign_byte_order(kind, dtype):
    X, y = MODELS[kind]
    X = X.reshape(N, -1)
    frame = pd.DataFrame(X.astype(dtype))
    model = kind(**QUICK).fit(X, y)
    expected = model.predict(X.astype(dtype[1:]))
    np.testing.assert_allclose(model.predict(frame), expected, rtol=1e-5)


@SEQUENCES
def test_time_stamps_too_far_apart(kind):
    X, y = MODELS[kind]
    X = np.abs(X).cumsum(axis=1)
    X[0, 0, 0], X[0, -1, 0] = -1.7e308, 1.7e308
    X[0, 1:-1, 0] = -1.6e308
    with pytest.raises(ValueError, match="Time stamps must not lie further apart"):
        kind(**QUICK, time_channel=0).fit(X, y)


def test_unscaled_values_whose_squares_overflow():
    with pytest.raises(ValueError, match=r"scale_inputs=False needs X .* up to 1e\+15, .* got 1"):
        HSSMRegressor(**QUICK, scale_inputs=False).fit(SERIES / SERIES.max() * 1e30, NUMBERS)


def test_integers_of_numpy_are_integers():
    small = np.int8(2)
    model = PETNNRegressor(**{**QUICK, "hidden_size": small}, num_layers=small)
    assert np.isfinite(model.fit(SERIES, NUMBERS).predict(SERIES)).all()
    table = DynPMNNRegressor(**{**QUICK, "hidden_size": small}, n_steps=np.int8(100))
    assert np.isfinite(table.fit(TABLE, NUMBERS).predict(TABLE)).all()
