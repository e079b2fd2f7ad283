"""Hamiltonian recurrent units fed in pieces, and run backwards."""

import copy

import pytest
import torch

from sklearn_physrnn.nn import DampedHRU, LinearHRU, NonlinearHRU
from sklearn_physrnn.nn._hru import return_error

UNITS = {
    "complex": lambda *sizes, **options: LinearHRU(*sizes, **options),
    "real": lambda *sizes, **options: LinearHRU(*sizes, complex=False, **options),
    "damped": lambda *sizes, **options: DampedHRU(*sizes, **options),
    "nonlinear": lambda *sizes, **options: NonlinearHRU(*sizes, initial_step=0.3, **options),
}
every_unit = pytest.mark.parametrize("unit", UNITS)
LENGTHS = torch.tensor([30, 12, 10, 3])


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _data(dtype=torch.float64):
    u, dt = torch.randn(4, 30, 3, dtype=dtype), torch.rand(4, 30, dtype=dtype)
    u[1, 12:], dt[1, 12:] = torch.nan, torch.nan
    return u, {"dt": dt, "lengths": LENGTHS}


def _fed(layer, u, state, piece, dt, lengths):
    outputs = []
    for begin in range(0, u.shape[1], piece):
        part = slice(begin, begin + piece)
        own = (lengths - begin).clamp(0, u[:, part].shape[1])
        o, state = layer(u[:, part], state, dt=dt[:, part], lengths=own)
        outputs.append(o)
    return torch.cat(outputs, 1), state


@every_unit
@pytest.mark.parametrize("gradient", ["bptt", "rhel"])
@pytest.mark.parametrize("piece", [1, 7, 10, 99])
def test_a_sequence_in_pieces_gives_what_it_gives_whole(unit, gradient, piece):
    layer = UNITS[unit](3, 4, gradient=gradient).double()
    u, steps = _data()
    first = torch.randn(2, 4, layer.n_oscillators, dtype=torch.float64)
    found = []
    for size in (30, piece):
        x, start = u.clone().requires_grad_(), first.clone().requires_grad_()
        o, last = _fed(layer, x, start, size, **steps)
        loss = o.sin().sum() + last.cos().sum()
        grads = torch.autograd.grad(loss, [x, start, *layer.parameters()])
        found.append([o.detach(), last.detach(), *grads])
    for whole, pieces in zip(*found, strict=True):
        torch.testing.assert_close(
            pieces, whole, rtol=1e-12, atol=1e-12 * float(whole.abs().max())
        )
        assert whole.any()


@every_unit
def test_the_echoes_gradient_of_the_first_state_is_back_propagation_s(unit):
    layer = UNITS[unit](3, 4).double()
    u, steps = _data()
    grads = []
    for gradient in ("bptt", "rhel"):
        twin = copy.deepcopy(layer)
        twin.gradient = gradient
        start = torch.ones(2, 4, layer.n_oscillators, dtype=torch.float64, requires_grad=True)
        o, last = twin(u, start, **steps)
        grads.append(torch.autograd.grad(o.sin().sum() + last.cos().sum(), start)[0])
    torch.testing.assert_close(*grads, rtol=1e-11, atol=1e-11)


@every_unit
def test_the_state_has_two_numbers_for_each_oscillator(unit):
    layer = UNITS[unit](3, 4)
    o, state = layer(torch.randn(2, 5, 3))
    assert state.shape == (2, 2, 4 if unit in ("real", "nonlinear") else 8)
    assert layer.n_oscillators == state.shape[2]
    rest = torch.zeros_like(state)
    torch.manual_seed(1)
    u = torch.randn(2, 5, 3)
    assert torch.equal(layer(u, rest)[0], layer(u)[0])
    assert not torch.equal(layer(u, state)[0], layer(u)[0])
    # Outputs are read from the positions, the second of the two.
    position = state[1, :, :4]
    if layer.n_oscillators == 8:
        expected = position @ layer.C[..., 0].T - state[1, :, 4:] @ layer.C[..., 1].T
    else:
        expected = position @ layer.C.T
    torch.manual_seed(2)
    o, state = layer(torch.zeros(2, 1, 3), state, dt=torch.zeros(2, 1))
    torch.testing.assert_close(o[:, 0], expected)


