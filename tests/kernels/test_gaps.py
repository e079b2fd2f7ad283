"""Linear oscillators over gaps: steps of more than one unit, in which nothing arrives."""

import math
from functools import partial

import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn.kernels.oscillators import unit
from tests.helpers.backends import CPU, INTERPRETER, REFERENCE, on_the_gpu
from tests.helpers.oscillators import (
    DAMPED,
    F64,
    LINEAR,
    assert_close,
    drawn_state,
    run,
    run_on_gpu,
    with_gaps,
)

both_gradients = pytest.mark.parametrize("gradient", ["bptt", "rhel"])
every_place = pytest.mark.parametrize("place", [REFERENCE, CPU, INTERPRETER])
both_kinds = pytest.mark.parametrize("kind", [LINEAR, DAMPED], ids=str)
GAPS = torch.tensor([1.5, 3.0, 40.25, 1.0, 9_000.5], dtype=F64)


_uneven = partial(with_gaps, GAPS)


def _energy(state, stiffness, step):
    """What steps of one unit keep of an undriven oscillator, (B, P)."""
    kappa = step**2 * stiffness
    return state[0] ** 2 + kappa / (1 - kappa / 4) * state[1] ** 2


@both_kinds
@every_place
@pytest.mark.parametrize("n_units", [2, 3, 50, 1_000])
def test_a_gap_of_whole_units_is_as_many_undriven_steps(kind, place, n_units, small):
    _, *parameters = kind.problem(2, 1, 5)
    state = drawn_state(2, 5)
    drive = torch.zeros(2, n_units, 5, dtype=F64)
    drive[:, -1] = 1.0  # what comes at the gap's end
    truth = kind.oscillator(drive, *parameters, state, backend="cpu")
    dt = torch.full((2, 1), float(n_units), dtype=F64)
    y, last = kind.oscillator(drive[:, -1:], *parameters, state, dt=dt, backend=place.backend)
    torch.testing.assert_close(y[:, 0], truth[0][:, -1], rtol=1e-12, atol=1e-12 * n_units)
    torch.testing.assert_close(last, truth[1], rtol=1e-12, atol=1e-12 * n_units)


@both_kinds
@every_place
def test_two_gaps_are_one_as_long_as_both(kind, place, small):
    # Whole or not: the turns are powers of one map.
    parameters, state = kind.problem(1, 1, 5)[1:], drawn_state(1, 5)

    def after(*units):
        dt = torch.tensor([units], dtype=F64)
        drive = torch.zeros(1, len(units), 5, dtype=F64)
        return kind.oscillator(drive, *parameters, state, dt=dt, backend=place.backend)[1]

    torch.testing.assert_close(after(1.25, 7.5), after(8.75), rtol=1e-12, atol=1e-12)


@both_kinds
@every_place
def test_a_gap_begins_where_a_step_of_one_unit_ends(kind, place, small):
    inputs = kind.problem(2, 3, 5)
    results = [
        kind.positions(*inputs, dt=torch.full((2, 3), dt, dtype=F64), backend=place.backend)
        for dt in (1 - 1e-9, 1.0, 1 + 1e-9)
    ]
    for near in results[::2]:
        torch.testing.assert_close(near, results[1], rtol=0, atol=1e-7)


WAYS = [
    pytest.param(place.values[0], gradient, id=f"{place.id}-{gradient}", marks=place.marks)
    for place in (REFERENCE, CPU, INTERPRETER)
    for gradient in ("bptt", "rhel")
]


@both_kinds
@pytest.mark.parametrize("lengths", [None, [13, 6, 0]])
@pytest.mark.parametrize(("place", "gradient"), WAYS)
def test_value_and_gradients_are_those_of_the_reference(kind, place, gradient, lengths, small):
    inputs, dt = kind.problem(3, 13, 5), _uneven()
    lengths = None if lengths is None else torch.tensor(lengths)
    truth = run(kind.positions, inputs, backend="reference", dt=dt, lengths=lengths)
    if lengths is not None:
        dt[1, 6:], dt[2] = torch.nan, torch.inf
    options = {"gradient": gradient, "backend": place.backend, "lengths": lengths}
    assert_close(run(kind.positions, inputs, dt=dt, **options), truth, 1e-11)


