"""The GPU's linear oscillators: interpreted, compiled ahead of time, and on a GPU."""

import pytest
import torch

from sklearn_physrnn.kernels._dispatch import has_triton, interpreted
from sklearn_physrnn.kernels.oscillators import oscillator, oscillator_unit, scan, unit
from tests.helpers.triton_compile import (
    compile_for_hopper,
    needs_compiler,
    without_interpreter,
)

F64 = torch.float64
CASES = [(), ("dt",), ("lengths",), ("dt", "lengths")]
needs_interpreter = pytest.mark.skipif(
    not (has_triton() and interpreted()), reason="needs Triton's interpreter"
)
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


@pytest.fixture
def small(monkeypatch):
    """Tiles of 2 sub-chunks of 4 steps: short series fill several."""
    from sklearn_physrnn.kernels.oscillators.linear import cuda

    monkeypatch.setattr(cuda, "_LANES", 16)
    monkeypatch.setattr(cuda, "_STEPS", 4)
    return cuda


def _problem(n_rows=3, n_steps=21, n_modes=5, dtype=F64):
    generator = torch.Generator().manual_seed(0)
    rand = lambda *shape: torch.rand(*shape, generator=generator, dtype=F64)  # noqa: E731
    drive = torch.randn(n_rows, n_steps, n_modes, generator=generator, dtype=F64).to(dtype)
    return [drive, rand(n_modes) + 0.05, 0.5 + 0.25 * rand(n_modes)]


def _unit_problem(n_rows=3, n_steps=21, n_modes=5, width=4):
    _, *parameters = _problem(1, 1, n_modes)
    generator = torch.Generator().manual_seed(3)
    rand = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
    u = rand(n_rows, n_steps, width)
    return [u, rand(n_modes, width), rand(width, n_modes), rand(width), *parameters]


