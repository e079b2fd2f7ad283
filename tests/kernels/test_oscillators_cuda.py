"""How the GPU's oscillators are cut into programs, and what their compiled code needs."""

import numpy as np
import pytest
import torch

from sklearn_physrnn.kernels._dispatch import has_triton
from sklearn_physrnn.kernels.oscillators import scan
from tests.helpers.backends import needs_interpreter
from tests.helpers.oscillators import KINDS, LINEAR, run
from tests.helpers.triton_compile import (
    compile_for_hopper,
    needs_compiler,
    without_interpreter,
)


@needs_interpreter
@pytest.mark.parametrize("n_steps", [1, 7, 8, 9, 16])
def test_ends_of_tiles_and_chunks(n_steps, small):
    inputs = LINEAR.problem(1, n_steps, 1)
    for gradient in ("bptt", "rhel"):
        truth = run(LINEAR.positions, inputs, backend="reference")
        result = run(LINEAR.positions, inputs, backend="cuda", gradient=gradient)
        for x, y in zip(result, truth, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11)


@needs_interpreter
@pytest.mark.parametrize(("n_multiprocessors", "block"), [(4, 32), (5, 16), (9, 8)])
def test_modes_are_shared_out(n_multiprocessors, block, small, monkeypatch):
    cuda = LINEAR.cuda()
    monkeypatch.setattr(cuda, "_MULTIPROCESSORS", n_multiprocessors)
    monkeypatch.setattr(cuda, "_LANES", 64)
    cuda._n_multiprocessors.cache_clear()
    try:
        inputs = LINEAR.problem(2, 9, 35, torch.float32)
        assert cuda.block_of_modes(2, 35, inputs[0].device) == block
        result = run(LINEAR.positions, inputs, backend="cuda", gradient="rhel")
    finally:
        cuda._n_multiprocessors.cache_clear()
    exact = [inputs[0].double(), *inputs[1:]]
    for x, y in zip(result, run(LINEAR.positions, exact, backend="reference"), strict=True):
        torch.testing.assert_close(x.double(), y, rtol=2e-5, atol=2e-5 * float(y.abs().max()))


@pytest.fixture
def crowded(small, monkeypatch):
    """A GPU so small that few modes fill it: their time stays in sequence."""
    cuda = LINEAR.cuda()
    monkeypatch.setattr(cuda, "_MULTIPROCESSORS", 1)
    monkeypatch.setattr(cuda, "_LANES", None)  # that nobody asks for
    cuda._n_multiprocessors.cache_clear()
    yield
    cuda._n_multiprocessors.cache_clear()


@needs_interpreter
@pytest.mark.parametrize("n_steps", [1, 4, 5, 9, 13])
@pytest.mark.parametrize("has_dt", [False, True])
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-11), (torch.float32, 3e-5)])
def test_many_modes_keep_time_in_sequence(n_steps, has_dt, gradient, dtype, bound, crowded):
    inputs = LINEAR.problem(2, n_steps, 35, dtype)
    options = {"lengths": torch.tensor([n_steps, max(0, n_steps - 3)])}
    exact = dict(options)
    if has_dt:
        options["dt"] = torch.linspace(0.5, 1.5, 2 * n_steps, dtype=dtype).view(2, n_steps)
        exact["dt"] = options["dt"].double()
    truth = run(LINEAR.positions, [inputs[0].double(), *inputs[1:]], backend="reference", **exact)
    result = run(LINEAR.positions, inputs, backend="cuda", gradient=gradient, **options)
    for x, y in zip(result, truth, strict=True):
        size = max(1.0, float(y.abs().max()))  # one step leaves the stiffness no gradient
        torch.testing.assert_close(x.double(), y, rtol=bound, atol=bound * size)


@needs_interpreter
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_time_in_sequence_begins_and_ends_with_a_state(gradient, crowded):
    inputs = [x.requires_grad_() for x in LINEAR.problem(2, 9, 35)]
    state = torch.linspace(-1, 1, 2 * 2 * 35, dtype=torch.float64).view(2, 2, 35).requires_grad_()
    options = {"lengths": torch.tensor([9, 4]), "gradient": gradient}
    found = []
    for backend in ("reference", "cuda"):
        y, last = LINEAR.oscillator(*inputs, state, backend=backend, **options)
        loss = y.square().sum() + last.cos().sum()
        found.append([y, last, *torch.autograd.grad(loss, [*inputs, state])])
    for x, y in zip(*found, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-10)


@needs_interpreter
@pytest.mark.parametrize("shape", [(0, 4, 3), (2, 0, 3), (2, 4, 0)])
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_nothing_to_do(kind, shape):
    cuda, n_parameters = kind.cuda(), len(kind.draw_parameters(1, 1.0))
    n_parameters += kind.has_bias  # which drives in gaps
    drive = torch.zeros(shape)
    steps, counts = scan.as_arrays(drive, None, None)
    state = torch.ones(2, shape[0], shape[2])
    coefs = cuda.coefficients([torch.ones(shape[2])] * n_parameters, drive.dtype)
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


