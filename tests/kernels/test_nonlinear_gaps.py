"""Nonlinear oscillators over gaps: they swing on by themselves, in steps of at most one unit."""

from functools import partial

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from sklearn_physrnn import HSSMRegressor
from sklearn_physrnn.kernels import _check
from sklearn_physrnn.kernels.oscillators import seam, steps, unit
from sklearn_physrnn.nn import HSSM, NonlinearHRU
from tests.helpers.backends import CPU, INTERPRETER, REFERENCE, on_the_gpu
from tests.helpers.oscillators import (
    F64,
    NONLINEAR,
    assert_close,
    drawn_state,
    run,
    run_on_gpu,
    with_gaps,
)

every_place = pytest.mark.parametrize("place", [REFERENCE, CPU, INTERPRETER])
compiled = pytest.mark.parametrize("place", [CPU, INTERPRETER])
both_gradients = pytest.mark.parametrize("gradient", ["bptt", "rhel"])
GAPS = torch.tensor([1.5, 3.0, 12.25, 1.0, 9.5], dtype=F64)
# Of echoes, whose nudge is 1e-8 of the motion, or in the reference 1e-3.
EXACT = {"cpu": 1e-9, "cuda": 1e-9, "reference": 1e-4}


_uneven = partial(with_gaps, GAPS)


def _rest(n_modes=5):
    return torch.linspace(-1, 1, n_modes, dtype=F64)


