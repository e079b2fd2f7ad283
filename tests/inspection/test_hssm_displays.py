"""Energies, echoes, frequencies and positions of HSSM's oscillators."""

import copy

import numpy as np
import pytest
import torch

from sklearn_physrnn import HSSMClassifier
from sklearn_physrnn.inspection import (
    EchoDisplay,
    FrequencyDisplay,
    ModesDisplay,
    mode_frequencies,
)
from sklearn_physrnn.kernels.oscillators import damped_oscillator, nonlinear_oscillator, oscillator


def _drive(model, scaled, block, dt=None):
    """What drives a block's oscillators along one scaled sequence, and their constants."""
    module = copy.deepcopy(model.module_).double()
    unit, seen = module.blocks[block].hru, []
    unit.register_forward_pre_hook(lambda _, args: seen.append(args[0][0]))
    with torch.no_grad():
        module(torch.as_tensor(scaled)[None], dt=None if dt is None else torch.as_tensor(dt)[None])
        constants = [x.clone() for x in unit.dynamics()]
        if unit.B.ndim == 3:
            B = torch.cat([unit.B[..., 0], unit.B[..., 1]])
            return (seen[0] @ B.T).numpy(), [x.repeat(2).numpy() for x in constants]
        return (seen[0] @ unit.B.T + unit.b).numpy(), [x.numpy() for x in constants]


def _standard(X, x):
    return (x - X.mean((0, 1))) / X.std((0, 1))


@pytest.mark.parametrize("block", [0, 1])
def test_linear_energy_and_positions(hssm, series, block, plt):
    X, _ = series
    drive, (a, d) = _drive(hssm, _standard(X, X[3]), block)
    z, y = np.zeros_like(a), np.zeros_like(a)
    energy, positions = [], []
    for u in drive:  # the leapfrog step as one matrix
        z, y = (
            (1 - d**2 * a / 2) * z - d * a * y + d * u,
            d * (1 - d**2 * a / 4) * z + (1 - d**2 * a / 2) * y + d**2 / 2 * u,
        )
        energy.append((z**2 / 2 + a * y**2 / 2).sum())
        positions.append(y)
    echo = EchoDisplay.from_estimator(hssm, X, sample=3, block=block)
    np.testing.assert_allclose(echo.energies["free"], energy, rtol=1e-9)
    positions = np.array(positions)
    modes = ModesDisplay.from_estimator(hssm, X, sample=3, block=block, modes=[4, 0])
    np.testing.assert_allclose(modes.positions.real, positions[:, [4, 0]], atol=1e-9)
    np.testing.assert_allclose(modes.positions.imag, positions[:, [9, 5]], atol=1e-9)
    kernel = oscillator(*(torch.as_tensor(x) for x in (drive[None], a, d)))[0][0]
    np.testing.assert_allclose(modes.positions.real, kernel[:, [4, 0]], atol=1e-9)


def test_nonlinear_energy_and_positions(nonlinear_hssm, series, plt):
    X, _ = series
    drive, (w, c, alpha, d) = _drive(nonlinear_hssm, _standard(X, X[3]), 1)
    b = nonlinear_hssm.module_.blocks[1].hru.b.detach().double().numpy()
    assert np.abs(b).max() > 1e-3
    z, y, energy = np.zeros_like(w), np.zeros_like(w), []
    for u in drive:
        y = y + d / 2 * z
        z = z - d * (alpha * y + c * np.tanh(w * y + u))
        y = y + d / 2 * z
        wells = c / w * (np.log(np.cosh(w * y + b)) - np.log(np.cosh(b)))
        energy.append((z**2 / 2 + alpha * y**2 / 2 + wells).sum())
    echo = EchoDisplay.from_estimator(nonlinear_hssm, X, sample=3, block=1)
    np.testing.assert_allclose(echo.energies["free"], energy, rtol=1e-9)
    assert echo.energies["free"].min() >= 0
    modes = ModesDisplay.from_estimator(nonlinear_hssm, X, sample=3, block=1)
    assert not np.iscomplexobj(modes.positions)
    constants = (torch.as_tensor(x) for x in (drive[None], w, c, alpha, d))
    kernel = nonlinear_oscillator(*constants)[0][0]
    np.testing.assert_allclose(modes.positions, kernel[:, modes.modes], atol=1e-9)


