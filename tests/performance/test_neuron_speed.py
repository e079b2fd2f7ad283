"""Forward and backward of the neuron kernel against its torch reference.

Not part of the default suite; run ``pytest tests/performance/test_neuron_speed.py``.
Compare rows of one run, by the minimum or the median, never figures of two runs.
"""

import time
from statistics import median

import pytest
import torch

from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo

pytest.importorskip("pytest_benchmark")

BATCH, HIDDEN, N_STEPS = 4096, 128, 16


@pytest.fixture
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _step(backend, semi_implicit):
    generator = torch.Generator().manual_seed(0)
    tensors = [
        torch.rand(shape, generator=generator).requires_grad_()
        for shape in [(BATCH, HIDDEN)] * 3 + [(HIDDEN,)] * 3
    ]
    grad = torch.rand(BATCH, HIDDEN, generator=generator)

    def step():
        v, w = fitzhugh_nagumo(
            *tensors, dt=1 / 16, n_steps=N_STEPS, semi_implicit=semi_implicit, backend=backend
        )
        torch.autograd.grad((v, w), tensors, (grad, grad))

    return step


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("semi_implicit", [False, True])
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_forward_and_backward(benchmark, backend, semi_implicit):
    rounds = 20 if backend == "cpu" else 5
    benchmark.pedantic(_step(backend, semi_implicit), rounds=rounds, warmup_rounds=1)


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("semi_implicit", [False, True])
def test_at_least_five_times_the_reference(semi_implicit, capsys):
    steps = [_step("cpu", semi_implicit), _step("reference", semi_implicit)]
    times = [[], []]
    for round_ in range(8):
        for step, spent in zip(steps, times, strict=True):
            start = time.perf_counter()
            step()
            if round_:  # the first one compiles
                spent.append(time.perf_counter() - start)
    kernel, reference = map(median, times)
    with capsys.disabled():
        print(
            f"\n{'semi-implicit' if semi_implicit else 'explicit'} Euler, one thread: kernel "
            f"{1e3 * kernel:.0f} ms, reference {1e3 * reference:.0f} ms, "
            f"{reference / kernel:.1f} times (of minima: {min(times[1]) / min(times[0]):.1f})"
        )
    assert reference > 5 * kernel
