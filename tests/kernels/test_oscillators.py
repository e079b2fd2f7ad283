"""Oscillators of every kind: every backend and gradient against the reference in float64.

What only one kind promises is tested in a module of its name, how the GPU's kernels are cut
and compiled in ``test_oscillators_cuda.py``.
"""

import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn.kernels.oscillators import scan, unit
from tests.helpers.backends import CPU, INTERPRETER, REFERENCE, on_the_gpu
from tests.helpers.oscillators import (
    CASES,
    DAMPED,
    F64,
    KINDS,
    LINEAR,
    NONLINEAR,
    assert_close,
    run,
    run_on_gpu,
    sequences,
)

every_kind = pytest.mark.parametrize("kind", KINDS, ids=str)
both_gradients = pytest.mark.parametrize("gradient", ["bptt", "rhel"])
compiled = pytest.mark.parametrize("place", [CPU, INTERPRETER])
every_place = pytest.mark.parametrize("place", [REFERENCE, CPU, INTERPRETER])

# Interpreted, a step takes a millisecond; these fill several of the fixture's small tiles.
N_STEPS = {"reference": 37, "cpu": 37, "interpreted": 21}


def _way(place, kind, tolerance, gradient, epsilon="auto"):
    name = f"{kind}-{gradient}" + ("" if epsilon == "auto" else f"-{epsilon}")
    options = {"gradient": gradient, "epsilon": epsilon}
    return pytest.param(
        place.values[0], kind, tolerance, options, id=f"{place.id}-{name}", marks=place.marks
    )


# Linear echoes are exact at any nudge; the reference's nonlinear ones are not, and the
# compiled ones to the size of their nudge. The reference's damped ones run apart, a
# thousandfold at most, before they begin anew.
WAYS = [
    *(_way(REFERENCE, LINEAR, 1e-11, "rhel", e) for e in ("auto", 0.3)),
    *(_way(REFERENCE, DAMPED, 1e-9, "rhel", e) for e in ("auto", 0.3)),
    _way(REFERENCE, NONLINEAR, 1e-5, "rhel"),
    *(
        _way(place, kind, tolerance, gradient)
        for place in (CPU, INTERPRETER)
        for kind, gradient, tolerance in (
            (LINEAR, "bptt", 1e-11),
            (LINEAR, "rhel", 1e-11),
            (DAMPED, "bptt", 1e-11),
            (DAMPED, "rhel", 1e-11),
            (NONLINEAR, "bptt", 1e-11),
            (NONLINEAR, "rhel", 1e-9),
        )
    ),
    *(
        _way(place, kind, 1e-11, "rhel", 0.3)
        for place in (CPU, INTERPRETER)
        for kind in (LINEAR, DAMPED)
    ),
]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("place", "kind", "tolerance", "options"), WAYS)
def test_value_and_gradients_are_those_of_the_reference(
    place, kind, tolerance, options, case, small
):
    # The step size's too, for which the release's nonlinear echoes return zero.
    n_steps = 11 if place.name == "interpreted" and kind is NONLINEAR else N_STEPS[place.name]
    inputs, steps = kind.problem(3, n_steps), sequences(case, 3, n_steps)
    truth = run(kind.positions, inputs, backend="reference", **steps)
    result = run(kind.positions, inputs, backend=place.backend, **options, **steps)
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


FLOAT32 = [
    *((CPU, kind, shape) for kind in KINDS for shape in ((1, 1, 1), (2, 9, 3), (5, 64, 33))),
    *(
        (INTERPRETER, kind, shape)
        for kind in (DAMPED, NONLINEAR)
        for shape in ((1, 1, 1), (1, 8, 2), (2, 9, 35))
    ),
]


@both_gradients
@pytest.mark.parametrize(
    ("place", "kind", "shape"),
    [
        pytest.param(p.values[0], kind, shape, id=f"{p.id}-{kind}-{shape}", marks=p.marks)
        for p, kind, shape in FLOAT32
    ],
)
def test_float32(place, kind, shape, gradient, small):
    drive, *parameters = kind.problem(*shape, torch.float32)
    truth = run(kind.positions, [drive.double(), *parameters], backend="reference")
    inputs = [drive, *parameters]
    result = run(kind.positions, inputs, backend=place.backend, gradient=gradient)
    assert_close(result, truth, 2e-5 if kind is not NONLINEAR else 5e-5, inputs)


