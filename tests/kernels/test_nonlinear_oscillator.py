"""Nonlinear oscillators: every backend and gradient against the reference in float64."""

import numba
import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn.kernels.oscillators import (
    nonlinear_oscillator,
    nonlinear_oscillator_unit,
    scan,
    unit,
)
from sklearn_physrnn.kernels.oscillators.nonlinear import cpu
from sklearn_physrnn.kernels.oscillators.nonlinear.functions import atanh, tanh
from sklearn_physrnn.kernels.oscillators.nonlinear.reference import log_cosh
from sklearn_physrnn.kernels.oscillators.strict import OPTIONS

F64 = torch.float64
CASES = [(), ("dt",), ("lengths",), ("dt", "lengths")]


def _problem(n_rows=3, n_steps=37, n_modes=5, dtype=F64, step=0.4):
    generator = torch.Generator().manual_seed(0)
    rand = lambda: torch.rand(n_modes, generator=generator, dtype=F64)  # noqa: E731
    drive = torch.randn(n_rows, n_steps, n_modes, generator=generator, dtype=F64).to(dtype)
    return drive, 0.5 + rand(), 0.2 + 0.5 * rand(), 0.1 + rand(), step * (0.5 + rand())


def _options(case, n_rows=3, n_steps=37):
    generator = torch.Generator().manual_seed(7)
    dt = 0.2 + torch.rand(n_rows, n_steps, generator=generator, dtype=F64)
    every = {"dt": dt, "lengths": torch.tensor([n_steps, n_steps // 2, 0])}
    return {name: every[name] for name in case}


def _run(function, inputs, **options):
    """Result, and gradients of a fixed loss."""
    inputs = [x.clone().requires_grad_() for x in inputs]
    y = function(*inputs, **options)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1), dtype=F64)
    (y * weights.to(y.dtype)).sum().backward()
    return [y.detach(), *(x.grad for x in inputs)]


def _cosine_gap(x, y):
    x, y = x.double().flatten(), y.double().flatten()
    return 1 - float(x @ y / (x.norm() * y.norm()))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    ("options", "tolerance"),
    [
        ({"gradient": "rhel", "backend": "reference"}, 1e-5),
        ({"gradient": "bptt"}, 1e-11),
        ({"gradient": "rhel"}, 1e-9),
    ],
)
def test_value_and_gradients_are_those_of_the_reference(case, options, tolerance):
    # The step size too, for which the release's echoes return zero.
    inputs = _problem()
    truth = _run(nonlinear_oscillator, inputs, backend="reference", **_options(case))
    result = _run(nonlinear_oscillator, inputs, **options, **_options(case))
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("epsilon", [0.3, 0.01])
def test_mean_and_difference_are_the_two_echoes(epsilon):
    # Large nudges, far from the gradient: still the reference's pair of runs. The step
    # size is read in other variables, the same but for the central difference's error.
    inputs = _problem(3, 12)
    options = {"gradient": "rhel", "epsilon": epsilon, **_options(CASES[3], 3, 12)}
    result = _run(nonlinear_oscillator, inputs, **options)
    twin = _run(nonlinear_oscillator, inputs, backend="reference", **options)
    for x, y in zip(result[:-1], twin[:-1], strict=True):
        torch.testing.assert_close(x, y, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(result[-1], twin[-1], rtol=epsilon, atol=epsilon)


def test_error_of_the_echoes_is_quadratic_in_the_nudge():
    inputs = _problem(2, 20)
    truth = _run(nonlinear_oscillator, inputs)[1]
    error = [
        float((_run(nonlinear_oscillator, inputs, gradient="rhel", epsilon=e)[1] - truth).norm())
        for e in (1e-2, 1e-3)
    ]
    assert 90 < error[0] / error[1] < 110


@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 9, 3), (5, 64, 33)])
def test_float32(gradient, shape):
    drive, *parameters = _problem(*shape)
    truth = _run(nonlinear_oscillator, (drive.float().double(), *parameters))
    result = _run(nonlinear_oscillator, (drive.float(), *parameters), gradient=gradient)
    for x, y in zip(result, truth, strict=True):
        atol = 1e-6 + 5e-5 * float(y.abs().max())
        torch.testing.assert_close(x.double(), y, rtol=5e-5, atol=atol)


@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_gradcheck(gradient):
    inputs = [x.requires_grad_() for x in _problem(2, 6, 3)]
    options = {"dt": _options(("dt",), 2, 6)["dt"], "lengths": torch.tensor([6, 4])}
    assert gradcheck(lambda *x: nonlinear_oscillator(*x, gradient=gradient, **options), inputs)


@pytest.mark.parametrize(("n_steps", "gap"), [(896, 1e-8), (17_984, 1e-6)])
def test_float32_echoes_over_long_series(n_steps, gap):
    drive, *parameters = _problem(1, n_steps, 16, dtype=torch.float32, step=0.01)
    truth = _run(nonlinear_oscillator, (drive.double(), *parameters))
    result = _run(nonlinear_oscillator, (drive, *parameters), gradient="rhel")
    for x, y in zip(result, truth, strict=True):
        assert _cosine_gap(x, y) < gap


