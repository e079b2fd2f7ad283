"""Learning-rate schedules by name: training progress in [0, 1] to a factor of the rate."""

import math
from collections.abc import Callable

_WARM_UP = 0.1  # share of training in which "one_cycle" climbs
_START = 1 / 25  # where it starts from


def _constant(progress: float) -> float:
    return 1.0


def cosine(progress: float) -> float:
    """Come down from 1 to 0 in half a cosine."""
    return (1 + math.cos(math.pi * progress)) / 2


def _one_cycle(progress: float) -> float:
    if progress < _WARM_UP:
        return _START + (1 - _START) * (1 - math.cos(math.pi * progress / _WARM_UP)) / 2
    return cosine((progress - _WARM_UP) / (1 - _WARM_UP))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": _constant,
    "cosine": cosine,
    "one_cycle": _one_cycle,
}
