"""Hamiltonian recurrent units."""

import copy
import math

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks
from torch.nn.functional import softplus

from sklearn_physrnn.kernels.oscillators import damped_oscillator
from sklearn_physrnn.nn.damped_hru import DampedHRU
from sklearn_physrnn.nn.linear_hru import LinearHRU
from sklearn_physrnn.nn.nonlinear_hru import NonlinearHRU

UNITS = {
    "complex": lambda *sizes, **options: LinearHRU(*sizes, **options),
    "real": lambda *sizes, **options: LinearHRU(*sizes, complex=False, **options),
    "damped": lambda *sizes, **options: DampedHRU(*sizes, **options),
    "nonlinear": lambda *sizes, **options: NonlinearHRU(*sizes, **options),
}


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _gradients(layer, u, gradient, dtype, **options):
    layer = copy.deepcopy(layer).to(dtype)
    layer.gradient = gradient
    u = u.to(dtype, copy=True).requires_grad_()
    weights = torch.randn(u.shape, generator=torch.Generator().manual_seed(5)).to(dtype)
    (layer(u, **options)[0] * weights).sum().backward()
    grads = {name: p.grad for name, p in layer.named_parameters()}
    return {"u": u.grad, **grads}


def _agree(result, truth, gap, ratio):
    for name, y in truth.items():
        x, y = result[name].double().flatten(), y.double().flatten()
        assert 1 - float(x @ y / (x.norm() * y.norm())) < gap, name
        assert abs(float(x.norm() / y.norm()) - 1) < ratio, name


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("case", [(), ("dt", "lengths")])
def test_echoes_give_the_gradient_of_back_propagation(unit, case):
    # The release's are 2 to 6 % off for linear units, and zero for a nonlinear step.
    layer = UNITS[unit](6, 8)
    u = torch.randn(3, 60, 6)
    every = {"dt": torch.rand(3, 60), "lengths": torch.tensor([60, 31, 1])}
    options = {name: every[name] for name in case}
    truth = _gradients(layer, u, "bptt", torch.float64, **options)
    assert all(grad.abs().max() > 0 for grad in truth.values())
    _agree(_gradients(layer, u, "rhel", torch.float64, **options), truth, 1e-9, 1e-6)
    _agree(_gradients(layer, u, "rhel", torch.float32, **options), truth, 1e-9, 1e-4)


@pytest.mark.parametrize(
    ("unit", "n_steps", "gap"),
    [
        ("complex", 17_984, 1e-6),
        ("complex", 50_000, 1e-6),
        ("damped", 17_984, 1e-6),
        ("nonlinear", 896, 1e-6),
        ("nonlinear", 17_984, 1e-4),
    ],
)
def test_float32_echoes_over_long_series(unit, n_steps, gap):
    layer = UNITS[unit](8, 8)
    u = torch.randn(1, n_steps, 8)
    truth = _gradients(layer, u, "bptt", torch.float64)
    _agree(_gradients(layer, u, "rhel", torch.float32), truth, gap, 1e-3)


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "damped"])
def test_echoes_keep_nothing_that_grows_with_time_but_the_input(unit):
    def saved(n_steps):
        layer = UNITS[unit](6, 8, gradient="rhel")
        u = torch.randn(2, n_steps, 6, requires_grad=True)
        sizes = []
        with saved_tensors_hooks(lambda x: sizes.append(x.numel()) or x, lambda x: x):
            layer(u, lengths=torch.tensor([n_steps, 3]))
        sizes.remove(u.numel())
        return sorted(sizes)

    assert saved(100) == saved(200)


def test_damped_echoes_keep_a_state_before_anything_grows_a_thousandfold():
    def saved(n_steps, slowest):
        layer = DampedHRU(6, 8, gradient="rhel")
        with torch.no_grad():
            layer.decay_raw.copy_(torch.linspace(-5, slowest, 8))
        rate = layer.decays().max().item()
        numbers = []
        with saved_tensors_hooks(lambda x: numbers.append(x.numel()) or x, lambda x: x):
            layer(torch.randn(2, n_steps, 6, requires_grad=True))
        return sum(numbers), n_steps / (math.log(1e3) / rate)

    for slowest in (0.0, 10.0):
        (few, _), (many, n_states) = saved(1, slowest), saved(10_000, slowest)
        # Of 16 oscillators momentum and position, twice; the input; where the states stand.
        growth = many - few - 9_999 * (2 * 6 + 1)
        assert growth == pytest.approx(n_states * 2 * 2 * 16, rel=0.02, abs=2 * 2 * 16)