def compile_linear():
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


def compile_sequence():
    """Resources of the same with time in sequence."""
    from sklearn_physrnn.kernels.oscillators.linear import cuda
    from sklearn_physrnn.kernels.oscillators.linear.cuda_sequence import backward, forward

    counts = dict.fromkeys(("first", "n_steps", "n_total", "shift", "n_states"), "i32")
    found = {}
    for name, kernel, kind, has_dt in (
        ("forward", forward, "fp32", False),
        ("forward, gaps", forward, "fp32", True),
        ("adjoint", backward, "fp32", False),
        ("echo, double, dt", backward, "fp64", True),
        ("forward, damped", forward, "fp32", False),
        ("adjoint, damped", backward, "fp32", False),
        ("echo, damped, gaps", backward, "fp32", True),
    ):
        gaps, damped = name.endswith("gaps"), "damped" in name
        echo = name.startswith("echo")
        constants = cuda.sequence_compilation(kernel, kind == "fp32", has_dt, echo, gaps)
        constants["n_modes"], missing = 512, ()
        if kernel is backward:
            constants["ECHO"] = echo
            missing = ("z_mean", "y_mean", "nudge", "contrast")
            missing = ("before",) if echo else missing
        missing += () if gaps else ("turns",)
        missing += () if damped else ("decay", "sum_rate")[: 1 + (kernel is backward)]
        missing += () if damped and (echo or kernel is forward) else ("slots", "states")
        registers, num_warps = constants.pop("maxnreg"), constants.pop("num_warps")
        pointers = {*kernel.arg_names} - {*constants, *counts, *missing}
        types = {x: "*fp64" if x.startswith("sum_") else f"*{kind}" for x in pointers}
        types |= {"stiffness": "*fp32", "step": "*fp64", "lengths": "*i64"} | counts
        special = {"turns": "*fp64", "decay": "*fp64", "slots": "*i64"}
        types |= {x: special[x] for x in special if x in types}
        constants |= dict.fromkeys(missing)
        found[name] = compile_for_hopper(kernel, types, constants, num_warps, maxnreg=registers)
    return found


@pytest.mark.slow
@needs_compiler
def test_time_in_sequence_compiles_and_stays_in_registers():
    found = without_interpreter(compile_sequence)
    assert len(found) == 7
    assert all(used["local_bytes"] == used["shared_bytes"] == 0 for used in found.values())


@pytest.mark.slow
@needs_compiler
def test_every_linear_kernel_compiles_and_spills_nothing():
    found = without_interpreter(compile_linear)
    assert len(found) == 6
    assert {name: used["local_bytes"] for name, used in found.items() if used["local_bytes"]} == {}
    # Programs of 256 threads that fit a multiprocessor's 65,536 registers.
    assert found["forward"]["registers"] <= 64
    assert found["adjoint"]["registers"] <= 80
    assert found["echo"]["registers"] <= 128


def compile_nonlinear():
    """Resources of the kernels as they are launched; what the compiler is told varies."""
    from sklearn_physrnn.kernels.oscillators.nonlinear import cuda
    from sklearn_physrnn.kernels.oscillators.nonlinear.cuda_kernels import adjoint, echo, forward

    counts = dict.fromkeys(("first", "n_steps", "n_total", "shift"), "i32")
    found = {}
    for name, kernel, kind, has_dt, missing in (
        ("forward", forward, "fp32", False, ("half_out",)),
        ("forward, double, dt", forward, "fp64", True, ("power",)),
        ("forward, gaps", forward, "fp32", True, ("half_out",)),
        ("adjoint, dt", adjoint, "fp32", True, ()),
        ("echo", echo, "fp32", False, ("sum_rest",)),
        ("echo, gaps", echo, "fp32", True, ()),
    ):
        gaps = name.endswith("gaps")
        constants = cuda.compilation(kernel, kind == "fp32", has_dt, gaps)
        constants["n_modes"] = 512
        registers, num_warps = constants.pop("maxnreg"), constants.pop("num_warps")
        pointers = {*kernel.arg_names} - {*constants, *counts, *missing}
        types = {x: "*fp64" if x.startswith("sum_") else f"*{kind}" for x in pointers}
        types |= {"c": "*fp32", "step": "*fp64", "lengths": "*i64"}
        types |= {x: counts[x] for x in counts if x not in missing}
        constants |= {x: 1 if x in counts else None for x in missing}
        found[name] = compile_for_hopper(kernel, types, constants, num_warps, maxnreg=registers)
    return found


@pytest.mark.slow
@needs_compiler
def test_every_nonlinear_kernel_compiles_and_spills_nothing():
    found = without_interpreter(compile_nonlinear)
    assert len(found) == 6
    assert {name: used["local_bytes"] for name, used in found.items() if used["local_bytes"]} == {}
    # A lane's steps stay in its own registers: nothing passes through shared memory.
    assert all(used["shared_bytes"] == 0 for used in found.values())
