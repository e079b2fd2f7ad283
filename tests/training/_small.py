"""A small torch module, data for it, and callbacks that watch and disturb its training."""

import signal

import torch
from skorch.callbacks import Callback
from torch import nn

from sklearn_physrnn.training import _engine
from sklearn_physrnn.training._data import Samples
from sklearn_physrnn.training._engine import TrainingOptions
from sklearn_physrnn.training._losses import SquaredError


class Net(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, hidden), nn.Tanh(), nn.Linear(hidden, 1))

    def forward(self, x):
        return self.layers(x)


def _net(seed=0, **parameters):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Net(**parameters)


def _samples(n=70, seed=0, noise=0.0, weights=None):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=g)
    y = x[:, :1] * x[:, 1:2] + noise * torch.randn(n, 1, generator=g)
    return Samples({"x": x}, y, weights)


def _options(**changes):
    return TrainingOptions(
        **{
            "max_epochs": 5,
            "batch_size": 32,
            "learning_rate": 0.01,
            "device": torch.device("cpu"),
            "seed": 0,
            **changes,
        }
    )


def _train(module=None, samples=None, *, validation=None, scorer=None, state=None, **options):
    module = _net() if module is None else module
    samples = _samples() if samples is None else samples
    record = _engine.train(
        module,
        SquaredError(),
        samples,
        _options(**options),
        validation=validation,
        scorer=scorer,
        optimizer_state=state,
    )
    return module, record


@torch.no_grad()
def _loss(module, samples):
    return (module(**samples.inputs) - samples.targets).square().mean().item()


class Watch(Callback):
    def __init__(self):
        self.calls, self.rates, self.norms, self.weights = [], [], [], []

    def on_train_begin(self, net, **kwargs):
        self.calls.append("begin")

    def on_batch_end(self, net, training=False, **kwargs):
        if training:
            self.rates.append(net.optimizer_.param_groups[0]["lr"])

    def on_epoch_end(self, net, **kwargs):
        self.calls.append(net.history[-1]["epoch"])
        self.weights.append([p.detach().clone() for p in net.module_.parameters()])

    def on_train_end(self, net, **kwargs):
        self.calls.append("end")


class Raise(Callback):
    def __init__(self, error, epoch, batch=False):
        self.error, self.epoch, self.batch = error, epoch, batch

    def on_epoch_end(self, net, **kwargs):
        if not self.batch and net.history[-1]["epoch"] == self.epoch:
            raise self.error

    def on_batch_begin(self, net, **kwargs):
        if self.batch and net.history[-1]["epoch"] == self.epoch:
            raise self.error


class Interrupt(Callback):
    """Press Ctrl-C in an epoch: in its first batch, or between the epochs."""

    def __init__(self, epoch, batch=False):
        self.epoch, self.batch = epoch, batch

    def on_epoch_end(self, net, **kwargs):
        if not self.batch and net.history[-1]["epoch"] == self.epoch:
            signal.raise_signal(signal.SIGINT)

    def on_batch_end(self, net, **kwargs):
        if self.batch and net.history[-1]["epoch"] == self.epoch:
            signal.raise_signal(signal.SIGINT)
