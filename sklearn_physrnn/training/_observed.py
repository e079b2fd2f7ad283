"""Somebody outside who is told of epochs, and may end training."""

from typing import Protocol

import torch
from skorch.callbacks import Callback

from ._callbacks import StopTraining


class Observer(Protocol):
    """Who is told of epochs."""

    stopped: bool

    def epoch_begins(self) -> None:
        """Before an epoch's first batch."""

    def epoch_ends(self, module: torch.nn.Module) -> None:
        """After its validation; may set `stopped`."""


class Observed(Callback):
    """Tell an observer of epochs."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    def on_epoch_begin(self, net, **kwargs):
        self.observer.epoch_begins()

    def on_epoch_end(self, net, **kwargs):
        self.observer.epoch_ends(net.module_)


class StopIfAsked(Callback):
    """Stop after an epoch if an observer asked for it."""

    def __init__(self, observer: Observer) -> None:
        self.observer = observer

    def on_epoch_end(self, net, **kwargs):
        stopped = self.observer.stopped
        if net.group is not None:
            stopped = net.group.agreed("whether to stop", stopped)
        if stopped:
            raise StopTraining
