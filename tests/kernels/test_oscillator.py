"""Linear oscillators: every backend and gradient against the reference in float64."""

import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn.kernels.oscillators import (
    checks,
    nudge,
    oscillator,
    oscillator_unit,
    scan,
    unit,
)
from sklearn_physrnn.kernels.oscillators.linear import cpu

F64 = torch.float64


def _problem(n_rows=3, n_steps=37, n_modes=5, dtype=F64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    rand = lambda *shape: torch.rand(*shape, generator=generator, dtype=F64)  # noqa: E731
    drive = torch.randn(n_rows, n_steps, n_modes, generator=generator, dtype=F64).to(dtype)
    return drive, (rand(n_modes) + 0.05), (0.5 + 0.25 * rand(n_modes))


def _options(case, n_rows=3, n_steps=37):
    generator = torch.Generator().manual_seed(7)
    dt = 0.2 + torch.rand(n_rows, n_steps, generator=generator, dtype=F64)
    lengths = torch.tensor([n_steps, n_steps // 2, 0])
    every = {"dt": dt, "lengths": lengths}
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


CASES = [(), ("dt",), ("lengths",), ("dt", "lengths")]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(
    "options",
    [
        {"gradient": "rhel", "backend": "reference"},
        {"gradient": "rhel", "backend": "reference", "epsilon": 0.3},
        {"gradient": "bptt"},
        {"gradient": "rhel"},
        {"gradient": "rhel", "epsilon": 0.3},
    ],
)
def test_value_and_gradients_are_those_of_the_reference(case, options):
    inputs = _problem()
    truth = _run(oscillator, inputs, backend="reference", **_options(case))
    for x, y in zip(_run(oscillator, inputs, **options, **_options(case)), truth, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (2, 9, 3), (5, 64, 33)])
def test_float32(gradient, shape):
    drive, stiffness, step = _problem(*shape)
    truth = _run(oscillator, (drive.float().double(), stiffness, step), backend="reference")
    result = _run(oscillator, (drive.float(), stiffness, step), gradient=gradient)
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x.double(), y, rtol=2e-5, atol=2e-5 * float(y.abs().max()))


@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_gradcheck(gradient):
    inputs = [x.requires_grad_() for x in _problem(2, 6, 3)]
    options = {"dt": _options(("dt",), 2, 6)["dt"], "lengths": torch.tensor([6, 4])}
    assert gradcheck(lambda *x: oscillator(*x, gradient=gradient, **options), inputs)


@pytest.mark.parametrize("n_steps", [17_984, 50_000])
def test_float32_echoes_stay_exact_over_long_series(n_steps):
    # The release's cosine in float32 is 0.8 at 17,984 steps.
    drive, stiffness, step = _problem(1, n_steps, 16, dtype=torch.float32)
    truth = _run(oscillator, (drive.double(), stiffness, step))
    result = _run(oscillator, (drive, stiffness, step), gradient="rhel")
    for x, y in zip(result, truth, strict=True):
        assert _cosine_gap(x, y) < 1e-8  # 5e-8 where kappa is rounded
        assert abs(float(x.double().norm() / y.norm()) - 1) < 1e-4


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e8])
@pytest.mark.parametrize("epsilon", ["auto", 1e-4, 10.0])
def test_no_loss_scale_is_needed(scale, epsilon):
    inputs = _problem(dtype=torch.float32)
    plain = _run(oscillator, inputs)
    scaled = _run(lambda *x: scale * oscillator(*x, gradient="rhel", epsilon=epsilon), inputs)
    for x, y in zip(scaled[1:], plain[1:], strict=True):
        torch.testing.assert_close(x / scale, y, rtol=1e-4, atol=1e-4 * float(y.abs().max()))


