"""A limit of time, to which the schedule of the learning rate is scaled."""

import time
from collections.abc import Callable

from skorch.callbacks import Callback

from ._callbacks import Schedule, StopTraining

_SHARE = 0.96  # of the time left that is planned with: the rest is for what comes after training
_PLAN_EVERY = 0.05  # of the time left, at least, between two plans within an epoch


class TimeLimit(Callback):
    """Let training end in time, with a schedule that has come to its end.

    The pace is measured from the first step's end on, which may compile something. How many
    steps the time left is good for is estimated anew all the time, and the rest of the schedule
    drawn together to that many, or apart again, to no more than was asked for.

    Parameters
    ----------
    schedule : Schedule
    deadline : float
        As the clock tells the time.
    clock : callable or None
        Of all processes that train together, if they do.
    """

    def __init__(
        self,
        schedule: Schedule,
        deadline: float,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.schedule, self.deadline = schedule, deadline
        self.clock = clock or (lambda: time.monotonic())

    def on_train_begin(self, net, **kwargs):
        self._began: float | None = None

    def ends_epoch(self) -> bool:
        """After a step: tell whether there is no time for another."""
        now = self.clock()
        if self._began is None:
            self._began, self._first = now, self.schedule.n_steps
            self._planned = now
        elif now - self._planned > _PLAN_EVERY * (self.deadline - now):
            self._plan(now)
        return self.schedule.ended or now >= self.deadline

    def on_epoch_end(self, net, **kwargs):
        now = self.clock()
        if self._began is None:  # where steps are replayed nobody asks in between
            self._began, self._first = now, self.schedule.n_steps
        else:
            self._plan(now)
        if self.schedule.ended or now >= self.deadline:
            raise StopTraining

    def _plan(self, now: float) -> None:
        assert self._began is not None
        n_steps = self.schedule.n_steps - self._first
        if n_steps:
            pace = (now - self._began) / n_steps
            self.schedule.fit_into(int(_SHARE * (self.deadline - now) / pace))
        self._planned = now
