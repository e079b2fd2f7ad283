"""The training loop itself, on small torch modules."""

import random
import signal
import warnings

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback, EarlyStopping
from torch import nn

from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._engine import TrainingOptions, train
from sklearn_physrnn.training._groups import decayed_and_others
from sklearn_physrnn.training._losses import SquaredError


class Net(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.layers(x)


def _net(seed=0, **parameters):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net(**parameters)


def _samples(n=70, seed=0, noise=0.0, weights=None):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=g)
    y = x[:, :1] * x[:, 1:2] + noise * torch.randn(n, 1, generator=g)
    return Samples({"x": x}, y, weights)


def _options(**changes):
    return TrainingOptions(
        **{
            "max_epochs": 5,
            "batch_size": 32,
            "learning_rate": 0.01,
            "device": torch.device("cpu"),
            "seed": 0,
            **changes,
        }
    )


def _train(module=None, samples=None, *, validation=None, scorer=None, state=None, **options):
    module = _net() if module is None else module
    samples = _samples() if samples is None else samples
    record = train(
        module,
        SquaredError(),
        samples,
        _options(**options),
        validation=validation,
        scorer=scorer,
        optimizer_state=state,
    )
    return module, record


@torch.no_grad()
def _loss(module, samples):
    return (module(**samples.inputs) - samples.targets).square().mean().item()


class Watch(Callback):
    def __init__(self):
        self.calls, self.rates, self.norms, self.weights = [], [], [], []

    def on_train_begin(self, net, **kwargs):
        self.calls.append("begin")

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])

    def on_epoch_end(self, net, **kwargs):
        self.calls.append(net.history[-1]["epoch"])
        self.weights.append([p.detach().clone() for p in net.module_.parameters()])

    def on_train_end(self, net, **kwargs):
        self.calls.append("end")


class Raise(Callback):
    def __init__(self, error, epoch, batch=False):
        self.error, self.epoch, self.batch = error, epoch, batch

    def on_epoch_end(self, net, **kwargs):
        if not self.batch and net.history[-1]["epoch"] == self.epoch:
            raise self.error

    def on_batch_begin(self, net, **kwargs):
        if self.batch and net.history[-1]["epoch"] == self.epoch:
            raise self.error


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_loss_decreases(optimizer):
    module, record = _train(max_epochs=30, optimizer=optimizer, learning_rate=0.02)
    assert len(record.loss_curve) == 30
    assert record.loss_curve[-1] < 0.7 * record.loss_curve[0]
    assert record.diverged_at is None
    assert not record.interrupted
    assert not module.training
    assert all(p.grad is None for p in module.parameters())


def test_epoch_loss_is_the_mean_over_samples():
    # A fault of the release: a mean of batch means, and the last batch dropped. With a
    # vanishing rate the loss of every sample is that of the initial weights.
    samples = _samples(70)
    targets = samples.targets.clone()
    targets[-6:] += 10  # unequal batches of 32, 32 and 6
    samples = Samples(samples.inputs, targets)
    expected = _loss(_net(), samples)
    _, record = _train(samples=samples, validation=samples, learning_rate=1e-12, max_epochs=1)
    assert record.loss_curve[0] == pytest.approx(expected, rel=1e-5)
    assert record.validation_loss_curve[0] == pytest.approx(expected, rel=1e-5)


def test_samples_of_the_last_batch_are_learned_from():
    samples = _samples(33)
    other = Samples(samples.inputs, samples.targets + 5)
    options = {"batch_size": 32, "max_epochs": 1, "learning_rate": 0.1, "optimizer": "sgd"}
    start, (trained, _) = _net(), _train(samples=samples, **options)
    shifted, _ = _train(samples=other, **options)
    assert not torch.equal(trained.layers[0].weight, start.layers[0].weight)
    assert not torch.equal(trained.layers[0].weight, shifted.layers[0].weight)