@pytest.mark.parametrize("case", [(), ("dt",)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-10)])
def test_echo_without_nudge_returns_to_the_start(case, dtype, tolerance):
    drive, *parameters = _problem(3, 20_000, 5, dtype)
    dt = 0.8 * _options(case, 3, 20_000)["dt"] if case else None
    steps, counts = scan.as_arrays(drive, dt, torch.tensor([20_000, 10_000, 0]))
    coefs = cpu.coefficients(parameters, dtype)
    state, power = scan.start(cpu, "rhel", "auto", drive, 5)
    positions = torch.empty(1, *drive.shape, dtype=dtype)
    cpu.advance(coefs, state, power, drive, steps, counts, 0, positions)
    states = scan.start_echoes(state)
    middle, grad_drive = torch.empty_like(drive), torch.empty_like(drive)
    nudge = torch.stack([torch.zeros_like(state[0]), torch.ones_like(state[0])])
    sums = cpu.echo(
        coefs, states, nudge, drive, steps, counts, 0, torch.ones_like(drive), grad_drive, middle
    )
    scale = float(positions.abs().max())
    assert float(states.abs().max()) < tolerance * scale
    assert float((middle - positions[0]).abs().max()) < tolerance * scale
    assert not sums.any()
    assert not grad_drive.any()


@pytest.mark.parametrize("stiffness", [1e-4, 0.5, 3.96])
def test_an_undriven_oscillator_keeps_its_energy(stiffness):
    # A pure oscillation has y_t^2 - y_(t-1) y_(t+1) constant: the leapfrog's energy.
    drive = torch.zeros(1, 20_000, 1, dtype=F64)
    drive[0, 0] = 1.0
    y = oscillator(drive, torch.tensor([stiffness]), torch.tensor([1.0]))[0, :, 0]
    energy = y[1:-1] ** 2 - y[:-2] * y[2:]
    torch.testing.assert_close(energy, energy[:1].expand_as(energy), rtol=1e-6, atol=0)


def test_steps_in_rhythm_with_the_oscillator_drive_it():
    # Leapfrog with steps that vary is not stable wherever each step alone is.
    dt = torch.tensor([0.3] * 6 + [0.73] * 6, dtype=F64).repeat(100)[None]
    drive = torch.zeros(1, 1200, 1, dtype=F64)
    drive[0, 0] = 1.0
    y = oscillator(drive, torch.ones(1), torch.ones(1), dt=dt).abs().view(100, 12)
    growth = (y[-10:].max() / y[40:50].max()) ** (1 / 50)
    assert 1.05 < growth < 1.07


def test_a_finished_sample_is_frozen():
    drive, stiffness, step = _problem(2, 30, 4)
    lengths = torch.tensor([30, 11])
    drive[1, 11:] = torch.nan
    for gradient in ("bptt", "rhel"):
        y, *grads = _run(oscillator, (drive, stiffness, step), lengths=lengths, gradient=gradient)
        alone = oscillator(drive[1:, :11], stiffness, step)
        torch.testing.assert_close(y[1:, :11], alone, rtol=0, atol=0)
        assert not y[1, 11:].any()
        assert not grads[0][1, 11:].any()
        assert all(grad.isfinite().all() for grad in grads)


def test_nan_comes_through():
    drive, stiffness, step = _problem(2, 9, 3)
    drive[0, 4, 1] = torch.nan
    for gradient in ("bptt", "rhel"):
        y, *grads = _run(oscillator, (drive, stiffness, step), gradient=gradient)
        assert y[0, 4:, 1].isnan().all()
        assert y[1].isfinite().all()
        assert grads[1][1].isnan()


def _unit_problem(n_modes, dtype=F64):
    _, stiffness, step = _problem(3, 37, n_modes)
    rand = lambda *shape: torch.randn(  # noqa: E731
        *shape, generator=torch.Generator().manual_seed(len(shape)), dtype=F64
    )
    u, b, c, d = rand(3, 37, 6), rand(n_modes, 6), rand(6, n_modes), rand(6)
    return [u.to(dtype), b.to(dtype), c.to(dtype), d.to(dtype), stiffness, step]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize("n_modes", [4, 8])  # fewer and more than inputs
@pytest.mark.parametrize("epsilon", ["auto", 0.3])
def test_unit_is_the_composition(case, gradient, n_modes, epsilon, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 200)  # several chunks, the last one shorter
    inputs = _unit_problem(n_modes)
    truth = _run(oscillator_unit, inputs, backend="reference", **_options(case))
    result = _run(oscillator_unit, inputs, gradient=gradient, epsilon=epsilon, **_options(case))
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("grad", [True, False])
def test_prediction_keeps_no_trajectory(grad, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 200)
    original, starts = cpu.advance, set()

    def advance(*arguments):
        starts.add(arguments[-1].data_ptr())
        original(*arguments)

    monkeypatch.setattr(cpu, "advance", advance)
    inputs = [x.requires_grad_() for x in _unit_problem(4)]
    with torch.set_grad_enabled(grad):
        oscillator_unit(*inputs)
    # Every chunk's positions go to the same buffer, or to their place in the whole.
    assert len(starts) == (3 if grad else 1)


