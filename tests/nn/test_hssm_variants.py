"""What an HSSM may have besides: a gated encoder, loops, patches of steps, both directions."""

import copy

import pytest
import torch

from sklearn_physrnn.nn import HSSM

SIZES = {"hidden_size": 6, "state_size": 4, "num_blocks": 2, "norm": "layer"}


def model(input_size=2, **options):
    torch.manual_seed(1)
    return HSSM(input_size, 3, **{**SIZES, **options}).double().eval()


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_a_gated_encoder_multiplies_channels_before_it_mixes_them():
    net, u = model(encoder="gated"), draw(3, 5, 2)
    (w, b), (w3, b3) = ((part.weight, part.bias) for part in (net.encoder.gate, net.encoder.mix))
    value, gate = u @ w[:6].T + b[:6], u @ w[6:].T + b[6:]
    expected = (value / (1 + torch.exp(-gate))) @ w3.T + b3
    torch.testing.assert_close(net.encoder(u), expected)


@pytest.mark.parametrize("dynamics", ["linear", "damped"])
def test_loops_are_so_many_blocks_of_the_same_weights(dynamics):
    looped, deep = model(num_loops=3, dynamics=dynamics), model(num_blocks=6, dynamics=dynamics)
    u = draw(3, 20, 2)
    weights = looped.state_dict()
    for k in range(2, 6):
        for name, value in looped.blocks[k % 2].state_dict().items():
            weights[f"blocks.{k}.{name}"] = value
    deep.load_state_dict(weights)
    torch.testing.assert_close(looped(u), deep(u))


def test_loops_have_no_statistics_of_batches():
    with pytest.raises(ValueError, match=r"num_loops=2 .*norm='batch'.*norm='layer'"):
        model(num_loops=2, norm="batch")


@pytest.mark.parametrize(
    ("readout", "dynamics"),
    [("mean", "linear"), ("last", "linear"), ("sequence", "linear"), ("last", "damped")],
)
def test_a_patch_is_a_step_of_more_channels(readout, dynamics):
    patched = model(patch_size=4, readout=readout, every=8, dynamics=dynamics)
    steps = model(8, readout=readout, every=2, dynamics=dynamics)
    steps.load_state_dict(patched.state_dict())
    u = draw(3, 40, 2)
    torch.testing.assert_close(patched(u), steps(u.reshape(3, 10, 8)))
    # Of steps that take different times it takes their mean.
    dt = 2 * torch.rand(3, 40, dtype=torch.float64)
    mean = dt.reshape(3, 10, 4).mean(2)
    torch.testing.assert_close(patched(u, dt=dt), steps(u.reshape(3, 10, 8), dt=mean))


@pytest.mark.parametrize(
    "options",
    [
        {"patch_size": 3},
        {"bidirectional": True},
        {"patch_size": 3, "num_loops": 2, "dynamics": "damped"},
        {"patch_size": 3, "bidirectional": True, "dynamics": "damped"},
    ],
)
def test_sizes_and_gaps_may_lie_beside_each_other(options):
    net, u = model(**options), draw(3, 11, 2)
    dt = 3 * torch.rand(3, 11, dtype=torch.float64)
    apart = torch.stack((dt.clamp(max=1), (dt - 1).clamp(min=0)), 2)
    torch.testing.assert_close(net(u, dt=apart), net(u, dt=dt))
    short = dt.clamp(max=1)
    torch.testing.assert_close(net(u, dt=short[..., None]), net(u, dt=short))
    lengths = torch.tensor([11, 4, 1])
    expected = net(u, dt=dt, lengths=lengths)
    torch.testing.assert_close(net(u, dt=apart, lengths=lengths), expected)
    if net.walks:
        _, state = net.walk(u[:, :5], net.begin(3), dt=apart[:, :5])
        _, state = net.walk(u[:, 5:], state, dt=apart[:, 5:])
        torch.testing.assert_close(net.conclude(state), net(u, dt=dt))


@pytest.mark.parametrize("readout", ["mean", "last"])
@pytest.mark.parametrize("length", [1, 3, 5, 10])
def test_what_is_left_over_is_filled_up_with_zeros(readout, length):
    net = model(patch_size=4, readout=readout)
    u, dt = draw(3, length, 2), 1 + torch.rand(3, length, dtype=torch.float64)
    missing = -length % 4
    zeros = torch.nn.functional.pad(u, (0, 0, 0, missing))
    torch.testing.assert_close(net(u), net(zeros))
    # The steps that are missing take no part in the mean of times.
    rest = (length - 1) // 4 * 4
    mean = dt[:, rest:].mean(1, keepdim=True).expand(3, missing)
    torch.testing.assert_close(net(u, dt=dt), net(zeros, dt=torch.cat((dt, mean), 1)))


