"""Estimators of tables in ONNX files: ONNX Runtime says what they say."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from sklearn_physrnn import DynPMNNClassifier, DynPMNNRegressor, load
from sklearn_physrnn.nn import FitzHughNagumo
from tests.families import ENTRIES, of_predictions
from tests.helpers.onnx import answers, assert_alike, session

TINY = {"hidden_size": 3, "num_layers": 1, "n_steps": 4, "max_iter": 2, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3)).astype(np.float32)
# Beyond all of training, one value everywhere, one row.
AWKWARD = {
    "far": X * 1e6,
    "on knots": np.sort(X, axis=0),
    "constant": np.zeros_like(X),
    "one row": X[:1],
    "no row": X[:0],
}


def assert_agrees(estimator, folder, *inputs, **options):
    file = session(estimator, folder, **options)
    for one in inputs:
        expected = answers(estimator, one if len(one) else X[:1])
        if not len(one):
            expected = [x[:0] for x in expected]
        assert_alike(file.run(None, {"X": one}), expected)


@pytest.mark.parametrize(
    ("family", "setting"),
    of_predictions("table"),
    ids=lambda x: getattr(x, "name", None) or str(x.parameters),
)
def test_every_setting_of_a_table_says_in_a_file_what_it_says_itself(family, setting, tmp_path):
    small = {"hidden_size": 4, "num_layers": 2, "n_steps": 3, "random_state": 0}
    estimator = family.estimator(setting, **small)
    entry = ENTRIES[type(estimator)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of so few steps
        estimator.set_params(max_iter=2, **small).fit(entry.X, entry.y)
    assert_agrees(estimator, tmp_path, entry.X.astype(np.float32))


@pytest.mark.parametrize(
    ("dynamics", "solver"),
    [
        ("hodgkin_huxley", "semi_implicit_euler"),
        ("hodgkin_huxley", "rk4"),
        ("kuramoto", "euler"),
        ("kuramoto", "semi_implicit_euler"),
        ("fitzhugh_nagumo", "heun"),
        ("fitzhugh_nagumo", "euler"),
    ],
)
def test_every_dynamics_is_integrated_by_its_scheme(dynamics, solver, tmp_path):
    # Hodgkin and Huxley's neurons are stiff.
    end = 0.01 if dynamics == "hodgkin_huxley" else 1.0
    estimator = DynPMNNRegressor(**TINY, dynamics=dynamics, solver=solver, t_end=end)
    assert_agrees(estimator.fit(X, X[:, 0]), tmp_path, X)


@pytest.mark.parametrize("scaling", ["standard", "quantile", "quantile_linear", False])
def test_scales_are_in_the_file(scaling, tmp_path):
    train = np.concatenate([X, np.round(X)])  # ties among the knots
    train[:, 2] = 7.0
    estimator = DynPMNNClassifier(**TINY, scale_inputs=scaling).fit(train, train[:, 0] > 0)
    assert_agrees(estimator, tmp_path, train, *AWKWARD.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_x_may_be_of_either_type(dtype, tmp_path):
    far = (1e9 + X).astype(dtype)  # float32 has no digit left for what varies
    estimator = DynPMNNRegressor(**TINY).fit((1e9 + X.astype(float)), X[:, 0])
    assert_agrees(estimator, tmp_path, far, dtype=dtype)


def _holed():
    holed = X.copy()
    holed[::4, 0], holed[1::5, 2] = np.nan, np.nan
    return holed


@pytest.mark.parametrize("missing", ["indicator", "middle"])
def test_missing_numbers_are_taken_as_predict_takes_them(missing, tmp_path):
    train = _holed()
    train[:, 1] = np.nan  # a column that is not looked at
    estimator = DynPMNNRegressor(**TINY, missing=missing).fit(train, X[:, 0])
    assert_agrees(estimator, tmp_path, train, np.full_like(train, np.nan), X)


def test_what_predict_refuses_is_nan_in_a_file(tmp_path):
    estimator = DynPMNNClassifier(**TINY, missing="error").fit(X, X[:, 0] > 0)
    file = session(estimator, tmp_path)
    wrong = X.copy()
    wrong[0, 0], wrong[1, 1], wrong[2, 2] = np.nan, np.inf, -np.inf
    found = np.isnan(file.run(["probabilities"], {"X": wrong})[0]).all(axis=1)
    assert found.tolist() == [True] * 3 + [False] * 37


def test_a_constant_target_is_no_answer_to_what_predict_refuses(tmp_path):
    estimator = DynPMNNRegressor(**TINY, missing="error").fit(X, np.full(40, 3.0))
    file = session(estimator, tmp_path)
    assert file.run(None, {"X": X[:1]})[0] == [3.0]
    assert np.isnan(file.run(None, {"X": np.full_like(X[:1], np.inf)})[0]).all()


def test_categories_that_are_numbers_are_in_the_file(tmp_path):
    table = X.copy()
    table[:, 1] = RNG.choice([0.1, 3, np.nan], size=40)
    estimator = DynPMNNRegressor(**TINY, categorical_features=[1]).fit(table, X[:, 0])
    unknown = table.copy()
    unknown[:, 1] = 5
    assert_agrees(estimator, tmp_path, table, unknown, dtype="float32")
    assert_agrees(estimator, tmp_path, table.astype(float), dtype="float64")
    estimator.save(tmp_path / "model")
    assert_agrees(load(tmp_path / "model"), tmp_path, table)


def test_several_targets_and_quantiles_keep_their_shape_and_order(tmp_path):
    two = X[:, :2] * [1, 1e5] + [0, 1e9]  # which float32 cannot tell apart
    assert_agrees(DynPMNNRegressor(**TINY).fit(X, two), tmp_path, X)
    estimator = DynPMNNRegressor(**TINY, loss="quantile", quantile=[0.1, 0.5, 0.9])
    assert_agrees(estimator.fit(X, X[:, 0]), tmp_path, X)
    assert_agrees(estimator.fit(X, X[:, :2]), tmp_path, X)


@pytest.mark.parametrize(
    "labels",
    [["yes", "no", "perhaps"], [10, -3, 7], [0.0, 1.0, -1.0], [False, True, True]],
    ids=lambda x: type(x[0]).__name__,
)
@pytest.mark.parametrize("as_objects", [False, True])
def test_labels_come_back_as_what_they_were(labels, as_objects, tmp_path):
    y = np.array(labels, dtype=object if as_objects else None)[np.arange(40) % 3]
    file = session(DynPMNNClassifier(**TINY).fit(X, y), tmp_path)
    found = file.run(["y"], {"X": X})[0]
    assert set(found.tolist()) <= set(labels)
    assert type(found.tolist()[0]) is type(labels[0])


class Mine(nn.Module):
    """A vector field that is no one else's."""

    n_states = 2

    def __init__(self, hidden_size):
        super().__init__()
        self.rate = nn.Parameter(torch.rand(hidden_size))

    def forward(self, state, drive):
        x, y = state[..., 0], state[..., 1]
        pull = torch.where(x > 0, torch.log1p(x.abs()), -torch.hypot(x, y))
        return torch.stack((y - x * self.rate.exp(), pull + drive.clamp(-0.5, 0.5)), -1)


