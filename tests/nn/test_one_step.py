"""One step of every network in plain torch, held to walks through the same steps."""

import copy

import pytest
import torch
from torch import nn

from sklearn_physrnn.nn._recurrent import RecurrentModel
from sklearn_physrnn.nn.linear_hru import LinearHRU
from sklearn_physrnn.nn.nonlinear_hru import NonlinearHRU
from tests.helpers.walkers import NETWORKS, elapsed, hssm, inputs_of, network, petnn

N, T = 3, 12


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _walked(model, x, dt):
    """What the network says of all steps up to each one."""
    state, said = model.begin(N), []
    for k in range(T):
        own = None if dt is None else dt[:, k : k + 1]
        outputs, state = model.walk(x[:, k : k + 1], state, dt=own)
        said.append(model.conclude(state) if outputs is None else outputs[:, 0])
    return torch.stack(said), state


def _stepped(step, x, dt, state=None):
    state, said = step.rest(N) if state is None else state, []
    for k in range(x.shape[1]):
        outputs, state = step(x[:, k], state, None if dt is None else dt[:, k : k + 1])
        said.append(outputs)
    return torch.stack(said), state


@torch.no_grad()
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("timed", [False, True])
def test_steps_say_what_a_walk_says(name, timed):
    model = network(name)
    x = inputs_of(model, N, T)
    dt = elapsed(N, T) if timed else None
    step = model.as_step()
    expected, end = _walked(model, x, dt)
    said, state = _stepped(step, x, dt)
    torch.testing.assert_close(said, expected, rtol=0, atol=1e-12)
    for own, other in zip(state, step.of_walk(end), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_a_patch_is_one_step():
    model = hssm(patch_size=3, readout="mean")
    x, dt = torch.randn(N, T, 2, dtype=torch.float64), torch.rand(N, T, dtype=torch.float64)
    step = model.as_step()
    assert step.patch_size == 3
    patches, mean = x.reshape(N, T // 3, 6), dt.reshape(N, T // 3, 3).mean(2)
    said, state = _stepped(step, patches, mean)
    torch.testing.assert_close(said[-1], model(x, dt=dt), rtol=0, atol=1e-12)
    _, end = model.walk(x, model.begin(N), dt=dt)
    for own, other in zip(state, step.of_walk(end), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-12, atol=1e-12)


@torch.no_grad()
def test_sizes_and_gaps_may_be_given_apart():
    for dynamics in ("linear", "damped", "nonlinear"):
        model = hssm(dynamics=dynamics)
        x, dt = torch.randn(N, 1, 2, dtype=torch.float64), 9 * torch.rand(N, 1).double()
        step = model.as_step()
        apart = torch.cat((dt.clamp(max=1), (dt - 1).clamp(min=0)), 1)
        torch.testing.assert_close(
            step(x[:, 0], step.rest(N), apart), step(x[:, 0], step.rest(N), dt)
        )


def test_what_reads_from_the_end_has_no_steps():
    with pytest.raises(ValueError, match="bidirectional=False"):
        hssm(bidirectional=True).as_step()


@torch.no_grad()
@pytest.mark.parametrize("make", [hssm, petnn])
@pytest.mark.parametrize("readout", ["mean", "last", "max"])
def test_steps_go_on_from_where_a_walk_of_unequal_lengths_has_come(make, readout):
    if make is hssm and readout == "max":
        pytest.skip("an HSSM reads no maximum")
    model = make(readout=readout)
    x, later = torch.randn(2, N, T, 2, dtype=torch.float64).unbind()
    lengths = torch.tensor([T, 5, 1])
    _, state = model.walk(x, model.begin(N), lengths=lengths)
    said, _ = _stepped(model.as_step(), later, None, model.as_step().of_walk(state))
    for i, n in enumerate(lengths):
        whole = torch.cat([x[i, :n], later[i]])[None]
        torch.testing.assert_close(said[-1, i], model(whole)[0], rtol=0, atol=1e-12)


@torch.no_grad()
@pytest.mark.parametrize("unit", [LinearHRU, NonlinearHRU])
def test_in_float32_oscillators_are_as_exact_as_the_compiled_loops(unit):
    # With d^2 a rounded to float32 linear ones would be off by twice as much.
    layer = unit(2, 40) if unit is LinearHRU else unit(2, 40, initial_step=1.0)
    start, quiet = torch.randn(2, 1, layer.n_oscillators), torch.zeros(1, 2)
    series = quiet.expand(1, 8000, 2)
    _, truth = copy.deepcopy(layer).double()(series.double(), start.double())
    _, compiled = layer(series, start)
    step, state = layer.as_step(), start
    for _ in range(series.shape[1]):
        _, state = step(quiet, state, None)
    assert state.dtype == torch.float32
    assert (state - truth).norm() < 1.3 * (compiled - truth).norm()


@torch.no_grad()
@pytest.mark.parametrize("name", ["hssm-linear-batch-mean", "petnn-surrogate-linear-True-True"])
def test_torch_can_hold_a_step_in_a_graph(name):
    model = network(name)
    step = model.as_step()
    x, dt = torch.randn(N, 2, dtype=torch.float64), torch.rand(N, 1, dtype=torch.float64)
    rest = step.rest(N)
    graph = torch.export.export(step, (x, rest, dt)).module()
    said, state = graph(x, rest, dt)
    expected, after = step(x, rest, dt)
    torch.testing.assert_close(said, expected)
    torch.testing.assert_close(state, after)


@torch.no_grad()
def test_a_step_stays_as_it_is_when_the_network_is_trained_on():
    model = hssm()
    step, x = model.as_step(), torch.randn(N, 2, dtype=torch.float64)
    before, _ = step(x, step.rest(N))
    for parameter in model.parameters():
        parameter.add_(1.0)
    after, _ = step(x, step.rest(N))
    assert torch.equal(before, after)
    assert not any(p.requires_grad for p in step.parameters())


def test_layers_without_a_step_of_their_own_are_named():
    with pytest.raises(TypeError, match="One step of LSTM is not known"):
        RecurrentModel(nn.LSTM(2, 6), 6, 4).as_step()