def _options(case, n_rows=3, n_steps=21):
    generator = torch.Generator().manual_seed(7)
    dt = 0.2 + 0.8 * torch.rand(n_rows, n_steps, generator=generator, dtype=F64)
    lengths = torch.tensor([n_steps, n_steps // 2, 0, *[n_steps] * n_rows])[:n_rows]
    every = {"dt": dt, "lengths": lengths}
    return {name: every[name] for name in case}


def _run(function, inputs, **options):
    """Result, and gradients of a fixed loss."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    y = function(*inputs, **options)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    (y * weights.to(y)).sum().backward()
    return [y.detach(), *(x.grad for x in inputs)]


@needs_interpreter
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "options", [{"gradient": "bptt"}, {"gradient": "rhel"}, {"gradient": "rhel", "epsilon": 0.3}]
)
def test_value_and_gradients_are_those_of_the_reference(case, options, small):
    inputs = _problem()
    truth = _run(oscillator, inputs, backend="reference", **_options(case))
    result = _run(oscillator, inputs, backend="cuda", **options, **_options(case))
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11)


@needs_interpreter
@pytest.mark.parametrize("n_steps", [1, 7, 8, 9, 16])
def test_ends_of_tiles_and_chunks(n_steps, small):
    inputs = _problem(1, n_steps, 1)
    for gradient in ("bptt", "rhel"):
        truth = _run(oscillator, inputs, backend="reference")
        result = _run(oscillator, inputs, backend="cuda", gradient=gradient)
        for x, y in zip(result, truth, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11)


@needs_interpreter
@pytest.mark.parametrize(("n_multiprocessors", "block"), [(4, 32), (5, 16), (9, 8)])
def test_modes_are_shared_out(n_multiprocessors, block, small, monkeypatch):
    monkeypatch.setattr(small, "_MULTIPROCESSORS", n_multiprocessors)
    monkeypatch.setattr(small, "_LANES", 64)
    small._n_multiprocessors.cache_clear()
    try:
        inputs = _problem(2, 9, 35, torch.float32)
        assert small.block_of_modes(2, 35, inputs[0].device) == block
        result = _run(oscillator, inputs, backend="cuda", gradient="rhel")
    finally:
        small._n_multiprocessors.cache_clear()
    exact = [inputs[0].double(), *inputs[1:]]
    for x, y in zip(result, _run(oscillator, exact, backend="reference"), strict=True):
        torch.testing.assert_close(x.double(), y, rtol=2e-5, atol=2e-5 * float(y.abs().max()))


@needs_interpreter
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_nan_stays_in_its_lane_and_future(gradient, small):
    # Not in the sub-chunk's past either, though sub-chunks are put together backwards.
    inputs = _problem(2, 12, 3)
    inputs[0][0, 6, 1] = torch.nan
    y, grad_drive, *grads = _run(oscillator, inputs, backend="cuda", gradient=gradient)
    assert y[0, 6:, 1].isnan().all()
    assert y[0, :6, 1].isfinite().all()
    assert y[0, :, ::2].isfinite().all()
    assert y[1].isfinite().all()
    assert grad_drive[1].isfinite().all()
    assert grads[0][1].isnan()


@needs_interpreter
def test_steps_past_the_length_are_neither_read_nor_written(small):
    inputs = _problem(2, 12, 4)
    inputs[0][1, 5:] = torch.nan
    options = {"lengths": torch.tensor([12, 5]), "backend": "cuda"}
    alone = oscillator(inputs[0][1:, :5], *inputs[1:], backend="cuda")
    for gradient in ("bptt", "rhel"):
        y, *grads = _run(oscillator, inputs, gradient=gradient, **options)
        torch.testing.assert_close(y[1:, :5], alone, rtol=1e-14, atol=1e-14)
        assert not y[1, 5:].any()
        assert not grads[0][1, 5:].any()
        assert all(grad.isfinite().all() for grad in grads)


@needs_interpreter
@pytest.mark.parametrize("case", [(), ("dt", "lengths")])
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_unit_is_the_composition(case, gradient, small, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 150)  # chunks of 10, 10 and 1 steps
    inputs = _unit_problem()
    truth = _run(oscillator_unit, inputs, backend="reference", **_options(case))
    result = _run(oscillator_unit, inputs, gradient=gradient, backend="cuda", **_options(case))
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11)


@needs_interpreter
@pytest.mark.parametrize(("gradient", "n_trajectories"), [("bptt", 1), ("rhel", 0)])
def test_what_is_kept_grows_with_time_as_promised(gradient, n_trajectories, small):
    def kept(n_steps):
        numbers = []
        pack = lambda x: numbers.append(x.numel()) or x  # noqa: E731
        inputs = [x.requires_grad_() for x in _unit_problem(1, n_steps)]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            oscillator_unit(*inputs, gradient=gradient, backend="cuda")
        return sum(numbers)

    assert (kept(12) - kept(4)) / 8 == 4 + n_trajectories * 5  # inputs, modes


@needs_interpreter
def test_arrays_need_not_be_contiguous(small):
    drive, stiffness, step = _problem(3, 9, 5)
    truth = oscillator(drive, stiffness, step, backend="reference")
    strange = drive.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    result = oscillator(
        strange, stiffness.repeat_interleave(2)[::2], step.repeat_interleave(2)[::2],
        lengths=torch.tensor([9, 0, 9, 0, 9])[::2].int(), backend="cuda",
    )  # fmt: skip
    torch.testing.assert_close(result, truth, rtol=1e-12, atol=1e-12)


@needs_interpreter
def test_a_second_derivative_is_refused(small):
    inputs = [x.requires_grad_() for x in _problem(1, 4, 2)]
    y = oscillator(*inputs, backend="cuda")
    (grad,) = torch.autograd.grad(y.square().sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@needs_interpreter
@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3), (2, 4, 0)])
def test_nothing_to_do(shape):
    from sklearn_physrnn.kernels.oscillators.linear import cuda

    drive = torch.zeros(shape)
    steps, counts = scan.as_arrays(drive, None, None)
    state = torch.ones(2, shape[0], shape[2])
    coefs = cuda.coefficients([torch.ones(shape[2])] * 2, drive.dtype)
    rows = drive, steps, counts, 0
    cuda.advance(coefs, state, torch.empty(0, 0), *rows, torch.empty(1, *shape))
    states = torch.ones(4, *state.shape[1:])
    sums = cuda.echo(coefs, states, state, *rows, drive, torch.empty(shape), None)
    assert (state == 1).all()
    assert (states == 1).all()
    assert not sums.any()


def compile_all():
    """Resources of the kernels as they are launched; what the compiler is told varies."""
    from sklearn_physrnn.kernels.oscillators.linear import cuda
    from sklearn_physrnn.kernels.oscillators.linear.cuda_kernels import backward, forward

    counts = dict.fromkeys(("first", "n_steps", "n_total", "n_modes"), "i32")
    found = {}
    for name, kernel, kind, block, has_dt, missing in (
        ("forward", forward, "fp32", 32, False, ()),
        ("forward, dt, one mode", forward, "fp32", 8, True, ("n_modes",)),
        ("adjoint", backward, "fp32", 32, False, ()),
        ("echo", backward, "fp32", 32, False, ("before",)),
        ("echo, dt", backward, "fp32", 32, True, ("before", "kept")),
        ("echo, double, few modes", backward, "fp64", 8, False, ("before",)),
    ):
        echo = name.startswith("echo")
        constants = cuda.compilation(kernel, block, kind == "fp32", has_dt, echo)
        if kernel is backward:
            constants["ECHO"] = echo
            if not echo:
                missing = ("z_mean", "y_mean", "nudge", "contrast")
        registers, num_warps = constants.pop("maxnreg"), constants.pop("num_warps")
        pointers = {*kernel.arg_names} - {*constants, *counts, *missing}
        types = {x: "*fp64" if x.startswith("sum_") else f"*{kind}" for x in pointers}
        types |= {"stiffness": "*fp32", "step": "*fp64", "lengths": "*i64"}
        types |= {x: counts[x] for x in counts if x not in missing}
        constants |= {x: 1 if x in counts else None for x in missing}
        found[name] = compile_for_hopper(kernel, types, constants, num_warps, maxnreg=registers)
    return found


@needs_compiler
def test_every_kernel_compiles_and_spills_nothing():
    found = without_interpreter(compile_all)
    assert len(found) == 6
    assert {name: used["local_bytes"] for name, used in found.items() if used["local_bytes"]} == {}
    # Programs of 256 threads that fit a multiprocessor's 65,536 registers.
    assert found["forward"]["registers"] <= 64
    assert found["adjoint"]["registers"] <= 80
    assert found["echo"]["registers"] <= 128


def _on_gpu(inputs):
    return [x.cuda() for x in inputs]


def _close(result, truth, tolerance):
    for x, y in zip(result, truth, strict=True):
        atol = tolerance * float(y.abs().max())
        torch.testing.assert_close(x.cpu().double(), y, rtol=tolerance, atol=atol)


# float32 as on the CPU, where sums over time are cut elsewhere; float64 to rounding, for
# the scan puts time together in another order.
@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 5e-5), (F64, 1e-10)])
@pytest.mark.parametrize("shape", [(3, 37, 5), (1, 1, 1), (3, 1100, 33), (70, 600, 256)])
def test_on_the_gpu(shape, dtype, tolerance, gradient, case):
    drive, *parameters = _problem(*shape, dtype)
    options = _options(case, *shape[:2])
    truth = _run(oscillator, [drive.double(), *parameters], backend="cpu", **options)
    options = {name: x.cuda() for name, x in options.items()}
    inputs = _on_gpu([drive, *parameters])
    result = _run(oscillator, inputs, gradient=gradient, **options)
    _close(result, truth, tolerance)
    again = _run(oscillator, inputs, gradient=gradient, **options)
    assert all(torch.equal(x, y) for x, y in zip(result, again, strict=True))


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize("varying", [False, True])
def test_float32_stays_exact_over_long_series_on_the_gpu(gradient, varying):
    # The bound of the CPU's test, where kappa's rounding alone would come to 5e-8.
    drive, *parameters = _problem(1, 50_000, 16, torch.float32)
    dt = {"dt": torch.ones(1, 50_000)} if varying else {}
    truth = _run(oscillator, [drive.double(), *parameters], backend="cpu")
    dt = {name: x.cuda() for name, x in dt.items()}
    result = _run(oscillator, _on_gpu([drive, *parameters]), gradient=gradient, **dt)
    for x, y in zip(result, truth, strict=True):
        x, y = x.cpu().double().flatten(), y.flatten()
        assert 1 - float(x @ y / (x.norm() * y.norm())) < 1e-8


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_unit_in_chunks_on_the_gpu(gradient, monkeypatch):
    monkeypatch.setattr(unit, "_DEVICE_CHUNK", 2**14)
    inputs, options = _unit_problem(4, 1500, 64, 16), _options(("dt", "lengths"), 4, 1500)
    truth = _run(oscillator_unit, inputs, backend="cpu", **options)
    options = {name: x.cuda() for name, x in options.items()}
    result = _run(oscillator_unit, _on_gpu(inputs), gradient=gradient, **options)
    _close(result, truth, 1e-10)


@pytest.mark.gpu
@needs_gpu
def test_bfloat16_autocast_on_the_gpu_runs_the_kernel_in_float32():
    inputs = _on_gpu(x.float() for x in _unit_problem(4, 300, 64, 16))
    half = inputs[0].bfloat16()
    expected = oscillator_unit(half.float(), *inputs[1:])
    with torch.autocast("cuda", dtype=torch.bfloat16):
        result = oscillator_unit(half.requires_grad_(), *inputs[1:])
        result.sum().backward()
    # Half of bfloat16's last place, in which the result is handed on.
    torch.testing.assert_close(result.float(), expected, rtol=2**-8, atol=1e-5)
    assert half.grad.isfinite().all()


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_nothing_waits_for_the_gpu(gradient):
    inputs = _on_gpu(_unit_problem())
    options = {name: x.cuda() for name, x in _options(("dt", "lengths")).items()}
    loss = lambda *x: oscillator_unit(*x, gradient=gradient, **options).sum()  # noqa: E731
    loss(*(x.requires_grad_() for x in inputs)).backward()  # compiles
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss(*inputs).backward()
    finally:
        torch.cuda.set_sync_debug_mode(before)
