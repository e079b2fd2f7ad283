"""Every backend of the neuron kernel against the float64 reference."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from sklearn_physrnn.kernels._dispatch import has_triton, interpreted
from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo

needs_interpreter = pytest.mark.skipif(
    not (has_triton() and interpreted()),
    reason="needs Triton's interpreter; a GPU has tests of its own",
)
COMPILED = ["cpu", pytest.param("cuda", marks=needs_interpreter)]

# float32 steps round at 6e-8; over 16 of them, with gradients summed over rows, some
# hundred times that.
TOLERANCE = {
    torch.float32: {"rtol": 2e-5, "atol": 2e-5},
    torch.float64: {"rtol": 1e-11, "atol": 1e-12},
}

SHAPES = [
    (1, 1, 1),
    (1, 5, 3),
    (7, 1, 8),
    (33, 26, 8),
    (5, 128, 4),
    (4, 129, 5),  # one neuron past a block
    (9, 300, 16),
    (300, 60, 16),  # several shards
    (0, 4, 3),
    (3, 4, 0),
]


def _inputs(batch, hidden, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        x = torch.rand(shape, generator=generator, dtype=torch.float64) * (high - low) + low
        return x.to(dtype).requires_grad_()

    return (
        *(uniform(-1, 1, batch, hidden) for _ in range(3)),
        uniform(0, 0.4, hidden),
        uniform(0.1, 1.5, hidden),
        uniform(0.1, 3.0, hidden),
    )


def _outputs_and_gradients(inputs, **options):
    v, w = fitzhugh_nagumo(*inputs, **options)
    generator = torch.Generator().manual_seed(1)
    gv, gw = (torch.rand(v.shape, generator=generator, dtype=torch.float64) - 0.5 for _ in "vw")
    loss = (v * gv.to(v.dtype)).sum() + (w * gw.to(w.dtype)).sum()
    return v.detach(), w.detach(), *torch.autograd.grad(loss, inputs, materialize_grads=True)


@pytest.mark.parametrize("semi_implicit", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("backend", [*COMPILED, "reference"])
@pytest.mark.parametrize(("batch", "hidden", "n_steps"), SHAPES)
def test_values_and_gradients(batch, hidden, n_steps, backend, dtype, semi_implicit):
    if backend == "cuda" and batch * hidden > 2000:
        pytest.skip("too long for Triton's interpreter")
    options = {"dt": 0.09, "n_steps": n_steps, "semi_implicit": semi_implicit}
    inputs = _inputs(batch, hidden, dtype)
    exact = [x.detach().double().requires_grad_() for x in inputs]
    expected = _outputs_and_gradients(exact, backend="reference", **options)
    actual = _outputs_and_gradients(inputs, backend=backend, **options)
    for x, truth in zip(actual, expected, strict=True):
        assert x.dtype == dtype
        torch.testing.assert_close(x.double(), truth, **TOLERANCE[dtype])


@pytest.mark.parametrize("semi_implicit", [False, True])
def test_gradcheck(semi_implicit):
    def run(*inputs):
        return fitzhugh_nagumo(*inputs, dt=0.2, n_steps=4, semi_implicit=semi_implicit)

    assert torch.autograd.gradcheck(run, _inputs(3, 4))


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
@pytest.mark.parametrize("backend", COMPILED)
def test_non_finite_values_come_through(backend, value, dtype):
    inputs = _inputs(4, 6, dtype)
    with torch.no_grad():
        inputs[0][2, 3] = value
    with np.errstate(invalid="ignore", over="ignore"):  # the interpreter is NumPy
        results = _outputs_and_gradients(inputs, dt=0.1, n_steps=4, backend=backend)
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
            inputs = _inputs(300, 60, dtype)
            results.append(_outputs_and_gradients(inputs, dt=0.1, n_steps=16))
    finally:
        torch.set_num_threads(before)
    for other in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], other, strict=True))


@pytest.mark.parametrize("backend", COMPILED)
def test_inputs_need_not_be_contiguous(backend):
    v, w, drive, a, b, g = _inputs(6, 4)
    options = {"dt": 0.1, "n_steps": 3, "backend": backend}
    expected = fitzhugh_nagumo(v, w, drive, a, b, g, **options)
    strided = [torch.stack((x, x), -1)[..., 0] for x in (v, w, drive, a, b, g)]
    actual = fitzhugh_nagumo(*strided, **options)
    assert all(torch.equal(x, y) for x, y in zip(actual, expected, strict=True))


@pytest.mark.parametrize("backend", COMPILED)
def test_inputs_are_not_written_to(backend):
    inputs = _inputs(6, 4)
    before = [x.detach().clone() for x in inputs]
    _outputs_and_gradients(inputs, dt=0.1, n_steps=3, backend=backend)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(("index", "name"), list(enumerate(["v", "w", "drive", "a", "b", "g"])))
def test_wrong_shape_is_refused(index, name, backend):
    inputs = list(_inputs(6, 4))
    inputs[index] = inputs[index][:1]
    name = "w" if name == "v" else name  # the others are measured by v
    with pytest.raises(ValueError, match=f"{name} must be of shape"):
        fitzhugh_nagumo(*inputs, dt=0.1, n_steps=3, backend=backend)


def test_unknown_backend_is_refused():
    with pytest.raises(ValueError, match="backend must be"):
        fitzhugh_nagumo(*_inputs(2, 2), dt=0.1, n_steps=1, backend="gpu")


@pytest.mark.parametrize("backend", COMPILED)
def test_autocast_runs_the_kernel_in_float32(backend):
    inputs = _inputs(8, 6, torch.float32)
    weight = torch.eye(6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        v = inputs[0] @ weight
        assert v.dtype == torch.bfloat16
        out = fitzhugh_nagumo(v, *inputs[1:], dt=0.1, n_steps=4, backend=backend)
        assert {type(x.grad_fn).__name__ for x in out} == {"UnbindBackward0"}
    assert {x.dtype for x in out} == {torch.float32}
    expected = fitzhugh_nagumo(v.float(), *inputs[1:], dt=0.1, n_steps=4, backend=backend)
    assert all(torch.equal(x, y) for x, y in zip(out, expected, strict=True))
    grads = torch.autograd.grad(out[0].sum() + out[1].sum(), inputs)
    assert all(torch.isfinite(x).all() and x.abs().sum() > 0 for x in grads)


def test_half_precision_takes_the_reference():
    inputs = [x.detach().bfloat16() for x in _inputs(3, 4)]
    v, w = fitzhugh_nagumo(*inputs, dt=0.1, n_steps=2)
    assert v.dtype == w.dtype == torch.bfloat16


@pytest.mark.parametrize("backend", COMPILED)
def test_second_derivative_raises(backend):
    inputs = _inputs(2, 3)
    v, _ = fitzhugh_nagumo(*inputs, dt=0.1, n_steps=2, backend=backend)
    (grad,) = torch.autograd.grad(v.square().sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_forward_mode_raises():
    inputs = [x.detach() for x in _inputs(2, 3)]

    def run(v):
        return fitzhugh_nagumo(v, *inputs[1:], dt=0.1, n_steps=2)[0]

    with pytest.raises((NotImplementedError, RuntimeError)):
        torch.func.jvp(run, (inputs[0],), (torch.ones_like(inputs[0]),))


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
