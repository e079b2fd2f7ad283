"""How the GPU's neurons are cut into programs, and what their compiled code needs."""

import pytest
import torch

from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo, fitzhugh_nagumo_packed
from tests.helpers.backends import needs_interpreter, on_the_gpu
from tests.helpers.neuron import problem, run, truth_of
from tests.helpers.triton_compile import (
    compile_for_hopper,
    needs_compiler,
    without_interpreter,
)


@needs_interpreter
@pytest.mark.parametrize("semi_implicit", [False, True])
@pytest.mark.parametrize(
    "n_steps", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 26], ids=lambda n: f"{n} steps"
)
def test_any_number_of_steps(n_steps, semi_implicit):
    # Segments of 8, 4, 2 and 1: each of them, and every way in which they follow.
    inputs = problem(3, 5)
    options = {"dt": 0.11, "n_steps": n_steps, "semi_implicit": semi_implicit}
    actual = run(inputs, backend="cuda", **options)
    for x, truth in zip(actual, truth_of(inputs, **options), strict=True):
        torch.testing.assert_close(x, truth, rtol=1e-12, atol=1e-13)


@needs_interpreter
def test_programs_that_take_several_tiles(monkeypatch):
    from sklearn_physrnn.kernels.neuron import cuda

    inputs = problem(23, 130)  # twelve tiles of two rows, in two columns of tiles
    expected = run(inputs, backend="cuda", dt=0.1, n_steps=3, semi_implicit=True)
    monkeypatch.setattr(cuda, "_MAX_PROGRAMS", 10)
    actual = run(inputs, backend="cuda", dt=0.1, n_steps=3, semi_implicit=True)
    truth = truth_of(inputs, dt=0.1, n_steps=3, semi_implicit=True)
    for x, y, exact in zip(actual, expected, truth, strict=True):
        torch.testing.assert_close(x, exact, rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(x, y, rtol=1e-13, atol=1e-14)
    # The sums are cut elsewhere; all the rest has the same bits.
    assert all(torch.equal(x, y) for x, y in zip(actual[:3], expected[:3], strict=True))


@needs_interpreter
def test_a_double_step_is_not_rounded_to_float32():
    inputs = problem(1, 1)
    dt = 1 / 3
    actual = run(inputs, backend="cuda", dt=dt, n_steps=1, semi_implicit=False)
    rounded = truth_of(inputs, dt=torch.tensor(dt).item(), n_steps=1, semi_implicit=False)
    truth = truth_of(inputs, dt=dt, n_steps=1, semi_implicit=False)
    assert (actual[0] - truth[0]).abs() < 1e-14
    assert (rounded[0] - truth[0]).abs() > 1e-10


def compile_all():
    """Resources of every kernel that users can reach; what is fixed at compile time varies."""
    from sklearn_physrnn.kernels.neuron import cuda

    arrays = "start", "a_ptr", "b_ptr", "g_ptr"
    found = {}
    for kind, n_hidden, semi_implicit in (
        ("fp32", 128, True), ("fp32", 24, False), ("fp64", 128, True), ("fp64", 24, False),
    ):  # fmt: skip
        numbers = {"n_rows": "i32", "n_hidden": "i32", "dt": "fp32", "dt_rest": "fp32"}
        switch = {"SEMI_IMPLICIT": semi_implicit}
        found[f"forward {kind}, {n_hidden} neurons"] = compile_for_hopper(
            cuda._forward,
            dict.fromkeys((*arrays, "final"), f"*{kind}") | numbers | {"n_steps": "i32"},
            cuda._sizes(n_hidden, "forward") | switch,
            num_warps=cuda._WARPS,
        )
        pointers = dict.fromkeys((*arrays, "grad_final", "grad_start", "sums"), f"*{kind}")
        counts = {"n_row_tiles": "i32", "n_segments": "i32"}
        found[f"backward {kind}, {n_hidden} neurons"] = compile_for_hopper(
            cuda._backward,
            pointers | numbers | counts,
            # All lengths of a segment, one after the other.
            cuda._sizes(n_hidden, "backward") | switch | {"REST": 7},
            num_warps=cuda._WARPS,
        )
    # Triton makes constants of arguments that are 1: one row of one neuron, one step.
    del numbers["n_rows"], numbers["n_hidden"], counts["n_row_tiles"], counts["n_segments"]
    ones = dict.fromkeys(("n_rows", "n_hidden"), 1)
    found["forward, all ones"] = compile_for_hopper(
        cuda._forward,
        dict.fromkeys((*arrays, "final"), "*fp32") | numbers,
        cuda._sizes(1, "forward") | switch | ones | {"n_steps": 1},
    )
    found["backward, all ones"] = compile_for_hopper(
        cuda._backward,
        dict.fromkeys(pointers, "*fp32") | numbers,
        cuda._sizes(1, "backward") | switch | ones
        | {"n_row_tiles": 1, "n_segments": 1, "REST": 1},
    )  # fmt: skip
    return found


@pytest.mark.slow
@needs_compiler
def test_every_kernel_compiles_and_stays_on_the_chip():
    found = without_interpreter(compile_all)
    assert len(found) == 10
    for name, used in found.items():
        assert used["local_bytes"] == 0, name
        if "fp32" in name:  # at least four blocks of four warps on a multiprocessor
            assert used["registers"] <= 128, name


@on_the_gpu
def test_autocast_on_the_gpu_runs_the_kernel_in_float32():
    *start, a, b, g = problem(64, 24, torch.float32, device="cuda")
    constants = a, b, g
    half = torch.stack(start, 1).detach().bfloat16().requires_grad_()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = fitzhugh_nagumo_packed(half, *constants, dt=0.1, n_steps=8)
        assert out.dtype == torch.float32
        out.sum().backward()
    expected = fitzhugh_nagumo_packed(half.detach().float(), *constants, dt=0.1, n_steps=8)
    assert torch.equal(out, expected)
    assert half.grad.dtype == torch.bfloat16
    assert torch.isfinite(half.grad).all()


@on_the_gpu
def test_nothing_waits_for_the_gpu():
    inputs = problem(64, 24, torch.float32, device="cuda")

    def step():
        v, w = fitzhugh_nagumo(*inputs, dt=0.1, n_steps=8, semi_implicit=True)
        torch.autograd.grad((v, w), inputs, (w.detach(), v.detach()))

    step()  # compiles
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        step()
    finally:
        torch.cuda.set_sync_debug_mode(before)


@needs_interpreter
def test_a_network_trains_on_it(monkeypatch):
    from sklearn_physrnn.kernels import neuron
    from sklearn_physrnn.nn import DynPMNN

    torch.manual_seed(0)
    network, x = DynPMNN(3, 2, hidden_size=6).double(), torch.randn(9, 3).double()

    def step():
        out = network(x)
        return out, *torch.autograd.grad(out.square().sum(), [*network.parameters()])

    expected = step()
    monkeypatch.setattr(neuron, "choose_backend", lambda tensor, backend: "cuda")
    for a, b in zip(step(), expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)
