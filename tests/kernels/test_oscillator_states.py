"""A state in, a state out: sequences in pieces, gradients of both states, and time undone."""

import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn.kernels.oscillators import unit
from tests.helpers.backends import CPU, INTERPRETER, REFERENCE, on_the_gpu
from tests.helpers.oscillators import CASES, DAMPED, F64, KINDS, LINEAR, NONLINEAR, assert_close

lasting_kinds = pytest.mark.parametrize("kind", [LINEAR, NONLINEAR], ids=str)
every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
both_gradients = pytest.mark.parametrize("gradient", ["bptt", "rhel"])
every_place = pytest.mark.parametrize("place", [REFERENCE, CPU, INTERPRETER])
compiled = pytest.mark.parametrize("place", [CPU, INTERPRETER])

PIECE = 7
FORMS = ["oscillator", "oscillator_unit"]


def _state(n_rows, n_modes):
    generator = torch.Generator().manual_seed(11)
    return torch.randn(2, n_rows, n_modes, generator=generator, dtype=F64)


def _steps(case, n_steps):
    """`dt` with steps of no size, and lengths inside, at and before a piece's end."""
    generator = torch.Generator().manual_seed(7)
    dt = 0.2 + 0.8 * torch.rand(4, n_steps, generator=generator, dtype=F64)
    dt[:, ::5] = 0.0
    every = {"dt": dt, "lengths": torch.tensor([n_steps, PIECE, PIECE + 2, 0])}
    return {name: every[name] for name in case}


def _fed(function, x, rest, state, piece, dt=None, lengths=None, **options):
    """Outputs of sequences that are fed `piece` steps at a time, and the last state."""
    outputs = []
    for begin in range(0, x.shape[1], piece):
        part = slice(begin, begin + piece)
        here = {"dt": None if dt is None else dt[:, part], **options}
        if lengths is not None:
            here["lengths"] = (lengths - begin).clamp(0, x[:, part].shape[1])
        output, state = function(x[:, part], *rest, state, **here)
        outputs.append(output)
    return torch.cat(outputs, 1), state


def _run(function, inputs, state, piece, **options):
    """Output and last state, and gradients of a loss of both by inputs and first state."""
    x, state, *rest = (
        None if v is None else v.detach().clone().requires_grad_()
        for v in (inputs[0], state, *inputs[1:])
    )
    output, last = _fed(function, x, rest, state, piece, **options)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (y * torch.randn(y.shape, generator=generator, dtype=F64).to(y)).sum()
        for y in (output, last)
    )
    wanted = [v for v in (x, state, *rest) if v is not None]
    return [output.detach(), last.detach(), *torch.autograd.grad(loss, wanted)]


def _inner(kind, inputs):
    """What undoing a unit takes of `inputs`: the maps into its oscillators, and parameters."""
    n_maps = 2 if kind.has_bias else 1
    return [*inputs[1 : 1 + n_maps], *inputs[3 + n_maps :]]


def _tolerance(kind, place, gradient):
    # The reference's nonlinear echoes run apart, and bend or cancel.
    rough = kind is NONLINEAR and place.name == "reference" and gradient == "rhel"
    return 3e-5 if rough else 1e-12


# Interpreted, a step takes a millisecond.
WAYS = [
    *((p, form, case) for p in (REFERENCE, CPU) for form in FORMS for case in CASES),
    *((INTERPRETER, *way) for way in (("oscillator", ("dt", "lengths")), ("oscillator_unit", ()))),
]


@pytest.mark.parametrize(
    ("place", "form", "case"),
    [
        pytest.param(p.values[0], form, case, marks=p.marks, id=f"{p.id}-{form}-{'-'.join(case)}")
        for p, form, case in WAYS
    ],
)
@both_gradients
@every_kind
def test_a_sequence_in_pieces_gives_what_it_gives_whole(
    place, kind, gradient, form, case, small, monkeypatch
):
    monkeypatch.setattr(unit, "_CHUNK", 100)  # several chunks a piece
    interpreted = place.name == "interpreted"
    n_steps = 11 if interpreted else 37
    problem = kind.unit_problem if form == "oscillator_unit" else kind.problem
    function, inputs, steps = getattr(kind, form), problem(4, n_steps), _steps(case, n_steps)
    for state in (_state(4, 5),) if interpreted else (_state(4, 5), None):
        truth = _run(function, inputs, state, n_steps, backend="reference", **steps)
        for piece in (PIECE,) if interpreted else (1, PIECE, n_steps - 1, n_steps + 9):
            options = {"backend": place.backend, "gradient": gradient, **steps}
            result = _run(function, inputs, state, piece, **options)
            assert_close(result, truth, _tolerance(kind, place, gradient))


