"""What nonlinear oscillators alone promise; see ``test_oscillators.py`` for the rest."""

import numba
import numpy as np
import pytest
import torch

from sklearn_physrnn.kernels.oscillators import scan
from sklearn_physrnn.kernels.oscillators.nonlinear import cpu
from sklearn_physrnn.kernels.oscillators.nonlinear.functions import atanh, tanh
from sklearn_physrnn.kernels.oscillators.nonlinear.reference import log_cosh
from sklearn_physrnn.kernels.oscillators.strict import OPTIONS
from tests.helpers.backends import CPU, INTERPRETER, needs_interpreter, on_the_gpu
from tests.helpers.oscillators import (
    CASES,
    F64,
    NONLINEAR,
    cosine_gap,
    run,
    run_on_gpu,
    sequences,
)


@pytest.mark.parametrize("epsilon", [0.3, 0.01])
def test_mean_and_difference_are_the_two_echoes(epsilon):
    # Large nudges, far from the gradient: still the reference's pair of runs. The step
    # size is read in other variables, the same but for the central difference's error.
    inputs = NONLINEAR.problem(3, 12)
    options = {"gradient": "rhel", "epsilon": epsilon, **sequences(CASES[3], 3, 12)}
    result = run(NONLINEAR.positions, inputs, **options)
    twin = run(NONLINEAR.positions, inputs, backend="reference", **options)
    for x, y in zip(result[:-1], twin[:-1], strict=True):
        torch.testing.assert_close(x, y, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(result[-1], twin[-1], rtol=epsilon, atol=epsilon)


@needs_interpreter
def test_interpreted_echoes_are_the_same_two(small):
    # A large nudge, far from the gradient: the CPU's pair of runs.
    inputs, options = NONLINEAR.problem(2, 11), {"gradient": "rhel", "epsilon": 0.3}
    twin = run(NONLINEAR.positions, inputs, backend="cpu", **options)
    result = run(NONLINEAR.positions, inputs, backend="cuda", **options)
    for x, y in zip(result, twin, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


def test_error_of_the_echoes_is_quadratic_in_the_nudge():
    inputs = NONLINEAR.problem(2, 20)
    truth = run(NONLINEAR.positions, inputs)[1]
    error = [
        float((run(NONLINEAR.positions, inputs, gradient="rhel", epsilon=e)[1] - truth).norm())
        for e in (1e-2, 1e-3)
    ]
    assert 90 < error[0] / error[1] < 110


@pytest.mark.parametrize(("n_steps", "gap"), [(896, 1e-8), (17_984, 1e-6)])
def test_float32_echoes_over_long_series(n_steps, gap):
    drive, *parameters = NONLINEAR.problem(1, n_steps, 16, torch.float32, step=0.01)
    truth = run(NONLINEAR.positions, (drive.double(), *parameters))
    result = run(NONLINEAR.positions, (drive, *parameters), gradient="rhel")
    for x, y in zip(result, truth, strict=True):
        assert cosine_gap(x, y) < gap


@on_the_gpu
def test_float32_echoes_over_long_series_on_the_gpu():
    drive, *parameters = NONLINEAR.problem(1, 17_984, 16, torch.float32, step=0.01)
    truth = run(NONLINEAR.positions, [drive.double(), *parameters], backend="cpu")
    result = run_on_gpu(NONLINEAR.positions, [drive, *parameters], gradient="rhel")
    for x, y in zip(result, truth, strict=True):
        assert cosine_gap(x, y) < 1e-6  # the CPU's bound


def test_energy_oscillates_and_does_not_drift():
    drive, w, c, alpha, step = NONLINEAR.problem(3, 100, step=0.2)
    drive = drive[:, :1].expand(-1, 100, -1).contiguous()  # constant: a fixed potential
    steps, _ = scan.as_arrays(drive, None, None)
    coefs = cpu.coefficients([w, c, alpha, torch.zeros_like(w), step], F64)
    state = torch.stack([torch.zeros_like(drive[:, 0]), torch.ones_like(drive[:, 0])])
    counts, out = torch.full((3,), 20_000), torch.empty(1, *drive.shape, dtype=F64)
    energies = []
    for first in range(0, 20_000, 100):
        cpu.advance(coefs, state, torch.empty(0, 0, dtype=F64), drive, steps, counts, first, out)
        z, y = state[0] / step, state[1]
        x = w * y + drive[:, 0]
        energies.append(z**2 / 2 + alpha * y**2 / 2 + c / w * log_cosh(x))
    energies = torch.stack(energies)
    spread = energies.amax(0) - energies.amin(0)
    assert (spread < 0.05 * energies.mean(0)).all()
    drift = energies[100:].mean(0) - energies[:100].mean(0)
    assert (drift.abs() < 1e-3 * energies.mean(0)).all()


# Interpreted, fewer steps.
OVERFLOWS = [
    *(
        (CPU, 37, dtype, epsilon)
        for dtype in (torch.float32, F64)
        for epsilon in ("auto", 1.0, 1e6)
    ),
    *((INTERPRETER, 9, dtype, 1e6) for dtype in (torch.float32, F64)),
]


@pytest.mark.parametrize(
    ("place", "n_steps", "dtype", "epsilon"),
    [pytest.param(p.values[0], *rest, marks=p.marks) for p, *rest in OVERFLOWS],
    ids=str,
)
def test_large_arguments_do_not_overflow(place, n_steps, dtype, epsilon, small):
    # log(cosh x) is infinite from 89 in float32, and atanh at one.
    drive, *parameters = NONLINEAR.problem(3, n_steps, dtype=dtype)
    options = {"gradient": "rhel", "epsilon": epsilon, "backend": place.backend}
    result = run(NONLINEAR.positions, [200 * drive, *parameters], **options)
    assert all(x.isfinite().all() for x in result)


@numba.njit(**OPTIONS)
def _apply(x, out_tanh, out_atanh):
    for i in range(x.size):
        out_tanh[i] = tanh(x[i])
        out_atanh[i] = atanh(x[i])


def test_fast_functions():
    tiny = np.float32(10) ** np.arange(-30, 1, 0.01)
    x = np.concatenate([-tiny, tiny, np.linspace(-12, 12, 20_001)]).astype("f4")
    results = np.empty((2, len(x)), "f4")
    _apply(x, *results)
    nonzero = x != 0
    truth = np.tanh(x.astype("f8"))
    assert np.abs(results[0] / truth - 1)[nonzero].max() < 4e-7
    assert np.abs(results[0]).max() <= 1
    inside = nonzero & (np.abs(x) < 1)
    assert np.abs(results[1][inside] / np.arctanh(x[inside].astype("f8")) - 1).max() < 4e-7