@pytest.mark.parametrize("unit", UNITS)
def test_later_input_is_ignored(unit):
    layer = UNITS[unit](6, 8)
    u = torch.randn(2, 20, 6)
    u[1, 7:] = torch.nan
    dt = torch.rand(2, 20)
    dt[1, 7:] = torch.nan
    for gradient in ("bptt", "rhel"):
        layer.gradient = gradient
        layer.zero_grad()
        x = u.clone().requires_grad_()
        o, _ = layer(x, dt=dt, lengths=torch.tensor([20, 7]))
        alone, _ = layer(u[1:, :7], dt=dt[1:, :7])
        torch.testing.assert_close(o[1:, :7], alone)
        assert not o[1, 7:].any()
        (o + 1).square().sum().backward()
        assert not x.grad[1, 7:].any()
        assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_decays_and_frequencies_are_learned_apart():
    torch.manual_seed(1)
    plain = LinearHRU(3, 4).double()
    layer = DampedHRU(3, 4).double()
    layer.load_state_dict(plain.state_dict(), strict=False)
    with torch.no_grad():
        layer.decay_raw.copy_(torch.linspace(-3, 3, 4))
    u = torch.zeros(1, 60, 3, dtype=torch.float64)
    u[0, 0] = 1.0
    *_, decay, _ = layer.dynamics()
    for k in range(4):  # mode by mode what the unit without damping does, faded
        for unit in (plain, layer):
            unit.C.data.zero_()
            unit.C.data[:, k] = 1.0
            unit.D.data.zero_()
        faded = torch.exp(-decay[k] * (torch.arange(60) + 0.5))[:, None]
        torch.testing.assert_close(layer(u)[0][0], plain(u)[0][0] * faded)


@pytest.mark.parametrize("size", [-1e4, -30.0, 30.0, 1e4])
@pytest.mark.parametrize("unit", UNITS)
def test_every_parameter_value_is_stable(unit, size):
    # In float32, in every combination of signs, over 5,000 undriven steps.
    layer = UNITS[unit](1, 16)
    raw = [p for name, p in layer.named_parameters() if name.endswith("_raw")]
    with torch.no_grad():
        for k, p in enumerate(raw):
            signs = torch.tensor([1.0 if (j >> k) & 1 else -1.0 for j in range(16)])
            p.copy_(size * signs if p.ndim else torch.tensor(size))
        layer.B.fill_(1.0)
        layer.C.zero_()
        layer.C[:, :16] = 1.0
        layer.D.zero_()
    edge = layer.dynamics()[-1] ** 2 * layer.stiffnesses()[0]
    assert (edge > 0).all()
    assert (edge.float() < 3.97).all()
    u = torch.zeros(1, 5_000, 1)
    u[0, 0] = 1.0
    o, _ = layer(u)
    assert o.isfinite().all()
    # A potential as weak as this one is crossed in less than the series.
    slowest = (2 * math.pi / edge.clamp(min=1e-6).sqrt()).max()
    assert slowest > 5_000 or o[:, 2_500:].abs().max() < 3 * o[:, :2_500].abs().max()


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_a_dt_that_is_no_step_is_refused(value):
    dt = torch.ones(2, 5)
    dt[0, 0] = value
    with pytest.raises(ValueError, match="dt must be finite and not negative"):
        LinearHRU(2, 4)(torch.randn(2, 5, 2), dt=dt)


def test_start_values():
    stiffness, step = LinearHRU(2, 5_000).dynamics()
    assert 0 < stiffness.min() < 0.01 < 0.99 < stiffness.max() <= 1
    assert 0.5 <= step.min() < 0.505 < 0.725 < step.max() < 0.7311
    decay = DampedHRU(2, 5_000).decays()
    assert 1e-4 <= decay.min() < 1.1e-4 < 0.09 < decay.max() <= 0.1001
    assert 0.002 < decay.median() < 0.005
    layer = NonlinearHRU(2, 5_000)
    w, c, alpha, step = layer.dynamics()
    assert 0.5 <= w.min() < 0.51 < 0.99 < w.max() <= 1.0001
    # c passes through its sigmoid once.
    assert 0.268 < c.min() < 0.275 < 0.725 < c.max() < 0.732
    assert 0.1 <= alpha[0] <= 1
    assert (alpha == alpha[0]).all()
    assert 0.00299 < step.min() < 0.0031 < 0.029 < step.max() < 0.03
    assert not layer.b.any()


@pytest.mark.parametrize("memory", [1.0, 50, 5_000.0])
def test_memory_spreads_frequencies_and_decays_by_their_logarithm(memory):
    stiffness, decay, step = DampedHRU(2, 20, memory=memory).dynamics()
    turn = step * stiffness.sqrt()
    edges = memory ** -(torch.arange(21) / 20)
    assert (turn <= edges[:-1] * 1.0001).all()
    assert (turn >= edges[1:] / 1.0001).all()
    torch.testing.assert_close(decay, (turn / 2).clamp(max=0.5), rtol=1e-4, atol=0)
    # A kick moves slow and fast ones alike.
    torch.testing.assert_close(step, stiffness.sqrt(), rtol=0.25, atol=0)


