"""Data of both kinds that trainings take, and a torch module for each."""

import torch
from torch import nn

from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._engine import TrainingOptions, train
from sklearn_physrnn.training._losses import PerWindow, SquaredError
from sklearn_physrnn.training._windows import Windows

CPU = torch.device("cpu")


class _Sum(nn.Module):
    """A linear map of the sum over a sequence's own steps."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(2, 1)

    def forward(self, x, *, lengths):
        return self.map(lengths.in_order([group.sum(1) for group in lengths.spread(x)]))


class _Window(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(5, 2)

    def forward(self, x, *, features):
        return self.map(x.transpose(1, 2)).transpose(1, 2).unsqueeze(-1) + features.mean()


def _ragged():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 10, (23,), generator=generator)
    x = torch.randn(int(lengths.sum()), 2, generator=generator)
    y = torch.randn(23, 1, generator=generator)
    weights = torch.rand(23, generator=generator)
    return Samples({"x": x, "lengths": lengths}, y, weights / weights.mean())


def _windows():
    generator = torch.Generator().manual_seed(0)
    values, features = (torch.randn(60, n, generator=generator) for n in (3, 2))
    return Windows(values, torch.arange(50), 5, 2, features)


def _options(device=CPU, **changes):
    options = {"max_epochs": 3, "batch_size": 4, "learning_rate": 0.01, "seed": 0}
    return TrainingOptions(**options | changes, device=device)


def _trained(samples, module, criterion, device=CPU):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = module()
    record = train(module, criterion, samples, _options(device), validation=samples)
    return record, [*module.parameters()]


CASES = {
    "samples": (_ragged, _Sum, SquaredError()),
    "windows": (_windows, _Window, PerWindow(SquaredError())),
}
