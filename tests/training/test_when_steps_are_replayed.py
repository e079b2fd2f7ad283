"""Which steps are replayed, and that what happens between and beside them has its effect."""

import signal

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping, GradientNormClipping, LRScheduler, PrintLog

from sklearn_physrnn import PETNNRegressor
from sklearn_physrnn.kernels import _check
from sklearn_physrnn.kernels.oscillators.nonlinear import reference as nonlinear_reference
from sklearn_physrnn.nn.hssm import HSSM
from sklearn_physrnn.training import _capture, _engine
from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._losses import SquaredError
from tests.helpers.recorder import LooksAtBatches
from tests.reliability._checkpoints import save_every_epoch
from tests.reliability._trainings import CASES as STOPPED
from tests.reliability._trainings import assert_same, data, make, stopped
from tests.training._kinds import CASES
from tests.training._small import _net, _options, _samples, _train

LONG = {"max_epochs": 12, "batch_size": 16}


class AtEpoch(Callback):
    """Calls a function of the net when an epoch begins."""

    def __init__(self, epoch, function):
        self.epoch, self.function = epoch, function

    def on_epoch_begin(self, net, **kwargs):
        if net.history[-1]["epoch"] == self.epoch:
            self.function(net)


@pytest.fixture
def reasons(monkeypatch):
    """Why steps were launched one by one, of each training."""
    made = []

    class Repeated(_capture.Repeated):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(self)

    monkeypatch.setattr(_engine, "Repeated", Repeated)
    return lambda: [repeated.why_not for repeated in made]


def test_those_after_a_few(recorders, reasons):
    _train(**LONG)  # 70 samples are 5 batches of 14
    (recorder,) = recorders
    assert recorder.n_recorded == 1
    assert recorder.n_replayed == 12 * 5 - 2
    assert reasons() == [None]


def test_validation_is_one_piece(recorders):
    _train(**LONG, validation=_samples(40))
    (recorder,) = recorders
    assert recorder.n_recorded == 2
    assert recorder.n_replayed == 12 * 5 - 2 + 11


def test_not_in_a_short_training(recorders, reasons):
    _train(max_epochs=3, batch_size=16)
    assert recorders[0].n_recorded == 0
    assert reasons() == ["few are left"]


class _Scheduler(LRScheduler):
    def on_batch_end(self, net, training, **kwargs):
        pass


@pytest.mark.parametrize(
    ("callback", "looks"),
    [
        (LooksAtBatches(), True),
        (LRScheduler("CosineAnnealingLR", T_max=9, step_every="batch"), True),
        (GradientNormClipping(1.0), True),
        (_Scheduler("ExponentialLR", gamma=0.9), True),
        (LRScheduler("ExponentialLR", gamma=0.9), False),
        (EarlyStopping("train_loss"), False),
        (AtEpoch(1, print), False),
        (PrintLog(), False),
    ],
    ids=lambda x: type(x).__name__,
)
def test_not_where_a_callback_looks_at_batches(callback, looks, recorders, reasons):
    _train(**LONG, callbacks=[callback])
    assert (recorders[0].n_recorded == 0) == looks
    (reason,) = reasons()
    assert (reason is None) != looks
    if looks:
        several = f"{type(callback).__name__} has on_", "callbacks read the losses of batches"
        assert reason.startswith(several)


def test_not_of_sequences_that_differ_in_length(recorders, reasons):
    samples, module, criterion = CASES["samples"]
    _engine.train(module(), criterion, samples(), _options(**LONG))
    assert recorders[0].n_recorded == 0
    assert reasons() == ["sequences differ in length"]


@pytest.mark.parametrize("most", [2, 3])
def test_not_where_sequences_are_walked_in_many_pieces(most, recorders, reasons, monkeypatch, rng):
    monkeypatch.setattr(_capture, "_MOST_PIECES", most)
    X = rng.normal(size=(20, 6, 2))
    PETNNRegressor(chunk_size=2, max_iter=8, batch_size=5, hidden_size=4).fit(X, X[:, 0, 0])
    assert (recorders[0].n_recorded > 0) == (most == 3)
    assert reasons() == [None if most == 3 else "sequences are walked in many pieces"]


