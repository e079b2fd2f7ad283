"""Recurrences and steps of networks on a GPU: their times, and how far they are from exact."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from gpu_bench import Bench, Call, Table
from test_hssm_speed import CONFIGURATIONS
from torch import nn

from sklearn_physrnn.kernels._dispatch import choose_backend
from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo, fitzhugh_nagumo_packed
from sklearn_physrnn.kernels.oscillators import nonlinear_oscillator, oscillator
from sklearn_physrnn.kernels.petnn import Switches, petnn
from sklearn_physrnn.nn import LinearHRU
from sklearn_physrnn.nn.hssm import HSSM
from sklearn_physrnn.nn.petnn import PETNN

# Batch, steps, inputs, units.
SHAPES = ((256, 512, 64, 128), (128, 28, 28, 120), (64, 192, 16, 64), (1024, 512, 64, 128))
MODES = "exact", "TF32", "bfloat16"


@contextmanager
def precision(mode: str, device: torch.device) -> Iterator[None]:
    """Have products in one of `MODES`."""
    switches = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [switch.allow_tf32 for switch in switches]
    for switch in switches:
        switch.allow_tf32 = mode == "TF32"
    try:
        half = mode == "bfloat16"
        # Without the cache of weights, which would outlive a recording.
        with torch.autocast(device.type, torch.bfloat16, half, cache_enabled=False):
            yield
    finally:
        for switch, value in zip(switches, before, strict=True):
            switch.allow_tf32 = value


def training_step(layer: nn.Module, x: torch.Tensor) -> Call:
    """Forward and backward of a recurrent layer."""

    def step() -> None:
        layer.zero_grad()
        layer(x)[0].float().sum().backward()

    return step


def compare_petnn(bench: Bench, table: Table) -> None:
    """Training steps against cuDNN's LSTM in the same precision, both replayed."""
    for shape in SHAPES:
        shape = (2, 5, 3, 32) if bench.quick else shape
        batch, n_steps, n_inputs, n_hidden = shape
        x = bench.random(batch, n_steps, n_inputs)
        layers = PETNN(n_inputs, n_hidden), nn.LSTM(n_inputs, n_hidden, batch_first=True)
        for mode in MODES:
            with precision(mode, bench.device):
                steps = [training_step(layer.to(bench.device), x) for layer in layers]
                ours, lstm = bench.medians(*map(bench.replayed, steps))
            what = f"PETNN step {shape}, {mode}: LSTM"
            table.speed(what, ours, lstm, f"{ours / lstm:.2f} times", "1.0")


def hssm_layer(bench: Bench, table: Table) -> None:
    """Forward and backward of one layer, replayed, against the best public Triton one."""
    sizes = bench.size(8, 2), bench.size(256, 8), bench.size(64, 4)
    layer = LinearHRU(sizes[2], bench.size(128, 4)).to(bench.device)
    x = bench.random(*sizes).requires_grad_()

    def step() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x)[0].sum().backward()

    ((ours, launched),) = bench.both(step)
    public = 2.95e-3
    table.speed(f"HSSM layer {sizes}, 128 modes: the best public one", ours, public,
                f"{public / ours:.1f} times faster", "9.8", launched=launched)  # fmt: skip


def scans(bench: Bench, table: Table) -> None:
    """Scans over time against the copy of their input to their output, replayed."""
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

        def forward(scan=scan, drive=drive, constants=constants) -> None:
            with torch.no_grad():
                scan(drive, *constants)

        def backward(gradient, scan=scan, drive=drive, constants=constants) -> Call:
            return bench.backward(
                lambda: scan(drive, *constants, gradient=gradient)[0], [drive, *constants]
            )

        (ours, launched), (bptt, bptt_launched), (echo, echo_launched) = bench.both(
            forward, backward("bptt"), backward("rhel")
        )
        limit = 2 * drive.nbytes / bench.copied
        goal = "60 %" if name == "linear" else ""
        what = f"{name} scan {sizes}, forward: copy"
        figure = f"{limit / ours:.0%} of the bandwidth"
        table.speed(what, ours, limit, figure, goal, launched=launched)
        goal = "2.5" if name == "linear" else ""
        what, figure = f"{name} scan, RHEL's echo: its forward", f"{echo / ours:.2f} times"
        table.speed(what, echo, ours, figure, goal, launched=echo_launched)
        what, figure = f"{name} scan, back-propagation: its forward", f"{bptt / ours:.2f} times"
        table.speed(what, bptt, ours, figure, launched=bptt_launched)


def neurons(bench: Bench, table: Table) -> None:
    shape = bench.size(65_536, 8), 3, bench.size(128, 5)
    start = bench.random(*shape).requires_grad_()
    constants = [torch.full(shape[2:], x, device=bench.device) for x in (0.2, 1.0, 1.0)]
    constants = [x.requires_grad_() for x in constants]

    def run() -> torch.Tensor:
        return fitzhugh_nagumo_packed(start, *constants, dt=1 / 16, n_steps=16)

    def forward() -> None:
        with torch.no_grad():
            run()

    times = bench.both(forward, bench.backward(run, [start, *constants]))
    name = f"neurons {shape[0]} x {shape[2]}, 16 steps"
    for what, n_values, (ours, launched) in zip(
        ("forward", "backward"), (5, 8), times, strict=True
    ):
        limit = n_values * shape[0] * shape[2] * 4 / bench.copied
        figure = f"{limit / ours:.0%} of the bandwidth"
        table.speed(f"{name}, {what}: copy", ours, limit, figure, launched=launched)


def hssm_step(bench: Bench, device: torch.device, gradient: str) -> Call:
    batch, n_steps, channels, n_classes, sizes = CONFIGURATIONS["EigenWorms"]
    n_steps = bench.size(n_steps, 40)
    x = torch.randn(batch, n_steps, channels, device=device)
    y = torch.randint(n_classes, (batch,), device=device)
    model = HSSM(channels, n_classes, gradient=gradient, **sizes).to(device)
    recordable = device.type == "cuda"
    optimizer = torch.optim.Adam(model.parameters(), 1e-4, fused=True, capturable=recordable)

    def step() -> None:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def compare_hssm(bench: Bench, table: Table) -> None:
    """Training steps, replayed as in ``fit``, against the CPU's."""
    cpu = Bench(torch.device("cpu"), quick=True)  # for its clock; two rounds take long enough
    for gradient in ("bptt", "rhel"):
        ((ours, launched),) = bench.both(hssm_step(bench, bench.device, gradient))
        (slow,) = cpu.medians(hssm_step(bench, cpu.device, gradient))
        what = f"HSSM step, EigenWorms, {gradient}: this package on the CPU"
        figure = f"{slow / ours:.1f} times faster"
        table.speed(what, ours, slow, figure, "40", launched=launched)


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


def errors(bench: Bench, table: Table) -> None:
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
            largest = f"{relative[0]:.1e}", f"{max(relative[1:]):.1e}"
            table.row(name, used, kind, *largest)
