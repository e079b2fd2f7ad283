"""Energy-transition neurons: every backend against the reference, and that against plain
NumPy loops written from the papers' equations.

Without a GPU Triton's interpreter runs the GPU's kernels: as they are written, not as they
are compiled. For that, and for the precisions that only a GPU has, see
``test_petnn_cuda.py``.
"""

import itertools

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn.kernels.petnn import Switches, petnn, trajectory
from tests.helpers.backends import CPU, CUDA, REFERENCE
from tests.helpers.petnn import VARIANTS, apply, assert_close, problem, run

everywhere = pytest.mark.parametrize("place", [REFERENCE, CPU, CUDA])
compiled = pytest.mark.parametrize("place", [CPU, CUDA])


@pytest.fixture(autouse=True)
def _one_thread():
    # The reference's small operations gain nothing from more.
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def _numpy_loop(x, W, U, b, S, C, T, *, released_code):
    """The recurrence for one sample, from the equations of the paper, neuron by neuron.

    `released_code`: R = 1, I = 0 and tanh of the increment.
    """
    H = len(S)
    W, U, b = W.reshape(-1, H, x.shape[1]), U.reshape(4, H, H), b.reshape(-1, H)
    sigmoid = lambda z: 1 / (1 + np.exp(-z))  # noqa: E731
    S, C, T, outputs = S.copy(), C.copy(), T.copy(), []
    for now in x:
        recalled = np.zeros(H)
        mixing = np.zeros(H)
        for j in range(H):
            z_t, z_c, z_w = (W[g, j] @ now + U[g, j] @ S + b[g, j] for g in range(3))
            decay = 1.0 if released_code else sigmoid(W[4, j] @ now + b[4, j])
            ground = 0.0 if released_code else sigmoid(W[5, j] @ now + b[5, j])
            z_t = np.tanh(z_t) if released_code else z_t
            mixing[j] = sigmoid(z_w)
            remaining = decay * max(T[j] + z_t, 0) - 1
            if remaining <= 0:
                recalled[j] = S[j] * C[j]
                T[j], C[j] = 0, ground
            else:
                T[j] = remaining
            C[j] += sigmoid(z_c)
        candidate = np.tanh(W[3] @ now + U[3] @ recalled + b[3])
        S = np.tanh((1 - mixing) * S + mixing * candidate)
        outputs.append(S)
    return np.array(outputs), S, C, T


@pytest.mark.parametrize("backend", ["reference", "cpu"])
@pytest.mark.parametrize("released_code", [False, True])
def test_recurrence_is_the_published_one(backend, released_code):
    switches = Switches("hard", 1.0, *(("tanh", False, False) if released_code else ()))
    inputs, _ = problem((5, 60, 3, 7), switches)
    output, final = petnn(*inputs[:4], tuple(inputs[4:]), switches=switches, backend=backend)
    x, *weights, S, C, T = (tensor.numpy() for tensor in inputs)
    for i in range(len(x)):
        rows = x[i], *weights, S[i], C[i], T[i]
        expected = _numpy_loop(*rows, released_code=released_code)
        for got, want in zip((output, *final), expected, strict=True):
            np.testing.assert_allclose(got[i], want, rtol=0, atol=1e-12)


def test_a_gradient_that_fades_becomes_zero_and_not_subnormal():
    # Arithmetic with subnormal numbers takes ten times as long, and rounding keeps them.
    inputs, options = problem((2, 2000, 3, 8), Switches("soft", 0.7), seed=3)
    gradients = {}
    for dtype in (torch.float32, torch.float64):
        x, *others = (value.to(dtype) for value in inputs)
        x.requires_grad_()
        output, _ = petnn(x, *others[:3], tuple(others[3:]), **options)
        output[:, -1].sum().backward()
        gradients[dtype] = x.grad
    found, exact = gradients[torch.float32], gradients[torch.float64]
    assert (exact[:, 0].abs() < 1e-40).all()
    assert (found[:, 0] == 0).all()
    tiny = torch.finfo(torch.float32).tiny
    assert not ((found != 0) & (found.abs() < tiny)).any()
    seen = exact.abs() > 1e-20  # what lies below counts for nothing beside it
    torch.testing.assert_close(found[seen].double(), exact[seen], rtol=1e-2, atol=1e-20)


def test_what_is_not_a_number_is_not_taken_for_faded():
    inputs, options = problem((2, 30, 3, 8), Switches("soft", 0.7), seed=3)
    x, *others = inputs
    x.requires_grad_()
    output, _ = petnn(x, *others[:3], tuple(others[3:]), **options)
    output[:, -1].backward(torch.full((2, 8), torch.nan, dtype=torch.float64))
    assert x.grad.isnan().all()


