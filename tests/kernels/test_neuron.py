"""FitzHugh-Nagumo neurons: every backend against the float64 reference.

How the GPU's kernels are cut and compiled is tested in ``test_neuron_cuda.py``.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo, fitzhugh_nagumo_packed
from tests.helpers.backends import CPU, INTERPRETER, REFERENCE, on_the_gpu
from tests.helpers.neuron import problem, run, truth_of

compiled = pytest.mark.parametrize("place", [CPU, INTERPRETER])

# float32 steps round at 6e-8; over 16 of them, with gradients summed over rows, some
# hundred times that. On a GPU multiplications and additions are contracted, and sums over
# rows are cut otherwise: no more than that.
TOLERANCE = {
    torch.float32: {"rtol": 2e-5, "atol": 2e-5},
    torch.float64: {"rtol": 1e-11, "atol": 1e-12},
}

SMALL = [
    (1, 1, 1),
    (1, 5, 3),
    (7, 1, 8),
    (33, 26, 8),
    (5, 128, 4),
    (4, 129, 5),  # one neuron past a block
    (0, 4, 3),
    (3, 4, 0),
]
LARGE = [(9, 300, 16), (300, 60, 16)]  # several shards; too long for Triton's interpreter
SHAPES = [
    *((place, shape) for place in (CPU, REFERENCE) for shape in SMALL + LARGE),
    *((INTERPRETER, shape) for shape in SMALL),
]


@pytest.mark.parametrize("semi_implicit", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    ("place", "shape"),
    [pytest.param(p.values[0], shape, id=f"{p.id}-{shape}", marks=p.marks) for p, shape in SHAPES],
)
def test_values_and_gradients(place, shape, dtype, semi_implicit):
    *sizes, n_steps = shape
    options = {"dt": 0.09, "n_steps": n_steps, "semi_implicit": semi_implicit}
    inputs = problem(*sizes, dtype)
    actual = run(inputs, backend=place.backend, **options)
    for x, truth in zip(actual, truth_of(inputs, **options), strict=True):
        assert x.dtype == dtype
        torch.testing.assert_close(x.double(), truth, **TOLERANCE[dtype])


@on_the_gpu
@pytest.mark.parametrize("semi_implicit", [False, True])
@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize(
    "shape",
    [(1, 1, 1), (33, 26, 8), (4, 129, 5), (300, 60, 16), (4096, 128, 16), (0, 4, 3), (3, 4, 0)],
    ids=str,
)
def test_on_the_gpu(shape, dtype, semi_implicit):
    *sizes, n_steps = shape
    options = {"dt": 0.09, "n_steps": n_steps, "semi_implicit": semi_implicit}
    inputs = problem(*sizes, dtype, device="cuda")
    actual, again = (run(inputs, **options) for _ in range(2))
    for x, truth, y in zip(actual, truth_of(inputs, **options), again, strict=True):
        torch.testing.assert_close(x.cpu().double(), truth, **TOLERANCE[dtype])
        assert torch.equal(x, y)


@pytest.mark.parametrize("semi_implicit", [False, True])
def test_gradcheck(semi_implicit):
    def final(*inputs):
        return fitzhugh_nagumo(*inputs, dt=0.2, n_steps=4, semi_implicit=semi_implicit)

    assert torch.autograd.gradcheck(final, problem(3, 4))


def test_one_step_by_hand():
    v, w, drive, a, b, g = (torch.tensor(x) for x in (0.5, 0.1, 0.3, 0.2, 0.02, 3.0))
    inputs = [x.double().reshape(1, 1) for x in (v, w, drive)]
    inputs += [x.double().reshape(1) for x in (a, b, g)]
    v1 = 0.5 + 0.1 * (0.3 - 0.5 * (0.5 - 0.2) * (0.5 - 1) - 0.1)
    for semi_implicit, seen in ((False, 0.5), (True, v1)):
        out = fitzhugh_nagumo(*inputs, dt=0.1, n_steps=1, semi_implicit=semi_implicit)
        w1 = 0.1 + 0.1 * 0.02 * (seen - 3 * 0.1)
        torch.testing.assert_close(torch.cat(out).flatten().tolist(), [v1, w1], rtol=1e-6, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@compiled
def test_non_finite_values_come_through(place, value, dtype):
    inputs = problem(4, 6, dtype)
    with torch.no_grad():
        inputs[0][2, 3] = value
    with np.errstate(invalid="ignore", over="ignore"):  # the interpreter is NumPy
        results = run(inputs, dt=0.1, n_steps=4, backend=place.backend)
    v, w, grad_v, *_, grad_a, grad_b, grad_g = results
    for x in (v, w, grad_v):
        finite = torch.isfinite(x)
        assert not finite[2, 3]
        assert finite.sum() == x.numel() - 1  # and nothing else is touched
    for x in (grad_a, grad_b, grad_g):
        assert torch.isfinite(x).tolist() == [True] * 3 + [False] + [True] * 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_same_bits_on_any_number_of_threads(dtype):
    results = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            inputs = problem(300, 60, dtype)
            results.append(run(inputs, dt=0.1, n_steps=16))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))


@compiled
def test_same_inputs_same_bits(place):
    inputs = problem(9, 33, torch.float32)
    options = {"dt": 0.1, "n_steps": 5, "semi_implicit": True, "backend": place.backend}
    first, second = (run(inputs, **options) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))


@compiled
def test_inputs_need_not_be_contiguous(place):
    v, w, drive, a, b, g = problem(6, 4)
    options = {"dt": 0.1, "n_steps": 3, "backend": place.backend}
    expected = fitzhugh_nagumo(v, w, drive, a, b, g, **options)
    strided = [torch.stack((x, x), -1)[..., 0] for x in (v, w, drive, a, b, g)]
    actual = fitzhugh_nagumo(*strided, **options)
    assert all(torch.equal(x, y) for x, y in zip(actual, expected, strict=True))


@compiled
def test_inputs_are_not_written_to(place):
    inputs = problem(6, 4)
    before = [x.detach().clone() for x in inputs]
    run(inputs, dt=0.1, n_steps=3, backend=place.backend)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


def test_packed_neurons_are_those_given_one_by_one():
    *start, a, b, g = problem(4, 6)
    options = {"dt": 0.1, "n_steps": 3}
    packed = fitzhugh_nagumo_packed(torch.stack(start, 1), a, b, g, **options)
    parts = fitzhugh_nagumo(*start, a, b, g, **options)
    assert torch.equal(packed, torch.stack(parts, 1))
    half = torch.stack(start, 1).float().bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert fitzhugh_nagumo_packed(half, a, b, g, **options).dtype == torch.float32


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(("index", "name"), list(enumerate(["v", "w", "drive", "a", "b", "g"])))
def test_wrong_shape_is_refused(index, name, backend):
    inputs = list(problem(6, 4))
    inputs[index] = inputs[index][:1]
    name = "w" if name == "v" else name  # the others are measured by v
    with pytest.raises(ValueError, match=f"{name} must be of shape"):
        fitzhugh_nagumo(*inputs, dt=0.1, n_steps=3, backend=backend)


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="backend must be"):
        fitzhugh_nagumo(*problem(2, 2), dt=0.1, n_steps=1, backend="gpu")


@compiled
def test_autocast_runs_the_kernel_in_float32(place):
    inputs = problem(8, 6, torch.float32)
    weight = torch.eye(6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        v = inputs[0] @ weight
        assert v.dtype == torch.bfloat16
        out = fitzhugh_nagumo(v, *inputs[1:], dt=0.1, n_steps=4, backend=place.backend)
        assert {type(x.grad_fn).__name__ for x in out} == {"UnbindBackward0"}
    assert {x.dtype for x in out} == {torch.float32}
    expected = fitzhugh_nagumo(v.float(), *inputs[1:], dt=0.1, n_steps=4, backend=place.backend)
    assert all(torch.equal(x, y) for x, y in zip(out, expected, strict=True))
    grads = torch.autograd.grad(out[0].sum() + out[1].sum(), inputs)
    assert all(torch.isfinite(x).all() and x.abs().sum() > 0 for x in grads)


def test_half_precision_takes_the_reference():
    inputs = [x.detach().bfloat16() for x in problem(3, 4)]
    v, w = fitzhugh_nagumo(*inputs, dt=0.1, n_steps=2)
    assert v.dtype == w.dtype == torch.bfloat16


@compiled
def test_second_derivative_raises(place):
    inputs = problem(2, 3)
    v, _ = fitzhugh_nagumo(*inputs, dt=0.1, n_steps=2, backend=place.backend)
    (grad,) = torch.autograd.grad(v.square().sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_forward_mode_raises():
    inputs = [x.detach() for x in problem(2, 3)]

    def final(v):
        return fitzhugh_nagumo(v, *inputs[1:], dt=0.1, n_steps=2)[0]

    with pytest.raises((NotImplementedError, RuntimeError)):
        torch.func.jvp(final, (inputs[0],), (torch.ones_like(inputs[0]),))


_FORK = """
import os, sys, torch
from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo_packed

# No torch operation large enough for OpenMP's threads may run in the child: GNU's
# OpenMP hangs there. Ours have to work.
torch.set_num_threads(2)
inputs = [torch.rand(700, 3, 60), torch.rand(60), torch.rand(60), torch.rand(60)]
expected = fitzhugh_nagumo_packed(*inputs, dt=0.1, n_steps=16).numpy()
child = os.fork()
if child == 0:
    again = fitzhugh_nagumo_packed(*inputs, dt=0.1, n_steps=16).numpy()
    os._exit(0 if (again == expected).all() else 3)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_computes_on():
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", _FORK], timeout=60, check=False)
    assert result.returncode == 0
