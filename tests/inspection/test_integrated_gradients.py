"""Attribution of predictions to the values of their inputs."""

import copy

import numpy as np
import pytest
import torch
from sklearn.datasets import load_iris
from sklearn.linear_model import Ridge

from sklearn_physrnn import (
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
)
from sklearn_physrnn.inspection import integrated_gradients
from sklearn_physrnn.inspection._integrated_gradients import attribute


def _log_odds(model, X, label):
    p = model.predict_proba(X)[:, list(model.classes_).index(label)]
    return np.log(p / (1 - p))


def _sums(values):
    return np.array([np.nansum(row) for row in values])


@pytest.mark.parametrize("name", ["hssm", "petnn"])
@pytest.mark.parametrize("response", ["log_odds", "probability"])
def test_complete_for_classifiers(name, response, series, request):
    model, (X, _) = request.getfixturevalue(name), series
    X = X[:4]
    start = np.zeros((1, 24, 2))
    a = integrated_gradients(model, X, baseline=start, target="up", response=response, n_steps=4)
    assert a.shape == X.shape
    if response == "log_odds":
        change = _log_odds(model, X, "up") - _log_odds(model, X * 0, "up")
    else:
        column = list(model.classes_).index("up")
        change = (model.predict_proba(X) - model.predict_proba(X * 0))[:, column]
    np.testing.assert_allclose(_sums(a), change, rtol=1e-8, atol=1e-10)
    assert np.abs(change).min() > 1e-4


@pytest.mark.parametrize("name", ["nonlinear_hssm", "petnn_regressor"])
def test_complete_for_regressors(name, series, request):
    model, (X, _) = request.getfixturevalue(name), series
    start = X[7]
    a = integrated_gradients(model, X[:3], baseline=start, n_steps=3)
    np.testing.assert_allclose(
        _sums(a), model.predict(X[:3]) - model.predict(start[None]), rtol=1e-8
    )


def test_complete_for_tables(dynpmnn, dynpmnn_classifier, table):
    X, _ = table
    a = integrated_gradients(dynpmnn, X[:5], n_steps=8)
    mean = X.mean().to_frame().T
    np.testing.assert_allclose(_sums(a), dynpmnn.predict(X[:5]) - dynpmnn.predict(mean), rtol=1e-8)
    iris, _ = load_iris(return_X_y=True)
    rows = iris[[0, 60, 120]]
    a = integrated_gradients(dynpmnn_classifier, rows, baseline=iris[100], n_steps=8)
    labels = dynpmnn_classifier.predict(rows)  # each sample's own class is explained
    assert len(set(labels)) > 1
    change = [
        (_log_odds(dynpmnn_classifier, rows[[k]], label)
         - _log_odds(dynpmnn_classifier, iris[[100]], label))[0]
        for k, label in enumerate(labels)
    ]  # fmt: skip
    np.testing.assert_allclose(_sums(a), change, rtol=1e-8)