# Rows and columns that fill no tile, and a batch of several shards. Interpreted, a step takes
# a millisecond, and a batch of up to 8 rows gets a program for each, a larger one shares them.
SHAPES = {
    "cpu": [(3, 6, 1, 4), (38, 5, 20, 17), (5, 14, 3, 33)],
    "cuda": [(2, 4, 1, 4), (9, 2, 2, 17)],
}
CASES = list(itertools.product((False, True), (False, True), (("S", "C", "T"), ())))


@pytest.mark.parametrize("number", range(len(VARIANTS)))
@compiled
def test_values_and_gradients_are_those_of_the_reference(place, number):
    release, *others = VARIANTS[number]
    switches = Switches(release, 0.7, *others)
    shapes = SHAPES[place.name]
    for seed in (number, number + 11) if place.name == "cpu" else (number,):
        dt, lengths, use_final = CASES[seed % 8]  # all cases and shapes come in turn
        shape = shapes[seed % len(shapes)]
        inputs, options = problem(shape, switches, dt=dt, lengths=lengths, seed=seed)
        expected = run(inputs, use_final=use_final, backend="reference", **options)
        actual = run(inputs, use_final=use_final, **place.options, **options)
        assert_close(actual, expected, 1e-12)


@pytest.mark.parametrize("release", ["hard", "surrogate", "soft"])
@compiled
def test_float32_is_the_float64_result_to_rounding(place, release):
    # tanh is good to 4e-7 there; 20 steps of a contracting recurrence and sums over
    # 9 * 20 rows for the weights leave some 20 times that. Seeds at which a T' lies so
    # near 0 that rounding decides over a release would differ at all scales.
    shape = (9, 20, 5, 32) if place.name == "cpu" else (9, 6, 5, 16)
    inputs, options = problem(shape, Switches(release, 1.0), dt=True, lengths=True, seed=3)
    expected = run(inputs, backend="reference", **options)
    inputs, options = problem(
        shape, Switches(release, 1.0), dt=True, lengths=True, seed=3, dtype=torch.float32
    )
    actual = run(inputs, **place.options, **options)
    assert actual["output"].dtype == torch.float32
    assert_close(actual, expected, 1e-5)


@pytest.mark.parametrize("release", ["soft", "hard"])
def test_gradcheck(release):
    switches = Switches(release, 0.8)
    inputs, options = problem((2, 6, 2, 3), switches, dt=True, lengths=True, seed=2)
    seen = trajectory(*inputs[:4], tuple(inputs[4:]), **options)
    # Away from the steps and kinks that have no derivative: T' = 0.
    if release == "hard":
        assert 0 < seen.released.mean() < 1

    def function(*inputs):
        output, final = petnn(*inputs[:4], tuple(inputs[4:]), **options)
        return output, *final

    assert gradcheck(function, [x.requires_grad_() for x in inputs], eps=1e-7, atol=1e-5)


@everywhere
def test_timer_learns_only_through_a_surrogate(place):
    H = 6
    shape = (3, 4, 3, H) if place.name == "cuda" else (4, 12, 3, H)
    for release in ("hard", "surrogate"):
        inputs, options = problem(shape, Switches(release))
        grads = run(inputs, use_final=("S", "C"), **place.options, **options)
        timer = [grads["dW"][:H], grads["dW"][4 * H : 5 * H], grads["dU"][:H], grads["db"][:H]]
        for grad in timer:
            assert bool((grad != 0).any()) == (release == "surrogate")
        assert (grads["dW"][H : 4 * H] != 0).any()


def test_results_do_not_depend_on_threads_nor_on_the_rest_of_the_batch():
    switches = Switches()
    # To the bit: the products are our own, each sum over one sample in one order.
    inputs, options = problem((50, 30, 5, 40), switches, dtype=torch.float32)
    alone = run(inputs, **options)
    torch.set_num_threads(3)
    shared = run(inputs, **options)
    for name in alone:
        assert torch.equal(alone[name], shared[name]), name
    some = [inputs[0][7:12], *inputs[1:4], *(x[7:12] for x in inputs[4:])]
    assert torch.equal(run(some, **options)["output"], alone["output"][7:12])


