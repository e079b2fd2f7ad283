"""DynPMNNRegressor and DynPMNNClassifier, from raw data to saved models."""

import copy
import pickle
import random
import signal
import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_diabetes, load_iris, make_friedman1
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor
from sklearn_physrnn.nn import StabilityWarning

QUICK = {"hidden_size": 8, "num_layers": 1, "n_steps": 4, "max_iter": 3, "random_state": 0}
GOOD = {"hidden_size": 16, "max_iter": 60, "random_state": 0}
# One batch an epoch in float64: what should be equal is equal but for the last digits.
EXACT = {**QUICK, "dtype": "float64", "batch_size": 1000}
KINDS = [DynPMNNRegressor, DynPMNNClassifier]
BOTH = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)

X = np.random.default_rng(0).normal(size=(90, 3))
TARGET = X[:, 0] * X[:, 1] + X[:, 2]


def _y(kind):
    return TARGET if kind is DynPMNNRegressor else np.digitize(TARGET, [-0.5, 0.5])


def _outputs(model, X=X):
    return model.predict_proba(X) if is_classifier(model) else model.predict(X)


class Relaxation(nn.Module):
    n_states = 1

    def __init__(self, hidden_size):
        super().__init__()
        self.rate = nn.Parameter(torch.ones(hidden_size))

    def forward(self, state, drive):
        return self.rate.unsqueeze(-1) * (drive.unsqueeze(-1) - state)


class Recorder(Callback):
    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, net, **kwargs):
        self.epochs.append(net.history[-1]["train_loss"])


class RaiseAt(Callback):
    def __init__(self, epoch, error):
        self.epoch, self.error = epoch, error

    def on_epoch_end(self, net, **kwargs):
        if net.history[-1]["epoch"] == self.epoch:
            raise self.error


# -- learning ----------------------------------------------------------------------


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


# -- weights -----------------------------------------------------------------------


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


# -- losses ------------------------------------------------------------------------


@pytest.mark.parametrize("loss", ["absolute_error", "huber", "quantile"])
def test_robust_losses_shrug_off_outliers(loss):
    y = TARGET.copy()
    y[::10] += 100
    model = DynPMNNRegressor(**{**GOOD, "max_iter": 150}, loss=loss).fit(X, y)
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
    crossing = model._decode(np.array([[1.0, 0.0, -1.0]]))
    np.testing.assert_array_equal(crossing, model._decode(np.array([[-1.0, 0.0, 1.0]])))
    assert (np.diff(crossing) > 0).all()


def test_several_quantiles_of_several_targets():
    model = DynPMNNRegressor(**QUICK, loss="quantile", quantile=[0.2, 0.8])
    y = np.stack([TARGET, 100 + 50 * TARGET], 1)
    predicted = model.fit(X, y).predict(X)
    assert predicted.shape == (90, 2, 2)
    assert predicted[:, 0].max() < 50
    assert predicted[:, 1].min() > 0
    assert np.isfinite(model.score(X, y))


# -- validation and stopping ---------------------------------------------------------


@BOTH
def test_validation_data_are_recorded(kind):
    y = _y(kind)
    model = kind(**QUICK).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    assert len(model.validation_scores_) == len(model.validation_loss_curve_) == 3
    assert model.validation_scores_[-1] == pytest.approx(model.score(X[60:], y[60:]), rel=1e-4)
    alone = kind(**QUICK).fit(X[:60], y[:60])
    np.testing.assert_array_equal(_outputs(alone), _outputs(model))  # only looked at
    assert alone.validation_scores_ is None


@BOTH
@pytest.mark.parametrize("given", [False, True])
def test_early_stopping_restores_the_best_epoch(kind, given):
    y = _y(kind).copy()
    y[::3] = np.random.default_rng(1).permutation(y[::3])  # noise to overfit
    parameters = {
        "hidden_size": 32,
        "random_state": 0,
        "max_iter": 400,
        "learning_rate": "constant",
        "learning_rate_init": 0.03,
        "early_stopping": True,
        "n_iter_no_change": 7,
        "validation_fraction": 0.3,
    }
    validation = {"X_val": X[60:], "y_val": y[60:]} if given else {}
    rows = slice(60) if given else slice(None)
    model = kind(**parameters).fit(X[rows], y[rows], **validation)
    curve = model.validation_loss_curve_
    best = int(np.argmin(curve))
    assert model.n_iter_ == len(curve) == best + 8 < 400
    assert model.best_loss_ == curve[best]
    if given:
        assert model.score(X[60:], y[60:]) == pytest.approx(
            model.validation_scores_[best], rel=1e-4
        )


