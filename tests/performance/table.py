"""Print every speed of docs/performance.md as ratios, in one run.

``python tests/performance/table.py`` takes some minutes on a quiet machine. Each pair is timed in
turn, so that a busy machine slows both; the ratio is that of medians, with that of minima behind
it. Physical limits are measured too: the rate at which memory is copied and matrices multiplied.
"""

import os
import platform
import subprocess
import sys
import time
import warnings
from statistics import median

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from sklearn.neural_network import MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_engine_overhead import N_FEATURES, N, _bare, _engine
from test_hssm_speed import CONFIGURATIONS, make_step
from test_latency import _IMPORT
from test_neuron_speed import _step as neuron_step
from test_petnn_speed import MODELS, SHAPES
from torch import nn

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.kernels.oscillators import nonlinear_oscillator, oscillator


def spent(call):
    """Seconds of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(what, ours, theirs, *, rounds=9, goal=""):
    """Time two calls in turn and print their ratio."""
    ours(), theirs()  # compiles, warms
    pairs = [(spent(ours), spent(theirs)) for _ in range(rounds)]
    a, b = zip(*pairs, strict=True)
    print(
        f"| {what} | {1e3 * median(a):.4g} | {1e3 * median(b):.4g} | "
        f"{median(a) / median(b):.2f} | {min(a) / min(b):.2f} | {goal} |",
        flush=True,
    )


def bandwidth():
    """Bytes a second of a copy, read and written counted."""
    source = np.ones(50_000_000, np.float32)
    target = np.empty_like(source)
    return 2 * source.nbytes / min(spent(lambda: np.copyto(target, source)) for _ in range(7))


def product_rate():
    """Multiply-adds a second of a float32 matrix product, one thread."""
    a = torch.randn(1024, 1024)
    return 1024**3 / min(spent(lambda: a @ a) for _ in range(9))


def limit(what, call, seconds, *, rounds=9):
    """Print a call's time as a multiple of its physical limit."""
    call()
    times = [spent(call) for _ in range(rounds)]
    print(
        f"| {what} | {1e3 * median(times):.4g} | {1e3 * seconds:.4g} | "
        f"{median(times) / seconds:.1f} | {min(times) / seconds:.1f} | |",
        flush=True,
    )


def training_step(model, shape):
    """One forward and backward pass of a recurrent layer."""
    batch, n_steps, n_inputs, n_hidden = shape
    layer, x = MODELS[model](n_inputs, n_hidden), torch.randn(batch, n_steps, n_inputs)

    def step():
        layer.zero_grad()
        layer(x)[0].sum().backward()

    return step


def petnn_work(shape):
    """Multiply-adds of PETNN's training step: a forward pass, and twice that backward."""
    batch, n_steps, n_inputs, n_hidden = shape
    return 3 * batch * n_steps * n_hidden * (6 * n_inputs + 4 * n_hidden)


def scan_step(function, batch, n_steps, modes, shapes, **options):
    """Forward and backward of a scan over oscillators, and its forward alone."""
    drive = torch.randn(batch, n_steps, modes, requires_grad=True)
    constants = [torch.rand(shape).mul(0.5).requires_grad_() for shape in shapes]
    grad = torch.randn(batch, n_steps, modes)

    def forward():
        with torch.no_grad():
            function(drive, *constants, **options)

    def both():
        torch.autograd.grad(function(drive, *constants, **options)[0], [drive, *constants], grad)

    return forward, both


def fits():
    """Fit on a made-up table of California Housing's size, ours and scikit-learn's."""
    X, y = make_friedman1(20_640, n_features=8, noise=1.0, random_state=0)
    network = MLPRegressor(hidden_layer_sizes=(128, 128), early_stopping=True, random_state=0)
    mlp = make_pipeline(StandardScaler(), network)
    ours = DynPMNNRegressor(random_state=0)
    return lambda: ours.fit(X, y), lambda: mlp.fit(X, y)