def test_damped_energy_positions_and_decay_times(damped_hssm, series, plt):
    X, _ = series
    drive, (a, decay, d) = _drive(damped_hssm, _standard(X, X[3]), 1)
    z, y, energy, positions = np.zeros_like(a), np.zeros_like(a), [], []
    share = np.exp(-decay / 2)
    for u in drive:
        y = share * y + d / 2 * share * z
        z = share * z - d * (a * y - u)
        z, y = share * z, share * (y + d / 2 * z)
        energy.append((z**2 / 2 + a * y**2 / 2).sum())
        positions.append(y)
    echo = EchoDisplay.from_estimator(damped_hssm, X, sample=3, block=1)
    np.testing.assert_allclose(echo.energies["free"], energy, rtol=1e-9)
    modes = ModesDisplay.from_estimator(damped_hssm, X, sample=3, block=1, modes=[4, 0])
    np.testing.assert_allclose(modes.positions.real, np.array(positions)[:, [4, 0]], atol=1e-9)
    np.testing.assert_allclose(modes.decay_times, 1 / decay[[4, 0]])
    assert f"fades in {1 / decay[4]:.3g} steps" in modes.axes_[1].get_title(loc="right")
    table = mode_frequencies(damped_hssm, sampling_rate=50.0).query("block == 1")
    np.testing.assert_allclose(table["decay_time"], 1 / decay[:5] / 50)


def test_a_damped_mode_answers_within_its_width(damped_hssm, plt):
    # Driven half a width off, it swings 1 / sqrt(2) as far as at its own frequency.
    display = FrequencyDisplay.from_estimator(damped_hssm)
    part = display.frequencies.query("block == 0")
    ends = np.array([s[:, 0] for s in display.axes_[0].collections[1].get_segments()])
    np.testing.assert_allclose(ends.mean(axis=1), part["frequency"])
    unit = damped_hssm.module_.blocks[0].hru
    constants = [x.detach() for x in unit.dynamics()]
    time = torch.arange(20_000, dtype=torch.float64)
    swings = []
    for frequency in (part["frequency"].to_numpy(copy=True), ends[:, 1]):
        drive = torch.cos(2 * np.pi * torch.tensor(frequency) * time[:, None])[None]
        swings.append(damped_oscillator(drive, *constants)[0][0, 15_000:].abs().amax(0).numpy())
    sharp = part["decay_time"] > 20 / part["frequency"]
    assert sharp.any()
    np.testing.assert_allclose((swings[1] / swings[0])[sharp], 0.5**0.5, rtol=0.03)


@pytest.mark.parametrize("name", ["hssm", "damped_hssm", "nonlinear_hssm", "timed_hssm"])
def test_echo_retraces_the_run(name, series, timed, request, plt):
    model = request.getfixturevalue(name)
    X = timed[0] if name == "timed_hssm" else series[0]
    display = EchoDisplay.from_estimator(model, X, sample=1)
    table = display.energies
    assert len(table) == len(X[1])
    scale = table["free"].max()
    assert scale > 0
    gaps = {
        suffix: np.abs(table["echo" + suffix] - table["free" + suffix]).max() / scale
        for suffix in ("", "_float32")
    }
    assert gaps[""] < (1e-11 if name == "damped_hssm" else 1e-13)
    assert 1e-10 < gaps["_float32"] < 1e-4  # float32 is really run in float32
    # Drawn: both runs, and the differences that are not zero.
    np.testing.assert_array_equal(display.free_.get_ydata(), table["free"])
    np.testing.assert_array_equal(display.echo_.get_ydata(), table["echo"])
    drawn = display.differences_[1].get_ydata()
    expected = np.abs(table["echo_float32"] - table["free_float32"]) / table["free_float32"].max()
    np.testing.assert_array_equal(np.nan_to_num(drawn), expected)


