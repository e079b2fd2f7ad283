"""Sequences of unequal length, packed: the same values, and the cost of their own steps."""

import numpy as np
import pytest
import torch
from torch import nn

from sklearn_physrnn.nn import HSSM, PETNN
from sklearn_physrnn.nn._packing import Packing
from sklearn_physrnn.nn._recurrent import READOUTS, RecurrentModel

LENGTHS = [3, 700, 1, 12, 12, 650, 5, 2]


@pytest.fixture
def sequences():
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(n, 2, generator=generator, dtype=torch.float64) for n in LENGTHS]


def as_given(sequences, form, fill=torch.nan):
    """The sequences packed or padded, with their lengths."""
    lengths = torch.tensor([len(x) for x in sequences])
    if form == "packed":
        return torch.cat(sequences), lengths
    return nn.utils.rnn.pad_sequence(sequences, True, fill), lengths


def steps_of_time(sequences):
    return [0.2 + torch.sigmoid(x[:, 0]) / 2 for x in sequences]


def hssm(**options):
    torch.manual_seed(1)
    sizes = {"hidden_size": 6, "state_size": 4, "num_blocks": 2, "norm": "layer"}
    return HSSM(2, 3, **{**sizes, **options}).double()


def petnn(num_layers=1, **options):
    torch.manual_seed(1)
    recurrent = PETNN(2, 5, num_layers, release="soft")
    return RecurrentModel(recurrent, 5, 3, **options).double()


MODELS = {
    **{f"petnn {readout}": (petnn, {"readout": readout}) for readout in READOUTS},
    "petnn sequence": (petnn, {"readout": "sequence", "every": 4}),
    "petnn deep": (petnn, {"num_layers": 2}),
    "hssm mean": (hssm, {}),
    "hssm last": (hssm, {"readout": "last", "gradient": "rhel"}),
    "hssm sequence": (hssm, {"readout": "sequence", "every": 4}),
    "hssm nonlinear": (hssm, {"dynamics": "nonlinear", "norm": None}),
    "hssm patches": (hssm, {"patch_size": 4, "encoder": "gated", "num_loops": 2}),
    "hssm patches sequence": (hssm, {"patch_size": 2, "readout": "sequence", "every": 4}),
    "hssm both ways": (hssm, {"bidirectional": True, "gradient": "rhel"}),
    "hssm patches both ways": (hssm, {"bidirectional": True, "patch_size": 3}),
}


def gradients(model, output):
    model.zero_grad()
    output.square().sum().backward()
    return [p.grad.clone() for p in model.parameters()]


