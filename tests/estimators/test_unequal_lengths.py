"""One long series among short ones costs what its steps cost, and changes nothing."""

import numpy as np
import pytest
from torch.nn.modules.module import register_module_forward_pre_hook

from sklearn_physrnn import HSSMClassifier, HSSMRegressor, PETNNClassifier, PETNNRegressor
from sklearn_physrnn.inspection import release_rates
from sklearn_physrnn.training import _inference

OPTIONS = {"hidden_size": 4, "max_iter": 1, "random_state": 0, "device": "cpu"}
HSSM = {**OPTIONS, "state_size": 3, "num_blocks": 2}
MODELS = {
    "petnn": PETNNRegressor(**OPTIONS),
    "petnn classes": PETNNClassifier(**OPTIONS, num_layers=2, dropout=0.1),
    "petnn time": PETNNRegressor(**OPTIONS, time_channel=1, readout="mean"),
    "petnn tokens": PETNNClassifier(**OPTIONS, vocabulary_size=9, embedding_dim=3),
    "hssm rhel": HSSMRegressor(**HSSM),
    "hssm bptt": HSSMClassifier(**HSSM, fitter="bptt", readout="last"),
    "hssm nonlinear": HSSMRegressor(**HSSM, dynamics="nonlinear", norm="layer"),
    "hssm time": HSSMRegressor(**HSSM, time_channel=1),
    "hssm sequence": HSSMRegressor(**HSSM, readout="sequence", every=3),
}
LENGTHS = [4, 2500, *np.random.default_rng(0).integers(3, 9, 50)]


@pytest.fixture(params=MODELS)
def model(request):
    return MODELS[request.param]


@pytest.fixture(name="X")
def series(model, rng):
    if getattr(model, "vocabulary_size", None) is not None:
        return [rng.integers(9, size=n) for n in LENGTHS]
    return [np.column_stack((rng.normal(size=n), np.arange(n) * 0.5)) for n in LENGTHS]


def targets(model, X):
    if hasattr(model, "classes_") or "Classifier" in type(model).__name__:
        return np.arange(len(X)) % 3
    if model.readout != "sequence":
        return np.array([x[:3, 0].sum() for x in X])
    y = np.full((len(X), max(LENGTHS) // model.every), np.nan)
    for row, x in zip(y, X, strict=True):
        seen = x[model.every - 1 :: model.every, 0]
        row[: len(seen)] = seen
    return y


def padded(X):
    """An array, padded as its kind is."""
    tokens = X[0].ndim == 1
    array = np.full((len(X), max(LENGTHS), *X[0].shape[1:]), -1.0 if tokens else np.nan)
    for row, x in zip(array, X, strict=True):
        row[: len(x)] = x
    return array


def outputs(model, X):
    return model.predict_proba(X) if hasattr(model, "predict_proba") else model.predict(X)


@pytest.fixture
def most_rows():
    """The most rows, of whatever shape, that a layer was given."""
    found = [0]

    def look(module, args):
        if not type(module).__module__.endswith("_losses"):
            width = args[0].shape[-1] if args[0].is_floating_point() else 1
            found[0] = max(found[0], args[0].numel() // max(1, width))

    hook = register_module_forward_pre_hook(look)
    yield found
    hook.remove()


@pytest.mark.filterwarnings("ignore:Every neuron")
@pytest.mark.parametrize("form", [list, padded])
def test_no_layer_is_given_more_than_the_steps_there_are(form, model, X, most_rows):
    y = targets(model, X)
    total = sum(LENGTHS)
    model.set_params(batch_size=len(X)).fit(form(X), y)
    assert 0.9 * total < most_rows[0] <= 1.1 * total  # padded they are 130,000
    most_rows[0] = 0
    outputs(model, form(X))
    assert 2500 <= most_rows[0] <= 1.1 * total
    if "PETNN" in type(model).__name__:
        most_rows[0] = 0
        rates = release_rates(model, X)["release_rate"]
        assert most_rows[0] <= 1.1 * total
        assert rates.between(0, 1).all()


@pytest.mark.filterwarnings("ignore:Every neuron")
@pytest.mark.parametrize("form", [list, padded])
@pytest.mark.parametrize("batch_values", [1, 4000, 10**9])
def test_predictions_come_in_the_order_of_the_series(form, batch_values, model, X, monkeypatch):
    monkeypatch.setattr(_inference, "BATCH_VALUES", batch_values)
    model.fit(X[:40], targets(model, X)[:40])
    alone = [outputs(model, [x])[0] for x in X]
    together = outputs(model, form(X))
    if getattr(model, "readout", None) == "sequence":
        assert together.shape == (len(X), 2500 // 3)
        for row, x in zip(together, X, strict=True):
            assert np.isnan(row[len(x) // 3 :]).all()
        together = [row[: len(own)] for row, own in zip(together, alone, strict=True)]
    ours, theirs = (np.concatenate([np.ravel(x) for x in rows]) for rows in (together, alone))
    # Tokens are predicted in float32, whose products a BLAS sums by its own lights.
    rtol, atol = (1e-8, 1e-12) if theirs.dtype == np.float64 else (2e-6, 1e-6)
    np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def test_validated_series_hold_their_own_steps_only(model, X):
    inputs, _ = model._new_prepared().inputs.first(X, model)
    for given in (X, padded(X)):
        series = inputs.read(given, model)
        assert len(series.values) == sum(LENGTHS)
        assert series.lengths.tolist() == LENGTHS
        rows = np.array([5, 1, 7])
        chosen = series[rows]
        assert chosen.lengths.tolist() == [LENGTHS[i] for i in rows]
        own = np.concatenate([np.reshape(X[i], (LENGTHS[i], -1)) for i in rows])
        np.testing.assert_array_equal(chosen.values, own)


def test_the_loss_of_every_step_is_that_of_each_series_alone(rng):
    X = [rng.normal(size=(n, 2)) for n in (6, 9, 300, 6)]
    y = np.full((4, 100), np.nan)
    for row, x in zip(y, X, strict=True):
        row[: len(x) // 3] = x[2::3, 0]
    options = {"norm": None, "dropout": 0.0, "batch_size": 4, "learning_rate_init": 1e-30}
    model = HSSMRegressor(**HSSM, readout="sequence", every=3, dtype="float64", **options)
    scaler = model.fit(X, y)._prepared.targets.step.scaler
    errors = scaler.transform(model.predict(X)[:, :, None] - y[:, :, None])
    errors += scaler.center / scaler.scale  # differences have no centre
    assert model.loss_curve_ == [pytest.approx(np.nanmean(errors[:, :, 0] ** 2, axis=1).mean())]