# float32 as on the CPU, where sums over time are cut elsewhere, and whose tanh this is; a
# GPU's division and logarithm are a few last places worse. float64 to rounding, for the
# linear scan puts time together in another order.
TOLERANCE = {
    (LINEAR, torch.float32): 5e-5,
    (LINEAR, F64): 1e-10,
    (DAMPED, torch.float32): 5e-5,
    (DAMPED, F64): 1e-10,
    (NONLINEAR, torch.float32): 1e-4,
    (NONLINEAR, F64): 1e-9,
}


@on_the_gpu
@pytest.mark.parametrize("case", CASES)
@both_gradients
@pytest.mark.parametrize(("kind", "dtype"), TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", [(3, 37, 5), (1, 1, 1), (3, 300, 33), (70, 100, 256)])
def test_on_the_gpu(shape, kind, dtype, gradient, case):
    if kind is not NONLINEAR and shape[1] >= 100:  # several tiles there too
        shape = {300: (3, 1100, 33), 100: (70, 600, 256)}[shape[1]]
    step = 0.05 if kind is NONLINEAR else None
    drive, *parameters = kind.problem(*shape, dtype, step)
    inputs, steps = [drive, *parameters], sequences(case, *shape[:2])
    truth = run(kind.positions, [drive.double(), *parameters], backend="cpu", **steps)
    result = run_on_gpu(kind.positions, inputs, gradient=gradient, **steps)
    assert_close(result, truth, TOLERANCE[kind, dtype], inputs)
    again = run_on_gpu(kind.positions, inputs, gradient=gradient, **steps)
    assert all(torch.equal(x, y) for x, y in zip(result, again, strict=True))


@both_gradients
@pytest.mark.parametrize("case", [(), ("dt",)])
@pytest.mark.parametrize(("kind", "dtype"), TOLERANCE, ids=str)
@compiled
def test_a_gradient_that_is_zero_but_for_rounding_is_close_to_zero(
    place, kind, dtype, case, gradient
):
    # After one step from rest nothing depends on the stiffness, and what a backend makes of
    # that is rounding, of no relation to any other backend's.
    step = 0.05 if kind is NONLINEAR else None
    drive, *parameters = kind.problem(1, 1, 1, dtype, step)
    inputs, steps = [drive, *parameters], sequences(case, 1, 1)
    truth = run(kind.positions, [drive.double(), *parameters], backend="cpu", **steps)
    result = run(kind.positions, inputs, backend=place.backend, gradient=gradient, **steps)
    assert_close(result, truth, TOLERANCE[kind, dtype], inputs)
    for i in range(len(result)):  # and what is off is still seen
        wrong = [x.clone() for x in result]
        wrong[i] += 0.1 * wrong[i].abs().max() + 1e-3 * (i > 1)
        with pytest.raises(AssertionError):
            assert_close(wrong, truth, TOLERANCE[kind, dtype], inputs)


@every_kind
@every_place
def test_echoes_hear_the_loss_of_a_step_of_no_size(place, kind, small):
    inputs, dt = kind.problem(2, 8, 3), torch.ones(2, 8)
    dt[:, ::2] = 0.0
    truth = run(kind.positions, inputs, dt=dt, backend="reference")
    result = run(kind.positions, inputs, dt=dt, gradient="rhel", backend=place.backend)
    rough = kind is NONLINEAR and place.name == "reference"
    assert_close(result, truth, 1e-5 if rough else 1e-10)


@every_kind
@both_gradients
def test_gradcheck(kind, gradient):
    inputs = [x.requires_grad_() for x in kind.problem(2, 6, 3)]
    options = {"dt": sequences(("dt",), 2, 6)["dt"], "lengths": torch.tensor([6, 4])}
    assert gradcheck(lambda *x: kind.positions(*x, gradient=gradient, **options), inputs)


@pytest.mark.parametrize("case", [(), ("dt",)])
@pytest.mark.parametrize(
    ("kind", "dtype", "tolerance"),
    [
        (LINEAR, torch.float32, 1e-3),
        (LINEAR, F64, 1e-10),
        (NONLINEAR, torch.float32, 1e-3),
        (NONLINEAR, F64, 1e-11),
    ],
    ids=str,
)
def test_echo_without_nudge_returns_to_the_start(case, kind, dtype, tolerance):
    # Kicked with y in place of y_half, as in the release, the nonlinear one does not.
    drive, *parameters = kind.problem(3, 20_000, 5, dtype, 0.01 if kind is NONLINEAR else None)
    dt = 0.8 * sequences(case, 3, 20_000)["dt"] if case else None
    engine = kind.cpu()
    if kind is NONLINEAR:
        parameters.insert(3, torch.zeros_like(parameters[0]))  # the drive of gaps
    sizes = None if dt is None else dt[:, None]
    steps, counts = scan.as_arrays(drive, sizes, torch.tensor([20_000, 10_000, 0]))
    coefs = engine.coefficients(parameters, dtype)
    state = scan.begin(None, drive, 5)
    positions = torch.empty(1, *drive.shape, dtype=dtype)
    engine.advance(coefs, state, scan.no_power(drive), drive, steps, counts, 0, positions)
    states = torch.stack([-state[0], 0 * state[0], state[1], 0 * state[1]])
    middle, grad_drive = torch.empty_like(drive), torch.empty_like(drive)
    nudge = torch.stack([torch.zeros_like(state[0]), torch.ones_like(state[0])])
    grad = torch.ones_like(drive)
    sums = engine.echo(coefs, states, nudge, drive, steps, counts, 0, grad, grad_drive, middle)
    scale = float(positions.abs().max())
    assert float(states.abs().max()) < tolerance * scale
    assert float((middle - positions[0]).abs().max()) < tolerance * scale
    assert not sums.any()
    assert not grad_drive.any()


@every_kind
@every_place
def test_steps_past_the_length_are_neither_read_nor_written(place, kind, small):
    n_steps, length = (12, 5) if place.name == "interpreted" else (30, 11)
    drive, *parameters = kind.problem(2, n_steps, 4)
    drive[1, length:] = torch.nan
    options = {"lengths": torch.tensor([n_steps, length]), "backend": place.backend}
    alone = kind.positions(drive[1:, :length], *parameters, backend=place.backend)
    # The interpreter's linear scan adds in another order.
    off = 1e-14 if place.name == "interpreted" and kind is not NONLINEAR else 0
    for gradient in ("bptt", "rhel"):
        y, *grads = run(kind.positions, [drive, *parameters], gradient=gradient, **options)
        torch.testing.assert_close(y[1:, :length], alone, rtol=off, atol=off)
        assert not y[1, length:].any()
        assert not grads[0][1, length:].any()
        assert all(grad.isfinite().all() for grad in grads)


@every_kind
@both_gradients
@compiled
def test_nan_stays_in_its_lane_and_future(place, gradient, kind, small):
    # Not in the sub-chunk's past either, though sub-chunks are put together backwards.
    dtype, when = (F64, 6) if kind is not NONLINEAR else (torch.float32, 4)
    drive, *parameters = kind.problem(2, 12 if kind is not NONLINEAR else 9, 3, dtype)
    drive[0, when, 1] = torch.nan
    options = {"backend": place.backend, "gradient": gradient}
    y, grad_drive, *grads = run(kind.positions, [drive, *parameters], **options)
    assert y[0, when:, 1].isnan().all()
    assert y[0, :when].isfinite().all()
    assert y[0, :, ::2].isfinite().all()
    assert y[1].isfinite().all()
    assert grad_drive[1].isfinite().all()
    assert all(grad[1].isnan() for grad in grads)


UNITS = [
    *(
        (CPU, kind, gradient, n_modes, "auto")
        for kind in KINDS
        for gradient in ("bptt", "rhel")
        for n_modes in (4, 8)  # fewer and more than inputs
    ),
    *((CPU, kind, "rhel", n_modes, 0.3) for kind in (LINEAR, DAMPED) for n_modes in (4, 8)),
    *((INTERPRETER, kind, gradient, 5, "auto") for kind in KINDS for gradient in ("bptt", "rhel")),
]


@pytest.mark.parametrize(
    ("place", "kind", "gradient", "n_modes", "epsilon", "case"),
    [
        pytest.param(
            p.values[0], *rest, case, marks=p.marks, id="-".join(map(str, (p.id, *rest, case)))
        )
        for p, *rest in UNITS
        for case in (CASES if p is CPU else [(), ("dt", "lengths")])
    ],
)
def test_unit_is_the_composition(
    place, kind, gradient, n_modes, epsilon, case, small, monkeypatch
):
    # Several chunks, the last one shorter.
    if place.name == "cpu":
        n_steps, width, chunk = 37, 6, 200
    else:
        n_steps, width, chunk = (21, 4, 150) if kind is not NONLINEAR else (11, 4, 120)
    monkeypatch.setattr(unit, "_CHUNK", chunk)
    inputs = kind.unit_problem(3, n_steps, n_modes, width)
    steps = sequences(case, 3, n_steps)
    truth = run(kind.unit, inputs, backend="reference", **steps)
    options = {"gradient": gradient, "epsilon": epsilon, "backend": place.backend}
    result = run(kind.unit, inputs, **options, **steps)
    tolerance = 1e-9 if kind is NONLINEAR and gradient == "rhel" else 1e-11
    for x, y in zip(result, truth, strict=True):
        torch.testing.assert_close(x, y, rtol=tolerance, atol=tolerance)


@on_the_gpu
@every_kind
@both_gradients
def test_unit_in_chunks_on_the_gpu(gradient, kind, monkeypatch):
    n_steps, chunk, tolerance = (
        (1500, 2**14, 1e-10) if kind is not NONLINEAR else (100, 2**12, 1e-8)
    )
    monkeypatch.setattr(unit, "_DEVICE_CHUNK", chunk)
    inputs, steps = kind.unit_problem(4, n_steps, 64, 16), sequences(CASES[3], 4, n_steps)
    truth = run(kind.unit, inputs, backend="cpu", **steps)
    result = run_on_gpu(kind.unit, inputs, gradient=gradient, **steps)
    assert_close(result, truth, tolerance)


@every_kind
@pytest.mark.parametrize("grad", [True, False])
def test_prediction_keeps_no_trajectory(grad, kind, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 200)
    engine, starts = kind.cpu(), set()
    original = engine.advance

    def advance(*arguments, **options):
        starts.add(arguments[-1].data_ptr())
        original(*arguments, **options)

    monkeypatch.setattr(engine, "advance", advance)
    inputs = [x.requires_grad_() for x in kind.unit_problem(n_modes=4)]
    with torch.set_grad_enabled(grad):
        kind.unit(*inputs)
    # Every chunk's positions go to the same buffer, or to their place in the whole.
    assert len(starts) == (3 if grad else 1)


@every_kind
@both_gradients
@compiled
def test_what_is_kept_grows_with_time_as_promised(place, gradient, kind, small):
    def kept(n_steps):
        numbers = []
        pack = lambda x: numbers.append(x.numel()) or x  # noqa: E731
        inputs = [x.requires_grad_() for x in kind.unit_problem(1, n_steps, 5, 4)]
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            kind.unit(*inputs, gradient=gradient, backend=place.backend)
        return sum(numbers)

    n_trajectories = kind.n_trajectories if gradient == "bptt" else 0
    where_states_stand = int(kind is DAMPED and gradient == "rhel")  # they are further apart
    assert (kept(12) - kept(4)) / 8 == 4 + n_trajectories * 5 + where_states_stand


@every_kind
@both_gradients
def test_same_bits_for_any_number_of_threads(gradient, kind):
    inputs = kind.problem(8, 500, 64, torch.float32)
    before = torch.get_num_threads()
    try:
        results = []
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            results.append(run(kind.positions, inputs, gradient=gradient))
    finally:
        torch.set_num_threads(before)
    for x, y in zip(*results, strict=True):
        assert torch.equal(x, y)
