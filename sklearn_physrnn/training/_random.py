"""Randomness that leaves no trace: torch's global generators are as before afterwards."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

MAX_SEED = np.iinfo(np.int32).max  # of those drawn from a user's random_state

_lock = threading.RLock()
_users = 0
_saved: tuple[torch.Tensor, list[torch.Tensor]] | None = None


def _forget_users() -> None:
    # The threads of the parent, which may have been in here, are not in a forked child.
    global _lock, _users, _saved
    _lock, _users, _saved = threading.RLock(), 0, None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_users)


def _cuda_in_use() -> bool:
    return torch.cuda.is_available() and torch.cuda.is_initialized()


@contextmanager
def preserved_global_state() -> Iterator[None]:
    """Put torch's global generators back when the last of several threads leaves."""
    global _users, _saved
    with _lock:
        if _users == 0:
            cuda = torch.cuda.get_rng_state_all() if _cuda_in_use() else []
            _saved = torch.get_rng_state(), cuda
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _saved is not None:
                torch.set_rng_state(_saved[0])
                if _saved[1]:
                    torch.cuda.set_rng_state_all(_saved[1])
                _saved = None


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators for a short stretch, one thread at a time.

    Weights are drawn inside. What needs randomness for longer takes a
    ``torch.Generator`` of its own, so that fits in several threads do not mix.
    """
    with _lock, preserved_global_state():
        # torch.manual_seed would also seed CUDA's generators, once CUDA starts, after all this.
        torch.default_generator.manual_seed(seed)
        yield


def later_seed(seed: int, n_epochs: int) -> int:
    """Give the seed of a training that goes on after `n_epochs`.

    With the seed of the one before, it would draw the same batches and the same dropout
    masks again, call after call.
    """
    return int(np.random.SeedSequence((seed, n_epochs)).generate_state(1)[0]) >> 1