def test_a_weight_counts_like_repetition():
    counts = torch.arange(20) % 3 + 1
    once = _samples(20)
    weights = counts / counts.float().mean()
    weighted = Samples(once.inputs, once.targets, weights)
    repeated = Samples(
        {"x": once.inputs["x"].repeat_interleave(counts, 0)},
        once.targets.repeat_interleave(counts, 0),
    )
    a, first = _train(samples=weighted, batch_size=100)
    b, second = _train(samples=repeated, batch_size=100)
    assert first.loss_curve == pytest.approx(second.loss_curve, rel=1e-5)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-5)


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


def test_the_scorer_sees_the_outputs_in_order():
    validation = _samples(70, seed=1)
    seen = []

    def scorer(outputs):
        seen.append(outputs)
        return float(len(seen))

    module, record = _train(validation=validation, scorer=scorer, max_epochs=3)
    assert record.validation_scores == [1.0, 2.0, 3.0]
    torch.testing.assert_close(seen[-1], module(**validation.inputs).detach())


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_rates_follow_the_schedule(schedule):
    watch = Watch()
    _, record = _train(schedule=schedule, callbacks=[watch], learning_rate=0.5, max_epochs=6)
    assert len(watch.rates) == 18
    assert min(watch.rates) > 0
    assert max(watch.rates) <= 0.5
    assert len(record.learning_rate_curve) == 6
    if schedule == "constant":
        assert set(watch.rates) == {0.5}
    else:
        assert watch.rates[-1] < 0.05
        assert watch.rates[-1] == record.learning_rate_curve[-1]


def test_gradients_are_clipped():
    far = Samples(_samples().inputs, _samples().targets + 1e6)
    options = {"samples": far, "optimizer": "sgd", "learning_rate": 1.0, "batch_size": 70}
    free, _ = _train(max_epochs=1, **options)
    clipped, _ = _train(max_epochs=1, max_grad_norm=0.1, **options)

    @torch.no_grad()
    def moved(module):
        return (
            sum(
                (p - q).square().sum()
                for p, q in zip(module.parameters(), _net().parameters(), strict=True)
            )
            .sqrt()
            .item()
        )

    # Nesterov's first step is (1 + momentum) times the gradient.
    assert moved(clipped) == pytest.approx(0.19, rel=1e-3)
    assert moved(free) > 1e3


def test_matrices_decay_and_nothing_else():
    module = _net()
    decayed, free = decayed_and_others(module)
    assert {p.ndim for p in decayed} == {2}
    assert {p.ndim for p in free} == {1}
    module.layers[0].weight.requires_grad_(False)
    assert len(decayed_and_others(module)[0]) == 1


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_decay_is_apart_from_the_gradient(optimizer):
    # Without a gradient only decay moves a weight: by the rate times the learning rate an
    # epoch, whatever the optimizer and its momentum.
    class Flat(torch.nn.Module):
        def forward(self, prediction, target):
            return 0 * prediction[:, 0]

    module, start = _net(), _net()
    train(module, Flat(), _samples(64), _options(optimizer=optimizer, weight_decay=2.0))
    shrunk = (1 - 0.01 * 2.0 / 2) ** (2 * 5)  # two batches, five epochs
    for p, q in zip(module.parameters(), start.parameters(), strict=True):
        torch.testing.assert_close(p, q * shrunk if q.ndim == 2 else q)


def test_user_callbacks_are_called_in_order():
    watch = Watch()
    callbacks = [watch]
    _train(callbacks=callbacks, max_epochs=3)
    assert watch.calls == ["begin", 1, 2, 3, "end"]
    assert callbacks == [watch]


def test_a_broken_callback_is_not_swallowed_and_the_module_comes_back():
    before = torch.get_num_threads()
    module = _net()
    with pytest.raises(ZeroDivisionError):
        _train(module, callbacks=[Raise(ZeroDivisionError(), 2)])
    assert not module.training
    assert all(p.grad is None for p in module.parameters())
    assert torch.get_num_threads() == before


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 2), (2, 12)])
def test_progress(verbose, lines, capsys):
    _train(verbose=verbose, max_epochs=12, validation=_samples(seed=1))
    out, err = capsys.readouterr()
    assert err == ""
    assert len(out.splitlines()) == lines
    if lines:
        last = out.splitlines()[-1]
        assert last.startswith("Epoch 12/12: training loss ")
        assert "validation loss " in last
        assert "at most 0 s left" in last


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