def test_what_is_left_over_after_the_last_step_that_is_read_has_no_effect():
    net = model(patch_size=4, readout="sequence", every=4)
    u = draw(3, 11, 2)
    assert net(u).shape == (3, 2, 3)
    torch.testing.assert_close(net(u), net(u[:, :8]))
    assert net(u[:, :3]).shape == (3, 0, 3)


def test_between_two_patches_nothing_is_read():
    with pytest.raises(ValueError, match="every=6 must be a multiple of patch_size=4"):
        model(patch_size=4, readout="sequence", every=6)


def test_time_is_undone_by_whole_patches():
    net, u = model(patch_size=4), draw(3, 20, 2)
    _, state = net.walk(u, net.begin(3))
    with pytest.raises(ValueError, match=r"multiple of patch_size=4 steps, and this one.*at 14"):
        net.walk_back(u[:, 14:], state)


def mirrored(net):
    """The same with what reads from the end and what reads from the start exchanged."""
    other = copy.deepcopy(net)
    for block in other.blocks:
        block.hru, block.hru_back = block.hru_back, block.hru
    return other


@pytest.mark.parametrize(
    ("gradient", "dynamics"), [("bptt", "linear"), ("rhel", "linear"), ("rhel", "damped")]
)
def test_both_directions_are_the_same_but_for_the_direction(gradient, dynamics):
    net = model(bidirectional=True, gradient=gradient, dynamics=dynamics)
    u, lengths = draw(3, 20, 2), torch.tensor([20, 13, 1])
    turned = torch.zeros_like(u)
    for row, length in enumerate(lengths):
        turned[row, :length] = u[row, :length].flip(0)
    expected = net(u, lengths=lengths)
    torch.testing.assert_close(mirrored(net)(turned, lengths=lengths), expected)
    torch.testing.assert_close(net(u[:1]), expected[:1])
    assert (net(turned, lengths=lengths) - expected)[:2].abs().min() > 1e-6


def test_from_the_end_a_step_takes_the_time_to_the_step_after_it():
    # Of a sequence whose times are the same from both ends, but for the first.
    net = model(bidirectional=True)
    u, dt = draw(2, 5, 2), torch.tensor([[1.0, 0.5, 3.0, 3.0, 0.5]]).double().expand(2, 5)
    torch.testing.assert_close(mirrored(net)(u.flip(1), dt=dt), net(u, dt=dt))
    # Of two steps the second's is the only one between two.
    late = torch.tensor([[1.0, 0.25]]).double().expand(2, 2)
    torch.testing.assert_close(mirrored(net)(u[:, :2].flip(1), dt=late), net(u[:, :2], dt=late))


@pytest.mark.parametrize(
    ("dynamics", "options"),
    [("linear", {}), ("damped", {"patch_size": 3, "num_loops": 2, "encoder": "gated"})],
)
def test_what_reads_from_the_end_learns(dynamics, options):
    for gradient in ("bptt", "rhel"):
        net = model(bidirectional=True, gradient=gradient, dynamics=dynamics, **options)
        net(draw(3, 20, 2), lengths=torch.tensor([20, 13, 1])).square().sum().backward()
        found = [p.grad for block in net.blocks for p in block.hru_back.parameters()]
        if gradient == "bptt":
            expected = found
        else:
            for ours, theirs in zip(found, expected, strict=True):
                assert theirs.abs().max() > 0
                torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-10)


def test_what_reads_from_the_end_needs_the_whole():
    net, u = model(bidirectional=True), draw(3, 20, 2)
    for walk in (net.walk, net.walk_back):
        with pytest.raises(ValueError, match=r"bidirectional.*whole: set bidirectional=False"):
            walk(u, net.begin(3))


def test_a_step_by_itself_is_of_models_that_read_one_by_one():
    with pytest.raises(ValueError, match="set bidirectional=False"):
        model(bidirectional=True).as_step()
    model(num_loops=2, encoder="gated", patch_size=2).as_step()


@pytest.mark.parametrize("name", ["num_loops", "patch_size"])
@pytest.mark.parametrize("value", [0, -1, 1.5, True, 2**31])
def test_wrong_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=name):
        model(**{name: value})


def test_memory_is_of_oscillators_that_have_a_frequency():
    with pytest.raises(ValueError, match="memory is for dynamics='linear' and 'damped' only"):
        model(dynamics="nonlinear", memory=10)


def test_wrong_choices_are_refused():
    with pytest.raises(ValueError, match="encoder must be one of"):
        model(encoder="relu")
    with pytest.raises(ValueError, match="bidirectional must be True or False"):
        model(bidirectional="yes")
