"""Dropout masks that follow from a key and from places."""

import pytest
import torch

from sklearn_physrnn.kernels.dropout import dropout
from sklearn_physrnn.kernels.dropout.reference import dropped, row_bits
from tests.helpers.backends import CPU, CUDA

KEY = torch.tensor(123456789012345678)


def places(n_rows, n_steps):
    return torch.arange(n_rows)[:, None] * 2**40 + torch.arange(n_steps)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 70, 5), (2, 1000, 130)])
@pytest.mark.parametrize("place", [CPU, CUDA])
def test_the_compiled_masks_are_those_of_the_reference(place, shape, dtype):
    x, where = torch.randn(shape, dtype=dtype), places(*shape[:2])
    there = (t.to(place.device) for t in (x, where, KEY))
    found = dropout(*there, 0.3, place.backend).cpu()
    expected = dropped(x, row_bits(where, KEY), int(0.7 * 2**32), 1 / 0.7)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)
    assert torch.equal(found == 0, expected == 0)


def test_half_precision_has_the_same_masks():
    x, where = torch.ones(4, 50, 8), places(4, 50)
    half = dropout(x.bfloat16(), where, KEY, 0.5)
    assert half.dtype == torch.bfloat16
    assert torch.equal(half == 0, dropout(x, where, KEY, 0.5) == 0)


def test_a_mask_follows_from_the_place_and_not_from_where_it_stands():
    x, where = torch.randn(4, 60, 7), places(4, 60)
    whole = dropout(x, where, KEY, 0.4)
    piece = dropout(x[2:, 13:40], where[2:, 13:40], KEY, 0.4)
    assert torch.equal(piece, whole[2:, 13:40])


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.99])
def test_the_share_that_is_dropped_is_the_one_asked_for(p):
    n = 400 * 50 * 50
    share = float((dropout(torch.ones(400, 50, 50), places(400, 50), KEY, p) == 0).double().mean())
    assert abs(share - p) < 5 * (p * (1 - p) / n) ** 0.5
    assert dropout(torch.ones(1, 50, 50), places(1, 50), KEY, p).unique().numel() <= 2


def kept(key, n_rows=2000, n_columns=128):
    x = torch.ones(n_rows, n_columns, dtype=torch.float64)
    return dropout(x, torch.arange(n_rows), torch.as_tensor(key), 0.5).sign() - 0.5


def test_rows_columns_and_keys_are_independent():
    # Products of independent masks add up to a normal number of deviation 1.
    a, b = kept(1), kept(2**62 + 17)

    def deviation(x, y):
        return abs(float((4 * x * y).sum() / x.numel() ** 0.5))

    for lag in (1, 2, 3, 16, 64):
        assert deviation(a[lag:], a[:-lag]) < 4.5
        assert deviation(a[:, lag:], a[:, :-lag]) < 4.5
    assert deviation(a, b) < 4.5
    between_columns = (4 * a.T @ a / len(a) ** 0.5).fill_diagonal_(0)
    assert between_columns.abs().max() < 6  # of 8,128 pairs


def test_the_gradient_goes_through_what_was_kept():
    x = torch.randn(3, 20, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: dropout(x, places(3, 20), KEY, 0.3), x)
    assert torch.autograd.gradgradcheck(lambda x: dropout(x, places(3, 20), KEY, 0.3), x)


def test_places_must_be_one_a_row():
    with pytest.raises(ValueError, match="places must be of shape"):
        dropout(torch.ones(3, 4, 5), places(3, 5), KEY, 0.5)
