"""Print the speeds of this package on a GPU, and its kernels' errors there.

``python tests/performance/gpu.py`` takes a few minutes on whatever CUDA device it finds. Times
are medians of repeated calls between CUDA events; what is compared runs in turn. The card's own
limits are measured beside them: the rate at which it copies memory and multiplies matrices.

``--device cpu --quick`` runs the same code on the CPU with tiny sizes, to see that it runs. Its
figures mean nothing.
"""

import argparse
import sys
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from sklearn.datasets import make_friedman1
from test_hssm_speed import CONFIGURATIONS
from torch import nn

from sklearn_physrnn import DynPMNNRegressor
from sklearn_physrnn.kernels._dispatch import choose_backend
from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo, fitzhugh_nagumo_packed
from sklearn_physrnn.kernels.oscillators import nonlinear_oscillator, oscillator
from sklearn_physrnn.kernels.petnn import Switches, petnn
from sklearn_physrnn.nn.hssm import HSSM
from sklearn_physrnn.nn.petnn import PETNN

Call = Callable[[], object]


class Bench:
    """A device, a clock on it, and its limits."""

    def __init__(self, device: torch.device, quick: bool) -> None:
        self.device = device
        self.quick = quick
        self.rounds = 2 if quick else 20
        self.warm_up = 1 if quick else 3
        self.copied = self._copied()

    def size(self, whole: int, tiny: int) -> int:
        return tiny if self.quick else whole

    def random(self, *shape: int) -> torch.Tensor:
        return torch.randn(shape, device=self.device)

    def time(self, call: Call) -> float:
        """Seconds of one call on the device."""
        if self.device.type != "cuda":
            start = time.perf_counter()
            call()
            return time.perf_counter() - start
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        stop.record()
        stop.synchronize()
        return start.elapsed_time(stop) / 1e3

    def medians(self, *calls: Call, rounds: int | None = None) -> list[float]:
        """Median seconds of each of several calls, timed in turn."""
        for _ in range(self.warm_up):
            for call in calls:
                call()
        times = [[self.time(call) for call in calls] for _ in range(rounds or self.rounds)]
        return [median(column) for column in zip(*times, strict=True)]

    def _copied(self) -> float:
        source = self.random(self.size(256 * 2**20, 2**16))
        target = torch.empty_like(source)
        (seconds,) = self.medians(lambda: target.copy_(source))
        return 2 * source.nbytes / seconds

    def multiplied(self, dtype: torch.dtype) -> float:
        n = self.size(8192, 64)
        a, b = (self.random(n, n).to(dtype) for _ in "ab")
        (seconds,) = self.medians(lambda: a @ b)
        return 2 * n**3 / seconds


def row(what: str, ours: float, other: float, figure: str, goal: str = "") -> None:
    """Print a row of the table; times in seconds."""
    print(f"| {what} | {1e3 * ours:.4g} | {1e3 * other:.4g} | {figure} | {goal} |", flush=True)


def heading(text: str, *columns: str) -> None:
    print(f"\n**{text}**\n\n| {' | '.join(columns)} |\n{'|---' * len(columns)}|")


def training_step(layer: nn.Module, x: torch.Tensor) -> Call:
    """Forward and backward of a recurrent layer."""

    def step() -> None:
        layer.zero_grad()
        layer(x)[0].sum().backward()

    return step


def compare_petnn(bench: Bench) -> None:
    for shape in ((256, 512, 64, 128), (64, 192, 16, 64)):
        shape = (2, 5, 3, 32) if bench.quick else shape
        batch, n_steps, n_inputs, n_hidden = shape
        x = bench.random(batch, n_steps, n_inputs)
        layers = PETNN(n_inputs, n_hidden), nn.LSTM(n_inputs, n_hidden, batch_first=True)
        ours, lstm = bench.medians(*(training_step(m.to(bench.device), x) for m in layers))
        row(f"PETNN step {shape}: LSTM", ours, lstm, f"{ours / lstm:.2f} times", "1.0")


