"""Batch normalisation: its running averages, and sample weights."""

import pytest
import torch

from sklearn_physrnn.nn import HSSM
from sklearn_physrnn.nn._norm import SequenceNorm

SIZES = {"hidden_size": 6, "state_size": 4, "num_blocks": 2}


def test_training_normalises_as_torch_does():
    x = 3 + 2 * torch.randn(4, 9, 5)
    norm, twin = SequenceNorm(5), torch.nn.BatchNorm1d(5, affine=False)
    torch.testing.assert_close(norm(x).flatten(0, 1), twin(x.flatten(0, 1)), rtol=0, atol=0)


@pytest.mark.parametrize("n_batches", [1, 2, 30])
@pytest.mark.parametrize("weighted", [False, True])
def test_running_averages_of_one_batch_again_and_again_are_its_statistics(n_batches, weighted):
    x = 3 + 2 * torch.randn(4, 9, 5, dtype=torch.float64)
    norm = SequenceNorm(5).double()
    for _ in range(n_batches):
        trained = norm(x, torch.ones(4, 9) if weighted else None)
    rows = x.flatten(0, 1)
    torch.testing.assert_close(norm.running_mean, rows.mean(0))
    torch.testing.assert_close(norm.running_var, rows.var(0, correction=0))
    torch.testing.assert_close(norm.eval()(x), trained)


def test_running_averages_are_those_of_all_batches_so_far_and_then_follow_the_last():
    norm = SequenceNorm(1, momentum=0.25)
    batches = [torch.tensor([[-1.0 + k], [1.0 + k]]) for k in (0.0, 8.0)]
    norm(batches[0])
    norm(batches[1])
    expected = 8 * 0.25 / (0.25 + 0.75 * 0.25)  # Adam's bias correction
    assert float(norm.running_mean) == pytest.approx(expected, rel=1e-6)
    for _ in range(100):
        norm(batches[1])
    assert float(norm.running_mean) == pytest.approx(8, rel=1e-6)
    assert float(norm.seen) == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 3)])
@pytest.mark.parametrize("weights", [None, torch.ones(())])
def test_a_single_step_leaves_the_averages_as_they_were(shape, weights):
    norm = SequenceNorm(3)
    assert not norm(torch.full(shape, 5.0), weights).any()
    assert not norm.running_mean.any()
    assert not norm.seen
    assert (norm.running_var == 1).all()


@pytest.mark.parametrize("scale", [1.0, 0.37])
def test_whole_weights_are_as_many_copies(scale):
    x = torch.randn(6, 5, 3, dtype=torch.float64) + 2
    counts = torch.tensor([1, 3, 2, 1, 5, 1])
    weighted, repeated = SequenceNorm(3).double(), SequenceNorm(3).double()
    found = weighted(x, (scale * counts.double())[:, None].expand(6, 5))
    expected = repeated(x.repeat_interleave(counts, 0))
    torch.testing.assert_close(found.repeat_interleave(counts, 0), expected)
    torch.testing.assert_close(weighted.running_mean, repeated.running_mean)
    torch.testing.assert_close(weighted.running_var, repeated.running_var)


@pytest.mark.parametrize("lengths", [None, torch.tensor([5, 2, 4, 5, 1, 3])])
def test_whole_weights_of_a_model_are_as_many_copies(lengths):
    u = torch.randn(6, 5, 2, dtype=torch.float64)
    counts = torch.tensor([1, 3, 2, 1, 5, 1])
    found = []
    for repeats in (False, True):
        torch.manual_seed(1)
        model = HSSM(2, 3, **SIZES).double()
        assert model.takes_weights
        if repeats:
            index = torch.arange(6).repeat_interleave(counts)
            output = model(u[index], lengths=None if lengths is None else lengths[index])
            output.square().sum().backward()
        else:
            output = model(u, lengths=lengths, weights=counts.double())
            (output.square() * counts[:, None]).sum().backward()
        found.append([*(p.grad for p in model.parameters()), *model.buffers()])
    torch.testing.assert_close(*found)


def test_weights_are_for_batch_normalisation_and_of_a_shape():
    assert not HSSM(2, 3, norm="layer", **SIZES).takes_weights
    with pytest.raises(ValueError, match=r"weights must have shape \(4,\), got \(3,\)"):
        HSSM(2, 3, **SIZES)(torch.randn(4, 5, 2), weights=torch.ones(3))