@compiled
def test_steps_beyond_a_length_are_as_if_they_were_not_there(place):
    n_steps, length = (9, 6) if place.name == "cpu" else (5, 3)
    inputs, options = problem((2, n_steps, 3, 5), Switches(), dt=True, seed=4)
    short = [inputs[0][:, :length], *inputs[1:]]
    switches = options["switches"]
    expected = run(short, dt=options["dt"][:, :length], switches=switches, **place.options)
    x, dt = inputs[0].clone(), options["dt"].clone()
    x[:, length:], dt[:, length:] = np.nan, np.nan
    lengths = torch.tensor([length, length], dtype=torch.int32)
    actual = run([x, *inputs[1:]], dt=dt, lengths=lengths, switches=switches, **place.options)
    assert not actual["output"][:, length:].any()
    assert not actual["dx"][:, length:].any()
    assert all(torch.isfinite(x).all() for x in actual.values())
    # Interpreted, the GPU's products are a BLAS's, which orders their sums by its own lights.
    actual["output"] = actual["output"][:, :length]
    names = ("S", "C", "T", "output")
    assert_close({n: actual[n] for n in names}, {n: expected[n] for n in names}, 1e-12)


@everywhere
@pytest.mark.parametrize("position", [0, 6])
def test_a_nan_comes_through(place, position):
    # Through the bias of the timer's increment (0), where a comparison could lose it.
    inputs, options = problem((1, 4, 2, 3), Switches("hard"))
    inputs[3][position] = np.nan
    result = run(inputs, **place.options, **options)
    assert result["output"][:, -1].isnan().any()


@pytest.mark.parametrize("shape", [(0, 4, 2, 3), (2, 0, 2, 3), (2, 1, 2, 3)])
@compiled
def test_empty_and_single(place, shape):
    inputs, options = problem(shape, Switches())
    expected = run(inputs, backend="reference", **options)
    assert_close(run(inputs, **place.options, **options), expected, 1e-12)


@pytest.mark.parametrize("release", ["surrogate", "soft"])
def test_trajectory(release):
    inputs, options = problem((38, 9, 2, 5), Switches(release, 0.5, "tanh"), lengths=True)
    arguments = *inputs[:4], tuple(inputs[4:])
    actual = trajectory(*arguments, backend="cpu", **options)
    expected = trajectory(*arguments, backend="reference", **options)
    for got, want in zip(actual, expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=0, atol=1e-12)
    assert torch.equal(actual.state, petnn(*arguments, **options)[0])


@compiled
def test_strided_inputs(place):
    inputs, options = problem((3, 4, 2, 5), Switches())
    expected, _ = apply(inputs, place, **options)
    strided = [x.repeat_interleave(2, -1)[..., ::2] for x in inputs]
    strided[2] = inputs[2].T.contiguous().T
    output, _ = apply(strided, place, **options)
    assert_close({"output": output.cpu()}, {"output": expected.cpu()}, 1e-12)


@compiled
def test_same_input_same_result(place):
    inputs, options = problem((9, 3, 2, 5), Switches(), dtype=torch.float32)
    first, second = (run(inputs, **place.options, **options) for _ in range(2))
    for name in first:
        assert torch.equal(first[name], second[name]), name


@compiled
def test_results_may_be_changed_in_place_and_the_graph_used_twice(place):
    inputs, options = problem((2, 4, 2, 3), Switches())
    inputs[0].requires_grad_()
    expected = torch.autograd.grad(apply(inputs, place, **options)[0].sum(), inputs[0])[0]
    output, final = apply(inputs, place, **options)
    with torch.no_grad():
        for x in (output, *final):
            x.mul_(2)
    first, second = (
        torch.autograd.grad(output.sum(), inputs[0], retain_graph=True)[0] for _ in range(2)
    )
    assert torch.equal(first, expected)
    assert torch.equal(first, second)


@compiled
def test_a_weight_that_was_changed_in_place_is_noticed(place):
    inputs, options = problem((2, 4, 2, 3), Switches())
    arguments = [x.to(place.device) for x in inputs]
    arguments[1].requires_grad_()
    output, _ = apply(arguments, place, **options)
    with torch.no_grad():
        arguments[1].add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        output.sum().backward()


@compiled
def test_a_second_derivative_is_refused(place):
    inputs, options = problem((2, 3, 2, 3), Switches())
    x = inputs[0].requires_grad_()
    output, _ = apply(inputs, place, **options)
    (grad,) = torch.autograd.grad(output.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


def test_output_may_be_changed_in_place_and_the_graph_used_twice():
    inputs, options = problem((2, 5, 2, 3), Switches())
    inputs[0].requires_grad_()
    output, _ = petnn(*inputs[:4], tuple(inputs[4:]), **options)
    output.mul_(2)
    first, second = (
        torch.autograd.grad(output.sum(), inputs[0], retain_graph=True)[0] for _ in range(2)
    )
    assert torch.equal(first, second)
