"""CUDA graphs of training steps, on a GPU."""

import re
import threading

import numpy as np
import pytest
import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile

from sklearn_physrnn import PETNNClassifier
from sklearn_physrnn.training import _engine, _graphs
from sklearn_physrnn.training._losses import SquaredError
from tests.families import takes_tables, through_each_kernel
from tests.helpers.backends import needs_gpu
from tests.helpers.recorder import LooksAtBatches
from tests.training._small import Net, _net, _options, _samples
from tests.training.test_steps_are_replayed import OPTIONS

pytestmark = [pytest.mark.gpu, needs_gpu]


@pytest.fixture
def graphs(monkeypatch):
    """Replays of every training so far."""
    made = []

    class Counting(_graphs.CudaGraphs):
        n_replayed = 0

        def record(self, work):
            replay = super().record(work)

            def counted():
                self.n_replayed += 1
                replay()

            return counted

    def recorder_for(device, generators):
        made.append(Counting(device, generators))
        return made[-1]

    monkeypatch.setattr(_engine, "recorder_for", recorder_for)
    return lambda: [recorder.n_replayed for recorder in made]


def _train(module=None, callbacks=(), dtype=torch.float32, **options):
    module = (_net() if module is None else module).to(dtype)

    def samples(n, seed):
        found = _samples(n, seed=seed)
        return type(found)({"x": found.inputs["x"].to(dtype)}, found.targets.to(dtype))

    options = {"max_epochs": 9, "batch_size": 16, **options}
    record = _engine.train(
        module, SquaredError(), samples(67, 0),
        _options(device=torch.device("cuda"), callbacks=callbacks, **options),
        validation=samples(20, 1), scorer=lambda outputs: float(outputs.mean()),
    )  # fmt: skip
    return module, record


@pytest.mark.parametrize("case", [*OPTIONS, "float32"])
def test_they_do_what_steps_do_that_are_launched_one_by_one(case, graphs):
    # Rounding, which Adam magnifies where a gradient is small. bfloat16's is of 4e-3.
    dtype, tolerance = torch.float64, 1e-9
    if case in ("half", "float32"):
        dtype, tolerance = torch.float32, {"half": 2e-2, "float32": 1e-3}[case]
    options = OPTIONS.get(case, {})
    module, record = _train(dtype=dtype, **options)
    expected, one_by_one = _train(dtype=dtype, callbacks=[LooksAtBatches()], **options)
    replayed, eager = graphs()
    assert replayed > 12
    assert eager == 0
    assert record.learning_rate_curve == one_by_one.learning_rate_curve
    for curve in ("loss_curve", "validation_loss_curve", "validation_scores"):
        np.testing.assert_allclose(
            getattr(record, curve), getattr(one_by_one, curve), rtol=tolerance, atol=tolerance
        )
    for x, y in zip(module.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


OF_MODELS = {
    "hidden_size": 16, "max_iter": 4, "batch_size": 32, "dropout": 0.2, "random_state": 0,
    "device": "cuda", "early_stopping": True,
}  # fmt: skip
MODELS = [*through_each_kernel(**OF_MODELS), PETNNClassifier(**OF_MODELS, chunk_size=5)]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_of_every_family(model, graphs, rng):
    X = rng.normal(size=(200, 4) if takes_tables(model) else (200, 15, 3))
    y = (X[(slice(None), *[0] * (X.ndim - 1))] > 0).astype(int)
    losses = model.fit(X, y).loss_curve_
    one_by_one = model.set_params(callbacks=[LooksAtBatches()]).fit(X, y).loss_curve_
    model.set_params(callbacks=None)
    assert graphs()[0] > 8
    np.testing.assert_allclose(losses, one_by_one, rtol=1e-3)


def test_the_same_seed_gives_the_same_bits(rng):
    X = rng.normal(size=(200, 15, 3))
    y = X[:, 0, 0] > 0
    model = PETNNClassifier(**OF_MODELS)
    assert model.fit(X, y).loss_curve_ == model.fit(X, y).loss_curve_


class _Drops(nn.Module):
    """A network with dropout that waits for a value, if it is told to."""

    def __init__(self, waits):
        super().__init__()
        from sklearn_physrnn.nn._dropout import Dropout

        self.inner, self.dropout, self.waits = Net(), Dropout(0.5), waits

    def forward(self, x):
        x = self.dropout(x)
        if self.waits:
            x.sum().item()
        return self.inner(x)


def test_one_that_fails_leaves_the_gpu_and_its_generators_as_they_were(graphs):
    def trained(waits, **options):
        torch.manual_seed(0)
        return _train(_Drops(waits), **options)[1].loss_curve

    one_by_one = trained(False, callbacks=[LooksAtBatches()])
    failed = trained(True)
    torch.rand(3, device="cuda")  # torch's own generator
    np.testing.assert_allclose(failed, one_by_one, rtol=1e-3)
    np.testing.assert_allclose(trained(False), one_by_one, rtol=1e-3)
    assert [n > 0 for n in graphs()] == [False, False, True]
    # The allocator is not left in the middle of a graph, in which it would free nothing.
    torch.empty(2**26, dtype=torch.uint8, device="cuda")
    before = torch.cuda.memory_reserved()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_reserved() < before


def test_their_memory_is_given_back():
    def in_use():
        torch.cuda.empty_cache()
        return torch.cuda.memory_reserved()

    _train(_net(hidden=4096), batch_size=64, max_epochs=20)
    before = in_use()
    for _ in range(3):
        _train(_net(hidden=4096), batch_size=64, max_epochs=20)
    assert in_use() <= before


def _launches(max_epochs):
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiled:
        _train(max_epochs=max_epochs, batch_size=2)
    names = [event.name for event in profiled.events()]
    return [sum(bool(re.match(f"cu(da)?{call}", name)) for name in names)
            for call in ("GraphLaunch", "LaunchKernel")]  # fmt: skip


def test_a_step_is_one_launch():
    _launches(3)  # kernels are loaded
    graphs, kernels = np.subtract(_launches(8), _launches(4))
    # Four epochs more of 34 steps and a validation. Torch launches two kernels with a graph
    # for each of its random generators, and the engine some tens between epochs.
    assert graphs == 4 * 35
    assert kernels < 4 * (35 * 2 + 60)


def test_of_fits_in_several_threads():
    expected = _train()[1].loss_curve
    curves = []
    networks = [_net() for _ in range(4)]  # drawn by torch's generator, which all threads share
    threads = [
        threading.Thread(target=lambda net=net: curves.append(_train(net)[1].loss_curve))
        for net in networks
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(curves) == 4
    for curve in curves:
        np.testing.assert_allclose(curve, expected, rtol=1e-3)
