"""Problems for FitzHugh-Nagumo neurons, and what a backend makes of them."""

import torch

from sklearn_physrnn.kernels.neuron import fitzhugh_nagumo

F64 = torch.float64


def problem(batch, hidden, dtype=F64, seed=0, device="cpu"):
    """v, w, drive, a, b and g, leaves of a graph."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        x = torch.rand(shape, generator=generator, dtype=F64) * (high - low) + low
        return x.to(device, dtype).requires_grad_()

    return (
        *(uniform(-1, 1, batch, hidden) for _ in range(3)),
        uniform(0, 0.4, hidden),
        uniform(0.1, 1.5, hidden),
        uniform(0.1, 3.0, hidden),
    )


def run(inputs, **options):
    """Final v and w, and gradients of a fixed loss."""
    v, w = fitzhugh_nagumo(*inputs, **options)
    generator = torch.Generator().manual_seed(1)
    gv, gw = (torch.rand(v.shape, generator=generator, dtype=F64) - 0.5 for _ in "vw")
    loss = (v * gv.to(v)).sum() + (w * gw.to(w)).sum()
    return v.detach(), w.detach(), *torch.autograd.grad(loss, inputs, materialize_grads=True)


def truth_of(inputs, **options):
    """The reference's, in float64, on the CPU."""
    exact = [x.detach().double().cpu().requires_grad_() for x in inputs]
    return run(exact, **{**options, "backend": "reference"})
