"""Networks that walk through time: in pieces they give what they give whole."""

import pytest
import torch

from sklearn_physrnn.nn import HSSM, PETNN
from sklearn_physrnn.nn._recurrent import RecurrentModel

LENGTHS = torch.tensor([20, 3, 11, 1])


def petnn(**options):
    torch.manual_seed(1)
    return RecurrentModel(PETNN(2, 5, 2), 5, 3, **options).double().eval()


def hssm(**options):
    torch.manual_seed(1)
    sizes = {"hidden_size": 6, "state_size": 4, "num_blocks": 2}
    return HSSM(2, 3, **{**sizes, "norm": "layer", **options}).double().eval()


MODELS = {
    **{f"petnn {r}": (petnn, {"readout": r}) for r in ("last", "mean", "max")},
    "petnn sequence": (petnn, {"readout": "sequence", "every": 4}),
    **{f"hssm {r}": (hssm, {"readout": r}) for r in ("last", "mean")},
    "hssm sequence": (hssm, {"readout": "sequence", "every": 4}),
    "hssm batch": (hssm, {"norm": "batch", "dynamics": "nonlinear"}),
    "hssm loops": (hssm, {"num_loops": 3, "encoder": "gated"}),
    "hssm patches": (hssm, {"patch_size": 3}),
    "hssm patches last": (hssm, {"patch_size": 8, "readout": "last", "num_loops": 2}),
    "hssm patches sequence": (hssm, {"patch_size": 2, "readout": "sequence", "every": 4}),
}


def walked(model, x, cuts, lengths=None):
    """Outputs of pieces between the cuts."""
    state, outputs = model.begin(len(x)), []
    for start, stop in zip(cuts, [*cuts[1:], x.shape[1]], strict=True):
        own = None if lengths is None else (lengths - start).clamp(0, stop - start)
        found, state = model.walk(x[:, start:stop], state, lengths=own)
        if found is not None:
            outputs.append(found)
    return torch.cat(outputs, 1) if outputs else model.conclude(state)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("cuts", [[0], [0, 1, 2, 9], [0, 13]])
def test_pieces_give_what_the_whole_gives(name, cuts):
    make, options = MODELS[name]
    model, x = make(**options), torch.randn(4, 20, 2, dtype=torch.float64)
    expected = model(x)
    torch.testing.assert_close(walked(model, x, cuts), expected, rtol=1e-12, atol=1e-12)
    # Past a sample's end NaN is not read, in pieces in which it has no step either.
    past = torch.arange(20) >= LENGTHS[:, None]
    x = x.masked_fill(past[:, :, None], torch.nan)
    expected = model(x, lengths=LENGTHS)
    found = walked(model, x, cuts, LENGTHS)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_a_piece_without_a_step_changes_nothing_but_the_time(name):
    make, options = MODELS[name]
    model, x = make(**options), torch.randn(4, 20, 2, dtype=torch.float64)
    _, before = model.walk(x, model.begin(4))
    found, after = model.walk(x, before, lengths=torch.zeros(4, dtype=torch.int64))
    assert after.position == 40
    for ours, theirs in zip(after.tensors, before.tensors, strict=True):
        assert torch.equal(ours, theirs)
    if found is None:
        assert torch.equal(model.conclude(after), model.conclude(before))
    else:
        assert found.shape == (4, 5, 3)
        assert not found.any()


@pytest.mark.parametrize("name", ["petnn mean", "hssm mean", "hssm last", "hssm patches"])
def test_samples_may_begin_later_than_others(name):
    # A stream that is silent at first is what it would be if it had begun then.
    make, options = MODELS[name]
    model, x = make(**options), torch.randn(2, 20, 2, dtype=torch.float64)
    _, state = model.walk(x[:, :8], model.begin(2), lengths=torch.tensor([8, 0]))
    _, state = model.walk(x[:, 8:], state)
    found = model.conclude(state)
    torch.testing.assert_close(found[:1], model(x[:1]), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(found[1:], model(x[1:, 8:]), rtol=1e-12, atol=1e-12)


def test_a_nan_is_a_maximum_in_whatever_piece_it_stands():
    model, x = petnn(readout="max"), torch.randn(3, 20, 2, dtype=torch.float64)
    x[0, 2], x[1, 19] = torch.nan, torch.nan
    finite = walked(model, x, [0, 5, 15]).isfinite().all(1)
    assert finite.tolist() == [False, False, True]


@pytest.mark.parametrize("make", [petnn, hssm])
def test_every_walk_in_training_has_masks_of_its_own(make):
    model, x = make(dropout=0.5).train(), torch.randn(3, 20, 2, dtype=torch.float64)
    first, second = model(x), model(x)
    assert not torch.equal(first, second)
    torch.manual_seed(5)
    again = model(x)
    torch.manual_seed(5)
    assert torch.equal(model(x), again)


def test_a_walk_back_finds_where_a_piece_began():
    model, x = hssm(), torch.randn(4, 50, 2, dtype=torch.float64)
    lengths = torch.tensor([30, 30, 7, 0])
    _, before = model.walk(x[:, :20], model.begin(4))
    _, after = model.walk(x[:, 20:], before, lengths=lengths)
    _, found, again = model.walk_back(x[:, 20:], after, lengths=lengths)
    assert found.position == 20
    for ours, theirs in zip(found.recurrent, before.recurrent, strict=True):
        assert ours.requires_grad
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    for ours, theirs in zip(again.recurrent, after.recurrent, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_batch_normalisation_does_not_walk_in_training():
    model = hssm(norm="batch").train()
    x = torch.randn(4, 20, 2, dtype=torch.float64)
    for walk in (model.walk, model.walk_back):
        with pytest.raises(ValueError, match=r"batch normalisation.*norm='layer'.*eval\(\)"):
            walk(x, model.begin(4))


@pytest.mark.parametrize("make", [petnn, hssm])
def test_wrong_lengths_of_a_piece_are_refused(make):
    model, x = make(), torch.randn(2, 5, 2, dtype=torch.float64)
    for lengths in ([6, 0], [-1, 2]):
        with pytest.raises(ValueError, match="lengths must"):
            model.walk(x, model.begin(2), lengths=torch.tensor(lengths))
    with pytest.raises(ValueError, match="lengths must be at least 1"):
        model(x, lengths=torch.tensor([5, 0]))
