"""PETNN's timers over long gaps."""

import numpy as np
import pytest
import torch

from sklearn_physrnn import HSSMClassifier, PETNNClassifier
from sklearn_physrnn.nn import PETNN

RELEASES = ["soft", "surrogate", "hard"]
GAPS = [10.0, 1e3, 1e6, 1e30]


def _layer(release, dtype, **options):
    torch.manual_seed(0)
    return PETNN(3, 5, num_layers=2, release=release, **options).to(dtype)


def _inputs(dtype):
    return torch.randn(4, 12, 3, generator=torch.Generator().manual_seed(1)).to(dtype)


def _walk(layer, x, dt):
    x = x.clone().requires_grad_()
    output, state = layer(x, dt=dt)
    loss = output.square().sum() + sum(part.cos().sum() for part in state)
    grads = torch.autograd.grad(loss, [x, *layer.parameters()], allow_unused=True)
    return output.detach(), state, grads


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("gap", GAPS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_after_a_gap_every_timer_has_run_out_and_begins_anew(release, gap, dtype):
    layer, x = _layer(release, dtype), _inputs(dtype)
    dt = torch.ones(4, 12, dtype=dtype)
    even = layer.trajectory(x, dt=dt)
    dt[:2, 5] = gap
    for path, without in zip(layer.trajectory(x, dt=dt), even, strict=True):
        assert all(part.isfinite().all() for part in path)
        if gap > 100:
            assert (path.released[:2, 5] == 1).all()
            assert (path.remaining_time[:2, 5] == 0).all()
        # From zero on it is set anew: what comes later is of the size that it has without.
        assert path.remaining_time.abs().max() <= 2 * without.remaining_time.abs().max()
        assert torch.equal(path.state[2:], without.state[2:])


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gradients_over_long_gaps_are_no_larger_than_over_short_ones(release, dtype):
    layer, x = _layer(release, dtype), _inputs(dtype)
    found = {}
    for gap in (1.0, *GAPS):
        dt = torch.ones(4, 12, dtype=dtype)
        dt[:2, 5] = gap
        _, _, grads = _walk(layer, x, dt)
        assert all(g.isfinite().all() for g in grads if g is not None)
        found[gap] = torch.stack([g.norm() for g in grads if g is not None])
    for gap in GAPS:
        assert (found[gap] <= 3 * found[1.0] + 1e-6).all()
    # What is longer than any timer is all the same.
    assert torch.equal(found[1e3], found[1e6])
    assert torch.equal(found[1e6], found[1e30])


@pytest.mark.parametrize("gap", [1e6, 1e30])
@pytest.mark.parametrize("release", RELEASES)
def test_float32_follows_float64_over_a_gap(release, gap):
    # What rounding leaves of a soft release was once multiplied by the gap.
    x, dt = _inputs(torch.float32), torch.ones(4, 12)
    dt[:, 5] = gap
    layer = _layer(release, torch.float32)
    output, _, grads = _walk(layer, x, dt)
    exact, _, truth = _walk(layer.double(), x.double(), dt.double())
    torch.testing.assert_close(output.double(), exact, rtol=1e-4, atol=1e-5)
    for x, y in zip(grads, truth, strict=True):
        if x is not None:
            torch.testing.assert_close(x.double(), y, rtol=1e-3, atol=1e-3 * float(y.abs().max()))


@pytest.mark.parametrize("kind", [PETNNClassifier, HSSMClassifier])
def test_one_gap_of_a_million_units_in_one_series_of_a_hundred_leaves_the_unit_alone(kind):
    rng = np.random.default_rng(0)
    X = np.stack([np.tile(np.arange(20.0), (100, 1)), rng.normal(size=(100, 20))], axis=2)
    y, far = np.arange(100) % 2, X.copy()
    far[7, 11:, 0] += 1e6
    models = [kind(4, time_channel=0, max_iter=2, random_state=0).fit(x, y) for x in (X, far)]
    inputs = [model._prepared.inputs for model in models]
    assert [x.time_unit for x in inputs] == [1.0, 1.0]
    assert [x.mean_dt for x in inputs] == [1.0, 1.0]
    losses = [model.loss_curve_[-1] for model in models]
    assert abs(losses[0] - losses[1]) < 0.05