def scans(bench: Bench) -> None:
    """Scans over time against the copy of their input to their output."""
    sizes = bench.size(32, 2), bench.size(16_384, 40), bench.size(512, 8)
    for name, scan, n_constants in (
        ("linear", oscillator, 2),
        ("nonlinear", nonlinear_oscillator, 4),
    ):
        drive = bench.random(*sizes).requires_grad_()
        constants = [
            torch.full(sizes[2:], 0.3, device=bench.device).requires_grad_()
            for _ in range(n_constants)
        ]
        grad = bench.random(*sizes)

        def forward(scan=scan, drive=drive, constants=constants) -> None:
            with torch.no_grad():
                scan(drive, *constants)

        def backward(gradient, scan=scan, drive=drive, constants=constants, grad=grad) -> Call:
            y, _ = scan(drive, *constants, gradient=gradient)
            inputs = [drive, *constants]
            return lambda: torch.autograd.grad(y, inputs, grad, retain_graph=True)

        ours, bptt, echo = bench.medians(forward, backward("bptt"), backward("rhel"))
        limit = 2 * drive.nbytes / bench.copied
        goal = "60 %" if name == "linear" else ""
        what = f"{name} scan {sizes}, forward: copy"
        row(what, ours, limit, f"{limit / ours:.0%} of the bandwidth", goal)
        goal = "2.5" if name == "linear" else ""
        row(f"{name} scan, RHEL's echo: its forward", echo, ours, f"{echo / ours:.2f} times", goal)
        what = f"{name} scan, back-propagation: its forward"
        row(what, bptt, ours, f"{bptt / ours:.2f} times")


def neurons(bench: Bench) -> None:
    shape = bench.size(65_536, 8), 3, bench.size(128, 5)
    start = bench.random(*shape).requires_grad_()
    constants = [torch.full(shape[2:], x, device=bench.device) for x in (0.2, 1.0, 1.0)]
    constants = [x.requires_grad_() for x in constants]

    def run() -> torch.Tensor:
        return fitzhugh_nagumo_packed(start, *constants, dt=1 / 16, n_steps=16)

    def forward() -> None:
        with torch.no_grad():
            run()

    out = run()
    inputs, grad = [start, *constants], torch.ones_like(out)
    ours, back = bench.medians(
        forward, lambda: torch.autograd.grad(out, inputs, grad, retain_graph=True)
    )
    name = f"neurons {shape[0]} x {shape[2]}, 16 steps"
    for what, seconds, n_values in (("forward", ours, 5), ("backward", back, 8)):
        limit = n_values * shape[0] * shape[2] * 4 / bench.copied
        row(f"{name}, {what}: copy", seconds, limit, f"{limit / seconds:.0%} of the bandwidth")


def hssm_step(bench: Bench, device: torch.device, gradient: str) -> Call:
    batch, n_steps, channels, n_classes, sizes = CONFIGURATIONS["EigenWorms"]
    n_steps = bench.size(n_steps, 40)
    x = torch.randn(batch, n_steps, channels, device=device)
    y = torch.randint(n_classes, (batch,), device=device)
    model = HSSM(channels, n_classes, gradient=gradient, **sizes).to(device)
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def compare_hssm(bench: Bench) -> None:
    cpu = Bench(torch.device("cpu"), quick=True)  # for its clock; two rounds take long enough
    for gradient in ("bptt", "rhel"):
        (ours,) = bench.medians(hssm_step(bench, bench.device, gradient))
        (slow,) = cpu.medians(hssm_step(bench, cpu.device, gradient))
        what = f"HSSM step, EigenWorms, {gradient}: this package on the CPU"
        row(what, ours, slow, f"{slow / ours:.1f} times faster", "30")


def compare_fits(bench: Bench) -> None:
    """Fits on a table of California Housing's size, by the wall's clock."""
    X, y = make_friedman1(bench.size(20_640, 64), n_features=8, noise=1.0, random_state=0)
    epochs = bench.size(80, 2)

    def seconds(device: str) -> float:
        model = DynPMNNRegressor(device=device, max_iter=epochs, random_state=0)
        start = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - start

    devices = ("cpu", str(bench.device), "auto")
    for device in devices:
        seconds(device)
    times = [[seconds(device) for device in devices] for _ in range(bench.size(3, 1))]
    cpu, gpu, auto = (median(column) for column in zip(*times, strict=True))
    what = f"DynPMNNRegressor.fit {X.shape}"
    row(f"{what}, device={devices[1]!r}: 'cpu'", gpu, cpu, f"{gpu / cpu:.2f} times")
    row(f"{what}, device='auto': 'cpu'", auto, cpu, f"{auto / cpu:.2f} times", "1.0")


