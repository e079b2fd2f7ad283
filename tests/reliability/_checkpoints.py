"""Trainings that are stopped or killed."""

import os
import signal
import time

from skorch.callbacks import Callback

from sklearn_physrnn.training import _saving


def save_every_epoch(monkeypatch):
    monkeypatch.setattr(_saving, "INTERVAL", 0.0)
    monkeypatch.setattr(_saving, "_SHARE", float("inf"))


class Stop(Callback):
    """End the training at the beginning of an epoch, as a person or a fault would."""

    def __init__(self, epoch=5, error=None):
        self.epoch, self.error = epoch, error

    def on_epoch_begin(self, net, **kwargs):
        if net.history[-1]["epoch"] == self.epoch:
            if self.error is not None:
                raise self.error
            signal.raise_signal(signal.SIGINT)


def kill_after(path, n_saves, pause, estimator, fit, method="fit"):
    """Fit in a child process; kill it a moment after it saved `n_saves` times."""
    child = os.fork()
    if child == 0:
        try:
            getattr(estimator, method)(**fit)
            os._exit(0)
        finally:
            os._exit(1)

    def version():
        try:
            found = os.stat(path)
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns

    last, deadline = version(), time.monotonic() + 60
    while n_saves and time.monotonic() < deadline:
        if version() != last:
            last, n_saves = version(), n_saves - 1
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            assert os.waitstatus_to_exitcode(status) == 0  # too fast, and no error
            return False
        time.sleep(2e-4)
    time.sleep(pause)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