def main():
    torch.set_num_threads(1)
    copied, multiplied = bandwidth(), product_rate()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, torch "
        f"{torch.__version__}: copies {copied / 1e9:.1f} GB/s, multiplies {multiplied / 1e9:.0f} "
        "billion multiply-adds a second in one thread.\n"
    )
    head = "| ours against | ours, ms | other, ms | ratio | of minima | goal |\n"
    head += "|---" * 6 + "|"

    print(f"**One thread**\n\n{head}")
    neuron = "neuron kernel, forward and backward (4096 x 128, 16 steps): its torch reference"
    compare(neuron, neuron_step("cpu", True), neuron_step("reference", True), rounds=5, goal=0.2)
    layers = {"nn.LSTM": "lstm", "nn.GRU": "gru"}
    MODELS["gru"] = lambda i, h: nn.GRU(i, h, batch_first=True)
    for shape in SHAPES:
        ours = training_step("petnn", shape)
        for name, key in layers.items():
            goal = 1.2 if key == "lstm" else ""
            compare(f"PETNN step {shape}: {name}", ours, training_step(key, shape), goal=goal)
        reference = training_step("reference", shape)
        compare(f"PETNN step {shape}: its torch reference", ours, reference, rounds=3, goal=0.2)
    for name in CONFIGURATIONS:
        identity = make_step(name, "identity")
        for variant, goal in (
            ("bptt", 1.25),
            ("rhel", 1.6),
            ("damped-bptt", 1.25),
            ("damped-rhel", 1.6),
        ):
            what = f"HSSM step, {name}, {variant}: without its scan"
            compare(what, make_step(name, variant), identity, rounds=3, goal=goal)
    data = torch.randn(N, N_FEATURES)
    data = data, data.sin().sum(1, keepdim=True)
    compare("engine: a bare loop", lambda: _engine(*data), lambda: _bare(*data), goal=1.25)

    print(f"\n**Against the machine's limits, one thread**\n\n{head.replace('other', 'limit')}")
    sizes = (4, 17_984, 32)
    modes = sizes[2:]
    for name, function, n_constants in (
        ("linear", oscillator, 2),
        ("nonlinear", nonlinear_oscillator, 4),
    ):
        shapes = [modes] * n_constants
        values = 4 * float(np.prod(sizes))
        forward, _ = scan_step(function, *sizes, shapes)
        limit(f"{name} scan {sizes}, forward: bytes copied", forward, 2 * values / copied)
        for gradient in ("bptt", "rhel"):
            _, both = scan_step(function, *sizes, shapes, gradient=gradient)
            what = f"{name} scan {sizes}, forward and {gradient}: bytes copied"
            limit(what, both, 5 * values / copied)
    for shape in SHAPES:
        what = f"PETNN step {shape}: multiply-adds"
        limit(what, training_step("petnn", shape), petnn_work(shape) / multiplied)

    torch.set_num_threads(2)
    print(f"\n**Two threads**\n\n{head}")
    for shape in SHAPES:
        ours, theirs = training_step("petnn", shape), training_step("lstm", shape)
        compare(f"PETNN step {shape}: nn.LSTM", ours, theirs, goal=1.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the baseline's convergence is not our subject
        # test_fit_time.py has the goal, on California Housing, where the network trains longer.
        what = "DynPMNNRegressor.fit, 20,640 x 8 of Friedman 1: MLPRegressor 128-128"
        compare(what, *fits(), rounds=3)

    X, y = make_friedman1(3000, n_features=8, random_state=0)
    model = DynPMNNRegressor(max_iter=1).fit(X, y)
    row = [spent(lambda: model.predict(X[:1])) for _ in range(200)]
    child = [sys.executable, "-c", _IMPORT]
    runs = [float(subprocess.run(child, capture_output=True, check=True).stdout) for _ in range(5)]
    print(
        f"\npredict of one row, warm: {1e3 * median(row):.2f} ms (goal 1); import beyond "
        f"torch and scikit-learn: {median(runs):.2f} s (goal 0.3)."
    )


if __name__ == "__main__":
    main()
