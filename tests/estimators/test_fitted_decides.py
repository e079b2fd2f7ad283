"""What was fitted decides; parameters set afterwards have no say, or are refused by name."""

import numpy as np
import pytest

from sklearn_physrnn import (
    DynPMNNClassifier,
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
    load,
)
from sklearn_physrnn.estimators import _base, _splitting

RNG = np.random.default_rng(0)
TABLE = RNG.normal(size=(40, 3))
SERIES = RNG.normal(size=(24, 8, 2))
STAMPED = SERIES.copy()
STAMPED[:, :, 1] = RNG.uniform(0.5, 1.5, size=(24, 8)).cumsum(1)
Y = SERIES[:, :, 0].sum(1)
CLASSES = np.where(Y > 0, "up", "down")
TOKENS = RNG.integers(0, 5, size=(24, 6))
SMALL = {"hidden_size": 4, "max_iter": 2, "random_state": 0, "device": "cpu"}
EVERY_STEP = SERIES[:, :, 0].cumsum(1)

# An estimator, X and y, and what is set after the fit.
CHANGED = {
    "fewer quantiles": (
        DynPMNNRegressor(**SMALL, loss="quantile", quantile=[0.1, 0.5, 0.9]),
        TABLE, TABLE[:, 0], {"quantile": 0.5},
    ),
    "more quantiles": (
        DynPMNNRegressor(**SMALL, loss="quantile", quantile=0.5),
        TABLE, TABLE[:, 0], {"quantile": [0.2, 0.8]},
    ),
    "another loss": (
        PETNNRegressor(**SMALL, loss="quantile", quantile=[0.2, 0.8]),
        SERIES, Y, {"loss": "squared_error"},
    ),
    "mean in place of every step": (
        HSSMRegressor(**SMALL, readout="sequence"), SERIES, EVERY_STEP, {"readout": "mean"},
    ),
    "other steps": (
        HSSMRegressor(**SMALL, readout="sequence", every=2),
        SERIES, EVERY_STEP[:, 1::2], {"every": 4},
    ),
    "no time channel": (
        HSSMClassifier(**SMALL, time_channel=1), STAMPED, CLASSES, {"time_channel": None},
    ),
    "a time channel": (PETNNClassifier(**SMALL), STAMPED, CLASSES, {"time_channel": 1}),
    "no vocabulary": (
        PETNNRegressor(**SMALL, vocabulary_size=5), TOKENS, Y, {"vocabulary_size": None},
    ),
    "no scaling": (DynPMNNClassifier(**SMALL), TABLE, TABLE[:, 0] > 0, {"scale_inputs": False}),
    "another width": (DynPMNNRegressor(**SMALL), TABLE, TABLE[:, 0], {"hidden_size": 9}),
}  # fmt: skip


@pytest.fixture(params=CHANGED)
def changed(request):
    model, X, y, parameters = CHANGED[request.param]
    return model.fit(X, y), X, y, parameters


def outputs(model, X):
    return getattr(model, "predict_proba", model.predict)(X)


def test_predictions_and_scores_are_those_of_the_fitted_model(changed):
    model, X, y, parameters = changed
    expected, score = outputs(model, X), model.score(X, y)
    before = {name: model.get_params()[name] for name in parameters}
    model.set_params(**parameters)
    np.testing.assert_array_equal(outputs(model, X), expected)
    assert model.score(X, y) == score
    model.set_params(**before)


BUILT_WITH = [name for name in CHANGED if "quantile" not in name and name != "another loss"]


@pytest.mark.parametrize("case", BUILT_WITH)
@pytest.mark.parametrize("how", ["warm_start", "partial_fit"])
def test_going_on_with_another_module_is_refused_by_name(case, how):
    model, X, y, parameters = CHANGED[case]
    model.fit(X, y)
    expected = outputs(model, X)
    [(name, value)] = parameters.items()
    before = model.get_params()[name]
    model.set_params(**parameters, warm_start=how == "warm_start")
    with pytest.raises(ValueError, match=f"^{name}={value!r}: not what .*{name}={before!r}"):
        (model.fit if how == "warm_start" else model.partial_fit)(X, y)
    np.testing.assert_array_equal(outputs(model, X), expected)
    model.set_params(**{name: before})
    assert (model.fit if how == "warm_start" else model.partial_fit)(X, y) is model
    model.set_params(warm_start=False)


def test_a_loaded_model_refuses_them_too(tmp_path):
    DynPMNNRegressor(**SMALL).fit(TABLE, TABLE[:, 0]).save(tmp_path / "model")
    loaded = load(tmp_path / "model").set_params(t_end=2.0)
    with pytest.raises(ValueError, match=r"^t_end=2\.0: .*t_end=1\.0\)"):
        loaded.partial_fit(TABLE, TABLE[:, 0])


def test_all_parameters_that_ask_for_another_module_are_named_at_once():
    model = DynPMNNRegressor(**SMALL, warm_start=True).fit(TABLE, TABLE[:, 0])
    layers = model.num_layers
    model.set_params(num_layers=layers + 1, t_end=2.0, scale_inputs="standard", alpha=3.0)
    with pytest.raises(ValueError, match="not what the fitted model") as refusal:
        model.fit(TABLE, TABLE[:, 0])
    back = f"set_params(num_layers={layers}, t_end=1.0, scale_inputs='quantile')"
    assert back in str(refusal.value)
    assert f"num_layers={layers + 1}, t_end=2.0, scale_inputs='standard': " in str(refusal.value)


def test_a_loss_that_asks_for_as_many_outputs_may_change():
    model = DynPMNNRegressor(**SMALL, warm_start=True).fit(TABLE, TABLE[:, 0])
    model.set_params(loss="quantile", quantile=[0.4]).fit(TABLE, TABLE[:, 0])
    assert model.predict(TABLE).shape == (40, 1)


def test_stamped_series_of_unequal_length_are_as_each_alone():
    X = [x[: 4 + i % 4] for i, x in enumerate(STAMPED)]
    model = HSSMRegressor(**SMALL, state_size=4, time_channel=1, norm="layer").fit(X, Y)
    alone = np.concatenate([model.predict([x]) for x in X])
    np.testing.assert_allclose(model.predict(X), alone, rtol=1e-9)
    assert not np.allclose(model.predict(X), model.predict([x * [1, 0.5] for x in X]))


def test_a_checkpoint_is_of_all_rows_and_a_scale_of_those_trained_on(tmp_path, monkeypatch):
    seen = []
    real = _base.open_checkpoint
    monkeypatch.setattr(
        _base, "open_checkpoint", lambda *a, **k: seen.append(len(a[1])) or real(*a, **k)
    )
    held_out = np.arange(5, 12)
    training = np.setdiff1d(np.arange(40), held_out)
    monkeypatch.setattr(_splitting, "split", lambda *_: (training, held_out))
    model = DynPMNNRegressor(
        **SMALL, early_stopping=True, scale_inputs="standard", checkpoint=tmp_path / "c"
    ).fit(TABLE, TABLE[:, 0])
    assert seen == [40]
    center = model._prepared.inputs.scaler.center
    np.testing.assert_allclose(center, TABLE[training].mean(0), rtol=1e-12)
