"""A fit that must end in time comes to the end of its schedule."""

import types

import numpy as np
import pytest

from sklearn_physrnn.training import _time_limit, parameters
from sklearn_physrnn.training._callbacks import Schedule
from sklearn_physrnn.training._net import Net
from sklearn_physrnn.training._schedules import SCHEDULES
from tests.families import ENTRIES, FORECASTERS, SKLEARN, WALK, each


@pytest.fixture
def clock(monkeypatch):
    """Time that passes by one second a step of training, and not otherwise."""
    clock = types.SimpleNamespace(now=100.0, pace=1.0, steps=0)
    clock.monotonic = lambda: clock.now
    for module in (_time_limit, parameters):
        monkeypatch.setattr(module, "time", clock)
    step = Net.train_step

    def slow(net, *args, **kwargs):
        clock.now += clock.pace
        clock.steps += 1
        return step(net, *args, **kwargs)

    monkeypatch.setattr(Net, "train_step", slow)
    return clock


@each(SKLEARN)
def test_the_schedule_is_drawn_together_to_what_there_is_time_for(kind, clock):
    entry = ENTRIES[kind]
    options = {"max_iter": 50, "batch_size": 8, "learning_rate_init": 0.01}
    model = entry.make(max_time=30.0, **options).fit(entry.X, entry.y)
    assert 26 <= clock.steps <= 30
    assert model.n_iter_ == len(model.learning_rate_curve_) == -(-clock.steps // 3)
    assert max(model.learning_rate_curve_) == pytest.approx(0.01, rel=0.2)
    assert model.learning_rate_curve_[-1] < 1e-3
    assert np.isfinite(model.loss_curve_).all()


@each(SKLEARN)
def test_time_enough_changes_nothing(kind, clock):
    entry = ENTRIES[kind]
    model = entry.make(max_iter=4, max_time=1e6).fit(entry.X, entry.y)
    free = entry.make(max_iter=4).fit(entry.X, entry.y)
    assert model.loss_curve_ == free.loss_curve_
    assert model.learning_rate_curve_ == free.learning_rate_curve_
    np.testing.assert_array_equal(model.predict(entry.X), free.predict(entry.X))


def test_a_machine_that_slows_down_is_followed(clock):
    entry = ENTRIES[SKLEARN[0]]
    model = entry.make(max_iter=100, batch_size=8, max_time=60.0)
    paced = Net.train_step

    def slower(net, *args, **kwargs):
        clock.pace = 1.0 if clock.now < 130 else 3.0
        return paced(net, *args, **kwargs)

    Net.train_step = slower  # which the fixture puts back
    model.fit(entry.X, entry.y)
    assert clock.now <= 160 + 3
    assert model.learning_rate_curve_[-1] < 0.2 * model.learning_rate_init


def test_no_time_at_all_is_one_step(clock):
    entry = ENTRIES[SKLEARN[0]]
    model = entry.make(max_iter=5, batch_size=8, max_time=0.5).fit(entry.X, entry.y)
    assert clock.steps == 1
    assert model.n_iter_ == 1
    assert np.isfinite(model.predict(entry.X)).all()


@each(FORECASTERS)
def test_a_forecaster_shares_its_time_between_its_two_trainings(kind, clock):
    forecaster = ENTRIES[kind].make(max_iter=200, max_time=40.0, batch_size=4)
    forecaster.fit(WALK)
    assert clock.now <= 141
    assert forecaster.loss_curve_
    assert forecaster.learning_rate_curve_[-1] < 0.2 * forecaster.learning_rate_init


@pytest.mark.parametrize("left", [0, 1, 7, 40, 1000])
def test_a_schedule_goes_on_from_where_it_is(left):
    schedule = Schedule(SCHEDULES["one_cycle"], epochs=10, steps_per_epoch=10)
    schedule._base = [1.0]
    groups = [{"lr": 1.0}]
    schedule._exact = schedule._given = [1.0]
    rates = [schedule.next_rates(groups)[0] for _ in range(40)]
    schedule.fit_into(left)
    assert schedule.steps_left == min(left, 60)
    while not schedule.ended:
        rates.append(schedule.next_rates(groups)[0])
    assert len(rates) == 40 + min(left, 60)
    if left > 1:
        assert abs(rates[40] - rates[39]) < 2.0 / min(left, 60)
        assert rates[-1] < 3.0 / min(left, 60)


def test_the_limit_must_be_positive():
    entry = ENTRIES[SKLEARN[0]]
    with pytest.raises(ValueError, match="'max_time' parameter"):
        entry.make(max_time=0).fit(entry.X, entry.y)
