"""Work on a GPU recorded as CUDA graphs, for :mod:`._capture`."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import torch

from ._prefetch import side_stream

Work = Callable[[], None]

_one_at_a_time = threading.Lock()  # torch knows of one recording in a process


class Recorder(Protocol):
    """What records work on a device."""

    device: torch.device

    def record(self, work: Work) -> Work:
        """Record `work`, without doing it; give what does it."""


class CudaGraphs:
    """Records CUDA graphs, which share their memory.

    Parameters
    ----------
    device : torch.device
        A CUDA device, with its index.
    generators : sequence of torch.Generator
        Of that device, from which the work draws. Replays draw on from where they are;
        if recording fails they are as before.
    """

    def __init__(self, device: torch.device, generators: Sequence[torch.Generator]) -> None:
        self.device = device
        self.generators = generators
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, work: Work) -> Work:
        """Record `work`, without doing it; give what does it.

        Raises
        ------
        RuntimeError
            If there is too little memory, or the work cannot be recorded.
        """
        # Torch's own generator takes part in every graph. One that fails leaves it, too, unfit.
        own = torch.cuda.default_generators[self.device.index]
        states = [(generator, generator.clone_state()) for generator in (own, *self.generators)]
        with _one_at_a_time, torch.cuda.device(self.device):
            self._make_room()
            try:
                return self._graph_of(work).replay
            except BaseException:
                for generator, state in states:
                    generator.graphsafe_set_state(state)
                raise

    def _make_room(self) -> None:
        # Memory that torch keeps for whoever asks next is what a step takes, or more. A graph
        # cannot get hold of it, and has as much of its own; a step beside it needs it again.
        kept = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        if torch.cuda.mem_get_info()[0] < 2 * kept:
            raise RuntimeError("there is no memory for a graph beside a step")

    def _graph_of(self, work: Work) -> torch.cuda.CUDAGraph:
        graph = torch.cuda.CUDAGraph()
        for generator in self.generators:
            graph.register_generator_state(generator)
        ended = False
        with torch.cuda.stream(side_stream(self.device)):
            graph.capture_begin(pool=self._pool, capture_error_mode="thread_local")
            try:
                work()
            finally:
                try:
                    graph.capture_end()
                    ended = True
                finally:
                    if not ended:
                        self._leave_pool()
        return graph

    def _leave_pool(self) -> None:
        # Torch ends in the middle here, and the allocator would free no memory any more.
        for leave in (torch._C._cuda_endAllocateToPool, torch._C._cuda_releasePool):
            with suppress(RuntimeError):
                leave(self.device.index, self._pool)


def recorder_for(device: torch.device, generators: Sequence[torch.Generator]) -> Recorder | None:
    """Give what records on `device`; None where nothing does."""
    return CudaGraphs(device, generators) if device.type == "cuda" else None
