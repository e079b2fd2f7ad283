"""A small thread pool that runs a kernel on shards of the batch.

Numba's own ``parallel=True`` is not used: its workqueue layer ends the process
when two Python threads enter it, and its OpenMP layer ends a child forked after
first use. Our kernels release the GIL, so plain threads are enough.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise

import torch

# A submit costs about 30 microseconds; below some 100 microseconds of work at
# roughly one elementary operation a nanosecond, sharing it costs more than it saves.
_MIN_OPERATIONS_PER_SHARD = 100_000
_MAX_SHARDS = 16

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None
_pool_size = 0
_within = threading.local()


def _forget_pool() -> None:
    # The threads of the parent do not exist in a forked child.
    global _lock, _pool, _pool_size
    _lock = threading.Lock()
    _pool, _pool_size = None, 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _get_pool(size: int) -> ThreadPoolExecutor:
    global _pool, _pool_size
    with _lock:
        if _pool is None or _pool_size != size:
            # A pool of another size is left to finish what it was given.
            _pool = ThreadPoolExecutor(size, thread_name_prefix="physrnn-kernel")
            _pool_size = size
        return _pool


@contextmanager
def kernel_threads(number: int) -> Iterator[None]:
    """Run the kernels that this thread calls on `number` threads, whatever torch is set to."""
    before = getattr(_within, "number", None)
    _within.number = number
    try:
        yield
    finally:
        _within.number = before


def available() -> int:
    """Threads for a kernel that this thread calls: torch's number, or `kernel_threads`'."""
    return getattr(_within, "number", None) or torch.get_num_threads()


def shards(n_rows: int, operations_per_row: float) -> list[tuple[int, int]]:
    """Cut `n_rows` into ranges ``(start, stop)`` worth a thread of their own.

    The cut depends on the size of the work alone, never on the number of threads:
    sums over shards then give the same bits on one thread as on many.
    """
    n_shards = int(n_rows * operations_per_row / _MIN_OPERATIONS_PER_SHARD)
    n_shards = max(1, min(n_shards, _MAX_SHARDS, n_rows))
    bounds = [n_rows * i // n_shards for i in range(n_shards + 1)]
    return list(pairwise(bounds))


def run(function: Callable[[int, int, int], None], pieces: list[tuple[int, int]]) -> None:
    """Call ``function(index, start, stop)`` for every piece, on several threads.

    `function` has to release the GIL to gain anything. The caller's own thread is one of
    the `available` ones. The first exception of a piece is raised here, after all have
    ended.
    """
    size = available()
    n_threads = min(size, len(pieces))
    if n_threads == 1:
        for index, (start, stop) in enumerate(pieces):
            function(index, start, stop)
        return

    remaining = iter(enumerate(pieces))
    take = threading.Lock()

    def work() -> None:
        while True:
            with take:
                item = next(remaining, None)
            if item is None:
                return
            index, (start, stop) = item
            function(index, start, stop)

    pool = _get_pool(size)
    helpers = [pool.submit(work) for _ in range(n_threads - 1)]
    try:
        work()
    finally:
        for helper in helpers:
            helper.exception()  # waits, without raising
    for helper in helpers:
        helper.result()