@on_the_gpu
@both_gradients
@every_kind
def test_pieces_on_the_gpu_and_back(kind, gradient):
    n_steps = 300 if kind is not NONLINEAR else 60
    inputs, steps = kind.unit_problem(4, n_steps, 33, 16), _steps(CASES[3], n_steps)
    state = _state(4, 33)
    truth = _run(kind.oscillator_unit, inputs, state, n_steps, backend="cpu", **steps)
    inputs, state = [x.cuda() for x in inputs], state.cuda()
    steps = {name: x.cuda() for name, x in steps.items()}
    result = _run(kind.oscillator_unit, inputs, state, 50, gradient=gradient, **steps)
    assert_close([x.cpu() for x in result], truth, 1e-10 if kind is not NONLINEAR else 1e-8)
    first = kind.undo(inputs[0], *_inner(kind, inputs), result[1], **steps)
    assert_close([first.cpu()], [state.cpu()], 1e-10)


@both_gradients
@every_kind
def test_gradcheck_of_both_states(kind, gradient):
    inputs = [x.requires_grad_() for x in (*kind.problem(3, 6, 2), _state(3, 2))]
    options = {"dt": _steps(("dt",), 6)["dt"][:3], "lengths": torch.tensor([6, 4, 0])}
    assert gradcheck(lambda *x: kind.oscillator(*x, gradient=gradient, **options), inputs)


@both_gradients
@every_kind
@every_place
def test_a_loss_of_the_last_state_alone(place, kind, gradient, small):
    # Of the outputs there is then no gradient, and automatic nudges must see that of the state.
    inputs, state = kind.unit_problem(2, 5), _state(2, 5)

    def grads(scale, **options):
        given = [x.clone().requires_grad_() for x in (*inputs, state)]
        _, last = kind.oscillator_unit(*given, **options)
        found = torch.autograd.grad(
            scale * last.sin().sum(), given, allow_unused=True, materialize_grads=True
        )
        return [x / scale for x in found]

    truth = grads(1.0, backend="reference")
    for scale in (1e-12, 1e8):
        result = grads(scale, backend=place.backend, gradient=gradient)
        assert_close(result, truth, 10 * _tolerance(kind, place, gradient))


@both_gradients
@every_kind
@every_place
def test_the_state_of_a_sample_without_steps_passes_through(place, kind, gradient, small):
    drive, *parameters = kind.problem(3, 5)
    drive[1] = drive[2, 3:] = torch.nan
    state = _state(3, 5)
    options = {"lengths": torch.tensor([5, 0, 3]), "gradient": gradient, "backend": place.backend}
    options["dt"] = torch.where(drive[:, :, 0].isnan(), torch.nan, torch.ones(3, 5))
    first = state.clone().requires_grad_()
    _, last = kind.oscillator(drive, *parameters, first, **options)
    assert torch.equal(last[:, 1], state[:, 1])
    assert not torch.equal(last[:, 2], state[:, 2])
    weight = _state(3, 5).exp()
    (grad,) = torch.autograd.grad((last * weight).sum(), first)
    assert grad.isfinite().all()
    torch.testing.assert_close(grad[:, 1], weight[:, 1], rtol=1e-12, atol=0)
    assert torch.equal(first.detach(), state)  # what came in is as it was


@lasting_kinds
@every_place
def test_the_state_is_displacement_a_step_and_position(place, kind, small):
    # Without a force the momentum stays, and a step moves the position by it.
    drive, *parameters = kind.problem(2, 4, 3)
    parameters[0 if kind is not NONLINEAR else 1].zero_()  # stiffness, or the wells' strength
    if kind is NONLINEAR:
        parameters[2].zero_()
    state = _state(2, 3)
    y, (z, position) = kind.oscillator(
        torch.zeros_like(drive), *parameters, state, backend=place.backend
    )
    steps = torch.arange(1, 5, dtype=F64)[None, :, None]
    torch.testing.assert_close(y, state[1][:, None] + steps * state[0][:, None])
    torch.testing.assert_close(z, state[0])
    torch.testing.assert_close(position, y[:, -1])
    drive, *parameters = kind.problem(2, 4, 3)  # a force adds the step size times it to z
    _, (z, _) = kind.oscillator(drive[:, :1], *parameters, backend=place.backend)
    force = drive[:, 0] if kind is not NONLINEAR else -parameters[1] * torch.tanh(drive[:, 0])
    torch.testing.assert_close(z, parameters[-1] ** 2 * force)