def _recurrences(bench: Bench) -> dict[str, tuple[Callable, list[torch.Tensor]]]:
    """Every recurrence by name, as a function of float64 tensors and a backend."""
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int, low: float = -1.0, high: float = 1.0) -> torch.Tensor:
        x = torch.rand(shape, generator=generator, dtype=torch.float64)
        return low + (high - low) * x

    def constant(*shape: int) -> torch.Tensor:
        return draw(*shape, low=0.1, high=0.5)

    B, T, C, H = bench.size(64, 2), bench.size(200, 10), bench.size(16, 3), bench.size(64, 32)
    drive = draw(B, T, H)
    found: dict[str, tuple[Callable, list[torch.Tensor]]] = {
        "neuron": (
            lambda *x, backend: torch.stack(
                fitzhugh_nagumo(*x, dt=0.1, n_steps=16, semi_implicit=True, backend=backend)
            ),
            [draw(B, H), draw(B, H), draw(B, H), *(constant(H) for _ in range(3))],
        )
    }
    for name, scan, n_constants in (
        ("oscillator", oscillator, 2),
        ("nonlinear oscillator", nonlinear_oscillator, 4),
    ):
        for gradient in ("bptt", "rhel"):
            found[f"{name}, {gradient}"] = (
                lambda *x, backend, scan=scan, gradient=gradient: scan(
                    *x, gradient=gradient, backend=backend
                )[0],
                [drive, *(constant(H) for _ in range(n_constants))],
            )
    switches = Switches(release="soft")
    scale = H**-0.5
    found["PETNN"] = (
        lambda *x, backend: petnn(*x[:4], x[4:], switches=switches, backend=backend)[0],
        [
            draw(B, T, C), scale * draw(switches.n_blocks * H, C), scale * draw(4 * H, H),
            0.1 * draw(switches.n_blocks * H), draw(B, H), constant(B, H), constant(B, H),
        ],
    )  # fmt: skip
    return found


def errors(bench: Bench) -> None:
    """Largest error of outputs and gradients, over the largest value, against float64.

    The truth is the reference's back-propagation, of the echoes too.
    """
    recurrences = _recurrences(bench)
    for name, (compiled, exact) in recurrences.items():
        truth: list[torch.Tensor] | None = None
        for dtype, device, backend in (
            (torch.float64, torch.device("cpu"), "reference"),
            (torch.float64, bench.device, None),
            (torch.float32, bench.device, None),
        ):
            inputs = [x.to(device, dtype).requires_grad_() for x in exact]
            function = compiled
            if truth is None:
                function, _ = recurrences[name.replace("rhel", "bptt")]
            out = function(*inputs, backend=backend)
            grad = torch.linspace(-1, 1, out.numel(), dtype=dtype, device=device).view_as(out)
            results = [out.detach(), *torch.autograd.grad(out, inputs, grad)]
            results = [x.double().cpu() for x in results]
            if truth is None:
                truth = results
                continue
            relative = [
                float((x - t).abs().max() / t.abs().max().clamp(min=1e-30))
                for x, t in zip(results, truth, strict=True)
            ]
            kind, used = str(dtype).split(".")[1], choose_backend(inputs[0], None)
            print(f"| {name} | {used} | {kind} | {relative[0]:.1e} | {max(relative[1:]):.1e} |")


def main(arguments: list[str] | None = None) -> int:
    """Print all; 1 where there is no GPU to do it on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--quick", action="store_true", help="tiny sizes; figures mean nothing")
    options = parser.parse_args(arguments)
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("There is no CUDA device here: nothing was measured.")
        return 1
    if device.type == "cuda":
        if device.index is None:  # which set_device insists on
            device = torch.device("cuda", torch.cuda.current_device())
        torch.cuda.set_device(device)
        name = torch.cuda.get_device_name(device)
    else:
        name = f"the CPU, {torch.get_num_threads()} threads"
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002
    bench = Bench(device, options.quick)
    rates = {dtype: bench.multiplied(dtype) for dtype in (torch.float32, torch.bfloat16)}
    print(
        f"{name}, torch {torch.__version__}, CUDA {torch.version.cuda}: copies "
        f"{bench.copied / 1e9:.0f} GB/s, multiplies "
        + ", ".join(f"{rate / 1e12:.1f} TFLOP/s in {str(d)[6:]}" for d, rate in rates.items())
        + f"; float32 products are{'' if torch.backends.cuda.matmul.allow_tf32 else ' not'} "
        f"rounded to TF32, cuDNN's are{'' if torch.backends.cudnn.allow_tf32 else ' not'}."
    )
    heading("Speed", "ours: other", "ours, ms", "other, ms", "figure", "goal")
    for part in (compare_petnn, scans, neurons, compare_hssm, compare_fits):
        part(bench)
    heading("Largest error, relative", "recurrence", "backend", "type", "outputs", "gradients")
    errors(bench)
    return 0


if __name__ == "__main__":
    sys.exit(main())
