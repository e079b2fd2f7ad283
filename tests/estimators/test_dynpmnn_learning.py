"""What DynPMNNRegressor and DynPMNNClassifier learn: targets, labels, weights and losses."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_friedman1
from skorch.callbacks import Callback
from torch import nn

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.nn import StabilityWarning

from ._dynpmnn import BOTH, EXACT, QUICK, TARGET, X, _outputs, _y

GOOD = {"hidden_size": 16, "max_iter": 60, "random_state": 0}


class Relaxation(nn.Module):
    n_states = 1

    def __init__(self, hidden_size):
        super().__init__()
        self.rate = nn.Parameter(torch.ones(hidden_size))

    def forward(self, state, drive):
        return self.rate.unsqueeze(-1) * (drive.unsqueeze(-1) - state)


# -- learning ------------------------------------------------------------------------


def test_regression_beats_the_mean_by_far():
    X, y = make_friedman1(400, noise=0.5, random_state=0)
    X = X * [1, 10, 1e3, 1e-3, 1, 1, 1, 1, 1, 1] + 5  # raw features, any units
    model = DynPMNNRegressor(**GOOD).fit(X[:300], 1e4 * y[:300])
    assert model.score(X[300:], 1e4 * y[300:]) > 0.8


def test_classification_beats_chance_by_far():
    X, y = load_iris(return_X_y=True)
    model = DynPMNNClassifier(**GOOD).fit(X[::2], y[::2])
    assert model.score(X[1::2], y[1::2]) > 0.85


@BOTH
def test_defaults_run(kind):
    assert kind(max_iter=2).fit(X, _y(kind)).score(X, _y(kind)) is not None


@pytest.mark.parametrize("scale_inputs", ["standard", "quantile", False])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "adamw"])
def test_loss_falls(scale_inputs, optimizer):
    parameters = {**QUICK, "max_iter": 25, "scale_inputs": scale_inputs, "optimizer": optimizer}
    model = DynPMNNRegressor(**parameters, learning_rate_init=0.03).fit(X, TARGET)
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]


@pytest.mark.parametrize("dynamics", ["van_der_pol", "hodgkin_huxley", "kuramoto", Relaxation])
@BOTH
def test_other_dynamics(kind, dynamics):
    t_end = 0.05 if dynamics == "hodgkin_huxley" else 1.0
    model = kind(**QUICK, dynamics=dynamics, t_end=t_end).fit(X, _y(kind))
    assert np.isfinite(_outputs(model)).all()


def test_a_users_vector_field_is_copied_cloned_and_searched():
    field = Relaxation(8)
    model = DynPMNNRegressor(**QUICK, dynamics=field).fit(X, TARGET)
    assert model.dynamics is field
    assert torch.equal(field.rate, torch.ones(8))  # the fit trained a copy
    assert not torch.equal(model.module_.layers[0].field.rate, torch.ones(8))
    np.testing.assert_array_equal(clone(model).fit(X, TARGET).predict(X), model.predict(X))
    assert "Relaxation" in repr(model)


def test_unstable_step_warns_and_the_advice_helps():
    parameters = {**QUICK, "solver": "euler", "t_end": 20.0}
    with pytest.warns(StabilityWarning, match=r"Layer 0: a step of 20 .* n_steps >= \d+") as seen:
        DynPMNNRegressor(**{**parameters, "n_steps": 1}).fit(X, TARGET)
    enough = int(str(seen[0].message).split("n_steps >= ")[1].split()[0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DynPMNNRegressor(**{**parameters, "n_steps": 2 * enough}).fit(X, TARGET)


@pytest.mark.parametrize("members", [1, 3])
def test_richer_configurations(members):
    X, y = load_diabetes(return_X_y=True)
    model = DynPMNNRegressor(**QUICK, n_members=members, n_frequencies=3)
    assert np.isfinite(model.fit(X, y).predict(X)).all()


# -- targets and labels --------------------------------------------------------------


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_predictions_have_the_shape_of_the_target(shape):
    y = np.stack([TARGET, -3 * TARGET + 7], 1)[:, : np.prod(shape, dtype=int)].reshape(90, *shape)
    model = DynPMNNRegressor(**{**QUICK, "max_iter": 30}).fit(X, y)
    assert model.predict(X).shape == (90, *shape)
    assert model.score(X, y) > 0.2


def test_targets_are_learned_each_in_its_own_unit():
    y = np.stack([TARGET, 1e6 * TARGET], 1)
    model = DynPMNNRegressor(**{**QUICK, "max_iter": 60}).fit(X, y)
    predicted = model.predict(X)
    assert np.corrcoef(predicted[:, 0], TARGET)[0, 1] > 0.7
    assert predicted[:, 1].std() > 1e5


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["low", "mid", "high"]),
        np.array(["low", "mid", "high"], dtype=object),
        np.array([-3, 0, 12]),
        np.array([0.0, 1.0, 2.0]),
        np.array([True, False]),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_labels_of_any_kind(labels):
    y = labels[np.digitize(TARGET, [0.0] if len(labels) == 2 else [-0.5, 0.5])]
    model = DynPMNNClassifier(**{**QUICK, "max_iter": 40}).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    assert (predicted == y).mean() > 0.6
    p = model.predict_proba(X)
    assert p.shape == (90, len(labels))
    np.testing.assert_allclose(p.sum(1), 1)
    np.testing.assert_array_equal(model.classes_[p.argmax(1)], predicted)


@pytest.mark.parametrize("dtype", ["category", "string", "boolean"])
def test_pandas_labels(dtype):
    y = pd.Series(TARGET > 0)
    y = y if dtype == "boolean" else y.map({True: "yes", False: "no"})
    model = DynPMNNClassifier(**{**QUICK, "max_iter": 30}).fit(X, y.astype(dtype))
    assert (model.predict(X) == np.asarray(y)).mean() > 0.6


# -- weights -------------------------------------------------------------------------


@BOTH
def test_a_weight_is_a_repetition(kind):
    counts = np.random.default_rng(0).integers(1, 4, 90)
    weighted = kind(**EXACT).fit(X, _y(kind), counts)
    repeated = kind(**EXACT).fit(X.repeat(counts, axis=0), _y(kind).repeat(counts))
    np.testing.assert_allclose(_outputs(weighted), _outputs(repeated), rtol=1e-6)
    assert not np.allclose(_outputs(weighted), _outputs(kind(**EXACT).fit(X, _y(kind))))


@BOTH
@pytest.mark.parametrize("size", [1e-300, 3.0, 1e300])
def test_the_size_of_weights_does_not_matter(kind, size):
    weights = np.random.default_rng(0).random(90)
    expected = kind(**EXACT).fit(X, _y(kind), weights)
    actual = kind(**EXACT).fit(X, _y(kind), size * weights)
    np.testing.assert_allclose(_outputs(actual), _outputs(expected), rtol=1e-6)


@BOTH
@pytest.mark.parametrize("scale_inputs", ["standard", "quantile"])
@pytest.mark.parametrize("balanced", [False, True])
def test_rows_of_no_weight_do_not_matter_at_all(kind, scale_inputs, balanced):
    parameters = {**QUICK, "scale_inputs": scale_inputs, "batch_size": 16}
    if balanced and kind is DynPMNNClassifier:
        parameters["class_weight"] = "balanced"
    y = _y(kind)
    weights = np.r_[np.ones(60), np.zeros(30)]
    X_wild, y_wild = X.copy(), y.copy()
    X_wild[60:] = 1e6
    y_wild[60:] = y[0]
    actual = kind(**parameters).fit(X_wild, y_wild, weights)
    expected = kind(**parameters).fit(X[:60], y[:60], np.ones(60))
    np.testing.assert_array_equal(_outputs(actual), _outputs(expected))


def test_class_weights_are_sample_weights():
    y = _y(DynPMNNClassifier)
    by_class = DynPMNNClassifier(**EXACT, class_weight={0: 1, 1: 3, 2: 5}).fit(X, y)
    by_sample = DynPMNNClassifier(**EXACT).fit(X, y, np.array([1, 3, 5])[y])
    np.testing.assert_allclose(_outputs(by_class), _outputs(by_sample))


def test_balanced_classes_find_the_rare_one(rng):
    X = rng.normal(size=(300, 2))
    y = (X[:, 0] + rng.normal(size=300) > 2.2).astype(int)
    assert 10 < y.sum() < 40
    recall = {}
    for class_weight in (None, "balanced"):
        model = DynPMNNClassifier(**{**QUICK, "max_iter": 30}, class_weight=class_weight)
        recall[class_weight] = model.fit(X, y).predict(X)[y == 1].mean()
    assert recall["balanced"] > recall[None] + 0.2


def test_class_weights_of_labels_that_are_digits():
    X, y = load_iris(return_X_y=True)
    weights = {0: 1, 1: 3, 2: 5}
    numbers = DynPMNNClassifier(**EXACT, class_weight=weights).fit(X, y)
    strings = DynPMNNClassifier(**EXACT, class_weight={str(k): w for k, w in weights.items()})
    strings.fit(X, y.astype(str))
    np.testing.assert_array_equal(strings.predict_proba(X), numbers.predict_proba(X))


def test_class_weights_of_unknown_labels():
    X, y = load_iris(return_X_y=True)
    with pytest.raises(ValueError, match=r"class_weight names \['a'\], but the classes are"):
        DynPMNNClassifier(**QUICK, class_weight={"a": 1, 0: 2}).fit(X, y)


# -- losses --------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_robust_losses_shrug_off_outliers(loss):
    y = TARGET.copy()
    y[::10] += 100
    model = DynPMNNRegressor(**{**GOOD, "max_iter": 40}, loss=loss).fit(X, y)
    robust = np.median(np.abs(model.predict(X) - TARGET))
    model.set_params(loss="squared_error").fit(X, y)
    assert robust < 0.7 * np.median(np.abs(model.predict(X) - TARGET))


def test_one_quantile():
    model = DynPMNNRegressor(**{**GOOD, "max_iter": 40}, loss="quantile", quantile=0.9)
    model.fit(X, TARGET)
    assert model.predict(X).shape == (90,)
    assert 0.8 < (model.predict(X) > TARGET).mean() < 1


def test_several_quantiles_cover_and_never_cross(rng):
    X = rng.uniform(-1, 1, (600, 1))
    y = X[:, 0] + (0.2 + 0.2 * np.abs(X[:, 0])) * rng.normal(size=600)
    levels = [0.1, 0.5, 0.9]
    model = DynPMNNRegressor(**GOOD, loss="quantile", quantile=levels).fit(X[:400], y[:400])
    predicted = model.predict(np.r_[X[400:], [[1e9], [-1e9]]])
    assert predicted.shape == (202, 3)
    assert (np.diff(predicted, axis=1) >= 0).all()
    coverage = (y[400:, None] <= predicted[:200]).mean(0)
    np.testing.assert_allclose(coverage, levels, atol=0.1)
    assert 0.2 < model.score(X[400:], y[400:]) < 1


def test_quantiles_learned_in_the_wrong_order_are_put_right():
    model = DynPMNNRegressor(**QUICK, loss="quantile", quantile=[0.1, 0.5, 0.9])
    model.fit(X, TARGET)
    decode = model._prepared.targets.decode
    crossing = decode(np.array([[1.0, 0.0, -1.0]]))
    np.testing.assert_array_equal(crossing, decode(np.array([[-1.0, 0.0, 1.0]])))
    assert (np.diff(crossing) > 0).all()


def test_several_quantiles_of_several_targets():
    model = DynPMNNRegressor(**QUICK, loss="quantile", quantile=[0.2, 0.8])
    y = np.stack([TARGET, 100 + 50 * TARGET], 1)
    predicted = model.fit(X, y).predict(X)
    assert predicted.shape == (90, 2, 2)
    assert predicted[:, 0].max() < 50
    assert predicted[:, 1].min() > 0
    assert np.isfinite(model.score(X, y))


@pytest.mark.parametrize(("n", "sizes"), [(504, [63] * 8), (505, [63] * 7 + [64])])
def test_one_row_more_is_no_step_more(n, sizes):
    found = []

    class Sizes(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            found.append(len(batch[1][0]))

    X = np.random.default_rng(0).normal(size=(n, 2))
    DynPMNNRegressor(**{**QUICK, "max_iter": 1}, callbacks=[Sizes()]).fit(X, X[:, 0])
    assert sorted(found) == sizes


def test_one_row_more_does_not_make_a_worse_model():
    X, y = make_friedman1(657, noise=0.3, random_state=0)

    def error(n):
        model = DynPMNNRegressor(max_iter=20, random_state=0).fit(X[:n], y[:n])
        return 1 - model.score(X[257:], y[257:])

    assert error(257) < 1.5 * error(256)


def test_early_stopping_brings_the_rate_down_before_it_stops():
    X, y = make_friedman1(300, noise=1.0, random_state=0)
    model = DynPMNNRegressor(
        max_iter=200, early_stopping=True, n_iter_no_change=2, random_state=0
    ).fit(X, y)
    rates = model.learning_rate_curve_
    assert model.n_iter_ < 150
    assert rates[-1] < 0.05 * max(rates)
    assert max(rates) > 0.2 * model.learning_rate_init


def test_weights_decay_with_the_noise():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 6))
    signal = X[:, 0] + X[:, 1] * X[:, 2]
    test = rng.normal(size=(400, 6))
    truth = test[:, 0] + test[:, 1] * test[:, 2]
    noisy = signal + 3 * rng.normal(size=200)

    def score(y, alpha):
        model = DynPMNNRegressor(alpha=alpha, max_iter=40, random_state=0).fit(X, y)
        return model.score(test, truth)

    assert score(noisy, "auto") > score(noisy, 2.0) + 0.2
    assert score(signal, "auto") > score(signal, 80.0)