@pytest.mark.parametrize("case", [(), ("dt", "lengths")])
@every_kind
@every_place
def test_time_run_backwards_returns_to_the_first_state(place, kind, case, small, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 100)
    n_steps = 11 if place.name == "interpreted" else 37
    u, *rest = inputs = kind.unit_problem(4, n_steps)
    steps = {"backend": place.backend, **_steps(case, n_steps)}
    if "lengths" in case:
        u[1, PIECE:] = torch.nan  # not read
    state = _state(4, 5)
    _, last = kind.oscillator_unit(u, *rest, state, **steps)
    first = kind.undo(u, *_inner(kind, inputs), last, **steps)
    # What has faded grows again, a millionfold.
    assert_close([first], [state], 1e-8 if kind is DAMPED else 1e-12)
    if "lengths" in case:
        assert torch.equal(first[:, 3], state[:, 3])
    assert not torch.equal(first[:, 0], last[:, 0])


@lasting_kinds
@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-4), (F64, 1e-11)], ids=["float32", "float64"]
)
def test_a_long_way_back(kind, dtype, tolerance):
    # 20,000 steps: float32's rounding adds up as a random walk does.
    inputs = [x.to(dtype) for x in kind.unit_problem(2, 20_000, 8, 4)]
    if kind is NONLINEAR:
        inputs[-1] *= 0.05
    state = _state(2, 8).to(dtype)
    _, last = kind.oscillator_unit(*inputs, state)
    first = kind.undo(inputs[0], *_inner(kind, inputs), last)
    assert first.dtype == dtype
    assert float((first - state).norm() / last.norm()) < tolerance


@every_kind
def test_what_undoing_allocates_does_not_grow_with_time(kind, monkeypatch):
    # The inputs may be a mapped file: they are read a chunk at a time.
    monkeypatch.setattr(unit, "_CHUNK", 500)
    shapes = []
    original = unit._Chunks.buffer
    monkeypatch.setattr(
        unit._Chunks, "buffer", lambda *a: shapes.append(original(*a).numel()) or original(*a)
    )
    u, *_ = inputs = kind.unit_problem(2, 4_000)
    inner = _inner(kind, inputs)
    kind.undo(u[:, :1_000].contiguous(), *inner, _state(2, 5))
    kind.undo(u, *inner, _state(2, 5))
    assert len(shapes) == 6
    assert shapes[:3] == shapes[3:]


@both_gradients
@every_kind
@compiled
def test_half_precision_carries_its_state_in_float32(place, kind, gradient, small):
    drive, *parameters = kind.problem(2, 8, 5, torch.bfloat16)
    whole, last = kind.oscillator(drive, *parameters, gradient=gradient, backend=place.backend)
    assert last.dtype == torch.float32
    y, state = _fed(kind.oscillator, drive, parameters, None, 3, backend=place.backend)
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y, whole)
    torch.testing.assert_close(state, last)


@every_kind
@pytest.mark.parametrize(
    ("state", "error", "message"),
    [
        (
            torch.zeros(3, 5),
            ValueError,
            r"state must have shape \(2, batch, modes\) = \(2, 3, 5\)",
        ),
        (torch.zeros(2, 3, 4), ValueError, r"as an earlier call returned it, got \(2, 3, 4\)"),
        (torch.zeros(2, 3, 5, dtype=torch.int64), TypeError, "state must be a real floating"),
        ((torch.zeros(3, 5),) * 2, TypeError, "state must be a torch.Tensor, got tuple"),
    ],
)
def test_what_is_no_state_is_refused(kind, state, error, message):
    with pytest.raises(error, match=message):
        kind.oscillator(*kind.problem(3, 4), state)
    with pytest.raises(error, match=message):
        kind.oscillator_unit(*kind.unit_problem(3, 4), state)
    inputs = kind.unit_problem(3, 4)
    with pytest.raises(error, match=message):
        kind.undo(inputs[0], *_inner(kind, inputs), state)


@every_kind
def test_nothing_can_be_undone_without_a_last_state(kind):
    inputs = kind.unit_problem(3, 4)
    with pytest.raises(TypeError, match="the last state, got None"):
        kind.undo(inputs[0], *_inner(kind, inputs), None)