def test_equals_the_integral_by_hand(hssm, series):
    X, _ = series
    a = integrated_gradients(hssm, X[:2], target="down", n_steps=128)
    module = copy.deepcopy(hssm.module_).double()
    for block in module.blocks:
        block.hru.gradient = "bptt"
    mean, deviation = X.mean((0, 1)), X.std((0, 1))
    way = torch.as_tensor((X[:2] - mean) / deviation)
    total = torch.zeros_like(way)
    for s in (np.arange(200) + 0.5) / 200:
        x = (s * way).requires_grad_()
        outputs = module(x)
        log_odds = outputs[:, 0] - outputs[:, 1]  # of two classes, "down" is the first
        total += torch.autograd.grad(log_odds.sum(), x)[0] / 200
    expected = (total * way).numpy()
    np.testing.assert_allclose(a, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


def test_trapezoids_leave_what_falls_as_the_square(hssm, dynpmnn, series, table):
    # However rough the nudges that it was fitted with: they have no part in this.
    rough = HSSMRegressor(4, 3, dynamics="nonlinear", epsilon=1e4, max_iter=1, random_state=0)
    rough.fit(*series)
    for model, X in ((hssm, series[0]), (rough, series[0]), (dynpmnn, table[0])):
        found = [attribute(model, X[:3], None, None, "auto", n) for n in (8, 32)]
        left = [each.remainder for each in found]
        np.testing.assert_allclose(left[0] / left[1], 16, rtol=0.1)
        assert (left[1] < 1e-2 * np.abs(found[1].values).reshape(3, -1).sum(axis=1)).all()


def test_jumps_go_to_what_moved_the_timers(series):
    X, y = series
    model = PETNNRegressor(5, max_iter=1, random_state=0).fit(X, y)
    layer = model.module_.recurrent
    with torch.no_grad():  # timers hear channel 1 alone, all else channel 0 alone
        timer = torch.zeros(30, dtype=bool)
        timer[:5] = timer[20:25] = True
        layer.weight_ih_l0[timer, 0] = 0
        layer.weight_ih_l0[~timer, 1] = 0
        layer.weight_hh_l0[:5] = 0
    a = integrated_gradients(model, X[:4], n_steps=64)
    change = model.predict(X[:4]) - model.predict(X.mean(axis=(0, 1)) + 0 * X[:1])
    np.testing.assert_allclose(_sums(a), change, rtol=1e-8)
    # With channel 0 at its baseline, the whole change is jumps, and all of it channel 1's.
    only = np.where([False, True], X[:4], X.mean(axis=(0, 1)))
    b = integrated_gradients(model, only, n_steps=64)
    np.testing.assert_allclose(b[:, :, 0], 0, atol=1e-12)
    assert np.abs(b).sum() > 1e-6
    # On the way of both, no smooth change is left to channel 1, but jumps are.
    assert (np.abs(a[:, :, 1]).sum(axis=1) > 1e-6).all()


def test_releases_are_jumps_and_counted(petnn_regressor, series):
    X, _ = series
    found = attribute(petnn_regressor, X[:3], None, None, "auto", 64)
    # The smooth part alone misses most of the change here; with the jumps it is complete,
    # and does not depend on how finely the way is cut.
    np.testing.assert_allclose(
        _sums(found.values), found.response - found.baseline_response, rtol=1e-9
    )
    change = np.abs(found.response - found.baseline_response)
    assert (found.remainder > 0.1 * change).all()
    finer = attribute(petnn_regressor, X[:3], None, None, "auto", 256).values
    for coarse, fine in zip(found.values, finer, strict=True):
        assert np.corrcoef(coarse.ravel(), fine.ravel())[0, 1] > 0.95


def test_soft_releases_are_smooth(series):
    X, y = series
    model = PETNNRegressor(
        5, release="soft", readout="max", learning_rate_init=0.005, max_iter=3, random_state=0
    ).fit(X, y)
    left = [attribute(model, X[:3], None, None, "auto", n).remainder for n in (16, 64)]
    assert (left[1] < 0.5 * left[0]).all()
    assert (left[1] < 0.05 * np.abs(y).max()).all()


def test_values_without_influence_get_nothing(series):
    X, y = series
    model = PETNNRegressor(5, max_iter=3, random_state=0).fit(X, y)
    with torch.no_grad():
        model.module_.recurrent.weight_ih_l0[:, 1] = 0  # deaf to channel 1
    a = integrated_gradients(model, X[:3], n_steps=8)
    np.testing.assert_array_equal(a[:, :, 1], 0)
    assert np.abs(a[:, :, 0]).max() > 0
    assert (integrated_gradients(model, X[:2], baseline=X[:2], n_steps=2) == 0).all()


def test_shapes_follow_x(hssm, series, timed, timed_hssm):
    X, _ = series
    whole = integrated_gradients(hssm, X[:2], n_steps=2)
    padded = np.full((3, 30, 2), np.nan)
    padded[0, :24], padded[1, :24], padded[2, :10] = X[0], X[1], X[2, :10]
    a = integrated_gradients(hssm, padded, n_steps=2)
    np.testing.assert_allclose(a[:2, :24], whole, rtol=1e-9)
    assert np.isnan(a[:, 24:]).all()
    assert np.isnan(a[2, 10:]).all()
    pieces = integrated_gradients(hssm, [X[0], X[1], X[2, :10]], n_steps=2)
    np.testing.assert_allclose(pieces[2], a[2, :10], rtol=1e-9)
    # Time stamps stay the sample's own, and get nothing.
    X, _ = timed
    a = integrated_gradients(timed_hssm, X[:3], baseline=np.zeros(3), n_steps=4)
    zeros = [np.where([False, True, False], x, 0) for x in X[:3]]
    np.testing.assert_allclose(
        [row.sum() for row in a], timed_hssm.predict(X[:3]) - timed_hssm.predict(zeros)
    )
    assert all((row[:, 1] == 0).all() for row in a)
    assert [row.shape for row in a] == [x.shape for x in X[:3]]


def test_one_channel_tables_of_series(rng):
    X = rng.normal(size=(20, 12))
    model = HSSMRegressor(4, 3, max_iter=2, random_state=0).fit(X, X[:, -1])
    profile = np.linspace(0, 1, 12)
    a = integrated_gradients(model, X[:2], baseline=profile, n_steps=4)
    assert a.shape == (2, 12)
    np.testing.assert_allclose(a.sum(1), model.predict(X[:2]) - model.predict(profile[None]))


def test_tokens(tokens):
    X, y = tokens
    model = PETNNClassifier(6, vocabulary_size=9, embedding_dim=4, max_iter=3, random_state=0).fit(
        X, y
    )
    a = integrated_gradients(model, X[:4], baseline=2, target=True, n_steps=8)
    assert [row.shape for row in a] == [x.shape for x in X[:4]]
    twos = [np.full_like(x, 2) for x in X[:4]]
    np.testing.assert_allclose(
        [row.sum() for row in a],
        _log_odds(model, X[:4], True) - _log_odds(model, twos, True),
        rtol=1e-3,  # of tokens, predictions are in float32
    )
    # A token that stands in the baseline too has moved nothing.
    for row, x in zip(a, X[:4], strict=True):
        np.testing.assert_array_equal(row[x == 2], 0)
    assert np.isfinite(integrated_gradients(model, X[:1], n_steps=4)[0]).all()
    with pytest.raises(ValueError, match=r"baseline must be a token id in \[0, 9\)"):
        integrated_gradients(model, X[:1], baseline=9)


def test_targets_of_many_outputs(series, table):
    X, _ = series
    model = HSSMRegressor(
        5, 4, readout="sequence", every=8, loss="quantile", quantile=[0.2, 0.8], max_iter=2,
        random_state=0,
    ).fit(X, X[:, 7::8])  # fmt: skip
    a = integrated_gradients(model, X[:2], baseline=X[4], target=(1, 1, 0), n_steps=4)
    change = model.predict(X[:2])[:, 1, 1, 0] - model.predict(X[4:5])[:, 1, 1, 0]
    np.testing.assert_allclose(_sums(a), change, rtol=1e-7)
    np.testing.assert_array_equal(a[:, 16:], 0)  # what comes after step 16 cannot matter
    with pytest.raises(ValueError, match=r"of shape \(3, 2, 2\), got None"):
        integrated_gradients(model, X[:2])
    X, y = table
    model = DynPMNNRegressor(5, max_iter=1, random_state=0, scale_inputs="quantile")
    model.fit(X, np.c_[y, -2 * y])
    a = integrated_gradients(model, X[:3], baseline=X.iloc[20], target=1, n_steps=4)
    change = (model.predict(X[:3]) - model.predict(X[20:21]))[:, 1]
    np.testing.assert_allclose(_sums(a), change, rtol=1e-8)
    for target in (2, (0, 0), None):
        with pytest.raises(ValueError, match="target must be an index"):
            integrated_gradients(model, X[:3], target=target)


def test_leaves_the_estimator_alone(petnn, series):
    X, _ = series
    before = copy.deepcopy(petnn.module_.state_dict())
    release = petnn.module_.recurrent.release
    integrated_gradients(petnn, X[:2], n_steps=2)
    assert petnn.module_.recurrent.release == release
    for name, value in petnn.module_.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(p.grad is None and p.requires_grad for p in petnn.module_.parameters())


def test_refuses(hssm, nonlinear_hssm, series):
    X, y = series
    with pytest.raises(TypeError, match="one of this package's estimators"):
        integrated_gradients(Ridge().fit(X[:, 0], y), X[:, 0])
    with pytest.raises(ValueError, match="n_steps must be at least 1"):
        integrated_gradients(hssm, X, n_steps=0)
    with pytest.raises(ValueError, match="response must be one of"):
        integrated_gradients(hssm, X, response="logit")
    with pytest.raises(ValueError, match="'prediction' does not suit a classifier"):
        integrated_gradients(hssm, X, response="prediction")
    with pytest.raises(ValueError, match="'log_odds' does not suit a regressor"):
        integrated_gradients(nonlinear_hssm, X, response="log_odds")
    with pytest.raises(ValueError, match=r"target must be one of \['down', 'up'\]"):
        integrated_gradients(hssm, X, target="left")
    with pytest.raises(ValueError, match="broadcast to the shape of X"):
        integrated_gradients(hssm, X, baseline=np.zeros(3))
    with pytest.raises(ValueError, match="baseline must be finite"):
        integrated_gradients(hssm, X, baseline=np.nan)
    with pytest.raises(ValueError, match="expecting 2 channels"):
        integrated_gradients(hssm, X[:, :, :1])


@pytest.mark.parametrize("kind", [HSSMClassifier, PETNNClassifier])
def test_a_label_of_one_step_is_explained_by_what_came_before(kind, rng):
    X = rng.normal(size=(20, 10, 2))
    y = (X[:, :, 0].cumsum(axis=1) > 0).astype(int)
    model = kind(8, readout="sequence", max_iter=3, random_state=0).fit(X, y)
    found = integrated_gradients(model, X[:3], target=(4, 1), response="probability", n_steps=200)
    assert (found[:, 5:] == 0).all()
    p = [model.predict_proba(x)[:, 4, 1] for x in (X[:3], np.tile(X.mean((0, 1)), (3, 10, 1)))]
    np.testing.assert_allclose(found.sum((1, 2)), p[0] - p[1], atol=1e-6)
    own = integrated_gradients(model, X[:3], target=(4, None), response="probability", n_steps=200)
    sign = np.where(model.predict(X[:3])[:, 4] == 1, 1, -1)
    np.testing.assert_allclose(own, sign[:, None, None] * found, atol=1e-6)
    with pytest.raises(ValueError, match=r"target must be \(step, label\)"):
        integrated_gradients(model, X[:3], target=1)
    with pytest.raises(ValueError, match="the step 10, of 10"):
        integrated_gradients(model, X[:3], target=(10, 1))
