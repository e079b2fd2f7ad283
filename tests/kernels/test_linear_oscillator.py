"""What linear oscillators alone promise; see ``test_oscillators.py`` for the rest."""

import pytest
import torch

from tests.helpers.backends import on_the_gpu
from tests.helpers.oscillators import F64, LINEAR, cosine_gap, run, run_on_gpu


@pytest.mark.parametrize("n_steps", [17_984, 50_000])
def test_float32_echoes_stay_exact_over_long_series(n_steps):
    # The release's cosine in float32 is 0.8 at 17,984 steps.
    drive, stiffness, step = LINEAR.problem(1, n_steps, 16, torch.float32)
    truth = run(LINEAR.positions, (drive.double(), stiffness, step))
    result = run(LINEAR.positions, (drive, stiffness, step), gradient="rhel")
    for x, y in zip(result, truth, strict=True):
        assert cosine_gap(x, y) < 1e-8  # 5e-8 where kappa is rounded
        assert abs(float(x.double().norm() / y.norm()) - 1) < 1e-4


@on_the_gpu
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize("varying", [False, True])
def test_float32_stays_exact_over_long_series_on_the_gpu(gradient, varying):
    # The bound of the CPU's test, where kappa's rounding alone would come to 5e-8.
    drive, *parameters = LINEAR.problem(1, 50_000, 16, torch.float32)
    dt = {"dt": torch.ones(1, 50_000)} if varying else {}
    truth = run(LINEAR.positions, [drive.double(), *parameters], backend="cpu")
    result = run_on_gpu(LINEAR.positions, [drive, *parameters], gradient=gradient, **dt)
    for x, y in zip(result, truth, strict=True):
        assert cosine_gap(x, y) < 1e-8


@pytest.mark.parametrize("scale", [1e-25, 1e-12, 1e8])
@pytest.mark.parametrize("epsilon", ["auto", 1e-4, 10.0])
def test_no_loss_scale_is_needed(scale, epsilon):
    inputs = LINEAR.problem(dtype=torch.float32)
    plain = run(LINEAR.positions, inputs)
    scaled = run(lambda *x: scale * LINEAR.positions(*x, gradient="rhel", epsilon=epsilon), inputs)
    for x, y in zip(scaled[1:], plain[1:], strict=True):
        torch.testing.assert_close(x / scale, y, rtol=1e-4, atol=1e-4 * float(y.abs().max()))


@pytest.mark.parametrize("stiffness", [1e-4, 0.5, 3.96])
def test_an_undriven_oscillator_keeps_its_energy(stiffness):
    # A pure oscillation has y_t^2 - y_(t-1) y_(t+1) constant: the leapfrog's energy.
    drive = torch.zeros(1, 20_000, 1, dtype=F64)
    drive[0, 0] = 1.0
    y = LINEAR.positions(drive, torch.tensor([stiffness]), torch.tensor([1.0]))[0, :, 0]
    energy = y[1:-1] ** 2 - y[:-2] * y[2:]
    torch.testing.assert_close(energy, energy[:1].expand_as(energy), rtol=1e-6, atol=0)


def test_steps_in_rhythm_with_the_oscillator_drive_it():
    # Leapfrog with steps that vary is not stable wherever each step alone is.
    dt = torch.tensor([0.3] * 6 + [0.73] * 6, dtype=F64).repeat(100)[None]
    drive = torch.zeros(1, 1200, 1, dtype=F64)
    drive[0, 0] = 1.0
    y = LINEAR.positions(drive, torch.ones(1), torch.ones(1), dt=dt).abs().view(100, 12)
    growth = (y[-10:].max() / y[40:50].max()) ** (1 / 50)
    assert 1.05 < growth < 1.07
