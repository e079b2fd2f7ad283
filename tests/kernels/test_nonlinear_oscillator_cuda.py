"""The GPU's nonlinear oscillators: interpreted, compiled ahead of time, and on a GPU."""

import numpy as np
import pytest
import torch

from sklearn_physrnn.kernels._dispatch import has_triton, interpreted
from sklearn_physrnn.kernels.oscillators import (
    nonlinear_oscillator,
    nonlinear_oscillator_unit,
    scan,
    unit,
)
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
    """Tiles of 4 steps: short series fill several."""
    from sklearn_physrnn.kernels.oscillators.nonlinear import cuda

    # Half of it for float64.
    monkeypatch.setattr(cuda, "_STEPS", dict.fromkeys(cuda._STEPS, 8))
    return cuda


def _parameters(n_modes, step=0.4):
    generator = torch.Generator().manual_seed(0)
    rand = lambda: torch.rand(n_modes, generator=generator, dtype=F64)  # noqa: E731
    return [0.5 + rand(), 0.2 + 0.5 * rand(), 0.1 + rand(), step * (0.5 + rand())]


def _problem(n_rows=3, n_steps=11, n_modes=5, dtype=F64, step=0.4):
    generator = torch.Generator().manual_seed(1)
    drive = torch.randn(n_rows, n_steps, n_modes, generator=generator, dtype=F64)
    return [drive.to(dtype), *_parameters(n_modes, step)]


def _unit_problem(n_rows=3, n_steps=11, n_modes=5, width=4):
    generator = torch.Generator().manual_seed(3)
    rand = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
    maps = rand(n_modes, width), rand(n_modes), rand(width, n_modes), rand(width)
    return [rand(n_rows, n_steps, width), *maps, *_parameters(n_modes)]


def _options(case, n_rows=3, n_steps=11):
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
@pytest.mark.parametrize(("gradient", "tolerance"), [("bptt", 1e-11), ("rhel", 1e-9)])
def test_value_and_gradients_are_those_of_the_reference(case, gradient, tolerance, small):
    inputs = _problem()
    truth = _run(nonlinear_oscillator, inputs, backend="reference", **_options(case))
    result = _run(
        nonlinear_oscillator, inputs, gradient=gradient, backend="cuda", **_options(case)
    )
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


@needs_interpreter
@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 8, 2), (2, 9, 35)])
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_float32(shape, gradient, small):
    drive, *parameters = _problem(*shape, torch.float32)
    truth = _run(nonlinear_oscillator, [drive.double(), *parameters], backend="reference")
    result = _run(nonlinear_oscillator, [drive, *parameters], gradient=gradient, backend="cuda")
    for x, y in zip(result, truth, strict=True):
        atol = 1e-6 + 5e-5 * float(y.abs().max())
        torch.testing.assert_close(x.double(), y, rtol=5e-5, atol=atol)


@needs_interpreter
def test_mean_and_difference_are_the_two_echoes(small):
    # A large nudge, far from the gradient: the CPU's pair of runs, for which there is a
    # test with the reference's.
    inputs, options = _problem(2), {"gradient": "rhel", "epsilon": 0.3}
    twin = _run(nonlinear_oscillator, inputs, backend="cpu", **options)
    for x, y in zip(
        _run(nonlinear_oscillator, inputs, backend="cuda", **options), twin, strict=True
    ):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@needs_interpreter
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_nan_stays_in_its_lane_and_future(gradient, small):
    inputs = _problem(2, 9, 3, torch.float32)
    inputs[0][0, 4, 1] = torch.nan
    y, *grads = _run(nonlinear_oscillator, inputs, backend="cuda", gradient=gradient)
    assert y[0, 4:, 1].isnan().all()
    assert y[0, :4].isfinite().all()
    assert y[0, :, ::2].isfinite().all()
    assert y[1].isfinite().all()
    assert all(grad[1].isnan() for grad in grads[1:])


@needs_interpreter
def test_steps_past_the_length_are_neither_read_nor_written(small):
    inputs = _problem(2, 11, 4)
    inputs[0][1, 5:] = torch.nan
    options = {"lengths": torch.tensor([11, 5]), "backend": "cuda"}
    alone = nonlinear_oscillator(inputs[0][1:, :5], *inputs[1:], backend="cuda")
    for gradient in ("bptt", "rhel"):
        y, *grads = _run(nonlinear_oscillator, inputs, gradient=gradient, **options)
        assert torch.equal(y[1:, :5], alone)
        assert not y[1, 5:].any()
        assert not grads[0][1, 5:].any()
        assert all(grad.isfinite().all() for grad in grads)


