"""A graph keeps the memory of a step: it is recorded where that is there twice."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import torch

from sklearn_physrnn.training import _graphs

GB = 2**30


class _Generator:
    def clone_state(self):
        return self

    def graphsafe_set_state(self, state):
        assert state is self


@pytest.fixture
def card(monkeypatch):
    """What a card of 80 GB holds, 5 of which other processes have."""
    memory = {"allocated": 2 * GB}

    def empty_cache():
        memory["reserved"] = memory["allocated"]

    fakes = {
        "default_generators": [_Generator()],
        "graph_pool_handle": lambda: (0, 1),
        "device": lambda device: nullcontext(),
        "synchronize": lambda: None,
        "memory_reserved": lambda: memory["reserved"],
        "memory_allocated": lambda: memory["allocated"],
        "empty_cache": empty_cache,
        "mem_get_info": lambda: (75 * GB - memory["reserved"], 80 * GB),
    }
    for name, fake in fakes.items():
        monkeypatch.setattr(torch.cuda, name, fake)
    return memory


@pytest.mark.parametrize(("reserved", "fits"), [(38, True), (39, False)])
def test_for_twice_a_step(reserved, fits, card, monkeypatch):
    # 2 GB are data and weights, all the rest was a step's: 36 or 37 of the 73 that are left.
    card["reserved"] = reserved * GB
    replay = object()
    recorder = _graphs.CudaGraphs(torch.device("cuda", 0), [])
    monkeypatch.setattr(recorder, "_graph_of", lambda work: SimpleNamespace(replay=replay))
    if fits:
        assert recorder.record(print) is replay
    else:
        with pytest.raises(RuntimeError, match="no memory for a graph"):
            recorder.record(print)