@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_same_bits_for_any_number_of_threads(gradient):
    inputs = _problem(8, 500, 64, dtype=torch.float32)
    before = torch.get_num_threads()
    try:
        results = []
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            results.append(_run(oscillator, inputs, gradient=gradient))
    finally:
        torch.set_num_threads(before)
    for x, y in zip(*results, strict=True):
        assert torch.equal(x, y)


@pytest.mark.parametrize("n_modes", [4, 8])
def test_gradient_norm_without_the_gradient(n_modes, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 200)
    grad, _, c = (x.float() for x in _unit_problem(n_modes)[:3])
    lengths = torch.tensor([37, 20, 1])
    chunks = unit._Chunks(grad, n_modes)
    running = torch.arange(37) < lengths[:, None]
    truth = ((grad * running[:, :, None]) @ c).double().norm(dim=1)
    for scale in (1.0, 1e-25):
        norm = unit._position_gradient_norm(grad * scale, c, lengths, chunks) / scale
        torch.testing.assert_close(norm.double(), truth, rtol=1e-5, atol=0)


def test_automatic_nudge_is_finite_and_positive():
    power = torch.tensor([[0.0, 0.0, 4.0, 4.0, torch.nan]])
    norm = torch.tensor([[0.0, 2.0, 0.0, 0.5, 1.0]])
    sizes = nudge.nudge_sizes("auto", 1.0, power, torch.tensor([4]), norm)
    assert sizes[0, :4].tolist() == [1.0, 0.5, 1.0, 2.0]
    assert sizes[0, 4].isnan()


def test_half_precision_runs_in_float32():
    drive, stiffness, step = _problem(dtype=torch.bfloat16)
    y = oscillator(drive, stiffness, step)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, oscillator(drive.float(), stiffness, step).bfloat16())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"gradient": "adjoint"}, ValueError, "gradient must be 'bptt' or 'rhel'"),
        ({"epsilon": 0.0}, ValueError, "epsilon must be 'auto' or a positive number"),
        ({"epsilon": -1.0}, ValueError, "epsilon must be"),
        ({"epsilon": float("nan")}, ValueError, "epsilon must be"),
        ({"epsilon": "small"}, ValueError, "epsilon must be"),
        ({"dt": torch.ones(3, 36)}, ValueError, r"dt must have shape .* = \(3, 37\)"),
        ({"dt": torch.ones(3, 37, dtype=torch.complex64)}, TypeError, "dt must be a real"),
        ({"lengths": torch.ones(2, dtype=torch.int64)}, ValueError, "lengths must have shape"),
        ({"lengths": torch.ones(3)}, TypeError, "lengths must be a tensor of integers"),
        ({"lengths": torch.tensor([1, 2, 38])}, ValueError, "between 0 and the number"),
        ({"backend": "gpu"}, ValueError, "backend must be"),
    ],
)
def test_bad_arguments(change, error, message):
    with pytest.raises(error, match=message):
        oscillator(*_problem(), **change)


def test_bad_drive_and_parameters():
    drive, stiffness, step = _problem()
    with pytest.raises(TypeError, match="drive must be a real floating-point tensor"):
        oscillator(drive.to(torch.complex128), stiffness, step)
    with pytest.raises(ValueError, match="drive must have 3 dimensions"):
        oscillator(drive[0], stiffness, step)
    with pytest.raises(ValueError, match="stiffness must have shape"):
        oscillator(drive, stiffness[:2], step)
    with pytest.raises(ValueError, match="at least one sample and one step"):
        checks.check_sequence("u", drive[:, :0], None, None)


def test_tensors_on_two_devices_are_refused():
    drive, frequency = torch.zeros(2, 3, 4), torch.zeros(4, device="meta")
    checks.check_devices(drive, {"frequency": frequency.new_zeros(4, device="cpu")})
    with pytest.raises(ValueError, match="frequency is on meta, and the sequences are on cpu"):
        checks.check_devices(drive, {"frequency": frequency})