@needs_interpreter
@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_large_arguments_do_not_overflow(dtype, small):
    inputs = _problem(1, 9, 4, dtype)
    inputs[0] *= 200
    options = {"gradient": "rhel", "epsilon": 1e6, "backend": "cuda"}
    assert all(x.isfinite().all() for x in _run(nonlinear_oscillator, inputs, **options))


@needs_interpreter
@pytest.mark.parametrize("case", [(), ("dt", "lengths")])
@pytest.mark.parametrize(("gradient", "tolerance"), [("bptt", 1e-11), ("rhel", 1e-9)])
def test_unit_is_the_composition(case, gradient, tolerance, small, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 120)  # chunks of 8 and 3 steps
    inputs, function = _unit_problem(), nonlinear_oscillator_unit
    truth = _run(function, inputs, backend="reference", **_options(case))
    result = _run(function, inputs, gradient=gradient, backend="cuda", **_options(case))
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


@needs_interpreter
@pytest.mark.parametrize(("gradient", "n_trajectories"), [("bptt", 2), ("rhel", 0)])
def test_what_is_kept_grows_with_time_as_promised(gradient, n_trajectories, small):
    def kept(n_steps):
        numbers = []
        pack = lambda x: numbers.append(x.numel()) or x  # noqa: E731
        inputs = [x.requires_grad_() for x in _unit_problem(1, n_steps)]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            nonlinear_oscillator_unit(*inputs, gradient=gradient, backend="cuda")
        return sum(numbers)

    assert (kept(12) - kept(4)) / 8 == 4 + n_trajectories * 5  # inputs, modes


@needs_interpreter
@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3), (2, 4, 0)])
def test_nothing_to_do(shape):
    from sklearn_physrnn.kernels.oscillators.nonlinear import cuda

    drive = torch.zeros(shape)
    steps, counts = scan.as_arrays(drive, None, None)
    state = torch.ones(2, shape[0], shape[2])
    coefs = cuda.coefficients([torch.ones(shape[2])] * 4, drive.dtype)
    rows = drive, steps, counts, 0
    cuda.advance(coefs, state, torch.empty(0, 0), *rows, torch.empty(2, *shape))
    states = torch.ones(4, *state.shape[1:])
    sums = cuda.echo(coefs, states, state, *rows, drive, torch.empty(shape), None)
    assert (state == 1).all()
    assert (states == 1).all()
    assert not sums.any()


if has_triton():
    import triton
    import triton.language as tl

    from sklearn_physrnn.kernels.oscillators.nonlinear.cuda_kernels import atanh, tanh

    @triton.jit
    def _apply(x, out, N: tl.constexpr):
        at = tl.arange(0, N)
        tl.store(out + at, tanh(tl.load(x + at)))
        tl.store(out + N + at, atanh(tl.load(x + N + at)))


@needs_interpreter
@pytest.mark.parametrize(("dtype", "bound"), [(np.float32, 4e-7), (np.float64, 2e-15)])
def test_functions_are_exact_near_zero_and_far_away(dtype, bound):
    tiny = 10.0 ** np.linspace(-30, 0, 1024)
    wide = np.concatenate([-tiny, tiny, np.linspace(-12, 12, 2048)]).astype(dtype)
    narrow = np.concatenate([-tiny[:-1], tiny[:-1], np.linspace(-0.999, 0.999, 2050)])
    x = np.stack([wide, narrow.astype(dtype)])
    out = torch.empty(x.shape, dtype=torch.from_numpy(x).dtype)
    _apply[(1,)](torch.from_numpy(x), out, N=4096)
    with np.errstate(divide="ignore"):
        truth = np.stack([np.tanh(x[0].astype("f8")), np.arctanh(x[1].astype("f8"))])
    assert np.abs(out.numpy() / truth - 1).max() < bound
    assert out[0].abs().max() <= 1