class Softer(FitzHughNagumo):
    """The package's field with another forward, of its own integrator no longer."""

    def forward(self, state, drive):
        return 0.5 * super().forward(state, drive)


@pytest.mark.parametrize("dynamics", [Mine, Softer, FitzHughNagumo])
def test_a_field_of_ones_own_is_exported(dynamics, tmp_path):
    estimator = DynPMNNRegressor(**TINY, dynamics=dynamics).fit(X, X[:, 0])
    assert_agrees(estimator, tmp_path, X)


def test_a_table_from_a_frame_is_exported_as_an_array(tmp_path):
    frame = pd.DataFrame(X, columns=list("abc"))
    estimator = DynPMNNRegressor(**TINY).fit(frame, X[:, 0])
    file = session(estimator, tmp_path)
    assert_alike(file.run(None, {"X": X}), [estimator.predict(frame)])


def test_the_default_model_is_a_small_file(tmp_path):
    wide = RNG.normal(size=(2000, 30))
    for kind, y in ((DynPMNNRegressor, wide[:, 0]), (DynPMNNClassifier, wide[:, 0] > 0)):
        kind(max_iter=1).fit(wide, y).to_onnx(tmp_path / "model.onnx")
        assert (tmp_path / "model.onnx").stat().st_size < 1_000_000


def test_weights_in_float64_are_exported(tmp_path):
    estimator = DynPMNNRegressor(**TINY, dtype="float64").fit(X, X[:, 0])
    assert_agrees(estimator, tmp_path, X)
    assert next(estimator.module_.parameters()).dtype is torch.float64
    assert next(estimator.module_.parameters()).requires_grad


def test_near_rows_are_refused_by_name(tmp_path):
    near = DynPMNNRegressor(**TINY, neighbors=[0, 1]).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="looks near rows of training up"):
        near.to_onnx(tmp_path / "model.onnx")
