"""A training step in pieces of time has the gradient of the whole."""

import itertools

import numpy as np
import pytest
import torch

from sklearn_physrnn.nn import HSSM, PETNN
from sklearn_physrnn.nn._packing import Packing
from sklearn_physrnn.nn._recurrent import RecurrentModel
from sklearn_physrnn.training._pieces import Pieces, StepsInMemory, piece_size

EQUAL = [40] * 4
UNEQUAL = [60, 7, 1, 30, 12]
FEW_LONG = [550, 7, 1, 5, 550, 12, 9, 8, 2, 3, 4]  # so that they are walked in groups


def petnn(readout="mean", dropout=0.0, num_layers=2, every=3, embedding=None):
    torch.manual_seed(1)
    recurrent = PETNN(3, 8, num_layers, dropout=dropout, release="soft")
    options = {"readout": readout, "every": every, "dropout": dropout}
    return RecurrentModel(recurrent, 8, 2, embedding=embedding, **options).double()


def hssm(**options):
    torch.manual_seed(1)
    sizes = {"hidden_size": 6, "state_size": 5, "num_blocks": 2, "norm": "layer", "every": 3}
    return HSSM(3, 2, **{**sizes, **options}).double()


def sequences(lengths, *, timed=False):
    generator = torch.Generator().manual_seed(0)
    x = [torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in lengths]
    dt = [torch.rand(n, generator=generator, dtype=torch.float64) for n in lengths]
    join = torch.stack if lengths == EQUAL else torch.cat
    inputs = {"x": join(x)} | ({"dt": join(dt)} if timed else {})
    return inputs if lengths == EQUAL else {**inputs, "lengths": Packing(np.array(lengths))}


def whole(model, inputs):
    """Outputs, loss and gradients by autograd, with the loss of `weigh`."""
    torch.manual_seed(3)
    outputs = model(inputs["x"], **{k: v for k, v in inputs.items() if k != "x"})
    loss = (outputs * weigh(outputs)).sum()
    loss.backward()
    return outputs.detach(), loss.detach(), gradients(model)


def weigh(outputs):
    return torch.linspace(0.3, 1, outputs.numel(), dtype=outputs.dtype).view_as(outputs)


def in_pieces(model, inputs, size, outputs, **options):
    torch.manual_seed(3)
    weights, per_step = weigh(outputs), model.readout == "sequence"

    def loss(found, start, stop):
        return (found * (weights[:, start:stop] if per_step else weights)).sum()

    loss, _ = Pieces(model, StepsInMemory(inputs), size, **options).backward(loss)
    return loss, gradients(model)


def gradients(model):
    found = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    return found


def assert_same(found, expected):
    for name, gradient in expected.items():
        scale = float(gradient.abs().max())
        torch.testing.assert_close(found[name], gradient, rtol=0, atol=1e-12 * max(scale, 1e-3))


