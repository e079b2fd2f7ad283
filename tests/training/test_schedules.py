import numpy as np
import pytest

from sklearn_physrnn.training._schedules import SCHEDULES

PROGRESS = np.linspace(0, 1, 201)


@pytest.mark.parametrize("name", SCHEDULES)
def test_factors_lie_between_zero_and_one(name):
    factors = [SCHEDULES[name](p) for p in PROGRESS]
    assert min(factors) >= 0
    assert max(factors) == pytest.approx(1, abs=1e-3)
    assert np.abs(np.diff(factors)).max() < 0.2  # no jumps


def test_constant_stays():
    assert {SCHEDULES["constant"](p) for p in PROGRESS} == {1.0}


def test_cosine_only_falls_to_zero():
    factors = [SCHEDULES["cosine"](p) for p in PROGRESS]
    assert factors[0] == 1
    assert factors[-1] == pytest.approx(0, abs=1e-12)
    assert (np.diff(factors) < 0).all()


def test_one_cycle_climbs_once_and_falls_to_zero():
    factors = np.array([SCHEDULES["one_cycle"](p) for p in PROGRESS])
    peak = factors.argmax()
    assert 0 < peak < len(factors) / 2
    assert factors[0] < 0.1
    assert (np.diff(factors[: peak + 1]) > 0).all()
    assert (np.diff(factors[peak:]) < 0).all()
    assert factors[-1] == pytest.approx(0, abs=1e-12)