def test_split_is_stratified_where_it_can_be():
    y = np.repeat([0, 1], [80, 10])
    model = DynPMNNClassifier(random_state=0, validation_fraction=0.1)
    model._encode_targets(y, reset=True)
    for seed in range(5):
        train, valid = model._split(y, seed)
        assert (y[valid] == 1).sum() == 1
        assert sorted([*train, *valid]) == list(range(90))
    # A class of one sample cannot be on both sides.
    y[1] = 2
    model._encode_targets(y, reset=True)
    assert len(model._split(y, 0)[1]) == 9


def test_early_stopping_with_a_class_of_one_sample():
    y = np.r_[np.zeros(50, int), np.ones(39, int), 2]
    model = DynPMNNClassifier(**QUICK, early_stopping=True).fit(X, y)
    assert list(model.classes_) == [0, 1, 2]


@BOTH
def test_weights_of_validation_data(kind):
    y = _y(kind)
    weights = np.r_[np.ones(15), np.zeros(15)]
    model = kind(**QUICK)
    first = model.fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:], sample_weight_val=weights)
    first = first.validation_loss_curve_
    second = model.fit(X[:60], y[:60], X_val=X[60:75], y_val=y[60:75]).validation_loss_curve_
    assert first == pytest.approx(second, rel=1e-4)


# -- going on ------------------------------------------------------------------------


@BOTH
def test_warm_start_goes_on(kind):
    model = kind(**{**QUICK, "max_iter": 10}, warm_start=True, learning_rate="constant")
    model.fit(X, _y(kind))
    first, before = list(model.loss_curve_), model.module_
    model.fit(X, _y(kind))
    assert model.n_iter_ == 20
    assert model.loss_curve_[:10] == first
    assert model.loss_curve_[10] < first[0]
    assert model.loss_curve_[-1] < first[-1]
    assert model.module_ is not before
    model.set_params(optimizer="sgd", alpha=0.5, learning_rate_init=1e-3, dtype="float64")
    assert np.isfinite(model.fit(X, _y(kind)).loss_curve_).all()


@BOTH
def test_without_warm_start_fit_begins_anew(kind):
    model = kind(**QUICK).fit(X, _y(kind))
    first = _outputs(model)
    assert model.fit(X, _y(kind)).n_iter_ == 3
    np.testing.assert_array_equal(_outputs(model), first)


@BOTH
def test_an_error_in_a_warm_fit_changes_nothing(kind):
    model = kind(**QUICK, warm_start=True).fit(X, _y(kind))
    twin = copy.deepcopy(model)
    before = _outputs(model)
    with pytest.raises(ZeroDivisionError):
        model.set_params(callbacks=[RaiseAt(2, ZeroDivisionError())]).fit(X, _y(kind))
    np.testing.assert_array_equal(_outputs(model), before)
    # Nor has the optimizer moved on: both go the same way from here.
    model.set_params(callbacks=None).fit(X, _y(kind))
    np.testing.assert_array_equal(_outputs(model), _outputs(twin.fit(X, _y(kind))))


@BOTH
def test_partial_fit_learns(kind):
    model, y = kind(**QUICK, learning_rate_init=0.03), _y(kind)
    first = {"classes": [0, 1, 2]} if kind is DynPMNNClassifier else {}
    for _ in range(30):
        for rows in (slice(0, 45), slice(45, 90)):
            model.partial_fit(X[rows], y[rows], **first)
            first = {}
    assert model.n_iter_ == 60
    assert np.mean(model.loss_curve_[-2:]) < 0.9 * np.mean(model.loss_curve_[:2])