@both_kinds
@pytest.mark.parametrize(("place", "gradient"), WAYS)
def test_float32_turns_by_an_angle_of_float64(kind, place, gradient, small):
    # Rounded to float32, an angle of a million units would be noise.
    drive, *parameters = kind.problem(2, 7, 5)
    dt = torch.tensor([0.5, 1e6, 1.0, 123_456.5, 0.25, 2.0, 1.0], dtype=F64).repeat(2, 1)
    truth = run(kind.positions, [drive.float().double(), *parameters], dt=dt, backend="cpu")
    inputs, options = [drive.float(), *parameters], {"backend": place.backend}
    result = run(kind.positions, inputs, dt=dt.float(), gradient=gradient, **options)
    assert_close(result, truth, 2e-5)


@both_kinds
@both_gradients
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_gradcheck(kind, backend, gradient):
    inputs = [*kind.problem(2, 6, 3), drawn_state(2, 3)]
    options = {"dt": _uneven(2, 6).clamp(max=50.0), "lengths": torch.tensor([6, 4])}

    def both(*inputs):
        return kind.oscillator(*inputs, gradient=gradient, backend=backend, **options)

    assert gradcheck(both, [x.requires_grad_() for x in inputs])


@pytest.mark.parametrize("stiffness", [0.0, 1e-12, 1e-6, 1e-3])
@pytest.mark.parametrize("place", [CPU, INTERPRETER])
def test_the_gradient_of_a_weak_spring_is_that_of_as_many_steps(place, stiffness, small):
    # It is a small difference of large numbers, or a limit.
    state, n_units = drawn_state(1, 1), 6
    inputs = [torch.zeros(1, n_units, 1, dtype=F64), *torch.tensor([[stiffness], [1.0]]).double()]

    def last(drive, a, d, **options):
        return LINEAR.oscillator(drive, a, d, state, backend=place.backend, **options)[1][1]

    steps = run(last, inputs)
    dt = torch.tensor([[float(n_units)]], dtype=F64)
    gap = run(last, [inputs[0][:, :1], *inputs[1:]], dt=dt)
    for x, y in zip([gap[0], *gap[2:]], [steps[0], *steps[2:]], strict=True):
        torch.testing.assert_close(x, y, rtol=1e-6, atol=1e-9)


@both_gradients
@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_an_endless_gap_tells_the_state_all_and_the_parameters_little(backend, gradient):
    # The phase's whole gradient is as large as the gap, and would drown that of all else.
    inputs, options = LINEAR.problem(1, 3, 5), {"backend": backend, "gradient": gradient}
    found = []
    for size in (60.0, 1e6):
        dt = torch.tensor([[1.0, size, 1.0]], dtype=F64)
        found.append(run(LINEAR.positions, inputs, dt=dt, **options)[1:])
    (drive, *near), (far_drive, *far) = found
    for x, y in zip(near, far, strict=True):
        assert x.norm() > 10 * y.norm()
    # A turn keeps the length, on its ellipse, of what passes it.
    assert far_drive[:, 0].norm() > 0.1 * drive[:, 0].norm()


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_gaps_of_a_million_units_keep_the_energy_that_steps_keep(dtype):
    _, stiffness, step = LINEAR.problem(1, 1, 8)
    generator = torch.Generator().manual_seed(3)
    dt = torch.ones(1, 2_000, dtype=dtype)
    dt[:, ::2] = 1 + 3e3 * torch.rand(1, 1_000, generator=generator).to(dtype)
    assert dt.sum() > 1e6
    state = drawn_state(1, 8).to(dtype)
    drive = torch.zeros(1, 2_000, 8, dtype=dtype)
    _, last = LINEAR.oscillator(drive, stiffness, step, state, dt=dt)
    before, after = (_energy(x.double(), stiffness, step) for x in (state, last))
    # Rounding walks at random: some fifty last places.
    bound = 2e-5 if dtype == torch.float32 else 1e-12
    torch.testing.assert_close(after, before, rtol=bound, atol=0)


def test_a_turn_alone_repeated_a_hundred_thousand_times_keeps_the_energy():
    # A turn by a rounded sine and cosine would shrink or grow in proportion.
    _, stiffness, step = LINEAR.problem(1, 1, 4)
    state, n = drawn_state(1, 4).float(), 100_000
    dt = torch.full((1, n), 10.6)
    _, last = LINEAR.oscillator(torch.zeros(1, n, 4), stiffness, step, state, dt=dt)
    before, after = (_energy(x.double(), stiffness, step) for x in (state, last))
    torch.testing.assert_close(after, before, rtol=2e-4, atol=0)


