"""Truncated training of endless records: partial_fit with a state that is carried on."""

import copy
import pickle

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from skorch.callbacks import Callback

from sklearn_physrnn import (
    DynPMNNRegressor,
    HSSMClassifier,
    HSSMRegressor,
    PETNNClassifier,
    PETNNRegressor,
    load,
)
from tests.helpers.recordings import mapped_in
from tests.persistence._files import put_together, take_apart

SMALL = {"hidden_size": 5, "dtype": "float64", "random_state": 0, "carry_state": True}
OSCILLATORS = {**SMALL, "state_size": 4, "num_blocks": 2, "norm": "layer", "dropout": 0.0}
# So small a rate that weights stay what they are: one pass over all is then what pieces are.
STILL = {"learning_rate_init": 1e-30, "alpha": 0.0}
CUTS = [(0, 10), (10, 12), (12, 30)]


def records(n=4, n_steps=30):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, n_steps, 3)).cumsum(axis=1) / 3


def stamped():
    X = records()
    X[:, :, 2] = np.random.default_rng(1).exponential(size=X.shape[:2]).cumsum(axis=1)
    return X


def begun(model, X, y, classes):
    """Have scales learned of everything, and weights drawn; carry nothing yet."""
    more = {"classes": [0, 1]} if classes else {}
    return model.partial_fit(X, y, **more).reset_state()


KINDS = [
    (PETNNRegressor, {**SMALL, "num_layers": 2}),
    (PETNNClassifier, SMALL),
    (HSSMRegressor, OSCILLATORS),
    (HSSMRegressor, {**OSCILLATORS, "chunk_size": 4, "way_back": "undone"}),
    (HSSMClassifier, {**OSCILLATORS, "dynamics": "nonlinear", "fitter": "bptt"}),
    (PETNNRegressor, {**SMALL, "chunk_size": 4}),
]

BOTH = [(PETNNRegressor, SMALL), (HSSMRegressor, OSCILLATORS)]


@pytest.mark.parametrize(("cls", "options"), KINDS)
def test_consecutive_calls_lose_what_one_pass_over_the_whole_loses(cls, options):
    X, classifies = records(), cls.__name__.endswith("Classifier")
    y = (X[:, :, 0] > 0).astype(int) if classifies else X[:, :, 0]
    model = begun(cls(readout="sequence", **options, **STILL), X, y, classifies)
    whole = copy.deepcopy(model).partial_fit(X, y).loss_curve_[-1]
    losses = [
        model.partial_fit(X[:, a:b], y[:, a:b]).loss_curve_[-1] * (b - a) / 30 for a, b in CUTS
    ]
    assert sum(losses) == pytest.approx(whole, rel=1e-12)
    at_rest = [
        model.reset_state().partial_fit(X[:, a:b], y[:, a:b]).loss_curve_[-1] * (b - a) / 30
        for a, b in CUTS
    ]
    assert sum(at_rest) != pytest.approx(whole, rel=1e-5)


@pytest.mark.parametrize("ragged", [False, True], ids=["equal", "unequal"])
@pytest.mark.parametrize(
    ("cls", "options", "readout"),
    [
        (PETNNRegressor, SMALL, "last"),
        (PETNNRegressor, SMALL, "mean"),
        (PETNNRegressor, SMALL, "max"),
        (HSSMRegressor, OSCILLATORS, "last"),
        (HSSMRegressor, OSCILLATORS, "mean"),
        (HSSMRegressor, {**OSCILLATORS, "patch_size": 4, "num_loops": 2}, "last"),
        (HSSMRegressor, {**OSCILLATORS, "patch_size": 4, "encoder": "gated"}, "mean"),
    ],
)
def test_a_readout_of_many_steps_sees_all_since_the_beginning(cls, options, readout, ragged):
    X, y = records(), np.array([1.0, 2.0, -1.0, 3.0])
    parts = [[x[a : b - ragged * (i % 2)] for i, x in enumerate(X)] for a, b in CUTS]
    whole = [np.concatenate(own) for own in zip(*parts, strict=True)]
    model = begun(cls(readout=readout, **options, **STILL), whole, y, False)
    expected = copy.deepcopy(model).partial_fit(whole, y).loss_curve_[-1]
    for part in parts:
        loss = model.partial_fit(part, y).loss_curve_[-1]
    assert loss == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("mapped", [False, True], ids=["in memory", "in a file"])