def test_partial_fit_knows_classes_to_come():
    y = _y(DynPMNNClassifier)
    few = y < 2
    model = DynPMNNClassifier(**QUICK).partial_fit(X[few], y[few], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (90, 3)
    model.partial_fit(X[:1], y[:1])  # one row will do, once the scaling is known


# -- the estimator as an object ------------------------------------------------------


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("fitted", [np.float32, np.float64])
def test_predictions_take_the_type_of_x(kind, dtype, fitted):
    model = kind(**QUICK).fit(X.astype(fitted), _y(kind))
    assert _outputs(model, X.astype(dtype)).dtype == dtype
    np.testing.assert_allclose(_outputs(model, X.astype(np.float32)), _outputs(model), atol=1e-4)


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, bool])
def test_whole_numbers_are_predicted_in_float64(dtype):
    model = DynPMNNRegressor(**QUICK).fit(X > 0, TARGET)
    assert model.predict((X > 0).astype(dtype)).dtype == np.float64


@BOTH
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
def test_precision(kind, dtype):
    model = kind(**{**QUICK, "max_iter": 20}, dtype=dtype).fit(X, _y(kind))
    expected = torch.float64 if dtype == "float64" else torch.float32
    assert {p.dtype for p in model.module_.parameters()} == {expected}
    assert model.loss_curve_[-1] < model.loss_curve_[0]


@BOTH
def test_feature_names(kind):
    frame = pd.DataFrame(X, columns=["u", "v", "w"])
    model = kind(**QUICK).fit(frame, pd.Series(_y(kind)))
    assert list(model.feature_names_in_) == ["u", "v", "w"]
    assert model.n_features_in_ == 3
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["v", "u", "w"]])


@BOTH
def test_copies_predict_alike(kind, tmp_path):
    model = kind(**QUICK).fit(X, _y(kind))
    joblib.dump(model, tmp_path / "model")
    copies = [
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        joblib.load(tmp_path / "model"),
    ]
    for other in copies:
        np.testing.assert_array_equal(_outputs(other), _outputs(model))
    with pytest.raises(NotFittedError):
        _outputs(clone(model))


@BOTH
def test_predicting_leaves_no_trace(kind):
    model = kind(**QUICK).fit(X, _y(kind))
    before = pickle.dumps(model)
    _outputs(model)
    _outputs(model, X.astype(np.float32))
    assert pickle.dumps(model) == before


@BOTH
def test_a_model_for_a_gpu_predicts_without_one(kind, monkeypatch):
    model = kind(**QUICK).fit(X, _y(kind))
    expected = _outputs(model)
    model.set_params(device="cuda")  # as fitted elsewhere
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(_outputs(loaded), expected)
    assert {p.device.type for p in loaded.module_.parameters()} == {"cpu"}
    with pytest.raises(ValueError, match="device='cuda' is not available"):
        loaded.fit(X, _y(kind))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@BOTH
def test_a_model_fitted_on_a_gpu_pickles_for_a_cpu(kind):
    model = kind(**QUICK, device="cuda").fit(X, _y(kind))
    data = pickle.dumps(model)
    assert b"cuda:0" not in data
    cpu = pickle.loads(data).set_params(device="cpu")
    np.testing.assert_allclose(_outputs(cpu), _outputs(model), rtol=1e-4, atol=1e-5)


@BOTH
def test_parameters_round_trip(kind):
    model = kind(**QUICK, callbacks=[Recorder()])
    parameters = model.get_params()
    other = kind().set_params(**parameters)
    assert other.get_params() == parameters
    model.fit(X, _y(kind))
    assert model.get_params() == parameters


