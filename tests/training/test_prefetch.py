"""Batches on their way to a device, and what can be told of it without a GPU."""

import threading
from contextlib import contextmanager, nullcontext

import torch

from sklearn_physrnn.training import _prefetch
from sklearn_physrnn.training._prefetch import prefetched

CPU, META = torch.device("cpu"), torch.device("meta")


def test_batches_arrive_in_order_and_whole():
    batches = [({"x": torch.full((2,), float(i))}, (torch.tensor([i]), None)) for i in range(5)]
    arrived = list(prefetched(iter(batches), META))
    assert [inputs["x"].device for inputs, _ in arrived] == [META] * 5
    assert all(weights is None for _, (_, weights) in arrived)
    arrived = list(prefetched(iter(batches), CPU))
    assert [int(y) for _, (y, _) in arrived] == [0, 1, 2, 3, 4]
    assert list(prefetched(iter(()), CPU)) == []


class _Leaf:
    """Stands for a tensor on its way, and notes what is done to it."""

    def __init__(self, name, log):
        self.name, self.log = name, log

    def sent(self, device):
        self.log.append(f"copy {self.name}")
        return self

    def record_stream(self, stream):
        self.log.append(f"keep {self.name} for {stream.name}")


class _Stream:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def record_event(self):
        return len([line for line in self.log if line.startswith("copy")])

    def wait_event(self, event):
        self.log.append(f"{self.name} waits for {event} copies")


def test_a_copy_runs_ahead_on_a_stream_of_its_own(monkeypatch):
    log = []
    streams = {name: _Stream(name, log) for name in ("side", "main")}
    entered = []

    @contextmanager
    def stream(which):
        entered.append(which.name)
        yield

    monkeypatch.setattr(_prefetch, "side_stream", lambda device: streams["side"])
    monkeypatch.setattr(_prefetch, "_sent", _Leaf.sent)
    monkeypatch.setattr(torch.cuda, "stream", stream)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: streams["main"])
    for batch in prefetched((_Leaf(i, log) for i in "abc"), torch.device("cuda")):
        log.append(f"learn from {batch.name}")
    assert entered == ["side"] * 3
    assert log == [
        "copy a", "copy b",
        "main waits for 1 copies", "keep a for main", "learn from a",
        "copy c",
        "main waits for 2 copies", "keep b for main", "learn from b",
        "main waits for 3 copies", "keep c for main", "learn from c",
    ]  # fmt: skip


def test_what_is_sent_is_dense(monkeypatch):
    # Only that is copied straight from pinned memory, which there is none of without a GPU.
    sent = []

    def empty_like(x, *, pin_memory):
        assert pin_memory
        sent.append(torch.zeros_like(x))
        return sent[-1]

    monkeypatch.setattr(torch, "empty_like", empty_like)
    trimmed = torch.randn(4, 10, 3)[:, :6]
    window = torch.randn(60, 3).unfold(0, 7, 1)[torch.arange(5)].transpose(1, 2)[:, :5]
    for x in (trimmed, window):
        assert torch.equal(_prefetch._sent(x, CPU), x)
        assert torch.ops.aten.is_non_overlapping_and_dense(sent[-1])


def test_one_stream_for_all_epochs(monkeypatch):
    # The allocator keeps what a stream has used for it alone.
    made = []

    def stream(device):
        made.append(device)
        return _Stream("side", [])

    monkeypatch.setattr(_prefetch, "_own", threading.local())
    monkeypatch.setattr(torch.cuda, "Stream", stream)
    monkeypatch.setattr(torch.cuda, "stream", lambda which: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: _Stream("main", []))
    for _ in range(3):
        list(prefetched([None, None], torch.device("cuda")))
    assert made == [torch.device("cuda:0")]