@pytest.mark.parametrize("form", ["packed", "padded"])
@pytest.mark.parametrize("timed", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_together_sequences_give_what_they_give_alone(name, timed, form, sequences):
    make, options = MODELS[name]
    model = make(**options)
    dt = steps_of_time(sequences) if timed else [None] * len(sequences)
    alone = [
        model(x[None], dt=None if t is None else t[None])[0]
        for x, t in zip(sequences, dt, strict=True)
    ]
    x, lengths = as_given(sequences, form)
    steps = as_given(dt, form)[0] if timed else None
    together = model(x, dt=steps, lengths=lengths)
    if options.get("readout") == "sequence":
        assert together.shape == (8, 700 // 4, 3)
    expected = nn.utils.rnn.pad_sequence(alone, True)
    torch.testing.assert_close(together, expected, rtol=1e-11, atol=1e-12)
    own, others = gradients(model, together), gradients(model, expected)
    for found, wanted in zip(own, others, strict=True):
        scale = float(wanted.abs().max())
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11 * scale)


@pytest.mark.parametrize("form", ["packed", "padded"])
def test_tokens(form):
    lengths = torch.tensor([4, 900, 2])
    tokens = [torch.randint(7, (n,)) for n in lengths]
    model = petnn(embedding=nn.Embedding(7, 2))
    alone = torch.cat([model(x[None]) for x in tokens])
    x, lengths = as_given(tokens, form, fill=0)
    torch.testing.assert_close(model(x, lengths=lengths), alone, rtol=1e-11, atol=1e-12)


def test_batch_normalisation_is_of_the_steps_there_are(sequences):
    found = []
    for form in ("packed", "padded"):
        model = hssm(norm="batch")
        x, lengths = as_given(sequences, form)
        output = model(x, lengths=lengths)
        found.append([output, *gradients(model, output), *model.buffers()])
    torch.testing.assert_close(*found)
    twin = nn.BatchNorm1d(6, affine=False).double()
    twin(hssm(norm="batch").encoder(torch.cat(sequences)))
    first = dict(model.named_buffers())["blocks.0.norm.running_mean"]
    torch.testing.assert_close(first, twin.running_mean / twin.momentum)


@pytest.mark.parametrize("form", ["packed", "padded"])
@pytest.mark.parametrize("name", ["petnn last", "petnn sequence", "hssm mean", "hssm sequence"])
def test_no_layer_sees_more_than_the_steps_there_are(name, form, sequences):
    make, options = MODELS[name]
    model = make(**options)
    steps, visited = {}, {}

    def look(kind, counts):
        def hook(module, args, kwargs=None):
            counts.setdefault(kind, []).append(args[0][..., 0].numel())

        return hook

    for part, module in model.named_modules():
        if part.endswith("hru") or part == "recurrent":
            module.register_forward_pre_hook(look(part, visited))
        elif not list(module.children()):
            module.register_forward_pre_hook(look(part, steps))
    x, lengths = as_given(sequences, form)
    model(x, lengths=lengths)
    total = sum(LENGTHS)
    assert max(max(counts) for counts in steps.values()) <= total
    assert name.startswith("petnn") or steps["encoder"] == [total]
    assert visited
    for counts in visited.values():  # padded to all, they would see 5,600
        assert len(counts) == 2
        assert total <= sum(counts) < 1.2 * total


@pytest.mark.parametrize("seed", range(5))
def test_groups_have_little_padding_and_lose_nothing(seed):
    rng = np.random.default_rng(seed)
    lengths = np.ceil(10 ** rng.uniform(0, 4, size=rng.integers(1, 60))).astype(int)
    packing = Packing(lengths)
    x = torch.randn(lengths.sum(), 2, requires_grad=True)
    groups = packing.spread(x)
    visited = sum(group[..., 0].numel() for group in groups)
    assert visited <= 1.5 * lengths.sum() + 512 * len(groups)
    assert len(groups) <= 1 + np.log(lengths.max() / lengths.min()) / np.log(1.5)
    assert torch.equal(packing.collect(groups), x)
    longest = [group.shape[1] for group in groups]
    assert longest == sorted(longest, reverse=True)
    weights = torch.randn_like(x)
    (grad,) = torch.autograd.grad(packing.collect(packing.spread(x)), x, weights)
    assert torch.equal(grad, weights)
    samples = packing.in_order([group[:, 0] for group in groups])
    assert torch.equal(samples, x[packing.starts])


def test_equal_lengths_are_laid_out_without_a_copy():
    packing, x = Packing(np.array([4, 4, 4])), torch.randn(12, 2)
    (group,) = packing.spread(x)
    assert group.data_ptr() == x.data_ptr()
    assert packing.group_lengths(x.device) == [None]


@pytest.mark.parametrize(
    ("x", "lengths", "message"),
    [
        (torch.randn(5, 2), [2, 4], r"hold sum\(lengths\) = 6 steps .* got shape \(5, 2\)"),
        (torch.randn(2, 4, 2), [2, 5], "lengths must lie between 0 and the number of steps, 4"),
        (torch.randn(2, 4, 2), [2, 0], "lengths must be at least 1"),
        (torch.randn(2, 2), [2, 0], "lengths must be at least 1"),
        (torch.randn(3, 4, 2), [2, 2], r"lengths must have shape \(batch,\) = \(3,\)"),
        (torch.randn(0, 2), [], "lengths must be at least 1"),
    ],
)
@pytest.mark.parametrize("make", [petnn, hssm])
def test_lengths_that_do_not_fit(make, x, lengths, message):
    with pytest.raises(ValueError, match=message):
        make()(x.double(), lengths=torch.tensor(lengths, dtype=torch.int64))


@pytest.mark.parametrize("make", [petnn, hssm])
def test_time_that_does_not_fit(make):
    with pytest.raises(ValueError, match=r"dt must have shape \(6,\), .* got \(5,\)"):
        make()(torch.randn(6, 2).double(), dt=torch.ones(5), lengths=torch.tensor([4, 2]))