def test_modes_over_many_scales_of_time_hold_what_was_long_ago():
    lag = torch.arange(1_000.0)[:, None]
    missed = []
    for memory in (None, 1_000):
        with torch.no_grad():
            stiffness, decay, step = DampedHRU(2, 64, memory=memory).dynamics()
        kicked = (-decay * lag).exp() * torch.sin(step * stiffness.sqrt() * lag)
        weights = torch.linalg.lstsq(kicked, torch.ones_like(lag).double()).solution
        missed.append(float((kicked @ weights - 1).square().mean()))
    assert missed[1] < 0.01 < 0.5 < missed[0]


@pytest.mark.parametrize("memory", [0.5, math.inf, "long"])
def test_bad_memory(memory):
    with pytest.raises(ValueError, match="memory must be a"):
        LinearHRU(3, 4, memory=memory)


def test_complex_modes_are_what_they_say():
    layer = LinearHRU(3, 4).double()
    u = torch.randn(2, 9, 3, dtype=torch.float64)
    a, d = layer.dynamics()
    b_matrix = torch.view_as_complex(layer.B.detach())
    c_matrix = torch.view_as_complex(layer.C.detach())
    z = torch.zeros(2, 4, dtype=torch.complex128)
    y = torch.zeros_like(z)
    for t in range(9):
        y_half = y + d / 2 * z
        z = z - d * (a * y_half - u[:, t].to(z.dtype) @ b_matrix.T)
        y = y_half + d / 2 * z
        o = (y @ c_matrix.T).real + layer.D * u[:, t]
        torch.testing.assert_close(layer(u)[0][:, t], o)


def test_a_damped_unit_solves_its_equation():
    # The step response of y'' + gamma y' + (a + gamma^2 / 4) y = 1, at ever smaller steps.
    a, gamma, t_end = 0.8, 0.3, 10.0
    omega = math.sqrt(a)
    fade = math.exp(-gamma / 2 * t_end)
    swing = math.cos(omega * t_end) + gamma / 2 / omega * math.sin(omega * t_end)
    truth = (1 - fade * swing) / (a + gamma**2 / 4)
    errors = []
    for n_steps in (50, 100, 200):
        d = t_end / n_steps
        parameters = [torch.full((1,), x, dtype=torch.float64) for x in (a, gamma * d / 2, d)]
        y, _ = damped_oscillator(torch.ones(1, n_steps, 1, dtype=torch.float64), *parameters)
        errors.append(abs(float(y[0, -1, 0]) - truth))
    assert errors[2] < 1e-3
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)  # of second order
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.1)


def test_nonlinear_unit_is_what_it_says():
    layer = NonlinearHRU(3, 4).double()
    torch.nn.init.normal_(layer.b)
    u = torch.randn(2, 9, 3, dtype=torch.float64)
    w, c, alpha, d = layer.dynamics()
    torch.testing.assert_close(w, 0.1 + softplus(layer.w_raw))
    z = y = torch.zeros(2, 4, dtype=torch.float64)
    for t in range(9):
        y_half = y + d / 2 * z
        z = z - d * (alpha * y_half + c * torch.tanh(w * y_half + u[:, t] @ layer.B.T + layer.b))
        y = y_half + d / 2 * z
        torch.testing.assert_close(layer(u)[0][:, t], y @ layer.C.T + layer.D * u[:, t])


@pytest.mark.parametrize("unit", UNITS)
def test_dtype_and_state_dict(unit):
    layer = UNITS[unit](3, 4)
    assert all(not p.is_complex() for p in layer.parameters())
    layer.to(torch.float64)
    u = torch.randn(2, 9, 3, dtype=torch.float64)
    twin = UNITS[unit](3, 4).to(torch.float64)
    twin.load_state_dict(layer.state_dict())
    assert layer(u)[0].dtype == torch.float64
    assert torch.equal(layer(u)[0], twin(u)[0])


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epsilon": 0}, "epsilon must be 'auto' or a positive number"),
        ({"epsilon": -0.1}, "epsilon must be"),
        ({"gradient": "rtrl"}, "gradient must be 'bptt' or 'rhel', got 'rtrl'"),
    ],
)
def test_bad_options(unit, options, message):
    with pytest.raises(ValueError, match=message):
        UNITS[unit](3, 4, **options)


def test_bad_initial_step():
    with pytest.raises(ValueError, match=r"initial_step must be within \[0.01, 1\], got 2"):
        NonlinearHRU(3, 4, initial_step=2)


@pytest.mark.parametrize("unit", UNITS)
def test_bad_input(unit):
    layer = UNITS[unit](3, 4)
    u = torch.randn(2, 5, 3)
    with pytest.raises(TypeError, match=r"u must be a real .* got torch.complex64"):
        layer(u.to(torch.complex64))
    with pytest.raises(ValueError, match=r"input_size=3\), got \(2, 5, 2\)"):
        layer(u[..., :2])
    with pytest.raises(ValueError, match="dt must have shape"):
        layer(u, dt=torch.ones(2, 4))
    with pytest.raises(ValueError, match="lengths must have shape"):
        layer(u, lengths=torch.tensor([5]))
    with pytest.raises(ValueError, match="input_size and state_size must be positive"):
        UNITS[unit](3, 0)
