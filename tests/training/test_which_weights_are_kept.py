"""The weights that a training leaves: the best, the last good ones, or those of the moment."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping

from ._small import Interrupt, Net, Raise, Watch, _loss, _net, _samples, _train


def test_best_weights_are_restored():
    # Few noisy samples: the validation loss falls, then rises.
    samples, validation = _samples(20, noise=0.5), _samples(40, seed=1, noise=0.5)
    watch = Watch()
    module, record = _train(
        _net(hidden=64),
        samples,
        validation=validation,
        max_epochs=200,
        learning_rate=0.03,
        patience=12,
        callbacks=[watch],
    )
    curve = record.validation_loss_curve
    best = int(np.argmin(curve))
    assert 0 < best < len(curve) - 1 < 199
    assert len(curve) == best + 1 + 12  # the patience
    assert record.best_loss == curve[best]
    assert _loss(module, validation) == pytest.approx(curve[best], rel=1e-5)
    for p, q in zip(module.parameters(), watch.weights[best], strict=True):
        assert torch.equal(p, q)


def test_an_improvement_below_tol_does_not_count():
    validation = _samples(seed=1)
    _, record = _train(validation=validation, max_epochs=50, patience=3, tol=1e9)
    assert len(record.loss_curve) == 4


def test_without_patience_the_last_weights_stay():
    watch = Watch()
    module, record = _train(validation=_samples(seed=1), callbacks=[watch])
    for p, q in zip(module.parameters(), watch.weights[-1], strict=True):
        assert torch.equal(p, q)
    assert len(record.validation_loss_curve) == 5


def test_running_statistics_are_restored_with_the_weights():
    class Counting(Net):
        def __init__(self):
            super().__init__()
            self.register_buffer("epochs", torch.zeros(()))

        def forward(self, x):
            if self.training:
                self.epochs += 1
            return super().forward(x)

    module = Counting()
    _, record = _train(
        module, batch_size=70, validation=_samples(seed=1), patience=3, tol=1e9, max_epochs=20
    )
    assert module.epochs == np.argmin(record.validation_loss_curve) + 1


@pytest.mark.parametrize("patience", [None, 50])
def test_divergence_stops_and_keeps_the_last_good_weights(patience):
    class Poison(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if training and net.history[-1]["epoch"] == 4:
                with torch.no_grad():
                    net.module_.layers[0].weight[0, 0] = float("nan")

    watch = Watch()
    module, record = _train(
        callbacks=[Poison(), watch],
        max_epochs=20,
        patience=patience,
        validation=_samples(seed=1),
    )
    assert record.diverged_at == 4
    assert len(record.loss_curve) == 4
    assert np.isfinite(record.best_loss)
    kept = 2 if patience is None else int(np.argmin(record.validation_loss_curve[:3]))
    for p, q in zip(module.parameters(), watch.weights[kept], strict=True):
        assert torch.equal(p, q)


def test_weights_that_overflow_count_as_divergence():
    # The loss of the last batch was finite; the step after it was not.
    class Poison(Callback):
        def on_batch_end(self, net, training=False, **kwargs):
            if training and net.history[-1]["epoch"] == 2:
                with torch.no_grad():
                    net.module_.layers[2].bias.fill_(float("inf"))

    module, record = _train(callbacks=[Poison()], batch_size=70)
    assert record.diverged_at == 2
    assert torch.isfinite(module.layers[2].bias).all()


def test_a_broken_callback_is_not_swallowed_and_the_module_comes_back():
    before = torch.get_num_threads()
    module = _net()
    with pytest.raises(ZeroDivisionError):
        _train(module, callbacks=[Raise(ZeroDivisionError(), 2)])
    assert not module.training
    assert all(p.grad is None for p in module.parameters())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("in_batch", [False, True])
def test_an_interrupt_keeps_what_was_learned(in_batch):
    watch = Watch()
    module, record = _train(callbacks=[watch, Interrupt(3, in_batch)], max_epochs=50)
    assert record.interrupted
    assert len(record.loss_curve) == (2 if in_batch else 3)
    learned = [*module.parameters()]
    # With nothing to compare them by, the weights of the moment.
    same = all(torch.equal(p, q) for p, q in zip(learned, watch.weights[-1], strict=True))
    assert same is not in_batch


@pytest.mark.parametrize("patience", [None, 500])
def test_an_interrupt_brings_back_the_best_weights(patience):
    samples, validation = _samples(20, noise=0.5), _samples(40, seed=1, noise=0.5)
    watch = Watch()
    module, record = _train(
        _net(hidden=64),
        samples,
        validation=validation,
        max_epochs=200,
        learning_rate=0.03,
        patience=patience,
        callbacks=[watch, Interrupt(100, batch=True)],
    )
    curve = record.validation_loss_curve
    best = int(np.argmin(curve))
    assert record.interrupted
    assert 0 < best < len(curve) - 1 == 98
    assert record.best_loss == curve[best]
    for p, q in zip(module.parameters(), watch.weights[best], strict=True):
        assert torch.equal(p, q)


@pytest.mark.parametrize("patience", [None, 5])
def test_an_interrupt_in_the_first_epoch_keeps_the_weights_of_the_moment(patience):
    validation = _samples(seed=1)
    module, record = _train(
        callbacks=[Interrupt(1, batch=True)], validation=validation, patience=patience
    )
    assert record.interrupted
    assert record.loss_curve == []
    assert not torch.equal(module.layers[0].weight, _net().layers[0].weight)


def test_an_interrupt_does_not_keep_weights_that_overflowed():
    class Poison(Callback):
        def on_batch_begin(self, net, training=False, **kwargs):
            if training and net.history[-1]["epoch"] == 3:
                with torch.no_grad():
                    net.module_.layers[2].bias.fill_(float("inf"))

    module, record = _train(callbacks=[Poison(), Interrupt(3, batch=True)])
    assert record.interrupted
    assert torch.isfinite(module.layers[2].bias).all()


def test_a_callback_that_stops_training_is_no_interrupt():
    # skorch's own says so with KeyboardInterrupt.
    stop = EarlyStopping(monitor="train_loss", patience=2, threshold=1e9, threshold_mode="abs")
    _, record = _train(callbacks=[stop], max_epochs=50)
    assert not record.interrupted
    assert len(record.loss_curve) == 3
    _, record = _train(callbacks=[Raise(KeyboardInterrupt(), 3)], max_epochs=50)
    assert not record.interrupted
    assert len(record.loss_curve) == 3