@pytest.mark.parametrize("lengths", [EQUAL, UNEQUAL, FEW_LONG], ids=["equal", "unequal", "few"])
@pytest.mark.parametrize("readout", ["last", "mean", "max", "sequence"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_pieces_give_the_gradient_of_the_whole(readout, dropout, lengths):
    sizes = (64,) if lengths == FEW_LONG else (7, 64)
    for timed, size in itertools.product((False, True), sizes):
        model, inputs = petnn(readout, dropout), sequences(lengths, timed=timed)
        outputs, loss, expected = whole(model, inputs)
        found_loss, found = in_pieces(model, inputs, size, outputs)
        torch.testing.assert_close(found_loss, loss, rtol=1e-12, atol=1e-12)
        assert_same(found, expected)
        torch.manual_seed(3)
        with torch.no_grad():
            again = Pieces(model, StepsInMemory(inputs), size).outputs()
        torch.testing.assert_close(again, outputs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("undo", [False, True], ids=["kept", "undone"])
@pytest.mark.parametrize("fitter", ["bptt", "rhel"])
@pytest.mark.parametrize("dynamics", ["linear", "damped", "nonlinear"])
def test_pieces_of_oscillators_give_the_gradient_of_the_whole(dynamics, fitter, undo):
    for readout, lengths, timed in (
        ("mean", EQUAL, True),
        ("last", UNEQUAL, False),
        ("sequence", UNEQUAL, True),
    ):
        options = {"dynamics": dynamics, "readout": readout, "dropout": 0.3}
        inputs = sequences(lengths, timed=timed)
        outputs, loss, expected = whole(hssm(gradient="bptt", **options), inputs)
        model = hssm(gradient=fitter, **options)
        found_loss, found = in_pieces(model, inputs, 7, outputs, undo=undo)
        torch.testing.assert_close(found_loss, loss, rtol=1e-12, atol=1e-12)
        assert_same(found, expected)


@pytest.mark.parametrize(("undo", "size"), [(False, 7), (False, 1), (True, 8)])
@pytest.mark.parametrize("fitter", ["bptt", "rhel"])
def test_pieces_of_loops_and_patches_give_the_gradient_of_the_whole(fitter, undo, size):
    shapes = {"num_loops": 2, "patch_size": 4, "encoder": "gated"}
    for readout, lengths, timed in (
        ("mean", EQUAL, True),
        ("mean", UNEQUAL, True),
        ("last", UNEQUAL, False),
        ("last", FEW_LONG, False),
        ("sequence", UNEQUAL, True),
    ):
        if size == 1 and (readout == "sequence" or lengths == FEW_LONG):
            continue
        options = {"readout": readout, "dropout": 0.3, "every": 8, **shapes}
        inputs = sequences(lengths, timed=timed)
        outputs, loss, expected = whole(hssm(gradient="bptt", **options), inputs)
        model = hssm(gradient=fitter, **options)
        at_once = 64 if lengths == FEW_LONG else size
        found_loss, found = in_pieces(model, inputs, at_once, outputs, undo=undo)
        torch.testing.assert_close(found_loss, loss, rtol=1e-12, atol=1e-12)
        assert_same(found, expected)


def test_the_return_error_tells_how_exactly_time_was_undone():
    # Of one block, and whole: the units' own, of all steps but the last piece's.
    model = HSSM(3, 2, hidden_size=6, state_size=5, num_blocks=1, norm=None)
    inputs = {"x": torch.randn(4, 1001, 3)}
    pieces = Pieces(model, StepsInMemory(inputs), 100, undo=True)
    pieces.backward(lambda outputs, start, stop: outputs.sum())
    expected = model.blocks[0].hru.return_error(model.encoder(inputs["x"][:, :1000])).max()
    assert expected / 3 < pieces.return_error < 3 * expected


def test_tokens_in_pieces_give_the_gradient_of_the_whole():
    tokens = torch.randint(5, (sum(UNEQUAL),), generator=torch.Generator().manual_seed(0))
    inputs = {"x": tokens, "lengths": Packing(np.array(UNEQUAL))}
    model = petnn("mean", 0.3, embedding=torch.nn.Embedding(5, 3))
    outputs, _, expected = whole(model, inputs)
    _, found = in_pieces(model, inputs, 7, outputs)
    assert_same(found, expected)


def test_of_equal_maxima_the_first_has_the_gradient_whatever_the_pieces():
    # Every state is the same, so that every step is a maximum.
    model = petnn("max", num_layers=1)
    with torch.no_grad():
        for parameter in model.recurrent.parameters():
            parameter.zero_()
    inputs = sequences(EQUAL)
    outputs, _, expected = whole(model, inputs)
    _, found = in_pieces(model, inputs, 7, outputs)
    assert_same(found, expected)


def test_every_step_has_a_mask_of_its_own_whatever_the_pieces():
    # Two steps of equal input differ by their masks alone.
    model = petnn("sequence", 0.5, num_layers=1, every=1, embedding=torch.nn.Embedding(1, 3))
    inputs = {"x": torch.zeros(2, 8, dtype=torch.int64)}
    with torch.no_grad():
        outputs = Pieces(model, StepsInMemory(inputs), 3).outputs()
    assert not torch.isclose(outputs[0], outputs[1]).all(1).any()
    assert not torch.isclose(outputs[0, 3:6], outputs[0, :3]).all(1).any()


def test_memory_is_that_of_a_piece():
    # What autograd keeps, by what it saves: as much for ten times the steps.
    def most_saved(n_steps):
        model, alive, most = petnn("last", num_layers=1), 0, 0

        class Saved:
            def __init__(self, x):
                nonlocal alive, most
                self.x, self.size = x, x.numel()
                alive += self.size
                most = max(most, alive)

            def __del__(self):
                nonlocal alive
                alive -= self.size

        pieces = Pieces(model, StepsInMemory({"x": torch.randn(1, n_steps, 3).double()}), 20)
        with torch.autograd.graph.saved_tensors_hooks(Saved, lambda saved: saved.x):
            pieces.backward(lambda outputs, start, stop: outputs.sum())
        return most

    assert most_saved(2000) <= 1.01 * most_saved(200)


def test_auto_leaves_what_is_short_whole():
    model = petnn()
    assert piece_size("auto", model, longest=2000, n_rows=32) is None
    assert piece_size(None, model, longest=10**7, n_rows=1) is None
    size = piece_size("auto", model, longest=10**7, n_rows=1)
    assert size % model.every == 0
    assert size < 10**6
    assert piece_size(7, model, longest=2000, n_rows=32) == 7
    patched = hssm(patch_size=5, every=7)
    assert piece_size("auto", patched, longest=10**7, n_rows=1) % 35 == 0


def test_a_piece_must_hold_a_step_that_is_predicted():
    with pytest.raises(ValueError, match="chunk_size must be at least every=3"):
        piece_size(2, petnn("sequence"), longest=100, n_rows=1)
