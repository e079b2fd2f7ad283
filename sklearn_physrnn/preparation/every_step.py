"""Targets of every step out of those of one."""

from .class_targets import ClassTargets
from .number_targets import NumberTargets
from .step_classes import StepClasses
from .step_numbers import StepNumbers
from .step_targets import StepTargets
from .targets import Targets


def at_every_step(step: Targets, every: int, *, holes: bool = False) -> StepTargets:
    """Give targets of which every `every`-th step has one like `step`, or with `holes` none."""
    if isinstance(step, NumberTargets):
        return StepNumbers(step, every, holes)
    assert isinstance(step, ClassTargets)
    return StepClasses(step, every, holes)
