"""Batches on their way to a device while the one before is learned from."""

import threading
from collections.abc import Iterable, Iterator
from typing import Any

import torch

from ..nn._packing import Packing
from ._device import with_index

_own = threading.local()


def side_stream(device: torch.device) -> torch.cuda.Stream:
    """Give the thread's stream beside the default: the allocator keeps their memory apart."""
    device = with_index(device)
    streams = _own.__dict__.setdefault("streams", {})
    if device not in streams:
        streams[device] = torch.cuda.Stream(device)
    return streams[device]


def _sent(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    # Dense, which a trimmed batch is not: torch copies no other layout straight from pinned
    # memory. The caching allocator of pinned memory keeps it until the copy is done.
    return torch.empty_like(x, pin_memory=True).copy_(x).to(device, non_blocking=True)


def prefetched(batches: Iterable[Any], device: torch.device) -> Iterator[Any]:
    """Yield `batches`, which are in the host's memory, on `device`.

    To a CUDA device they are copied from pinned memory, on a stream of their own, one
    ahead of what is asked for: gathering and copying a batch overlap with the GPU's work
    on the one before, and neither side waits for the other.

    Parameters
    ----------
    batches : iterable of tensors, packings, None, and tuples and dicts of them
        A packing stays as it is.
    device : torch.device
    """
    if device.type != "cuda":
        for batch in batches:
            yield _map(lambda x: x.to(device), batch)
        return
    stream = side_stream(device)
    ahead = None
    for batch in batches:
        with torch.cuda.stream(stream):
            moved = _map(lambda x: _sent(x, device), batch)
        arrived = stream.record_event()
        if ahead is not None:
            yield _received(*ahead, device)
        ahead = moved, arrived
    if ahead is not None:
        yield _received(*ahead, device)


def _received(batch: Any, arrived: torch.cuda.Event, device: torch.device) -> Any:
    current = torch.cuda.current_stream(device)
    current.wait_event(arrived)
    # Its memory belongs to the other stream, which must not use it again too early.
    _map(lambda x: x.record_stream(current), batch)
    return batch


def _map(function: Any, batch: Any) -> Any:
    if isinstance(batch, dict):
        return {name: _map(function, x) for name, x in batch.items()}
    if isinstance(batch, tuple):
        return tuple(_map(function, x) for x in batch)
    return batch if batch is None or isinstance(batch, Packing) else function(batch)
