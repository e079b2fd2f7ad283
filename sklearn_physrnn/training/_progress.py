"""What ``verbose`` prints while training goes on."""

import time

from skorch.callbacks import Callback


class Progress(Callback):
    """Print epoch, losses and the time left, every `every` epochs."""

    def __init__(self, every: int = 1, deadline: float | None = None) -> None:
        self.every = every
        self.deadline = deadline

    def on_train_begin(self, net, **kwargs):
        self._first = None

    def on_epoch_begin(self, net, **kwargs):
        if self._first is None:  # not 1 where an earlier training is continued
            self._first = net.history[-1]["epoch"]
            self._start = time.perf_counter()

    def on_epoch_end(self, net, **kwargs):
        epoch = net.history[-1]
        done, total = epoch["epoch"], net.max_epochs
        if done % self.every and done != total:
            return
        pace = (time.perf_counter() - self._start) / (done - self._first + 1)
        left = pace * (total - done)
        if self.deadline is not None:
            left = min(left, max(self.deadline - time.monotonic(), 0.0))
        valid = f", validation loss {epoch['valid_loss']:.5g}" if "valid_loss" in epoch else ""
        print(
            f"Epoch {done}/{total}: training loss {epoch['train_loss']:.5g}{valid}, "
            f"at most {left:.0f} s left"
        )
