"""The training engine against a bare torch loop that does the same updates.

Not part of the default suite; run ``pytest tests/performance/test_engine_overhead.py``.
"""

import time
from statistics import median

import pytest
import torch
from torch import nn

from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._engine import TrainingOptions, train
from sklearn_physrnn.training._losses import SquaredError

N, N_FEATURES, BATCH_SIZE, N_EPOCHS = 20_000, 8, 256, 5


class MLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(N_FEATURES, 64), nn.Tanh(), nn.Linear(64, 1))

    def forward(self, x):
        return self.layers(x)


@pytest.fixture
def data():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    x = torch.randn(N, N_FEATURES)
    yield x, x.sin().sum(1, keepdim=True)
    torch.set_num_threads(before)


def _bare(x, y):
    module = MLP().train()
    optimizer = torch.optim.AdamW(module.parameters(), 0.01, fused=True)
    for _ in range(N_EPOCHS):
        total = torch.zeros(())
        for rows in torch.randperm(N).split(BATCH_SIZE):
            optimizer.zero_grad()
            loss = (module(x[rows]) - y[rows]).square().mean()
            loss.backward()
            optimizer.step()
            total += loss.detach() * len(rows)
        total.item()


def _engine(x, y):
    options = TrainingOptions(
        max_epochs=N_EPOCHS,
        batch_size=BATCH_SIZE,
        learning_rate=0.01,
        device=torch.device("cpu"),
        seed=0,
        schedule="one_cycle",
    )
    train(MLP(), SquaredError(), Samples({"x": x}, y), options)


@pytest.mark.parametrize("loop", [_bare, _engine], ids=["bare", "engine"])
def test_training(benchmark, data, loop):
    benchmark.pedantic(loop, data, rounds=5, warmup_rounds=1)


def test_at_most_a_quarter_more_than_a_bare_loop(data, capsys):
    times = {_bare: [], _engine: []}
    for round_ in range(12):
        for loop, spent in times.items():
            start = time.perf_counter()
            loop(*data)
            if round_:
                spent.append((time.perf_counter() - start) / N_EPOCHS)
    ratios = [engine / bare for bare, engine in zip(*times.values(), strict=True)]
    with capsys.disabled():
        print(
            f"\nan epoch, one thread: bare loop {1e3 * median(times[_bare]):.0f} ms, engine "
            f"{1e3 * median(times[_engine]):.0f} ms, {median(ratios):.2f} times "
            f"(of minima: {min(times[_engine]) / min(times[_bare]):.2f})"
        )
    assert median(ratios) <= 1.25