class Interrupt(Callback):
    """Press Ctrl-C in an epoch: in its first batch, or between the epochs."""

    def __init__(self, epoch, batch=False):
        self.epoch, self.batch = epoch, batch

    def on_epoch_end(self, net, **kwargs):
        if not self.batch and net.history[-1]["epoch"] == self.epoch:
            signal.raise_signal(signal.SIGINT)

    def on_batch_end(self, net, **kwargs):
        if self.batch and net.history[-1]["epoch"] == self.epoch:
            signal.raise_signal(signal.SIGINT)


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


def test_same_seed_same_weights():
    (a, first), (b, second), (_, other) = (_train(seed=seed) for seed in (0, 0, 1))
    assert first.loss_curve == second.loss_curve
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert first.loss_curve != other.loss_curve


def test_global_state_is_left_alone():
    np.random.seed(1)  # noqa: NPY002 - the global generator is what is looked at
    random.seed(1)
    torch.manual_seed(1)
    before = (
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
    _train(validation=_samples(seed=1))
    after = (
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        random.getstate(),
        torch.get_rng_state().tolist(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        torch.is_grad_enabled(),
    )
    assert before == after


def test_training_goes_on_from_the_optimizers_state():
    whole, _ = _train(max_epochs=4, batch_size=70)
    half, record = _train(max_epochs=2, batch_size=70)
    _train(half, max_epochs=2, batch_size=70, state=record.optimizer_state)
    for p, q in zip(whole.parameters(), half.parameters(), strict=True):
        torch.testing.assert_close(p, q)
    forgetful, _ = _train(max_epochs=2, batch_size=70)
    _train(forgetful, max_epochs=2, batch_size=70)
    assert not torch.allclose(forgetful.layers[0].weight, whole.layers[0].weight)


def test_an_optimizers_state_is_neither_written_to_nor_overrides_settings():
    module, record = _train(weight_decay=0.0)
    state = record.optimizer_state
    before = [x.clone() for entry in state["state"].values() for x in entry.values()]
    watch = Watch()
    _train(module, state=state, learning_rate=0.123, callbacks=[watch])
    after = [x for entry in state["state"].values() for x in entry.values()]
    assert all(torch.equal(x, y) for x, y in zip(before, after, strict=True))
    assert set(watch.rates) == {0.123}
    # A heavier decay set since then takes effect.
    light, heavy = _net(), _net()
    for net, decay in ((light, 0.0), (heavy, 50.0)):
        _train(net, state=state, weight_decay=decay)
    assert heavy.layers[0].weight.norm() < 0.9 * light.layers[0].weight.norm()


def test_the_state_of_another_optimizer_is_not_used():
    module, record = _train(optimizer="adam")
    _, record = _train(module, optimizer="sgd", state=record.optimizer_state)
    assert np.isfinite(record.loss_curve).all()


def test_what_is_kept_stays_on_the_cpu():
    module, record = _train()
    tensors = [*module.parameters()]
    tensors += [x for e in record.optimizer_state["state"].values() for x in e.values()]
    assert {x.device.type for x in tensors} == {"cpu"}


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_what_is_kept_comes_back_from_the_gpu():
    module, record = _train(device=torch.device("cuda"))
    tensors = [*module.parameters()]
    tensors += [x for e in record.optimizer_state["state"].values() for x in e.values()]
    assert {x.device.type for x in tensors} == {"cpu"}


def test_mixed_precision_learns_with_float32_weights():
    module, record = _train(amp_dtype=torch.bfloat16, max_epochs=20, learning_rate=0.02)
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert record.loss_curve[-1] < 0.8 * record.loss_curve[0]


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _train(validation=_samples(seed=1), patience=2)
