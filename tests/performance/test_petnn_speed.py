"""Time of a training step of nn.PETNN against torch's LSTM and the reference loop.

Not part of the default suite; run ``pytest tests/performance/test_petnn_speed.py``.
Compare rows of one run: ``--benchmark-group-by=param:shape,param:threads`` and the
minimum or the median, never figures of two runs.
"""

import pytest
import torch
from torch import nn

from sklearn_physrnn.kernels.petnn import petnn
from sklearn_physrnn.nn.petnn import PETNN

pytest.importorskip("pytest_benchmark")

SHAPES = [(32, 192, 16, 64), (128, 28, 28, 64), (64, 500, 1, 128)]


class _Reference(PETNN):
    def forward(self, x):
        zeros = x.new_zeros(len(x), self.hidden_size)
        return petnn(x, *self._weights(0), (zeros, zeros, zeros + 1), backend="reference")


MODELS = {
    "lstm": lambda i, h: nn.LSTM(i, h, batch_first=True),
    "petnn": lambda i, h: PETNN(i, h),
    "petnn_hard": lambda i, h: PETNN(i, h, release="hard"),
    "reference": _Reference,
}


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("model", MODELS)
def test_training_step(benchmark, model, shape, threads):
    batch, time, n_inputs, n_hidden = shape
    layer, x = MODELS[model](n_inputs, n_hidden), torch.randn(batch, time, n_inputs)

    def step():
        layer.zero_grad()
        layer(x)[0].sum().backward()

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        slow = model == "reference" or time == 500
        benchmark.pedantic(step, rounds=5 if slow else 40, warmup_rounds=2)
    finally:
        torch.set_num_threads(before)
