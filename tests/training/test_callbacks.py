"""Clipping, which has to survive a gradient beyond float32."""

import pytest
import torch
from torch import nn

from sklearn_physrnn.training._callbacks import ClipGradients


def clipped(*grads):
    parameters = [nn.Parameter(torch.zeros(len(g))) for g in grads]
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = torch.tensor(grad)
    named = [(str(i), p) for i, p in enumerate(parameters)]
    ClipGradients(1.0).on_grad_computed(None, named_parameters=iter(named))
    return torch.cat([p.grad for p in parameters])


def test_a_long_gradient_is_shortened_and_keeps_its_direction():
    torch.testing.assert_close(clipped([3.0], [0.0, 4.0]), torch.tensor([0.6, 0.0, 0.8]))


def test_a_short_gradient_is_left_alone():
    torch.testing.assert_close(clipped([0.3], [0.4]), torch.tensor([0.3, 0.4]))


@pytest.mark.parametrize("value", [float("inf"), float("nan"), 3e38])
def test_a_gradient_beyond_float32_is_left_out(value):
    assert (clipped([value, 1.0], [value, value]) == 0).all()