def test_not_where_data_are_streamed(recorders, reasons, monkeypatch):
    monkeypatch.setattr(_engine, "has_room", lambda *_: False)
    _train(**LONG)
    assert recorders[0].n_recorded == 0
    assert reasons() == ["data are copied to the device batch by batch"]


def test_not_where_the_network_has_hooks(recorders, reasons):
    module = _net()
    seen = []
    module.layers[0].register_forward_hook(lambda *_: seen.append(1))
    _train(module, **LONG)
    assert len(seen) == 12 * 5
    assert reasons() == ["the network has hooks"]


class Looks(torch.nn.Module):
    """Waits for a value, which a graph cannot."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner(x) * (1.0 if x.sum().item() < 1e9 else 0.0)


def test_what_cannot_be_recorded_trains_one_by_one(recorders, reasons):
    module, record = _train(Looks(_net()), **LONG, weight_decay=2.0, schedule="cosine")
    expected, one_by_one = _train(_net(), **LONG, weight_decay=2.0, schedule="cosine",
                                  callbacks=[LooksAtBatches()])  # fmt: skip
    assert recorders[0].n_recorded == 0
    assert reasons()[0].startswith("one could not be recorded: aten::_local_scalar_dense")
    assert record.loss_curve == one_by_one.loss_curve
    assert all(map(torch.equal, module.parameters(), expected.parameters()))
    assert record.learning_rate_curve == one_by_one.learning_rate_curve


def _freeze(net):
    net.module_.layers[0].weight.requires_grad_(False)


def _new_memory(net):
    weight = net.module_.layers[0].weight
    weight.data = weight.data.clone() / 2


def _another_momentum(net):
    net.optimizer_.param_groups[0]["betas"] = (0.5, 0.9)


def _slower(net):
    net.optimizer_.param_groups[0]["lr"] /= 10


def test_skorchs_schedule_of_epochs_is_followed(recorders):
    def trained(*callbacks):
        schedule = LRScheduler("ExponentialLR", gamma=0.8)
        return _train(**LONG, callbacks=[schedule, *callbacks])

    module, record = trained()
    expected, one_by_one = trained(LooksAtBatches())
    assert recorders[0].n_replayed > 0
    assert record.learning_rate_curve == one_by_one.learning_rate_curve
    np.testing.assert_allclose(record.learning_rate_curve, 0.01 * 0.8 ** np.arange(12), rtol=1e-6)
    assert all(map(torch.equal, module.parameters(), expected.parameters()))


def test_a_rate_that_a_callback_sets_is_taken(recorders):
    module, record = _train(**LONG, callbacks=[AtEpoch(5, _slower)])
    expected, one_by_one = _train(**LONG, callbacks=[AtEpoch(5, _slower), LooksAtBatches()])
    assert recorders[0].n_recorded == 1
    assert record.learning_rate_curve == one_by_one.learning_rate_curve
    np.testing.assert_allclose(record.learning_rate_curve, [0.01] * 4 + [0.001] * 8, rtol=1e-6)
    assert record.learning_rate_curve[0] == 0.01  # not as float32 rounds it
    assert all(map(torch.equal, module.parameters(), expected.parameters()))


@pytest.mark.parametrize("change", [_freeze, _new_memory, _another_momentum])
def test_what_a_callback_changes_between_epochs_counts(change, recorders):
    module, record = _train(**LONG, callbacks=[AtEpoch(5, change)])
    expected, one_by_one = _train(**LONG, callbacks=[AtEpoch(5, change), LooksAtBatches()])
    assert recorders[0].n_recorded == 2
    assert record.loss_curve == one_by_one.loss_curve
    assert all(map(torch.equal, module.parameters(), expected.parameters()))


def test_a_network_that_changes_all_the_time_trains_one_by_one(recorders, reasons):
    changes = [AtEpoch(epoch, _new_memory) for epoch in range(3, 11)]
    _, record = _train(**LONG, callbacks=changes)
    _, one_by_one = _train(**LONG, callbacks=[*changes, LooksAtBatches()])
    assert recorders[0].n_recorded == 4
    assert reasons()[0] == "callbacks change the network again and again"
    assert record.loss_curve == one_by_one.loss_curve


def _press_ctrl_c(net):
    signal.raise_signal(signal.SIGINT)


def _stop(net):
    raise KeyboardInterrupt


@pytest.mark.parametrize("stop", [_press_ctrl_c, _stop])
def test_a_training_that_is_stopped_keeps_what_it_has(stop, recorders):
    def stopped(*callbacks):
        callbacks = [AtEpoch(7, stop), *callbacks]
        return _train(**LONG, callbacks=callbacks, validation=_samples(20, seed=1))

    module, record = stopped()
    expected, one_by_one = stopped(LooksAtBatches())
    assert recorders[0].n_replayed > 0
    assert len(record.loss_curve) == 6
    assert record.interrupted == one_by_one.interrupted == (stop is _press_ctrl_c)
    assert record.loss_curve == one_by_one.loss_curve
    assert all(map(torch.equal, module.parameters(), expected.parameters()))


def test_a_diverged_training_keeps_its_last_good_weights(recorders):
    def diverge(net):
        net.module_.layers[0].weight.data.fill_(torch.inf)

    module, record = _train(**LONG, callbacks=[AtEpoch(6, diverge)])
    assert recorders[0].n_replayed > 0
    assert record.diverged_at == 6
    assert all(torch.isfinite(x).all() for x in module.parameters())


def test_a_training_goes_on_from_what_the_optimizer_learned(recorders):
    def continued(*callbacks):
        module, record = _train(**LONG, callbacks=callbacks)
        module, record = _train(module, **LONG, state=record.optimizer_state, callbacks=callbacks)
        return module, record

    module, record = continued()
    expected, one_by_one = continued(LooksAtBatches())
    assert recorders[1].n_replayed > 0
    assert record.loss_curve == one_by_one.loss_curve
    assert all(map(torch.equal, module.parameters(), expected.parameters()))


def test_sample_weights_are_those_of_the_batch(recorders):
    weights = torch.rand(70, generator=torch.Generator().manual_seed(1))
    _, record = _train(**LONG, samples=_samples(weights=weights))
    _, one_by_one = _train(**LONG, samples=_samples(weights=weights), callbacks=[LooksAtBatches()])
    assert recorders[0].n_replayed > 0
    assert record.loss_curve == one_by_one.loss_curve


def test_gaps_that_are_too_long_raise_with_their_own_size(recorders, monkeypatch):
    # As on a GPU, where nobody looks before an epoch has ended.
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    # The plain loop over a gap's steps must know how many they are; kernels need not.
    monkeypatch.setattr(nonlinear_reference, "gap", lambda z, y, *others: (z, y))
    model = HSSM(2, 1, hidden_size=4, state_size=4, num_blocks=1, dynamics="nonlinear")
    samples = Samples(
        {"x": torch.randn(40, 6, 2), "dt": torch.full((40, 6), 0.5)}, torch.randn(40, 1)
    )

    def tear(net):  # one gap, which is not in the last batch but by chance
        samples.inputs["dt"][3, 2] = 1e6

    options = _options(**LONG, callbacks=[AtEpoch(6, tear)])
    with pytest.raises(ValueError, match=r"gaps of up to 1,000 units.* one of 999,999"):
        _engine.train(model, SquaredError(), samples, options)
    assert recorders[0].n_replayed > 0


@pytest.mark.parametrize("case", STOPPED)
def test_a_training_that_was_stopped_goes_on_as_if_nothing_had_been(
    case, recorders, tmp_path, monkeypatch
):
    save_every_epoch(monkeypatch)
    fit = data(case)
    whole = make(case).fit(**fit)
    stopped(make(case, checkpoint=tmp_path), fit)
    resumed = make(case, checkpoint=tmp_path).fit(**fit)
    assert [recorder.n_replayed > 0 for recorder in recorders] == [True] * 3
    assert_same(resumed, whole, fit["X"])
