"""Steps of many streams: compiled ones are held to those in plain torch."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_physrnn.kernels.one_step.codes import BAD_INPUT, BAD_OUTPUT, DONE
from sklearn_physrnn.nn._flat_step import FlatStep, Scaling
from tests.helpers.walkers import NETWORKS, elapsed, inputs_of, network, petnn

T = 6


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def _arrays(model, n, dtype=torch.float64, *, timed=False):
    x = inputs_of(model, n, T, dtype).numpy()
    dt = elapsed(n, T, dtype)[:, :, None].numpy() if timed else None
    return x if x.ndim == 3 else x[:, :, None].astype(np.float64), dt


def _pair(model, n_channels, scaling=None):
    step = model.as_step()
    pair = [FlatStep(step, n_channels, scaling, compiled=c) for c in (True, False)]
    assert [flat.compiled for flat in pair] == [True, False]
    return pair


def _run(flat, x, dt=None, every_step=True):
    state, sums = (np.repeat(first, len(x), axis=0) for first in (flat.state, flat.sums))
    shape = len(x), x.shape[1] if every_step else 1
    said = [np.empty((*shape, n), flat.dtype) for n in (flat.width, flat.output_size)]
    flat.run(x, dt, state, sums, *said)
    return *said, state, sums


@pytest.mark.parametrize("name", NETWORKS)
# A row, and a block with a remainder.
@pytest.mark.parametrize(("n", "timed"), [(1, True), (35, False)])
def test_compiled_steps_say_what_plain_ones_say(name, n, timed):
    model = network(name)
    x, dt = _arrays(model, n, timed=timed)
    compiled, plain = _pair(model, x.shape[2])
    for found, expected in zip(_run(compiled, x, dt), _run(plain, x, dt), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_so_they_do_of_sizes_and_gaps_apart():
    for name in ("hssm-linear-batch-mean", "hssm-nonlinear-layer-last"):
        model = network(name)
        x, dt = _arrays(model, 3, timed=True)
        apart = np.concatenate([np.minimum(dt, 1), np.maximum(dt - 1, 0)], axis=2)
        for flat in _pair(model, 2):
            for one, other in zip(_run(flat, x, apart), _run(flat, x, dt), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["hssm-linear-batch-mean", "hssm-nonlinear-layer-last",
                                  "hssm-damped-layer-mean",
                                  "petnn-soft-linear-True-True", "petnn-max-False"])  # fmt: skip
def test_so_they_do_in_float32(name):
    model = network(name, torch.float32)
    x, dt = _arrays(model, 35, torch.float32, timed=True)
    compiled, plain = _pair(model, 2)
    found, expected = _run(compiled, x, dt), _run(plain, x, dt)
    assert [part.dtype for part in found] == [np.float32] * 3 + [np.float64]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_a_stream_s_numbers_do_not_hang_on_which_others_there_are():
    model = network("hssm-linear-batch-mean")
    compiled, _ = _pair(model, 2)
    x, _ = _arrays(model, 35)
    together = _run(compiled, x)
    for i in (0, 20, 34):
        for part, own in zip(together, _run(compiled, x[i : i + 1]), strict=True):
            np.testing.assert_array_equal(part[i], own[0])


def test_only_the_last_step_says_something_if_no_more_is_asked_for():
    compiled, plain = _pair(petnn(readout="max"), 2)
    x, _ = _arrays(petnn(), 3)
    for flat in (compiled, plain):
        features, outputs, *_ = _run(flat, x)
        last, said, *_ = _run(flat, x, every_step=False)
        np.testing.assert_array_equal(said, outputs[:, -1:])
        np.testing.assert_array_equal(last, features[:, -1:])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_inputs_are_scaled_and_cut(dtype):
    model = petnn(dtype)
    scaling = Scaling(np.array([1e3, -2.0]), np.array([1e-3, 0.0]), 2.0)
    x = (inputs_of(model, 3, T, dtype) * 1e-3 + 1e3).numpy()
    scaled = scaling(x)
    assert (np.abs(scaled[..., 0]) <= 2).all()
    assert (scaled[..., 1] == 0).all()
    bare, _ = _pair(model, 2)
    expected = _run(bare, scaled)[1]
    for flat in _pair(model, 2, scaling):
        tolerance = 1e-6 if dtype == torch.float32 else 1e-14
        np.testing.assert_allclose(_run(flat, x)[1], expected, rtol=tolerance, atol=tolerance)


def test_what_no_program_knows_is_run_in_plain_torch():
    model = petnn()
    model.head[2] = nn.Softsign()
    flat = FlatStep(model.as_step(), 2)
    assert not flat.compiled
    x, _ = _arrays(model, 3)
    np.testing.assert_allclose(_run(flat, x)[1][:, -1], model(torch.from_numpy(x)).detach())


def test_what_is_not_finite_is_told():
    pair = _pair(petnn(), 2)
    x, _ = _arrays(petnn(), 2)
    bad = x.copy()
    bad[1, 3, 0] = np.nan
    model = petnn()
    model.head[4].weight.data *= np.inf
    wild = _pair(model, 2)
    for flat, broken in zip(pair, wild, strict=True):
        state, sums = (np.repeat(first, 2, axis=0) for first in (flat.state, flat.sums))
        before = state.copy()
        said = np.empty((2, 1, flat.width)), np.empty((2, 1, flat.output_size))
        assert flat.run(bad, None, state, sums, *said) == BAD_INPUT
        np.testing.assert_array_equal(state, before)
        assert flat.run(x, None, state, sums, *said) == DONE
        assert broken.run(x, None, before, sums, *said) == BAD_OUTPUT