def _as_steps(drive, rest, dt):
    """The drive and the sizes of steps of which none is a gap, and where those given are."""
    drives, sizes, own = [], [], []
    for t, size in enumerate(dt.tolist()):
        n_steps = int(-((1 - size) // 1)) if size > 1 else 0
        drives += [rest.expand(len(drive), -1)] * n_steps + [drive[:, t]]
        sizes += [(size - 1) / n_steps] * n_steps if n_steps else []
        sizes += [min(size, 1.0)]
        own.append(len(sizes) - 1)
    return torch.stack(drives, 1), torch.tensor(sizes, dtype=F64).repeat(len(drive), 1), own


def _walked(drive, w, c, alpha, step, rest, *, dt, gradient="bptt"):
    """What gaps are: steps under the resting drive."""
    drives, sizes, own = _as_steps(drive, rest, dt)
    options = {"dt": sizes, "backend": "cpu", "gradient": gradient}
    return NONLINEAR.positions(drives, w, c, alpha, step, **options)[:, own]


def _gapped(drive, w, c, alpha, step, rest, **options):
    return NONLINEAR.positions(drive, w, c, alpha, step, rest=rest, **options)


@both_gradients
@every_place
def test_a_gap_is_so_many_steps_in_which_nothing_arrives(place, gradient, small):
    inputs, dt = [*NONLINEAR.problem(2, 10, 5), _rest()], _uneven(1, 10)[0]
    truth = run(_walked, inputs, dt=dt)
    options = {"backend": place.backend, "gradient": gradient, "dt": dt.repeat(2, 1)}
    result = run(_gapped, inputs, **options)
    torch.testing.assert_close(result[0], truth[0], rtol=1e-12, atol=1e-12)
    exact = place.backend == "reference" and gradient == "bptt"
    assert_close(result, truth, 1e-11 if exact else EXACT[place.backend])


@compiled
@pytest.mark.parametrize("lengths", [None, [13, 6, 0]])
@both_gradients
def test_value_and_gradients_are_those_of_the_reference(place, gradient, lengths, small):
    inputs, dt = [*NONLINEAR.problem(3, 13, 5), _rest()], _uneven()
    lengths = None if lengths is None else torch.tensor(lengths)
    truth = run(_gapped, inputs, backend="reference", dt=dt, lengths=lengths)
    if lengths is not None:
        dt[1, 6:], dt[2] = torch.nan, torch.inf
    options = {"gradient": gradient, "backend": place.backend, "lengths": lengths}
    assert_close(run(_gapped, inputs, dt=dt, **options), truth, 1e-9)


@compiled
def test_float32_is_near(place, small):
    drive, *parameters = NONLINEAR.problem(2, 13, 5)
    inputs, dt = [drive.float().double(), *parameters, _rest()], _uneven(2)
    truth = run(_gapped, inputs, dt=dt, backend="reference")
    result = run(_gapped, [inputs[0].float(), *inputs[1:]], dt=dt, backend=place.backend)
    assert_close(result, truth, 1e-4)


def test_gradcheck_of_the_state_too():
    inputs = [*NONLINEAR.problem(2, 6, 3), drawn_state(2, 3)]
    options = {"dt": _uneven(2, 6), "lengths": torch.tensor([6, 4]), "backend": "cpu"}
    rest = _rest(3).requires_grad_()

    def both(rest, *inputs):
        return NONLINEAR.oscillator(*inputs, rest=rest, **options)

    assert gradcheck(both, [rest, *(x.requires_grad_() for x in inputs)])


@every_place
@pytest.mark.parametrize("lengths", [None, [13, 6, 0]])
def test_gaps_are_undone(place, lengths, small, monkeypatch):
    monkeypatch.setattr(unit, "_CHUNK", 60)  # several chunks
    monkeypatch.setattr(unit, "_MIN_STEPS", 4)
    u, b_matrix, bias, c_matrix, skip, *parameters = NONLINEAR.unit_problem(3, 13, 5, 4)
    lengths = None if lengths is None else torch.tensor(lengths)
    options = {"dt": _uneven(), "lengths": lengths, "backend": place.backend}
    state, maps = drawn_state(3, 5), (b_matrix, bias)
    _, last = NONLINEAR.oscillator_unit(u, *maps, c_matrix, skip, *parameters, state, **options)
    first = NONLINEAR.undo(u, *maps, *parameters, last, **options)
    torch.testing.assert_close(first, state, rtol=1e-10, atol=1e-10)


@compiled
@both_gradients
def test_unit_is_the_composition(place, gradient, small, monkeypatch):
    # The gradient of its bias has a part of steps and a part of gaps.
    monkeypatch.setattr(unit, "_CHUNK", 60)
    monkeypatch.setattr(unit, "_MIN_STEPS", 4)
    inputs, options = NONLINEAR.unit_problem(2, 10, 5, 4), {"dt": _uneven(2, 10)}
    truth = run(NONLINEAR.unit, inputs, backend="reference", **options)
    result = run(NONLINEAR.unit, inputs, backend=place.backend, gradient=gradient, **options)
    assert_close(result, truth, 1e-9)


@compiled
def test_a_sequence_may_be_cut_before_a_gap(place, small):
    drive, *parameters = NONLINEAR.problem(2, 10, 5)
    dt, options = _uneven(2, 10), {"backend": place.backend}

    def cut(drive, *parameters):
        y, state = NONLINEAR.oscillator(drive[:, :6], *parameters, dt=dt[:, :6], **options)
        rest, _ = NONLINEAR.oscillator(drive[:, 6:], *parameters, state, dt=dt[:, 6:], **options)
        return torch.cat([y, rest], 1)

    truth = run(NONLINEAR.positions, [drive, *parameters], dt=dt, backend="reference")
    assert_close(run(cut, [drive, *parameters]), truth, 1e-9)


def test_the_longest_gap_keeps_the_energy():
    _, w, c, alpha, step = NONLINEAR.problem(1, 1, 8)
    state, dt = drawn_state(1, 8), torch.full((1, 20), 1_001.0)
    rest = torch.linspace(-1, 1, 8, dtype=F64)
    drive = rest.expand(1, 20, 8)
    _, last = NONLINEAR.oscillator(drive.float(), w, c, alpha, step, state, rest=rest, dt=dt)

    def energy(z, y):
        return z**2 / 2 + alpha * y**2 / 2 + c / w * torch.log(torch.cosh(w * y + rest))

    before, after = (energy(x[0].double() / step, x[1].double()) for x in (state, last))
    # Leapfrog's own wobble is of the order of its step squared, and does not grow.
    torch.testing.assert_close(after, before, rtol=0.05, atol=0)


def test_a_gap_of_one_sample_leaves_the_bits_of_others_alone():
    drive, *parameters = NONLINEAR.problem(2, 30, 5, torch.float32)
    dt = torch.rand(2, 30)
    even = NONLINEAR.positions(drive, *parameters, dt=dt)
    dt[1, 10] = 3.5
    uneven = NONLINEAR.positions(drive, *parameters, dt=dt)
    assert torch.equal(uneven[0], even[0])
    assert torch.equal(uneven[1, :10], even[1, :10])
    assert not torch.equal(uneven[1, 10], even[1, 10])


def test_a_gap_that_is_too_long_is_refused_where_it_is():
    layer = NonlinearHRU(2, 3)
    dt = torch.ones(2, 5)
    dt[1, 3] = 1_001.0
    layer(torch.zeros(2, 5, 2), dt=dt)
    dt[1, 3] = 1_001.5
    with pytest.raises(ValueError, match=r"up to 1,000 units.* sample 1 has one of 1,000.5 before "
                       r"step 3\. Cut the sequence there, .* linear"):  # fmt: skip
        layer(torch.zeros(2, 5, 2), dt=dt)
    layer(torch.zeros(2, 5, 2), dt=dt, lengths=torch.tensor([5, 3]))  # it is past the end


@pytest.mark.parametrize("variant", [{}, {"patch_size": 3}, {"bidirectional": True}])
@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
def test_sizes_and_gaps_may_be_given_apart(dynamics, variant):
    torch.manual_seed(0)
    sizes = {"hidden_size": 4, "state_size": 4, "num_blocks": 2, "dynamics": dynamics}
    model = HSSM(2, 3, **sizes, **variant).eval()
    u, dt, lengths = torch.randn(3, 13, 2), _uneven().float(), torch.tensor([13, 7, 2])
    apart = torch.stack([dt.clamp(max=1), (dt - 1).clamp(min=0)], 2)
    for options in ({}, {"lengths": lengths}):
        torch.testing.assert_close(model(u, dt=apart, **options), model(u, dt=dt, **options))
        even = model(u, dt=dt.clamp(max=1), **options)
        torch.testing.assert_close(model(u, dt=apart[:, :, :1], **options), even)
        assert not torch.equal(model(u, dt=apart, **options), even)
    with pytest.raises(ValueError, match=r"dt must have shape"):
        model(u, dt=torch.stack([dt] * 3, 2))


@pytest.mark.parametrize("dynamics", ["linear", "nonlinear"])
def test_no_gap_is_looked_for_where_the_caller_says_that_there_is_none(dynamics, monkeypatch):
    # As on a GPU, whose values nobody waits for.
    monkeypatch.setattr(_check, "looks_at", lambda x: False)
    even = torch.rand(2, 7)
    assert steps.as_steps(even, 10.0).shape == (2, 2, 7)
    assert torch.equal(steps.as_steps(even[:, :, None], 10.0), even[:, None])
    X = np.random.default_rng(0).uniform(0.5, 1, size=(12, 9, 2))
    X[:, :, 0] = np.arange(9)
    model = HSSMRegressor(4, 4, dynamics=dynamics, time_channel=0, max_iter=1).fit(X, X[:, 0, 1])
    heard = []

    def noted(*args):
        heard.append(steps.as_steps(*args).shape[1])
        return steps.as_steps(*args)

    monkeypatch.setattr(seam, "as_steps", noted)
    model.partial_fit(X, X[:, 0, 1]).predict(X)
    assert set(heard) == {1}
    X[3, 4:, 0] += 10
    model.predict(X)
    assert set(heard) == {1, 2}


@on_the_gpu
@both_gradients
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 2e-4), (F64, 1e-9)])
@pytest.mark.parametrize("shape", [(3, 37, 5), (3, 300, 33)])
def test_on_the_gpu(shape, dtype, bound, gradient):
    drive, *parameters = NONLINEAR.problem(*shape, dtype)
    dt = _uneven(*shape[:2]).to(dtype)
    truth = run(NONLINEAR.positions, [drive.double(), *parameters], backend="cpu", dt=dt.double())
    result = run_on_gpu(NONLINEAR.positions, [drive, *parameters], gradient=gradient, dt=dt)
    assert_close(result, truth, bound)