def _free_run(drive, parameters, dt=None):
    """State and positions at the end, and what else an engine takes."""
    steps, counts = scan.as_arrays(drive, dt, None)
    coefs = cpu.coefficients(parameters, drive.dtype)
    state, power = scan.start(cpu, None, "auto", drive, drive.shape[2])
    positions = torch.empty(1, *drive.shape, dtype=drive.dtype)
    cpu.advance(coefs, state, power, drive, steps, counts, 0, positions)
    return state, positions[0], coefs, steps, counts


@pytest.mark.parametrize("case", [(), ("dt",)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (F64, 1e-11)])
def test_echo_without_nudge_returns_to_the_start(case, dtype, tolerance):
    # Kicked with y in place of y_half, as in the release, it does not.
    drive, *parameters = _problem(3, 20_000, dtype=dtype, step=0.01)
    dt = _options(case, 3, 20_000).get("dt")
    state, positions, coefs, steps, counts = _free_run(drive, parameters, dt)
    states = scan.start_echoes(state)
    middle, grad_drive = torch.empty_like(drive), torch.empty_like(drive)
    nudge = torch.stack([torch.zeros_like(state[0]), torch.ones_like(state[0])])
    cpu.echo(
        coefs, states, nudge, drive, steps, counts, 0, torch.ones_like(drive), grad_drive, middle
    )
    scale = float(positions.abs().max())
    assert float(states.abs().max()) < tolerance * scale
    assert float((middle - positions).abs().max()) < tolerance * scale


def test_energy_oscillates_and_does_not_drift():
    drive, w, c, alpha, step = _problem(3, 100, step=0.2)
    drive = drive[:, :1].expand(-1, 100, -1).contiguous()  # constant: a fixed potential
    state, _, coefs, steps, _ = _free_run(drive, (w, c, alpha, step))
    state[0], state[1] = 0.0, 1.0
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


def test_a_finished_sample_is_frozen():
    drive, *parameters = _problem(2, 30, 4)
    drive[1, 11:] = torch.nan
    for gradient in ("bptt", "rhel"):
        y, *grads = _run(
            nonlinear_oscillator, (drive, *parameters), lengths=torch.tensor([30, 11]),
            gradient=gradient,
        )  # fmt: skip
        alone = nonlinear_oscillator(drive[1:, :11], *parameters)
        torch.testing.assert_close(y[1:, :11], alone, rtol=0, atol=0)
        assert not y[1, 11:].any()
        assert not grads[0][1, 11:].any()
        assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("epsilon", ["auto", 1.0, 1e6])
def test_large_arguments_do_not_overflow(dtype, epsilon):
    # log(cosh x) is infinite from 89 in float32, and atanh at one.
    drive, *parameters = _problem(dtype=dtype)
    result = _run(
        nonlinear_oscillator, (200 * drive, *parameters), gradient="rhel", epsilon=epsilon
    )
    assert all(x.isfinite().all() for x in result)


def test_nan_comes_through():
    drive, *parameters = _problem(2, 9, 3, dtype=torch.float32)
    drive[0, 4, 1] = torch.nan
    for gradient in ("bptt", "rhel"):
        y, *grads = _run(nonlinear_oscillator, (drive, *parameters), gradient=gradient)
        assert y[0, 4:, 1].isnan().all()
        assert y[1].isfinite().all()
        assert all(grad[1].isnan() for grad in grads[1:])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("gradient", "tolerance"), [("bptt", 1e-11), ("rhel", 1e-9)])
def test_unit_is_the_composition(case, gradient, tolerance, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 200)  # several chunks, the last one shorter
    generator = torch.Generator().manual_seed(3)
    rand = lambda *shape: torch.randn(*shape, generator=generator, dtype=F64)  # noqa: E731
    inputs = [rand(3, 37, 6), rand(5, 6), rand(5), rand(6, 5), rand(6), *_problem()[1:]]
    options = _options(case)
    truth = _run(nonlinear_oscillator_unit, inputs, backend="reference", **options)
    result = _run(nonlinear_oscillator_unit, inputs, gradient=gradient, **options)
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


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


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gradient": "adjoint"}, ValueError, "gradient must be 'bptt' or 'rhel'"),
        ({"epsilon": 0.0}, ValueError, "epsilon must be 'auto' or a positive number"),
        ({"dt": torch.ones(3, 36)}, ValueError, r"dt must have shape .* = \(3, 37\)"),
        ({"lengths": torch.ones(2, dtype=torch.int64)}, ValueError, "lengths must have shape"),
    ],
)
def test_bad_arguments(change, error, message):
    with pytest.raises(error, match=message):
        nonlinear_oscillator(*_problem(), **change)
