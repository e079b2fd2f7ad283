"""Clipping, weight decay and the learning rate, each by itself."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from sklearn_physrnn.training._callbacks import ClipGradients, DecayWeights, Schedule
from sklearn_physrnn.training._schedules import SCHEDULES


def clipped(*grads):
    parameters = [nn.Parameter(torch.zeros(len(g))) for g in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = torch.tensor(grad)
    named = [(str(i), p) for i, p in enumerate(parameters)]
    ClipGradients(1.0).on_grad_computed(None, named_parameters=iter(named))
    return torch.cat([p.grad for p in parameters])


def test_a_long_gradient_is_shortened_and_keeps_its_direction():
    torch.testing.assert_close(clipped([3.0], [0.0, 4.0]), torch.tensor([0.6, 0.0, 0.8]))


def test_a_short_gradient_is_left_alone():
    torch.testing.assert_close(clipped([0.3], [0.4]), torch.tensor([0.3, 0.4]))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
def test_a_gradient_beyond_float32_is_left_out(value):
    assert (clipped([value, 1.0], [value, value]) == 0).all()


def _rates(schedule, n_steps, at=None, shorten=None):
    """Walk a schedule from a rate of 1; before step `at`, shorten it to `shorten` epochs."""
    group = {"lr": 1.0}
    net = SimpleNamespace(optimizer_=SimpleNamespace(param_groups=[group]))
    schedule.on_train_begin(net)
    rates = []
    for step in range(n_steps):
        if step == at:
            schedule.shorten(shorten)
        if schedule.ended:
            break
        schedule.on_batch_begin(net, training=True)
        rates.append(group["lr"])
    return torch.tensor(rates)


def test_a_shortened_schedule_comes_down_to_zero_from_where_it_is():
    whole = _rates(Schedule(SCHEDULES["one_cycle"], 100, 4), 400)
    assert len(whole) == 400
    short = _rates(Schedule(SCHEDULES["one_cycle"], 100, 4), 400, at=80, shorten=10)
    assert len(short) == 120
    torch.testing.assert_close(short[:81], whole[:81])
    assert (short[81:].diff() < 0).all()
    assert short[-1] < 0.01


def test_a_schedule_that_is_nearly_over_stays_as_planned():
    whole = _rates(Schedule(SCHEDULES["cosine"], 10, 4), 40)
    torch.testing.assert_close(
        _rates(Schedule(SCHEDULES["cosine"], 10, 4), 40, at=30, shorten=8), whole
    )


def test_a_schedule_goes_on_from_its_state():
    schedule = Schedule(SCHEDULES["one_cycle"], 100, 4)
    whole = _rates(schedule, 100, at=80, shorten=10)
    other = Schedule(SCHEDULES["one_cycle"], 100, 4)
    other.load_state_dict(schedule.state_dict())
    rest = _rates(Schedule(SCHEDULES["one_cycle"], 100, 4), 120, at=80, shorten=10)[100:]
    torch.testing.assert_close(_rates(other, 20), rest)
    assert len(whole) == 100


@pytest.mark.parametrize(
    ("losses", "rate"),
    [
        ([], 0.2 + 0.8),  # nothing is known yet
        ([2.0, 1.0], 0.2 + 0.4),
        ([2.0, 0.0], 0.2),
        ([2.0, 5.0], 0.2 + 0.8),  # no more than all of it
        ([0.0, 0.0], 0.2 + 0.8),
    ],
)
def test_weights_decay_by_what_is_left_of_the_loss(losses, rate):
    weight = nn.Parameter(torch.ones(2, 2))
    decay = DecayWeights([weight], 0.2, 0.8)
    net = SimpleNamespace(
        history=[*({"train_loss": loss} for loss in losses), {}],
        optimizer_=SimpleNamespace(param_groups=[{"lr": 0.1}]),
    )
    decay.on_epoch_begin(net)
    decay.on_grad_computed(net)
    torch.testing.assert_close(weight.detach(), torch.full((2, 2), 1 - 0.1 * rate))
    again = DecayWeights([weight], 0.2, 0.8, earlier_losses=losses)
    again.on_epoch_begin(SimpleNamespace(history=[{}]))
    assert again._rate == pytest.approx(rate)