@every_unit
def test_undoing_a_piece_gives_the_state_before_it(unit):
    layer = UNITS[unit](3, 4).double()
    u, steps = _data()
    first = torch.randn(2, 4, layer.n_oscillators, dtype=torch.float64)
    _, last = layer(u, first, **steps)
    returned = layer.undo(u, last, **steps)
    torch.testing.assert_close(returned, first, rtol=1e-12, atol=1e-12)
    assert not returned.requires_grad
    # From the end, piece by piece.
    states, state = [], first
    for begin in (0, 10, 20):
        states.append(state)
        part = slice(begin, begin + 10)
        here = {"dt": steps["dt"][:, part], "lengths": (LENGTHS - begin).clamp(0, 10)}
        _, state = layer(u[:, part], state, **here)
    torch.testing.assert_close(state, last)
    for begin, before in zip((20, 10, 0), states[::-1], strict=True):
        part = slice(begin, begin + 10)
        here = {"dt": steps["dt"][:, part], "lengths": (LENGTHS - begin).clamp(0, 10)}
        state = layer.undo(u[:, part], state, **here)
        torch.testing.assert_close(state, before, rtol=1e-12, atol=1e-12)


def test_the_return_error_of_damped_oscillators_says_how_far_back_they_can_be_followed():
    layer = DampedHRU(3, 4)
    with torch.no_grad():
        layer.decay_raw.fill_(0.0)
    lasting = 1 / layer.decays()[0].item()
    short, long = (layer.return_error(torch.randn(2, int(n * lasting), 3)) for n in (2, 30))
    assert (short < 1e-4).all()
    assert (long > 1e3).all()


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "damped"])
def test_the_return_error_is_rounding(unit):
    layer, u = UNITS[unit](3, 4), torch.randn(2, 2_000, 3)
    error = layer.return_error(u)
    assert error.shape == (2,)
    assert (error > 0).all()
    assert (error < 1e-3).all()
    exact = copy.deepcopy(layer).double().return_error(u.double())
    assert (exact < 1e-5 * error).all()


def test_the_return_error_shows_chaos():
    # Steep wells at large steps: the oscillators forget where they came from.
    layer = NonlinearHRU(3, 8)
    with torch.no_grad():
        layer.w_raw.fill_(3.0)
        layer.c_raw.fill_(3.0)
        layer.step_raw.fill_(-0.5)
    u = torch.randn(1, 1_000, 3)
    assert layer.return_error(u[:, :20]) < 1e-4
    assert layer.return_error(u) > 0.05


def test_the_return_error_measures_by_the_motion():
    first, last = torch.zeros(2, 3, 2), torch.zeros(2, 3, 2)
    last[1, 0, 0], last[0, 1, 1] = 4.0, 8.0
    returned = first.clone()
    returned[0, :2, 0] = 2.0
    assert return_error(returned, first, last).tolist() == [0.5, 0.25, 0.0]
    assert return_error(returned, last, first).tolist() == pytest.approx(
        [20**0.5 / 4, 68**0.5 / 8, 0.0]
    )


@every_unit
def test_undoing_refuses_what_running_refuses(unit):
    layer, u = UNITS[unit](3, 4), torch.randn(2, 5, 3)
    _, state = layer(u)
    with pytest.raises(ValueError, match="input_size=3"):
        layer.undo(u[..., :2], state)
    with pytest.raises(ValueError, match=r"state must have shape \(2, batch, modes\) = \(2, 2,"):
        layer.undo(u, state[:, :1])
    with pytest.raises(ValueError, match="dt must be finite and not negative"):
        layer.undo(u, state, dt=-torch.ones(2, 5))