def compile_all():
    """Resources of the kernels as they are launched; what the compiler is told varies."""
    from sklearn_physrnn.kernels.oscillators.nonlinear import cuda
    from sklearn_physrnn.kernels.oscillators.nonlinear.cuda_kernels import adjoint, echo, forward

    counts = dict.fromkeys(("first", "n_steps", "n_total", "n_modes", "shift"), "i32")
    found = {}
    for name, kernel, kind, has_dt, missing in (
        ("forward", forward, "fp32", False, ("half_out",)),
        ("forward, double, dt", forward, "fp64", True, ("power",)),
        ("adjoint, dt, one mode", adjoint, "fp32", True, ("n_modes",)),
        ("echo", echo, "fp32", False, ()),
    ):
        constants = cuda.compilation(kernel, kind == "fp32", has_dt)
        registers, num_warps = constants.pop("maxnreg"), constants.pop("num_warps")
        pointers = {*kernel.arg_names} - {*constants, *counts, *missing}
        types = {x: "*fp64" if x.startswith("sum_") else f"*{kind}" for x in pointers}
        types |= {"c": "*fp32", "step": "*fp64", "lengths": "*i64"}
        types |= {x: counts[x] for x in counts if x not in missing}
        constants |= {x: 1 if x in counts else None for x in missing}
        found[name] = compile_for_hopper(kernel, types, constants, num_warps, maxnreg=registers)
    return found


@needs_compiler
def test_every_kernel_compiles_and_spills_nothing():
    found = without_interpreter(compile_all)
    assert len(found) == 4
    assert {name: used["local_bytes"] for name, used in found.items() if used["local_bytes"]} == {}
    # A lane's steps stay in its own registers: nothing passes through shared memory.
    assert all(used["shared_bytes"] == 0 for used in found.values())


def _on_gpu(inputs):
    return [x.cuda() for x in inputs]


def _close(result, truth, tolerance):
    for x, y in zip(result, truth, strict=True):
        atol = tolerance * float(y.abs().max())
        torch.testing.assert_close(x.cpu().double(), y, rtol=tolerance, atol=atol)


# float32 as on the CPU, whose tanh this is; a GPU's division and logarithm are a few last
# places worse. float64 to rounding, which grows with time.
@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (F64, 1e-9)])
@pytest.mark.parametrize("shape", [(3, 37, 5), (1, 1, 1), (3, 300, 33), (70, 100, 256)])
def test_on_the_gpu(shape, dtype, tolerance, gradient, case):
    drive, *parameters = _problem(*shape, dtype, step=0.05)
    options = _options(case, *shape[:2])
    truth = _run(nonlinear_oscillator, [drive.double(), *parameters], backend="cpu", **options)
    options = {name: x.cuda() for name, x in options.items()}
    inputs = _on_gpu([drive, *parameters])
    result = _run(nonlinear_oscillator, inputs, gradient=gradient, **options)
    _close(result, truth, tolerance)
    again = _run(nonlinear_oscillator, inputs, gradient=gradient, **options)
    assert all(torch.equal(x, y) for x, y in zip(result, again, strict=True))


@pytest.mark.gpu
@needs_gpu
def test_float32_echoes_over_long_series_on_the_gpu():
    drive, *parameters = _problem(1, 17_984, 16, torch.float32, step=0.01)
    truth = _run(nonlinear_oscillator, [drive.double(), *parameters], backend="cpu")
    result = _run(nonlinear_oscillator, _on_gpu([drive, *parameters]), gradient="rhel")
    for x, y in zip(result, truth, strict=True):
        x, y = x.cpu().double().flatten(), y.flatten()
        assert 1 - float(x @ y / (x.norm() * y.norm())) < 1e-6  # the CPU's bound


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_unit_in_chunks_on_the_gpu(gradient, monkeypatch):
    monkeypatch.setattr(unit, "_DEVICE_CHUNK", 2**12)
    inputs, options = _unit_problem(4, 100, 64, 16), _options(("dt", "lengths"), 4, 100)
    truth = _run(nonlinear_oscillator_unit, inputs, backend="cpu", **options)
    options = {name: x.cuda() for name, x in options.items()}
    result = _run(nonlinear_oscillator_unit, _on_gpu(inputs), gradient=gradient, **options)
    _close(result, truth, 1e-8)


@pytest.mark.gpu
@needs_gpu
def test_bfloat16_autocast_on_the_gpu_runs_the_kernel_in_float32():
    inputs = _on_gpu(x.float() for x in _unit_problem(4, 100, 64, 16))
    half = inputs[0].bfloat16()
    expected = nonlinear_oscillator_unit(half.float(), *inputs[1:])
    with torch.autocast("cuda", dtype=torch.bfloat16):
        result = nonlinear_oscillator_unit(half.requires_grad_(), *inputs[1:])
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
    loss = lambda *x: nonlinear_oscillator_unit(  # noqa: E731
        *x, gradient=gradient, **options
    ).sum()
    loss(*(x.requires_grad_() for x in inputs)).backward()  # compiles
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss(*inputs).backward()
    finally:
        torch.cuda.set_sync_debug_mode(before)