@both_gradients
@pytest.mark.parametrize("place", [CPU, INTERPRETER])
def test_a_gap_in_which_all_fades_is_as_good_as_a_new_start(place, gradient, small):
    drive, stiffness, decay, step = DAMPED.problem(2, 12, 5, torch.float32)
    dt = torch.ones(2, 12)
    dt[:, 6] = 1e7
    options = {"gradient": gradient, "backend": place.backend}
    result = run(DAMPED.positions, [drive, stiffness, decay, step], dt=dt, **options)

    def anew(drive, *parameters):
        pieces = drive[:, :6], drive[:, 6:]
        return torch.cat([DAMPED.positions(x, *parameters) for x in pieces], 1)

    truth = run(anew, [drive.double(), stiffness, decay, step])
    assert_close(result, truth, 2e-5)


@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
def test_float32_forgets_over_uneven_steps_as_float64_does(gradient):
    # Echoes have to begin anew before every gap that much fades in, wherever it is.
    drive, *parameters = DAMPED.problem(3, 4_000, 8, torch.float32)
    generator = torch.Generator().manual_seed(7)
    dt = torch.rand(3, 4_000, generator=generator).pow(-0.5).clamp(max=1e4)
    truth = run(DAMPED.positions, [drive.double(), *parameters], dt=dt.double())
    result = run(DAMPED.positions, [drive, *parameters], gradient=gradient, dt=dt)
    assert_close(result, truth, 1e-4)


@every_place
@pytest.mark.parametrize("lengths", [None, [13, 6, 0]])
def test_gaps_are_undone(place, lengths, small, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 60)  # several chunks
    monkeypatch.setattr(unit, "_MIN_STEPS", 4)
    u, b_matrix, c_matrix, skip, *parameters = LINEAR.unit_problem(3, 13, 5, 4)
    lengths = None if lengths is None else torch.tensor(lengths)
    options = {"dt": _uneven(), "lengths": lengths, "backend": place.backend}
    state = drawn_state(3, 5)
    _, last = LINEAR.oscillator_unit(u, b_matrix, c_matrix, skip, *parameters, state, **options)
    first = LINEAR.undo(u, b_matrix, *parameters, last, **options)
    torch.testing.assert_close(first, state, rtol=1e-10, atol=1e-10)


@both_kinds
@both_gradients
@pytest.mark.parametrize("place", [CPU, INTERPRETER])
def test_unit_is_the_composition(kind, place, gradient, small, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 60)
    monkeypatch.setattr(unit, "_MIN_STEPS", 4)
    inputs, options = kind.unit_problem(2, 10, 5, 4), {"dt": _uneven(2, 10)}
    truth = run(kind.unit, inputs, backend="reference", **options)
    result = run(kind.unit, inputs, backend=place.backend, gradient=gradient, **options)
    assert_close(result, truth, 1e-11)


@both_kinds
@both_gradients
@pytest.mark.parametrize("place", [CPU, INTERPRETER])
def test_a_sequence_may_be_cut_before_a_gap(kind, place, gradient, small):
    drive, *parameters = kind.problem(2, 10, 5)
    dt, options = _uneven(2, 10), {"gradient": gradient, "backend": place.backend}

    def cut(drive, *parameters):
        y, state = kind.oscillator(drive[:, :6], *parameters, dt=dt[:, :6], **options)
        rest, _ = kind.oscillator(drive[:, 6:], *parameters, state, dt=dt[:, 6:], **options)
        return torch.cat([y, rest], 1)

    truth = run(kind.positions, [drive, *parameters], dt=dt, backend="cpu")
    assert_close(run(cut, [drive, *parameters]), truth, 1e-11)


@both_kinds
def test_a_gap_of_one_sample_leaves_the_bits_of_others_alone(kind):
    drive, *parameters = kind.problem(2, 30, 5, torch.float32)
    dt = torch.rand(2, 30)
    even = kind.positions(drive, *parameters, dt=dt)
    dt[1, 10] = math.pi
    uneven = kind.positions(drive, *parameters, dt=dt)
    assert torch.equal(uneven[0], even[0])
    assert torch.equal(uneven[1, :10], even[1, :10])
    assert not torch.equal(uneven[1, 10], even[1, 10])


@both_kinds
@on_the_gpu
@both_gradients
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 5e-5), (F64, 1e-10)])
@pytest.mark.parametrize("shape", [(3, 37, 5), (3, 1100, 33), (70, 600, 256)])
def test_on_the_gpu(kind, shape, dtype, bound, gradient):
    drive, *parameters = kind.problem(*shape, dtype)
    dt = _uneven(*shape[:2]).to(dtype)
    truth = run(kind.positions, [drive.double(), *parameters], backend="cpu", dt=dt.double())
    result = run_on_gpu(kind.positions, [drive, *parameters], gradient=gradient, dt=dt)
    assert_close(result, truth, bound)