def test_time_stamps_scale_the_step(timed_hssm, timed, plt):
    X, _ = timed
    values = np.concatenate(X)[:, [0, 2]]
    elapsed = np.concatenate([np.diff(x[:, 1]) for x in X])
    unit = np.quantile(elapsed, 0.8, method="lower")
    x = X[5]
    scaled = (x[:, [0, 2]] - values.mean(0)) / values.std(0)
    dt = np.append(1.0, np.diff(x[:, 1]) / unit)
    assert dt.max() > 1  # gaps, over which they swing on
    drive, (a, d) = _drive(timed_hssm, scaled, 0, dt)
    kernel = oscillator(
        *(torch.as_tensor(v) for v in (drive[None], a, d)), dt=torch.as_tensor(dt)[None]
    )[0][0]
    display = ModesDisplay.from_estimator(timed_hssm, X, sample=5, modes=[2])
    np.testing.assert_allclose(display.positions.real[:, 0], kernel[:, 2], atol=1e-9)
    np.testing.assert_array_equal(display.time, x[:, 1])
    per_step = np.arccos(1 - (d**2 * a)[2] / 2) / (2 * np.pi)
    assert display.frequencies[0] == pytest.approx(per_step / unit)
    assert "per unit of time" in display.unit
    with pytest.raises(ValueError, match="sampling_rate is for models without"):
        mode_frequencies(timed_hssm, sampling_rate=10)
    with pytest.raises(ValueError, match="evenly spaced"):
        FrequencyDisplay.from_estimator(timed_hssm, X)


def test_linear_frequencies_are_the_transition_s_angle(hssm):
    table = mode_frequencies(hssm)
    rated = mode_frequencies(hssm, sampling_rate=50.0)
    np.testing.assert_allclose(rated["frequency"], 50 * table["frequency"])
    for block, part in table.groupby("block"):
        unit = hssm.module_.blocks[block].hru
        a, d = (x.detach().numpy() for x in unit.dynamics())
        assert np.isinf(part["decay_time"]).all()
        for mode in range(5):
            M = np.array(
                [
                    [1 - d[mode] ** 2 * a[mode] / 2, -d[mode] * a[mode]],
                    [d[mode] * (1 - d[mode] ** 2 * a[mode] / 4), 1 - d[mode] ** 2 * a[mode] / 2],
                ]
            )
            angle = np.abs(np.angle(np.linalg.eigvals(M))).max()
            row = part[part["mode"] == mode].iloc[0]
            assert row["frequency"] == pytest.approx(angle / (2 * np.pi))
            coupling = unit.B[mode].norm() * unit.C[:, mode].norm()
            assert row["coupling"] == pytest.approx(coupling.item(), rel=1e-5)
    with pytest.raises(ValueError, match="sampling_rate must be positive"):
        mode_frequencies(hssm, sampling_rate=0)