@pytest.mark.parametrize(
    ("cls", "options"), [(PETNNRegressor, SMALL), (HSSMRegressor, OSCILLATORS)]
)
def test_time_goes_on_between_calls(cls, options, mapped, tmp_path, monkeypatch):
    X = stamped()
    y = X[:, :, 0]
    model = begun(cls(readout="sequence", time_channel=2, **options, **STILL), X, y, False)
    whole = copy.deepcopy(model).partial_fit(X, y).loss_curve_[-1]
    monkeypatch.setattr("sklearn_physrnn.preparation.recordings._WORTH_LEAVING", 1)
    losses = [
        model.partial_fit(mapped_in(tmp_path, X[:, a:b]) if mapped else X[:, a:b], y[:, a:b])
        .loss_curve_[-1] * (b - a) / 30
        for a, b in CUTS
    ]  # fmt: skip
    assert sum(losses) == pytest.approx(whole, rel=1e-12)
    with pytest.raises(ValueError, match=r"record 0 begins at .*, and ended at .*reset_state"):
        model.partial_fit(X[:, :10], y[:, :10])


@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
def test_a_gap_between_calls_is_one(dynamics):
    X = stamped()
    X[:, :, 2] = np.arange(X.shape[1])
    X[:, 12:, 2] += 40  # in no call is a gap
    y = X[:, :, 0]
    options = {**OSCILLATORS, "dynamics": dynamics, "fitter": "bptt", "time_channel": 2}
    model = begun(HSSMRegressor(readout="sequence", **options, **STILL), X, y, False)
    whole = copy.deepcopy(model).partial_fit(X, y).loss_curve_[-1]
    losses = [
        model.partial_fit(X[:, a:b], y[:, a:b]).loss_curve_[-1] * (b - a) / 30 for a, b in CUTS
    ]
    assert sum(losses) == pytest.approx(whole, rel=1e-12)


def test_every_few_steps_have_a_target_wherever_records_are_cut():
    X = records()
    y = X[:, :, 0].cumsum(axis=1)[:, 2::3]
    model = begun(PETNNRegressor(readout="sequence", every=3, **SMALL, **STILL), X, y, False)
    whole = copy.deepcopy(model).partial_fit(X, y).loss_curve_[-1]
    losses = [
        model.partial_fit(X[:, a:b], y[:, a // 3 : b // 3]).loss_curve_[-1] * (b - a) / 30
        for a, b in ((0, 9), (9, 12), (12, 30))
    ]
    assert sum(losses) == pytest.approx(whole, rel=1e-12)
    with pytest.raises(ValueError, match=r"a multiple of every=3 steps .*record 0 has 10"):
        model.partial_fit(X[:, :10], y[:, :3])


class Gradients(Callback):
    """Keeps the largest gradient of the weights that read the inputs."""

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.largest = float(dict(named_parameters)["recurrent.weight_ih_l0"].grad.abs().max())


def test_the_gradient_ends_at_a_calls_first_step():
    # Of inputs that are zero after the first call, only what came before has a gradient.
    X, y = records(), records()[:, :, 0]
    X[:, 10:] = 0
    gradients = Gradients()
    model = PETNNRegressor(
        readout="sequence", scale_inputs=False, callbacks=[gradients], **SMALL, **STILL
    )
    model.partial_fit(X[:, :10], y[:, :10])
    assert gradients.largest > 0
    model.partial_fit(X[:, 10:], y[:, 10:])
    assert gradients.largest == 0
    model.reset_state().partial_fit(X, y)
    assert gradients.largest > 0


@pytest.mark.parametrize(
    "keep", [lambda model, path: model.save(path) or load(path), None], ids=["saved", "pickled"]
)
@pytest.mark.parametrize(
    ("cls", "options"), [(PETNNRegressor, SMALL), (HSSMRegressor, OSCILLATORS)]
)
@pytest.mark.parametrize("readout", ["last", "sequence"])
def test_a_state_is_kept_with_its_model(cls, options, readout, keep, tmp_path):
    X = stamped()
    y = X[:, :, 0] if readout == "sequence" else X[:, -1, 0]
    half = (slice(None), slice(10))
    model = cls(readout=readout, time_channel=2, **options)
    model.partial_fit(X[half], y[half] if y.ndim == 2 else y)
    again = pickle.loads(pickle.dumps(model)) if keep is None else keep(model, tmp_path / "model")
    rest = X[:, 10:], y[:, 10:] if y.ndim == 2 else y
    expected, found = model.partial_fit(*rest), again.partial_fit(*rest)
    assert found.loss_curve_ == expected.loss_curve_
    assert (found.predict(X) == expected.predict(X)).all()
    assert len(found.carried_state_) == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda model: model["fitted"].update(carried=3), "must be F64 of shape"),
        (lambda model: model["fitted"].update(carried=0), "at least 1"),
        (lambda model: model["fitted"].update(carried=2**62), "must be F64 of shape"),
        (lambda model: model["fitted"].pop("carried"), "must be absent"),
    ],
)
def test_a_file_with_a_false_state_is_refused(change, message, tmp_path):
    X, path = records(), tmp_path / "model"
    PETNNRegressor(readout="sequence", **SMALL).partial_fit(X, X[:, :, 0]).save(path)
    header, model, body = take_apart(path.read_bytes())
    change(model)
    path.write_bytes(put_together(header, model, body))
    with pytest.raises(ValueError, match=message):
        load(path)


