"""What modules, and the kernels under them, refuse of parameters and tensors, and say so."""

import numpy as np
import pytest
import torch

from sklearn_physrnn import nn
from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo_packed
from sklearn_physrnn.kernels.oscillators import oscillator_unit
from sklearn_physrnn.kernels.petnn import petnn


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.HSSM(2, 1, hidden_size=10**30, state_size=2, num_blocks=1), "hidden_size"),
        (lambda: nn.LinearHRU(2, True), "state_size must be an integer"),
        (lambda: nn.LinearHRU(2, 3, complex=np.array([1, 2])), "complex must be True or False"),
        (lambda: nn.PETNN(2, 3, time_decay=2.5), "time_decay must be True or False"),
        (lambda: nn.PETNN(2, 3, dropout="a"), "dropout must be a finite number"),
        (lambda: nn.PETNN(2, 3, release=["hard"]), "release must be a string"),
        (lambda: nn.DynPMNN(2, 1, t_end=1e300), "t_end must be a finite number of float32"),
        (lambda: nn.Kuramoto(2.5), "hidden_size must be an integer"),
        (lambda: nn.NonlinearHRU(2, 3, initial_step=None), "initial_step must be"),
        (lambda: nn.LinearHRU(2, 3, epsilon=None), "epsilon must be 'auto' or a positive"),
    ],
)
def test_parameters_of_modules(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"x": np.ones((2, 5, 3))}, TypeError, "x must be a torch.Tensor, got ndarray"),
        ({"x": torch.ones(2, 5, 3, device="meta")}, TypeError, "that holds data"),
        ({"state": [torch.zeros(1, 2, 4).double()] * 3}, ValueError, "like x, torch.float32"),
        ({"dt": torch.full((2, 5), np.inf)}, ValueError, "dt must not be negative, infinite"),
        ({"lengths": torch.tensor([True, True])}, ValueError, "lengths must be integers"),
        ({"lengths": "two"}, ValueError, "lengths must be a tensor of integers"),
    ],
)
def test_arguments_of_petnn(arguments, error, message):
    with pytest.raises(error, match=message):
        nn.PETNN(3, 4)(**{"x": torch.ones(2, 5, 3), **arguments})


def test_lengths_in_bytes_are_lengths():
    torch.manual_seed(0)
    model = nn.HSSM(2, 1, hidden_size=3, state_size=2, num_blocks=1, readout="last").eval()
    u, lengths = torch.randn(2, 5, 2), torch.tensor([5, 1])
    expected = model(u, lengths=lengths)
    assert torch.equal(model(u, lengths=lengths.to(torch.uint8)), expected)


def test_arrays_too_small_for_compiled_code():
    x, weights = torch.zeros(2, 5, 3), [torch.zeros(24, 3), torch.zeros(16, 4), torch.zeros(24)]
    state = [torch.zeros(2, 4)] * 3
    for k, name in enumerate(("input_weight", "recurrent_weight", "bias")):
        bad = [w[:-1] if j == k else w for j, w in enumerate(weights)]
        with pytest.raises(ValueError, match=f"{name} must be of shape"):
            petnn(x, *bad, state)
    with pytest.raises(ValueError, match="S must be of shape"):
        petnn(x, *weights, [torch.zeros(1, 4)] * 3)
    with pytest.raises(ValueError, match="lengths must lie between 0 and the number of steps"):
        petnn(x, *weights, state, lengths=torch.tensor([5, 6]))
    u, maps = torch.zeros(2, 5, 3), [torch.zeros(4, 3), torch.zeros(3, 4), torch.zeros(3)]
    with pytest.raises(ValueError, match="step must be of shape"):
        oscillator_unit(u, *maps, torch.ones(4), torch.ones(1))
    with pytest.raises(ValueError, match="skip must be of shape"):
        oscillator_unit(u, *maps[:2], torch.zeros(1), torch.ones(4), torch.ones(4))
    ones = torch.ones(4)
    with pytest.raises(ValueError, match="g must be of shape"):
        fitzhugh_nagumo_packed(torch.zeros(2, 3, 4), ones, ones, ones[:1], dt=0.1, n_steps=2)
    with pytest.raises(ValueError, match="n_steps must be an integer"):
        fitzhugh_nagumo_packed(torch.zeros(2, 3, 4), ones, ones, ones, dt=0.1, n_steps=2.5)
