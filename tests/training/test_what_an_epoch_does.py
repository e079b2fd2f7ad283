"""What the training loop does in an epoch: losses, rates, gradients, decay, progress."""

import random
import warnings

import numpy as np
import pytest
import torch

from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._engine import train
from sklearn_physrnn.training._groups import decayed_and_others

from ._small import Watch, _loss, _net, _options, _samples, _train


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


def test_mixed_precision_learns_with_float32_weights():
    module, record = _train(amp_dtype=torch.bfloat16, max_epochs=20, learning_rate=0.02)
    assert {p.dtype for p in module.parameters()} == {torch.float32}
    assert record.loss_curve[-1] < 0.8 * record.loss_curve[0]


def test_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _train(validation=_samples(seed=1), patience=2)
