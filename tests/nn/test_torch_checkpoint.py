"""Recurrences under torch.utils.checkpoint, as users of nn put it around them."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from sklearn_physrnn.nn import PETNN, DampedHRU, LinearHRU, NonlinearHRU


@pytest.mark.parametrize("use_reentrant", [False, True])
@pytest.mark.parametrize(
    "layer",
    [
        PETNN(3, 4),
        LinearHRU(3, 4),
        LinearHRU(3, 4, gradient="rhel"),
        DampedHRU(3, 4),
        DampedHRU(3, 4, gradient="rhel"),
        NonlinearHRU(3, 4),
        NonlinearHRU(3, 4, gradient="rhel"),
    ],
    ids=repr,
)
def test_gradients_are_those_without_it(layer, use_reentrant):
    x = torch.randn(2, 9, 3, generator=torch.manual_seed(0), requires_grad=True)

    def walk(x):
        return layer(x)[0]

    inputs = [x, *layer.parameters()]
    expected = torch.autograd.grad(walk(x).square().sum(), inputs, allow_unused=True)
    for tensor in inputs:
        tensor.grad = None
    checkpoint(walk, x, use_reentrant=use_reentrant).square().sum().backward()
    for tensor, gradient in zip(inputs, expected, strict=True):
        if gradient is not None:
            torch.testing.assert_close(tensor.grad, gradient)
