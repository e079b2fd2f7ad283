"""How many of torch's threads a training step is worth."""

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn

from ..kernels._threads import kernel_threads
from ._data import Batches

# Multiply-adds of a batch's forward pass, roughly a millisecond of training step on one
# core. Below it a second thread gains nothing; on a busy machine it costs up to ten
# times, since OpenMP's threads wait for each other at every small operation.
_WORTH_SHARING = 10_000_000

_lock = threading.Lock()
_users = 0
_before = 1
_forked = False
_within = threading.local()


def _mark_fork() -> None:
    # Torch's OpenMP threads do not exist in a forked child, and GNU OpenMP waits for
    # them for ever: there, one thread is all that works.
    global _lock, _users, _forked
    _lock, _users, _forked = threading.Lock(), 0, True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_mark_fork)


def work_per_batch(module: nn.Module, samples: Batches, batch_size: int) -> int:
    """Estimate the multiply-adds of one forward pass: parameters x rows x steps."""
    return batch_size * samples.positions * sum(p.numel() for p in module.parameters())


@contextmanager
def sensible_threads(work: int, *, to_kernels: bool = False) -> Iterator[None]:
    """One torch thread for small `work`, or in a forked process; then as many as before.

    With `to_kernels`, large work has one torch thread too, and our kernels the others:
    OpenMP's threads spin for milliseconds after each operation of torch, on the cores that
    the kernels' threads want.

    Torch's number is each thread's own, but a thread takes over, when it first asks,
    what was last set anywhere. Asked while others are in here it would say 1.
    """
    global _users, _before
    shared = work >= _WORTH_SHARING and not _forked
    if getattr(_within, "one", False) or (shared and not to_kernels):
        yield
        return
    with _lock:
        own = torch.get_num_threads()
        if _users == 0:
            _before = own
        elif own == 1:
            own = _before
        _users += 1
        torch.set_num_threads(1)
    _within.one = True
    try:
        with kernel_threads(own if shared else 1):
            yield
    finally:
        _within.one = False
        with _lock:
            _users -= 1
            torch.set_num_threads(own)


def one_thread_in_a_fork() -> AbstractContextManager[None]:
    """One torch thread in a forked process; elsewhere as many as torch is set to."""
    return sensible_threads(0) if _forked else nullcontext()