def test_other_records_are_refused_until_the_state_is_reset():
    X, y = records(), records()[:, :, 0]
    model = PETNNRegressor(readout="sequence", **SMALL).partial_fit(X, y)
    with pytest.raises(ValueError, match=r"3 records, and the state .* is of 4.*reset_state\(\)"):
        model.partial_fit(X[:3], y[:3])
    assert len(model.carried_state_) == 4
    assert len(model.reset_state().partial_fit(X[:3], y[:3]).carried_state_) == 3


def test_a_record_without_weight_would_stay_behind():
    X, y = records(), records()[:, :, 0]
    with pytest.raises(ValueError, match="every record needs a positive weight"):
        PETNNRegressor(readout="sequence", **SMALL).partial_fit(X, y, [1, 0, 1, 1])


def test_any_other_training_forgets_the_state():
    X, y = records(), records()[:, :, 0]
    model = PETNNRegressor(readout="sequence", max_iter=1, **SMALL)
    for train in (model.fit, model.set_params(carry_state=False).partial_fit):
        model.set_params(carry_state=True).partial_fit(X, y)
        assert model.carried_state_
        model.set_params(carry_state=train == model.fit)
        train(X, y)
        assert not hasattr(model, "carried_state_")


class Spoil(Callback):
    """Makes the loss of every batch NaN."""

    def on_batch_begin(self, net, **kwargs):
        net.module_.head[0].bias.data.fill_(np.nan)


def test_a_call_that_went_wrong_leaves_the_state_as_it_was():
    X, y = records(), records()[:, :, 0]
    model = PETNNRegressor(readout="sequence", **SMALL).partial_fit(X, y)
    state = model.carried_state_
    with pytest.warns(ConvergenceWarning, match="no longer finite"):
        model.set_params(callbacks=[Spoil()]).partial_fit(X, y)
    assert model.carried_state_ is state
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(X * np.nan, y)
    assert model.carried_state_ is state


def test_batch_normalisation_carries_no_state():
    X, y = records(), records()[:, :, 0]
    with pytest.raises(ValueError, match=r"carry_state=True .* norm='batch'.* norm='layer'"):
        HSSMRegressor(readout="sequence", **{**OSCILLATORS, "norm": "batch"}).partial_fit(X, y)


def test_what_reads_from_the_end_carries_no_state():
    X = records()
    model = HSSMRegressor(readout="last", **OSCILLATORS, bidirectional=True)
    with pytest.raises(ValueError, match="carry_state=True does not go with bidirectional=True"):
        model.partial_fit(X, X[:, -1, 0])


def test_rows_of_a_table_have_no_state():
    assert not hasattr(DynPMNNRegressor(), "reset_state")
    with pytest.raises(TypeError, match="carry_state"):
        DynPMNNRegressor(carry_state=True)