@BOTH
def test_grid_search_in_a_pipeline_in_two_processes(kind):
    pipeline = make_pipeline(StandardScaler(), kind(**QUICK))
    name = kind.__name__.lower()
    grid = {f"{name}__hidden_size": [4, 8], f"{name}__solver": ["euler", "heun"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, _y(kind))
    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    alone = GridSearchCV(pipeline, grid, cv=2, n_jobs=1).fit(X, _y(kind))
    np.testing.assert_array_equal(alone.cv_results_["mean_test_score"], scores)


@BOTH
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_same_seed_same_result_in_parallel(kind, backend):
    model = kind(**QUICK, dropout=0.3, batch_size=16)
    expected = cross_val_score(model, X, _y(kind), cv=4)
    with joblib.parallel_backend(backend, n_jobs=2):
        np.testing.assert_array_equal(cross_val_score(model, X, _y(kind), cv=4), expected)
    other = cross_val_score(clone(model).set_params(random_state=1), X, _y(kind), cv=4)
    assert not np.array_equal(other, expected)


@BOTH
def test_fitting_leaves_the_global_state_alone(kind, tmp_path, monkeypatch):
    def state():
        return (
            np.random.get_state()[1].tolist(),  # noqa: NPY002 - what is looked at
            random.getstate(),
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
            np.geterr(),
        )

    monkeypatch.chdir(tmp_path)
    before = state()
    model = kind(**{**QUICK, "random_state": None}, dropout=0.2).fit(X, _y(kind))
    after = state()
    # random_state=None draws from numpy's generator, as everywhere in scikit-learn.
    assert before[1:] == after[1:]
    before = state()
    kind(**QUICK, dropout=0.2, early_stopping=True).fit(X, _y(kind))
    _outputs(model)
    assert state() == before
    assert list(tmp_path.iterdir()) == []


@BOTH
def test_silent_unless_verbose(kind, capfd):
    kind(**QUICK).fit(X, _y(kind))
    assert capfd.readouterr() == ("", "")
    kind(**QUICK, verbose=2).fit(X, _y(kind))
    out = capfd.readouterr().out.splitlines()
    assert len(out) == 3
    assert out[-1].startswith("Epoch 3/3: training loss")


@BOTH
def test_callbacks(kind):
    recorder = Recorder()
    model = kind(**QUICK, callbacks=[recorder]).fit(X, _y(kind))
    assert recorder.epochs == model.loss_curve_
    assert model.callbacks == [recorder]


@BOTH
def test_an_interrupt_keeps_the_model(kind):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history[-1]["epoch"] == 2:
                signal.raise_signal(signal.SIGINT)

    model = kind(**{**QUICK, "max_iter": 50}, callbacks=[Interrupt()])
    with pytest.warns(ConvergenceWarning, match="interrupted") as caught:
        model.fit(X, _y(kind))
    assert caught[0].filename == __file__
    assert model.n_iter_ == 2
    assert np.isfinite(_outputs(model)).all()


@BOTH
def test_large_predictions_run_in_batches(kind, monkeypatch):
    model = kind(**QUICK).fit(X, _y(kind))
    expected = _outputs(model)
    monkeypatch.setattr(type(model), "_prediction_batch_size", lambda self, inputs: 7)
    np.testing.assert_allclose(_outputs(model), expected, rtol=1e-12)


@pytest.mark.parametrize("members", [1, 3])
def test_richer_configurations(members):
    X, y = load_diabetes(return_X_y=True)
    model = DynPMNNRegressor(**QUICK, n_members=members, n_frequencies=3)
    assert np.isfinite(model.fit(X, y).predict(X)).all()


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


def test_warm_start_with_another_decay():
    # The optimizer's state belongs to the same weights, whichever of them decay.
    X, y = load_iris(return_X_y=True)
    model = DynPMNNClassifier(**QUICK, alpha=0.0, warm_start=True).fit(X, y)
    model.set_params(alpha=8.0).fit(X, y)
    assert np.isfinite(model.predict_proba(X)).all()
    shapes = [w.shape for w in model.module_.parameters()]
    moments = [state["exp_avg"].shape for state in model._optimizer_state["state"].values()]
    assert sorted(shapes) == sorted(moments)


def test_learning_rate_curve():
    X, y = load_iris(return_X_y=True)
    model = DynPMNNClassifier(**{**QUICK, "max_iter": 4}, learning_rate="cosine").fit(X, y)
    assert len(model.learning_rate_curve_) == 4
    assert (np.diff(model.learning_rate_curve_) < 0).all()
