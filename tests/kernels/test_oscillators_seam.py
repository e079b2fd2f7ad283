"""The seam to torch that oscillators of every kind share: what it takes, gives and refuses."""

import pytest
import torch

from sklearn_physrnn.kernels.oscillators import checks, nudge, unit
from tests.helpers.backends import CPU, INTERPRETER, on_the_gpu
from tests.helpers.oscillators import CASES, KINDS, LINEAR, NONLINEAR, run, sequences

every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
both_gradients = pytest.mark.parametrize("gradient", ["bptt", "rhel"])
compiled = pytest.mark.parametrize("place", [CPU, INTERPRETER])


@every_kind
@compiled
def test_arrays_need_not_be_contiguous(place, kind, small):
    drive, *parameters = kind.problem(3, 9, 5)
    truth = kind.positions(drive, *parameters, backend="reference")
    strange = drive.permute(2, 0, 1).contiguous().permute(1, 2, 0)
    result = kind.positions(
        strange, *(x.repeat_interleave(2)[::2] for x in parameters),
        lengths=torch.tensor([9, 0, 9, 0, 9])[::2].int(), backend=place.backend,
    )  # fmt: skip
    torch.testing.assert_close(result, truth, rtol=1e-12, atol=1e-12)


@every_kind
@compiled
def test_a_second_derivative_is_refused(place, kind, small):
    inputs = [x.requires_grad_() for x in kind.problem(1, 4, 2)]
    y = kind.positions(*inputs, backend=place.backend)
    (grad,) = torch.autograd.grad(y.square().sum(), inputs[0], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.sum().backward()


@every_kind
def test_half_precision_runs_in_float32(kind):
    drive, *parameters = kind.problem(dtype=torch.bfloat16)
    y = kind.positions(drive, *parameters)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, kind.positions(drive.float(), *parameters).bfloat16())


@every_kind
@both_gradients
@pytest.mark.parametrize("backend", ["reference", "cpu"])
def test_steps_may_be_wider_than_the_inputs(backend, gradient, kind):
    inputs = kind.unit_problem()
    steps = sequences(("dt",))
    exact = run(kind.unit, inputs, backend="reference", **steps)
    narrow = [*(x.float() for x in inputs[:-2]), *inputs[-2:]]
    result = run(kind.unit, narrow, backend=backend, gradient=gradient, **steps)
    assert result[0].dtype == torch.float32
    assert [x.dtype for x in result[1:]] == [x.dtype for x in narrow]
    torch.testing.assert_close(result[0].double(), exact[0], rtol=1e-3, atol=1e-3)


@every_kind
def test_what_a_caller_has_checked_is_not_checked_again(kind, monkeypatch):
    inputs, steps = kind.unit_problem(), sequences(CASES[3])
    expected = kind.unit(*inputs, **steps)
    seen = []
    monkeypatch.setattr(checks, "check_lengths", lambda *arguments: seen.append(arguments))
    result = kind.unit(*inputs, **steps, checked=True)
    assert torch.equal(result, expected)
    assert not seen
    kind.unit(*inputs, **steps)
    assert len(seen) == 1
    # Maps and parameters are the unit's own: no caller has seen to them.
    with pytest.raises(ValueError, match="skip must be of shape"):
        kind.unit(*(x[:5] if x.shape == (6,) else x for x in inputs), **steps, checked=True)


@on_the_gpu
@every_kind
def test_bfloat16_autocast_on_the_gpu_runs_the_kernel_in_float32(kind):
    n_steps = 300 if kind is not NONLINEAR else 100
    inputs = [x.float().cuda() for x in kind.unit_problem(4, n_steps, 64, 16)]
    half = inputs[0].bfloat16()
    expected = kind.unit(half.float(), *inputs[1:])
    with torch.autocast("cuda", dtype=torch.bfloat16):
        result = kind.unit(half.requires_grad_(), *inputs[1:])
        result.sum().backward()
    # Half of bfloat16's last place, in which the result is handed on.
    torch.testing.assert_close(result.float(), expected, rtol=2**-8, atol=1e-5)
    assert half.grad.isfinite().all()


@on_the_gpu
@every_kind
@both_gradients
def test_nothing_waits_for_the_gpu(gradient, kind):
    inputs = [x.cuda().requires_grad_() for x in kind.unit_problem()]
    options = {name: x.cuda() for name, x in sequences(CASES[3]).items()}
    loss = lambda *x: kind.unit(*x, gradient=gradient, **options).sum()  # noqa: E731
    loss(*inputs).backward()  # compiles
    before = torch.cuda.get_sync_debug_mode()
    torch.cuda.set_sync_debug_mode("error")
    try:
        loss(*inputs).backward()
    finally:
        torch.cuda.set_sync_debug_mode(before)


@pytest.mark.parametrize("n_modes", [4, 8])
def test_gradient_norm_without_the_gradient(n_modes, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 200)
    draw = lambda *shape: torch.randn(  # noqa: E731
        *shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64
    ).float()
    grad, c = draw(3, 37, 6), draw(6, n_modes)
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


@every_kind
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
def test_bad_arguments(change, error, message, kind):
    with pytest.raises(error, match=message):
        kind.positions(*kind.problem(), **change)


def test_bad_drive_and_parameters():
    drive, stiffness, step = LINEAR.problem()
    oscillator = LINEAR.positions
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
