"""nn.PETNN: shapes, carried state, padding, initial timers, and what it refuses."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_physrnn.nn.petnn import PETNN


@pytest.fixture(autouse=True)
def _seed():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def test_shapes_parameters_and_dtype():
    layer = PETNN(3, 8, num_layers=2)
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {
        "weight_ih_l0": (48, 3), "weight_hh_l0": (32, 8), "bias_l0": (48,),
        "weight_ih_l1": (48, 8), "weight_hh_l1": (32, 8), "bias_l1": (48,),
    }  # fmt: skip
    assert PETNN(3, 8, time_decay=False, ground_state=False).bias_l0.shape == (32,)
    for dtype in (torch.float32, torch.float64):
        output, state = layer.to(dtype)(torch.randn(2, 5, 3, dtype=dtype))
        assert output.shape == (2, 5, 8)
        assert output.dtype == dtype
        assert [part.shape for part in state] == [(2, 2, 8)] * 3
        assert torch.equal(output[:, -1], state[0][-1])
    output.sum().backward()
    assert all(p.grad.abs().sum() > 0 for p in layer.parameters())


@pytest.mark.parametrize("num_layers", [1, 2])
def test_a_sequence_in_pieces_gives_what_it_gives_whole(num_layers):
    layer = PETNN(3, 8, num_layers).double()
    x, dt = torch.randn(4, 20, 3).double(), torch.rand(4, 20).double()
    whole, state = layer(x, dt=dt)
    carried, pieces = None, []
    for piece in (slice(0, 7), slice(7, 8), slice(8, 20)):
        output, carried = layer(x[:, piece], carried, dt=dt[:, piece])
        pieces.append(output)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=0, atol=1e-14)
    torch.testing.assert_close(carried, state, rtol=0, atol=1e-14)
    # The gradient as well.
    weights = torch.randn_like(whole)
    both = [
        torch.autograd.grad((y * weights).sum(), list(layer.parameters()))
        for y in (whole, torch.cat(pieces, 1))
    ]
    torch.testing.assert_close(*both)


def test_padding_has_no_effect():
    layer = PETNN(3, 8, 2)
    x, lengths = torch.randn(3, 10, 3), torch.tensor([10, 4, 0])
    dt = torch.rand(3, 10)
    padded, passed = x.clone(), dt.clone()
    padded[1, 4:], padded[2], passed[1, 4:] = np.nan, np.nan, np.nan
    passed[2] = -1
    output, state = layer(padded, dt=passed, lengths=lengths)
    assert not output[1, 4:].any()
    assert not output[2].any()
    short, short_state = layer(x[1:2, :4], dt=dt[1:2, :4])
    torch.testing.assert_close(output[1:2, :4], short)
    for part, expected in zip(state, short_state, strict=True):
        torch.testing.assert_close(part[:, 1:2], expected)
    assert [part[:, 2].unique().tolist() for part in state] == [[0], [0], [1]]
    output.sum().backward()
    assert all(p.grad.isfinite().all() for p in layer.parameters())
    # The released fraction counts the steps that are there.
    rate = layer.release_rate(padded, dt=passed, lengths=lengths)
    released = layer.trajectory(x, dt=dt)[1].released
    expected = (released[0].sum(0) + released[1, :4].sum(0)) / 14
    torch.testing.assert_close(rate[1], expected)


@pytest.mark.parametrize("num_layers", [1, 2])
def test_releases_of_long_sequences_are_counted_a_stretch_at_a_time(num_layers, monkeypatch):
    layer, x = PETNN(3, 8, num_layers), torch.randn(3, 50, 3)
    dt, lengths = torch.rand(3, 50), torch.tensor([50, 21, 7])
    whole = layer.release_rate(x, dt=dt, lengths=lengths)
    monkeypatch.setattr("sklearn_physrnn.nn.petnn._LOOKED_AT", 7)
    most = []
    looked_at = layer.trajectory
    monkeypatch.setattr(
        layer, "trajectory", lambda x, *a, **k: most.append(x.shape[1]) or looked_at(x, *a, **k)
    )
    torch.testing.assert_close(layer.release_rate(x, dt=dt, lengths=lengths), whole)
    assert most == [7] * 7 + [1]
    assert 0 < whole.min() < whole.max() < 1
    alone = [layer.release_rate(x[i : i + 1, :n], dt=dt[i : i + 1, :n]) * n
             for i, n in enumerate((50, 21, 7))]  # fmt: skip
    torch.testing.assert_close(sum(alone) / 78, whole)


def test_time_steps_matter_and_one_is_the_default():
    layer, x = PETNN(3, 8), torch.randn(2, 10, 3)
    ones = torch.ones(2, 10)
    assert torch.equal(layer(x, dt=ones)[0], layer(x)[0])
    assert not torch.equal(layer(x, dt=3 * ones)[0], layer(x)[0])
    rate = [float(layer.release_rate(x, dt=ones * dt).mean()) for dt in (0, 0.5, 2, 100)]
    assert rate == sorted(rate)
    assert rate[-1] == 1


def test_dropout_acts_between_layers_in_training_only():
    x = torch.randn(2, 6, 3)
    one, two = PETNN(3, 8, 1, dropout=0.5), PETNN(3, 8, 2, dropout=0.5)
    assert torch.equal(one(x)[0], one(x)[0])
    assert not torch.equal(two(x)[0], two(x)[0])
    two.eval()
    assert torch.equal(two(x)[0], two(x)[0])


@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize(("input_size", "hidden_size"), [(1, 64), (3, 16), (16, 64), (40, 100)])
def test_timers_are_alive_at_the_start(input_size, hidden_size, num_layers):
    for seed in range(3):
        torch.manual_seed(seed)
        layer = PETNN(input_size, hidden_size, num_layers)
        rate = layer.release_rate(torch.randn(1, 200, input_size))
        assert rate.shape == (num_layers, hidden_size)
        assert rate.min() > 0
        assert rate.max() < 1
        assert rate.mean(1).min() > 0.2
        assert rate.mean(1).max() < 0.8


def test_memory_is_drawn_evenly_by_its_logarithm():
    torch.manual_seed(0)
    layer = PETNN(1, 2000, 2, memory=10_000.0)
    mixing = torch.sigmoid(layer.bias_l1[4000:6000])
    steps = (1 / mixing - 1).log10().detach()
    assert steps.min() >= -1e-4
    assert 3.9 < steps.max() <= 4.0001
    assert abs(float(steps.mean()) - 2) < 0.1
    assert (layer.bias_l0[4000:6000] == 0).all()  # the next layer's timers need change
    for wrong in (0.5, 0, -1, float("nan"), True):
        with pytest.raises(ValueError, match="memory"):
            PETNN(1, 2, memory=wrong)


def test_timer_is_dead_with_a_bounded_increment():
    layer = PETNN(3, 16, increment="tanh")
    released = layer.trajectory(torch.randn(4, 30, 3))[0].released
    assert torch.equal(released.cummax(1).values, released)
    assert released[:, -1].all()


def test_a_neuron_that_never_releases_stays_finite_and_trainable():
    layer = PETNN(2, 8)
    with torch.no_grad():
        layer.bias_l0[:4] = 100
    x = torch.randn(1, 20_000, 2)
    rate = layer.release_rate(x)[0]
    assert not rate[:4].any()
    assert rate[4:].all()
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    losses = []
    for _ in range(6):
        output, state = layer(x)
        loss = (output - x[..., :1]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(p.grad.isfinite().all() for p in layer.parameters())
        optimizer.step()
        losses.append(float(loss.detach()))
    assert state[1].max() > 1_000  # energy gathered
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("release", ["hard", "surrogate", "soft"])
def test_it_learns(release):
    # The time since the last pulse, which a layer without memory cannot tell.
    x = (torch.rand(64, 40, 1) < 0.1).float()
    y, since = torch.zeros(64, 40), torch.zeros(64)
    for t in range(40):
        since = torch.where(x[:, t, 0] > 0, 0.0, since + 0.1)
        y[:, t] = since
    layer, head = PETNN(1, 16, release=release), nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], 1e-2)
    for _ in range(60):
        loss = (head(layer(3 * x)[0])[..., 0] - y).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5 * y.var()


def test_autocast_and_no_grad():
    layer, x = PETNN(3, 8), torch.randn(2, 6, 3)
    expected, _ = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(layer(x)[0], expected)
    with torch.no_grad():
        output, _ = layer(x)
    assert torch.equal(output, expected)
    assert not output.requires_grad


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden_size": 0}, "hidden_size must be at least 1, got 0"),
        ({"num_layers": 1.5}, "num_layers must be an integer"),
        ({"release": "never"}, "release must be one of .*'never'"),
        ({"increment": "relu"}, "increment must be one of .*'relu'"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1, got 1"),
        ({"release_width": 0}, "release_width must be positive, got 0"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        PETNN(**{"input_size": 3, "hidden_size": 8, **options})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": torch.ones(2, 3)}, r"x must have shape \(batch, time, 3\), got \(2, 3\)"),
        ({"x": torch.ones(2, 5, 4)}, r"got \(2, 5, 4\)"),
        ({"x": torch.ones(2, 5, 3).double()}, "float32, got torch.float64"),
        ({"state": [torch.ones(1, 3, 8)] * 3}, r"shape \(1, 2, 8\), got .*\(1, 3, 8\)"),
        ({"state": [torch.ones(1, 2, 8)] * 2}, "three tensors"),
        ({"lengths": torch.tensor([1, 6])}, "between 0 and 5, the number of steps, got 1 to 6"),
        ({"lengths": torch.tensor([-1, 5])}, "got -1 to 5"),
        ({"lengths": torch.tensor([1.0, 2])}, "integers of shape"),
        ({"lengths": torch.tensor([1])}, r"shape \(2,\), got torch.int64 of shape \(1,\)"),
        ({"dt": torch.ones(2, 4)}, r"dt must have shape \(2, 5\), got \(2, 4\)"),
        ({"dt": -torch.ones(2, 5)}, "dt must not be negative"),
        ({"dt": torch.full((2, 5), np.nan)}, "or NaN"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        PETNN(3, 8)(**{"x": torch.ones(2, 5, 3), **arguments})


def test_repr_tells_the_switches():
    text = repr(PETNN(3, 8, 2, release="hard", time_decay=False))
    assert "3, 8, num_layers=2, release='hard'" in text
    assert "time_decay=False" in text
