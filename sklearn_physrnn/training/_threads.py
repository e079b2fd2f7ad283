"""How many of torch's threads a training step is worth."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ._data import Samples, steps_per_sample

# Multiply-adds of a batch's forward pass, roughly a millisecond of training step on one
# core. Below it a second thread gains nothing; on a busy machine it costs up to ten
# times, since OpenMP's threads wait for each other at every small operation.
_WORTH_SHARING = 10_000_000

_lock = threading.Lock()
_users = 0
_before = 1


def work_per_batch(module: nn.Module, samples: Samples, batch_size: int) -> int:
    """Estimate the multiply-adds of one forward pass: parameters x rows x steps."""
    positions = batch_size * steps_per_sample(samples.inputs["x"])
    return positions * sum(p.numel() for p in module.parameters())


@contextmanager
def sensible_threads(work: int) -> Iterator[None]:
    """One torch thread for small `work`; the former number when the last user leaves."""
    global _users, _before
    if work >= _WORTH_SHARING:
        yield
        return
    with _lock:
        if _users == 0:
            _before = torch.get_num_threads()
        _users += 1
        torch.set_num_threads(1)
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                torch.set_num_threads(_before)
