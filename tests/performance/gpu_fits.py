"""Fits on a GPU: a step in them against the card's busy time, whole ones, and where they pay."""

import math
import time
from statistics import median
from typing import Any

import numpy as np
import torch
from gpu_bench import Bench, Table
from skorch.callbacks import Callback
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from sklearn_physrnn import DynPMNNRegressor, HSSMClassifier, PETNNClassifier

# Samples, and steps and channels or columns; of the public data sets of these names.
SCP1 = 268, 896, 6
MNIST_ROWS = 60_000, 28, 28
CALIFORNIA = 14_448, 8

BY_ROWS = {
    "hidden_size": 120, "batch_size": 128, "learning_rate_init": 0.01, "alpha": 0.01,
    "release": "surrogate", "readout": "max", "dropout": 0.2, "scale_inputs": False,
}  # fmt: skip
RICH = {
    "hidden_size": 64, "n_members": 8, "n_frequencies": 24, "embedding_dim": 8,
    "frequency_scale": 1.0, "learning_rate_init": 0.01,
}  # fmt: skip


class Clock(Callback):
    """Notes when epochs end, and how many steps they have."""

    def on_train_begin(self, net, **kwargs):
        self.ends: list[float] = []

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        self.ends.append(time.perf_counter())
        self.n_steps = -(-len(dataset_train) // net.batch_size)

    @property
    def step(self) -> float:
        """Median seconds of a step, the first two epochs left out."""
        durations = np.diff(self.ends[1:])
        return median(durations.tolist()) / self.n_steps


class OneByOne(Callback):
    """Has a hook of batches: steps are not replayed."""

    def on_batch_end(self, net, **kwargs):
        pass


def _data(*shape: int, n_classes: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=shape).astype(np.float32)
    y = X[:, 0] if X.ndim == 2 else X[:, :, 0].mean(1)
    if n_classes is None:
        return X, np.sin(3 * y)
    edges = np.quantile(y, np.linspace(0, 1, n_classes + 1)[1:-1])
    return X, np.digitize(y, edges)


def _busy(bench: Bench, fit: Any) -> float:
    """Seconds for which the card worked during `fit`."""
    if bench.device.type != "cuda":
        start = time.perf_counter()
        fit()
        return time.perf_counter() - start
    with profile(activities=[ProfilerActivity.CUDA]) as profiled:
        fit()
        torch.cuda.synchronize()
    averages = profiled.key_averages()
    return 1e-6 * sum(
        x.self_device_time_total for x in averages if x.device_type == DeviceType.CUDA
    )


def inside_fits(bench: Bench, table: Table) -> None:
    """A training step inside ``fit``, replayed and launched one by one: the card's busy time."""
    n_rows = bench.size(12_800, 64)
    cases: dict[str, tuple[Any, tuple[np.ndarray, np.ndarray], int]] = {
        "HSSM, SCP1": (
            HSSMClassifier(hidden_size=64, state_size=bench.size(256, 4), num_blocks=6),
            _data(bench.size(SCP1[0], 64), bench.size(SCP1[1], 8), SCP1[2], n_classes=2),
            bench.size(12, 5),
        ),
        "PETNN, MNIST by rows": (
            PETNNClassifier(**BY_ROWS), _data(n_rows, *MNIST_ROWS[1:], n_classes=10), 5,
        ),
        "DynPMNN, California rich": (
            DynPMNNRegressor(**RICH), _data(bench.size(CALIFORNIA[0], 100), 8), 6,
        ),
    }  # fmt: skip
    for name, (model, data, epochs) in cases.items():
        clock = Clock()
        model.set_params(device=str(bench.device), max_iter=epochs, random_state=0)
        model.set_params(early_stopping=False, callbacks=[clock])

        def fit(model=model, data=data) -> None:
            model.fit(*data)

        model.set_params(max_iter=2).fit(*data)  # compiles
        model.set_params(max_iter=epochs)
        fit()
        replayed = clock.step
        busy = _busy(bench, fit) / (clock.n_steps * epochs)
        table.speed(f"{name}: a step inside fit: the card's busy time", replayed, busy,
                    f"{replayed / busy:.2f} times", "1.3")  # fmt: skip
        model.set_params(callbacks=[clock, OneByOne()], max_iter=4)
        fit()
        table.speed(f"{name}: a step launched one by one: replayed", clock.step, replayed,
                    f"{clock.step / replayed:.2f} times")  # fmt: skip


def mnist(bench: Bench, table: Table) -> None:
    """Twenty epochs on data of MNIST's size, by the wall's clock."""
    data = _data(bench.size(MNIST_ROWS[0], 64), *MNIST_ROWS[1:], n_classes=10)
    model = PETNNClassifier(**BY_ROWS, max_iter=bench.size(20, 2), random_state=0)
    model.set_params(device=str(bench.device), callbacks=[clock := Clock()])
    start = time.perf_counter()
    model.fit(*data)
    seconds = time.perf_counter() - start
    epochs = clock.ends[-1] - clock.ends[0]
    table.speed("MNIST by rows, 20 epochs, the whole fit: from the first epoch's end", seconds,
                epochs, f"{seconds:.1f} s", "12 s")  # fmt: skip


def where_it_pays(bench: Bench, table: Table) -> None:
    """Steps of small fits on the card and on the CPU, by the multiply-adds of a batch."""
    sizes = [(16, 64), (64, 256)]
    sequences = [(8, 32, 16), (32, 32, 64)]
    cases: list[tuple[str, Any, tuple[np.ndarray, np.ndarray], int]] = [
        (f"DynPMNN {hidden}, batch {batch}", DynPMNNRegressor(hidden_size=hidden),
         _data(batch * 10, 8), batch)
        for hidden, batch in sizes
    ] + [
        (f"PETNN {hidden}, {batch} x {n_steps}", PETNNClassifier(hidden_size=hidden),
         _data(batch * 10, n_steps, 4, n_classes=2), batch)
        for hidden, batch, n_steps in sequences
    ] + [
        (f"HSSM {hidden}, {batch} x {n_steps}", HSSMClassifier(hidden_size=hidden,
         state_size=hidden, num_blocks=2), _data(batch * 10, n_steps, 4, n_classes=2), batch)
        for hidden, batch, n_steps in sequences
    ]  # fmt: skip
    for name, model, (X, y), batch in cases[: bench.size(len(cases), 1)]:
        seconds, works = [], 0.0
        for device in (str(bench.device), "cpu"):
            clock = Clock()
            model.set_params(device=device, batch_size=batch, random_state=0)
            model.set_params(early_stopping=False, max_iter=5, callbacks=[clock]).fit(X, y)
            seconds.append(clock.step)
            weights = sum(p.numel() for p in model.module_.parameters())
            works = weights * batch * math.prod(X.shape[1:-1])
        gpu, cpu = seconds
        table.row(name, works / 1e6, 1e3 * gpu, 1e3 * cpu, cpu / gpu)