def test_nonlinear_frequencies_are_those_of_swings(nonlinear_hssm):
    # Swing each oscillator a little, and a lot, without input, and count its turns.
    unit = nonlinear_hssm.module_.blocks[1].hru
    w, c, alpha, d = (x.detach().numpy() for x in unit.dynamics())
    b = unit.b.detach().double().numpy()
    part = mode_frequencies(nonlinear_hssm).query("block == 1")
    n = 12_000
    for start, column, tolerance in ((1e-3, "frequency", 1e-3), (1e4, "lowest_frequency", 1e-2)):
        rest = np.zeros_like(w)
        for _ in range(200):  # where the force is zero
            slope = alpha + c * w / np.cosh(w * rest + b) ** 2
            rest = rest - (alpha * rest + c * np.tanh(w * rest + b)) / slope
        z, y = np.zeros_like(w), rest + start
        crossings, last = np.zeros((2, 5)), np.zeros(5)
        for t in range(n):
            before = y - rest
            y = y + d / 2 * z
            z = z - d * (alpha * y + c * np.tanh(w * y + b))
            y = y + d / 2 * z
            up = (before < 0) & (y - rest >= 0)
            exact = t + before / (before - (y - rest))
            crossings[0] = np.where(up & (last == 0), exact, crossings[0])
            crossings[1] = np.where(up, exact, crossings[1])
            last += up
        assert (last > 1).all()
        frequency = (last - 1) / (crossings[1] - crossings[0])
        np.testing.assert_allclose(part[column], frequency, rtol=tolerance)


def test_frequency_display(hssm, series, plt):
    X, _ = series
    display = FrequencyDisplay.from_estimator(hssm, X, sampling_rate=4.0, unit="Hz")
    for block in (0, 1):
        part = display.frequencies[display.frequencies["block"] == block]
        for segment, row in zip(
            display.stems_[block].get_segments(), part.itertuples(), strict=True
        ):
            np.testing.assert_allclose(
                segment, [[row.frequency, 0], [row.frequency, row.coupling]]
            )
    assert "Hz" in display.axes_[-1].get_xlabel()
    # Parseval: the mean power over both signs of frequency is the variance over time.
    power = display.power
    one_sided = np.r_[power.iloc[0], 2 * power.iloc[1:-1], power.iloc[-1]]
    scaled = (X - X.mean((0, 1))) / X.std((0, 1))
    assert one_sided.sum() / (4 * 24) == pytest.approx(scaled.var(axis=1).mean())
    assert power.index[-1] == 2.0  # half the sampling rate


def test_power_of_a_wave_lies_at_its_frequency(plt):
    X = np.sin(2 * np.pi * 0.1 * np.arange(60) + np.arange(8)[:, None])
    y = np.arange(8) % 2
    model = HSSMClassifier(4, 3, dynamics="nonlinear", max_iter=1, random_state=0).fit(X, y)
    display = FrequencyDisplay.from_estimator(model, X)
    assert display.power.idxmax() == pytest.approx(0.1, abs=0.01)
    segments = display.axes_[0].collections[1].get_segments()
    part = display.frequencies[display.frequencies["block"] == 0]
    np.testing.assert_allclose([s[0][0] for s in segments], part["lowest_frequency"])
    np.testing.assert_allclose([s[1][0] for s in segments], part["frequency"])


def test_modes_display(hssm, series, plt):
    X, _ = series
    display = ModesDisplay.from_estimator(hssm, X, sample=2)
    assert len(display.modes) == 4
    assert (np.diff(display.frequencies) >= 0).all()
    for k, (real, imaginary) in enumerate(display.lines_):
        np.testing.assert_array_equal(real.get_ydata(), display.positions[:, k].real)
        np.testing.assert_array_equal(imaginary.get_ydata(), display.positions[:, k].imag)
        assert display.axes_[1 + k].get_ylabel() == f"mode {display.modes[k]}"
    # None of those left out would move the output more.
    everything = ModesDisplay.from_estimator(hssm, X, sample=2, modes=range(5))
    C = hssm.module_.blocks[0].hru.C.detach()
    strength = everything.positions.std(axis=0) * C.flatten(2).norm(dim=(0, 2)).numpy()
    assert set(display.modes) == set(np.argsort(strength)[-4:])
    with pytest.raises(ValueError, match="modes must be between 0 and 4"):
        ModesDisplay.from_estimator(hssm, X, modes=[5])
    with pytest.raises(ValueError, match="block must be between 0 and 1"):
        EchoDisplay.from_estimator(hssm, X, block=2)
